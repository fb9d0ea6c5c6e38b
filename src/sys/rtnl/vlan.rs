//! VLAN devices on a NIC (net/8021q): making and finding them.
//!
//! One RTM_NEWLINK makes one, up. The kernel knows a VLAN of a NIC by its tag
//! alone and refuses a second one of any name (`vlan_check_real_dev`: EEXIST).

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkExtentMask, LinkInfo,
};

use super::link::{info, message, with_state};
use super::{LinkFacts, Rtnl, RtnlError};
use crate::request::VlanId;
use crate::rt::VlanDevice;

fn vlan_info(vlan: VlanId) -> LinkAttribute {
    let tag = vec![InfoVlan::Id(vlan.get())];
    info(InfoKind::Vlan, InfoData::Vlan(tag))
}

impl Rtnl {
    /// Makes a VLAN device, up, with the MAC and the MTU of its NIC.
    ///
    /// `ENETDOWN` when the NIC is down, `EEXIST` when it has that VLAN.
    pub async fn create_vlan(&self, new: &VlanDevice) -> Result<(), RtnlError> {
        let attributes = vec![
            LinkAttribute::IfName(new.name.to_string()),
            LinkAttribute::Link(new.parent),
            vlan_info(new.vlan),
        ];
        self.create(with_state(message(new.ifindex, attributes), true))
            .await
    }

    /// The VLAN devices of the namespace, as the kernel filters them: only for
    /// who is the first to use a VLAN, and for clean-up.
    pub async fn vlan_devices(&self) -> Result<Vec<LinkFacts>, RtnlError> {
        let devices = self.of_kind(InfoKind::Vlan).await?;
        // A kernel that has not loaded the module yet does not filter.
        Ok(devices.into_iter().filter(|l| l.vlan.is_some()).collect())
    }

    /// The ipvlan devices of the namespace; those of containers are in theirs.
    pub async fn ipvlan_devices(&self) -> Result<Vec<LinkFacts>, RtnlError> {
        let devices = self.of_kind(InfoKind::IpVlan).await?;
        let is_one = |link: &LinkFacts| link.ipvlan_mode.is_some();
        Ok(devices.into_iter().filter(is_one).collect())
    }

    async fn of_kind(&self, kind: InfoKind) -> Result<Vec<LinkFacts>, RtnlError> {
        let kind = LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]);
        let mask = LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]);
        let filter = RouteNetlinkMessage::GetLink(message(0, vec![kind, mask]));
        let answers = self.dump("RTM_GETLINK", filter).await?;
        let read = |answer: super::Answer| LinkFacts::read(&answer.payload);
        Ok(answers.into_iter().filter_map(read).collect())
    }
}
