//! Virtual functions of an SR-IOV card: what the physical function says of one,
//! and what it is told (include/uapi/linux/if_link.h, `IFLA_VFINFO_LIST`).
//!
//! Needs no driver of the virtual function, so it works while that is in a
//! container.

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkExtentMask};

use super::link::message;
use super::object::{Object, number_of, put};
use super::replay::RTM_SETLINK;
use super::{Rtnl, RtnlError};
use crate::rt::{VfSettings, VfVlan};

/// struct ifinfomsg, in which the index is the fifth byte and those after it.
const HEADER_BYTES: usize = 16;
const INDEX: usize = 4;
const IFLA_VFINFO_LIST: u16 = 22;
const IFLA_VF_INFO: u16 = 1;
const IFLA_VF_MAC: u16 = 1;
const IFLA_VF_VLAN: u16 = 2;
const IFLA_VF_SPOOFCHK: u16 = 4;
const IFLA_VF_LINK_STATE: u16 = 5;
const IFLA_VF_RATE: u16 = 6;
const IFLA_VF_TRUST: u16 = 9;
const IFLA_VF_VLAN_LIST: u16 = 12;
const IFLA_VF_VLAN_INFO: u16 = 1;
/// `MAX_ADDR_LEN`: room for the address of any link layer.
const ADDRESS_BYTES: usize = 32;
/// What a card says of a setting that it does not have (`rtnl_fill_vfinfo`).
const UNKNOWN: u32 = u32::MAX;
/// EtherType of the usual tag (IEEE 802.1Q).
const ETH_P_8021Q: u16 = 0x8100;

impl Rtnl {
    /// What the physical function `function` says of its virtual function
    /// `number`; `None` when it has none of that number.
    pub async fn virtual_function(
        &self,
        function: u32,
        number: u32,
    ) -> Result<Option<VfSettings>, RtnlError> {
        let mask = LinkAttribute::ExtMask(vec![LinkExtentMask::Vf, LinkExtentMask::SkipStats]);
        let asked = RouteNetlinkMessage::GetLink(message(function, vec![mask]));
        self.socket.expect_long();
        let answer = self.get("RTM_GETLINK", asked).await?;
        Ok(answer.and_then(|answer| settings_of(&answer.payload, number)))
    }

    /// Tells the physical function what holds for its virtual function
    /// `number`. On a refusal those settings that come before the refused one
    /// hold already.
    pub async fn set_virtual_function(
        &self,
        function: u32,
        number: u32,
        settings: &VfSettings,
    ) -> Result<(), RtnlError> {
        let mut link = Object::new(&[0; HEADER_BYTES]);
        link.set_header(INDEX, &function.to_ne_bytes());
        link.set(IFLA_VFINFO_LIST, &list_of(number, settings));
        self.tell(RTM_SETLINK, &link, 0, &[]).await
    }
}

