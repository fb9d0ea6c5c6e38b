//! Nexthop objects that lead out of a device, and the groups that they are in.
//!
//! Routes go by the number of an object, so an object that is replaced takes all
//! of its routes along in one moment (net/ipv4/nexthop.c, since Linux 5.3).

use std::fmt;

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use serde::{Deserialize, Serialize};

use super::object::{Object, address_of, number_of};
use super::replay::{RTM_GETNEXTHOP, RTM_NEWNEXTHOP};
use super::{Rtnl, RtnlError};

/// struct nhmsg: family, scope, protocol, one unused, flags
/// (include/uapi/linux/nexthop.h).
const HEADER_BYTES: usize = 8;
const SCOPE: usize = 1;
const FLAGS: usize = 4;
const RTNH_F_ONLINK: u8 = 4;
const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_GROUP_TYPE: u16 = 3;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_GROUPS: u16 = 9;
const NHA_FDB: u16 = 11;
const NHA_RES_GROUP: u16 = 12;
/// struct nexthop_grp: number, weight, and three bytes more.
const MEMBER_BYTES: usize = 8;

/// A nexthop object or a group of them, as it can be told to the kernel again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawNexthop(Object);

impl RawNexthop {
    fn of(mut told: Object) -> Self {
        told.set_header(SCOPE, &[0]);
        told.set_header(FLAGS, &[told.byte(FLAGS) & RTNH_F_ONLINK, 0, 0, 0]);
        if told.value(NHA_GROUP).is_some() {
            // What counts, or tells of a state, is no wish.
            let wishes = [NHA_ID, NHA_GROUP, NHA_GROUP_TYPE, NHA_FDB, NHA_RES_GROUP];
            told.keep(|kind| wishes.contains(&kind));
        }
        Self(told)
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.0.value_number(NHA_ID).unwrap_or(0)
    }

    /// Numbers of its members, where it is a group.
    fn members(&self) -> Vec<u32> {
        let group = self.0.value(NHA_GROUP).unwrap_or_default();
        group.chunks(MEMBER_BYTES).map(number_of).collect()
    }

    /// The same object out of another device; a group stays as it is.
    pub fn on(&self, from: u32, to: u32) -> Self {
        let mut moved = self.clone();
        if self.0.value_number(NHA_OIF) == Some(from) {
            moved.0.set(NHA_OIF, &to.to_ne_bytes());
        }
        moved
    }
}

impl fmt::Display for RawNexthop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id())?;
        match self.0.value(NHA_GATEWAY).and_then(address_of) {
            Some(gateway) => write!(f, " via {gateway}"),
            None => Ok(()),
        }
    }
}

impl Rtnl {
    /// The nexthop objects that lead out of a device, then the groups that have
    /// one of them for a member.
    pub async fn nexthops_of(&self, ifindex: u32) -> Result<Vec<RawNexthop>, RtnlError> {
        let mut filter = Object::new(&[0; HEADER_BYTES]);
        filter.set(NHA_OIF, &ifindex.to_ne_bytes());
        let listed = self.list(RTM_GETNEXTHOP, &filter, HEADER_BYTES).await?;
        let mut nexthops: Vec<_> = listed.into_iter().map(RawNexthop::of).collect();
        if nexthops.is_empty() {
            return Ok(nexthops);
        }
        let ids: Vec<u32> = nexthops.iter().map(RawNexthop::id).collect();
        let mut filter = Object::new(&[0; HEADER_BYTES]);
        filter.set(NHA_GROUPS, &[]);
        let groups = self.list(RTM_GETNEXTHOP, &filter, HEADER_BYTES).await?;
        let groups = groups.into_iter().map(RawNexthop::of);
        nexthops.extend(groups.filter(|g| g.members().iter().any(|id| ids.contains(id))));
        Ok(nexthops)
    }

    /// Makes a nexthop object be like this, with all of its routes.
    pub async fn put_nexthop(&self, nexthop: &RawNexthop) -> Result<(), RtnlError> {
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.tell(RTM_NEWNEXTHOP, &nexthop.0, flags, &[]).await
    }
}
