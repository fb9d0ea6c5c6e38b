//! Policy rules that name a device, as the kernel told them.
//!
//! A rule names its device by name, and stays when the device goes: the kernel
//! calls it detached, and attaches it to the next device of that name.

use std::fmt;

use ipnet::IpNet;
use nix::libc;
use rtnetlink::packet_core::NLM_F_CREATE;
use serde::{Deserialize, Serialize};

use super::object::{Object, address_of};
use super::replay::{RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE};
use super::{Rtnl, RtnlError};
use crate::request::IfName;
use crate::request::rule::Selector;
use crate::rt::Rule;

/// struct fib_rule_hdr: family, two prefix lengths, TOS, table, two unused,
/// action, flags (include/uapi/linux/fib_rules.h).
const HEADER_BYTES: usize = 12;
const SOURCE_LENGTH: usize = 2;
const DESTINATION_LENGTH: usize = 1;
const FLAGS: usize = 8;
const FIB_RULE_INVERT: u8 = 2;
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_FWMASK: u16 = 16;
const FRA_TABLE: u16 = 15;
const FRA_OIFNAME: u16 = 17;
const FRA_PAD: u16 = 18;

/// A policy rule, whole, as it can be told to the kernel again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawRule(Object);

impl RawRule {
    fn of(mut told: Object) -> Self {
        told.set_header(FLAGS, &[told.byte(FLAGS) & FIB_RULE_INVERT, 0, 0, 0]);
        told.keep(|kind| kind != FRA_PAD);
        Self(told)
    }

    /// Whether it belongs to IPv6.
    pub fn is_v6(&self) -> bool {
        i32::from(self.0.byte(0)) == libc::AF_INET6
    }

    /// Its place among the rules; equal ones are asked in the order in which
    /// they were added.
    pub fn priority(&self) -> u32 {
        self.0.value_number(FRA_PRIORITY).unwrap_or(0)
    }

    /// Whether it leads the packets of `rule`, but for their protocol and ports, to its
    /// table, at its place.
    pub fn is_like(&self, rule: &Rule) -> bool {
        let Selector {
            not,
            from,
            to,
            iif,
            oif,
            fwmark,
            ..
        } = &rule.selector;
        let text = |name: &Option<IfName>| name.as_ref().map(IfName::to_string);
        self.is_v6() == rule.v6
            && self.priority() == rule.priority
            && self.0.value_number(FRA_TABLE) == Some(rule.table)
            && (self.0.byte(FLAGS) & FIB_RULE_INVERT != 0) == *not
            && self.is_about(SOURCE_LENGTH, FRA_SRC, *from)
            && self.is_about(DESTINATION_LENGTH, FRA_DST, *to)
            && self.0.value_text(FRA_IIFNAME) == text(iif)
            && self.0.value_text(FRA_OIFNAME) == text(oif)
            && self.is_of_mark(FRA_FWMARK, fwmark.map(|mark| mark.value))
            && self.is_of_mark(FRA_FWMASK, fwmark.map(|mark| mark.mask))
    }

    /// Of a mark that is 0 the kernel says nothing, as of none (`fib_nl_fill_rule`).
    fn is_of_mark(&self, kind: u16, bits: Option<u32>) -> bool {
        self.0.value_number(kind).unwrap_or(0) == bits.unwrap_or(0)
    }

    /// Whether one of its ends is in this network; one of length 0 has no address.
    fn is_about(&self, length: usize, kind: u16, net: Option<IpNet>) -> bool {
        let net = net.filter(|net| net.prefix_len() > 0);
        self.0.byte(length) == net.map_or(0, |net| net.prefix_len())
            && self.0.value(kind).and_then(address_of) == net.map(|net| net.addr())
    }

    /// Whether it asks where a packet came from or goes to, and means `name`.
    pub fn names(&self, name: &str) -> bool {
        [FRA_IIFNAME, FRA_OIFNAME]
            .iter()
            .any(|kind| self.0.value_text(*kind).as_deref() == Some(name))
    }

    /// The same rule about `to` wherever it was about `from`.
    pub fn renamed(&self, from: &str, to: &str) -> Self {
        let mut renamed = self.clone();
        for kind in [FRA_IIFNAME, FRA_OIFNAME] {
            if self.0.value_text(kind).as_deref() == Some(from) {
                renamed.0.set_text(kind, to);
            }
        }
        renamed
    }
}

impl fmt::Display for RawRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.priority())?;
        if self.is_v6() {
            f.write_str(" (IPv6)")?;
        }
        for (word, kind) in [("iif", FRA_IIFNAME), ("oif", FRA_OIFNAME)] {
            if let Some(name) = self.0.value_text(kind) {
                write!(f, " {word} {name}")?;
            }
        }
        match self.0.value_number(FRA_TABLE) {
            Some(table) if table > 0 => write!(f, " lookup {table}"),
            Some(_) | None => Ok(()),
        }
    }
}

impl Rtnl {
    /// Every policy rule of both families, in the order in which they are asked.
    pub async fn rules(&self) -> Result<Vec<RawRule>, RtnlError> {
        let mut rules = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let mut filter = Object::new(&[0; HEADER_BYTES]);
            filter.set_header(0, &[u8::try_from(family).unwrap_or(0)]);
            let listed = self.list(RTM_GETRULE, &filter, HEADER_BYTES).await?;
            // One family's list may hold the other's where it has no rules.
            let listed = listed
                .into_iter()
                .filter(|r| i32::from(r.byte(0)) == family);
            rules.extend(listed.map(RawRule::of));
        }
        Ok(rules)
    }

    /// Adds a rule behind those of its priority, also where one like it is there.
    pub async fn put_rule(&self, rule: &RawRule) -> Result<(), RtnlError> {
        self.tell(RTM_NEWRULE, &rule.0, NLM_F_CREATE, &[]).await
    }

    /// Deletes the first rule that is like this one, if there is one.
    pub async fn drop_rule(&self, rule: &RawRule) -> Result<(), RtnlError> {
        self.tell(RTM_DELRULE, &rule.0, 0, &[libc::ENOENT]).await
    }
}