fn numbers(of: &[u32]) -> Vec<u8> {
    of.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn list_of(number: u32, settings: &VfSettings) -> Vec<u8> {
    let VfSettings {
        mac,
        vlan,
        spoofchk,
        trust,
        link_state,
        rate,
    } = settings;
    let mut all = Vec::new();
    if let Some(mac) = mac {
        let mut value = numbers(&[number]);
        value.extend(mac);
        value.resize(4 + ADDRESS_BYTES, 0);
        put(&mut all, IFLA_VF_MAC, &value);
    }
    if let Some(VfVlan { id, qos, protocol }) = *vlan {
        if protocol == ETH_P_8021Q {
            put(&mut all, IFLA_VF_VLAN, &numbers(&[number, id, qos]));
        } else {
            let mut value = numbers(&[number, id, qos]);
            value.extend(protocol.to_be_bytes());
            value.extend([0; 2]);
            let mut list = Vec::new();
            put(&mut list, IFLA_VF_VLAN_INFO, &value);
            put(&mut all, IFLA_VF_VLAN_LIST, &list);
        }
    }
    let simple = [
        (IFLA_VF_SPOOFCHK, spoofchk.map(u32::from)),
        (IFLA_VF_LINK_STATE, *link_state),
        (IFLA_VF_TRUST, trust.map(u32::from)),
    ];
    for (kind, value) in simple {
        if let Some(value) = value {
            put(&mut all, kind, &numbers(&[number, value]));
        }
    }
    if let Some((min, max)) = *rate {
        put(&mut all, IFLA_VF_RATE, &numbers(&[number, min, max]));
    }
    let mut list = Vec::new();
    put(&mut list, IFLA_VF_INFO, &all);
    list
}

/// Every virtual function's attributes stand in one `IFLA_VF_INFO`, each of
/// which begins with the function's number.
fn settings_of(link: &[u8], number: u32) -> Option<VfSettings> {
    let link = Object::parse(link, HEADER_BYTES)?;
    let list = link.value(IFLA_VFINFO_LIST)?;
    let mut rest = list;
    loop {
        let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let info = Object::parse(rest.get(4..length)?, 0)?;
        let mac = info.value(IFLA_VF_MAC)?;
        if number_of(mac) == number {
            return Some(read(&info, mac));
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

fn read(info: &Object, mac: &[u8]) -> VfSettings {
    let at = |kind: u16, place: usize| {
        let value = info.value(kind)?.get(4 * place..)?;
        Some(number_of(value)).filter(|value| *value != UNKNOWN)
    };
    let yes_no = |kind| at(kind, 1).map(|value| value != 0);
    let protocol = info
        .value(IFLA_VF_VLAN_LIST)
        .and_then(|list| Object::parse(list, 0))
        .and_then(|list| {
            Some(u16::from_be_bytes(
                *list.value(IFLA_VF_VLAN_INFO)?.get(12..)?.first_chunk()?,
            ))
        });
    VfSettings {
        mac: mac.get(4..).and_then(|mac| mac.first_chunk().copied()),
        vlan: at(IFLA_VF_VLAN, 1)
            .zip(at(IFLA_VF_VLAN, 2))
            .map(|(id, qos)| VfVlan {
                id,
                qos,
                protocol: protocol.unwrap_or(ETH_P_8021Q),
            }),
        spoofchk: yes_no(IFLA_VF_SPOOFCHK),
        trust: yes_no(IFLA_VF_TRUST),
        link_state: at(IFLA_VF_LINK_STATE, 1),
        rate: at(IFLA_VF_RATE, 1).zip(at(IFLA_VF_RATE, 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(list: &[u8]) -> Vec<u8> {
        let mut link = Object::new(&[0; HEADER_BYTES]);
        link.set(IFLA_VFINFO_LIST, list);
        link.emit()
    }

    fn settings() -> VfSettings {
        VfSettings {
            mac: Some([2, 0, 0, 0, 0, 0x88]),
            vlan: Some(VfVlan {
                id: 100,
                qos: 3,
                protocol: ETH_P_8021Q,
            }),
            spoofchk: Some(false),
            trust: Some(true),
            link_state: Some(1),
            rate: Some((10, 100)),
        }
    }

    #[test]
    fn what_is_told_of_a_function_reads_the_same() {
        let mut both = list_of(
            0,
            &VfSettings {
                mac: Some([0; 6]),
                ..settings()
            },
        );
        both.extend(list_of(1, &settings()));
        assert_eq!(settings_of(&link(&both), 1), Some(settings()));
        assert_eq!(settings_of(&link(&both), 2), None);
    }

    #[test]
    fn a_setting_that_the_card_does_not_have_is_none() {
        let unknown = VfSettings {
            mac: Some([2, 0, 0, 0, 0, 1]),
            ..VfSettings::default()
        };
        let mut info = Object::parse(&list_of(0, &unknown)[4..], 0).unwrap();
        info.set(IFLA_VF_SPOOFCHK, &numbers(&[0, UNKNOWN]));
        let mut list = Vec::new();
        put(&mut list, IFLA_VF_INFO, &info.emit());
        assert_eq!(settings_of(&link(&list), 0), Some(unknown));
    }

    #[test]
    fn a_list_that_is_cut_anywhere_gives_no_panic() {
        let whole = link(&list_of(0, &settings()));
        for length in 0..whole.len() {
            let _ = settings_of(&whole[..length], 0);
        }
    }
}
