//! The hosts on which an uplink is made: what their cards had, and what was asked
//! for.

use crate::support::world::World;

/// A host, and its uplink br0.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What the kernel must be able to make, in the words of `ip link add`.
    pub needs: Option<(&'static str, &'static str)>,
    /// What was done to the host before, in lines of shell.
    pub had: &'static str,
    /// The words behind `uplink add br0`.
    pub add: &'static str,
    /// The bridge is of Open vSwitch.
    pub ovs: bool,
    /// A DHCP server gave the address: routes have the metrics of who asked it.
    pub leased: bool,
}

/// A card with addresses of both families, and a gateway that is not the only route.
const ADDRESSES: &str = "
    ip link set eth0 up
    ip addr add 10.0.0.5/24 dev eth0
    ip addr add 10.0.1.5/24 dev eth0
    ip addr add fd00::5/64 dev eth0 nodad
    ip route add default via 10.0.0.2 dev eth0 metric 100
    ip route add 10.66.0.0/16 via 10.0.0.2 dev eth0 metric 50
    ip -6 route add default via fd00::2 dev eth0 metric 100";
/// One address, as most have.
const ADDRESS: &str = "
    ip link set eth0 up
    ip addr add 10.0.0.5/24 dev eth0
    ip route add default via 10.0.0.2 dev eth0 metric 100";

const CARD: Case = Case {
    needs: None,
    had: ADDRESS,
    add: "eth0",
    ovs: false,
    leased: false,
};

impl Case {
    /// Whether there can be such a host although the kernel cannot make its uplink.
    pub fn can_be_printed(&self) -> bool {
        !self.had.contains("vlan_filtering")
    }

    /// Why the kernel cannot have it.
    pub fn is_missing(&self, world: &World) -> Option<String> {
        let (link, what) = self.needs?;
        let made = world.sh(&format!(
            "ip link add card0 type veth; ip link add probe0 {link}; code=$?
             ip link del probe0; ip link del card0; exit $code"
        ));
        (!made.status.success()).then(|| format!("kernel has no {what}: tests/vm/test managers"))
    }
}

pub fn a_card_with_addresses_is_in_its_bridge_again() -> Case {
    Case {
        had: ADDRESSES,
        ..CARD
    }
}

/// As dhclient leaves it: its script adds the route as anybody would by hand.
pub fn a_card_with_a_lease_is_in_its_bridge_again() -> Case {
    Case {
        had: "
    ip link set eth0 up
    ip addr add 10.0.0.100/24 dev eth0 valid_lft 3600 preferred_lft 3600
    ip route add default via 10.0.0.2 dev eth0",
        add: "eth0 --keep-lifetimes",
        leased: true,
        ..CARD
    }
}

pub fn a_card_with_a_small_mtu_is_in_its_bridge_again() -> Case {
    Case {
        had: "
    ip link set eth0 mtu 1400 up
    ip addr add 10.0.0.5/24 dev eth0",
        ..CARD
    }
}

/// The VLAN device is made by `uplink add`, and the card keeps what it has, which is
/// nothing here.
pub fn a_vlan_of_a_card_is_in_its_bridge_again() -> Case {
    Case {
        needs: Some(("link card0 type vlan id 7", "8021q")),
        had: "ip link set eth0 up",
        add: "eth0 --vlan 100",
        ..CARD
    }
}

pub fn a_card_is_in_a_bridge_that_keeps_vlans_apart_again() -> Case {
    Case {
        needs: Some(("type bridge vlan_filtering 1", "bridge VLAN filtering")),
        had: "
    ip link add br0 type bridge vlan_filtering 1
    ip link set br0 up
    ip link set eth0 up
    ip addr add 10.0.0.5/24 dev eth0
    ip route add default via 10.0.0.2 dev eth0 metric 100",
        ..CARD
    }
}

pub fn cards_are_bonded_in_their_bridge_again() -> Case {
    Case {
        needs: Some(("type bond", "bonding")),
        add: "eth0 eth1 --bond active-backup",
        had: "
    ip link set eth0 up
    ip link set eth1 up
    ip addr add 10.0.0.5/24 dev eth0
    ip route add default via 10.0.0.2 dev eth0 metric 100",
        ..CARD
    }
}

pub fn a_card_is_in_its_bridge_of_open_vswitch_again() -> Case {
    Case { ovs: true, ..CARD }
}
