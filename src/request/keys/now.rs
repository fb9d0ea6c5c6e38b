//! The fields that this build carries out.

use super::{Engine, Form, Key, Scope, table};

const FIRST: Engine = Engine::Now { since: "0.1.0" };

table! {
    Uplink "bridge" Form::IfName, "", "br0", FIRST;
        "a port of this bridge; a missing br* is made"
    Uplink "parent" Form::Device, "", "eth1", FIRST;
        "a macvlan on this network card, or what type says"
    Uplink "link" Form::Device, "", "eth1", FIRST;
        "pipework's first argument: a port of a bridge, a macvlan on a network card"
    Interface "type" Form::Type, "", "macvlan", FIRST;
        "the kind of interface, where the uplink allows several"
    Interface "mode" Form::Mode, "bridge", "private", FIRST;
        "how the children of one network card reach each other"
    Interface "ip" Form::Ip, "0/0", "10.0.0.5/24@10.0.0.1", FIRST;
        "addresses and gateways; 0/0 for none"
    Interface "gw" Form::Gateways, "", "10.0.0.1", FIRST;
        "gateways, where they are not written behind the addresses"
    Interface "route" Form::Routes, "", "10.1.0.0/16 via 10.0.0.2 metric 50", FIRST;
        "further routes: DST [via GW] [metric N] [table T] [src A] [onlink]"
    Interface "metric" Form::Number(0, u32::MAX), "", "100", FIRST;
        "metric of the default route"
    Interface "default" Form::DefaultRoute, "true", "v4", FIRST;
        "which gateways become the default route"
    Interface "mac" Form::Mac, "", "U:web", FIRST;
        "hardware address, or U:STRING to derive one; without it a stable one"
    Interface "vlan" Form::Vlan, "", "100", FIRST;
        "the VLAN of the interface, untagged in the container"
    Interface "trunk" Form::Trunk, "", "10,20-30", FIRST;
        "VLANs that reach the container tagged, by a port of a bridge"
    Interface "ifname" Form::IfName, "eth1", "lan0", FIRST;
        "the interface's name in the container; eth<n+1> for interface n"
    Interface "hostif" Form::IfName, "", "web0", FIRST;
        "name of the host's end of a bridge port"
    Interface "mtu" Form::Mtu, "", "1400", FIRST;
        "largest packet in bytes; without it the uplink's"
    Interface "txqlen" Form::Number(0, u32::MAX), "", "1000", FIRST;
        "length of the transmit queue in packets; without it the kernel's"
    Interface "sysctl.ipv4.conf.<leaf>" Form::Sysctl, "", "1", FIRST;
        "an IPv4 setting of this interface"
    Interface "sysctl.ipv6.conf.<leaf>" Form::Sysctl, "", "1", FIRST;
        "an IPv6 setting of this interface"
    Interface "announce" Form::Announce, "1", "0", FIRST;
        "how often the address is announced on the link"
    Interface "optional" Form::Bool, "false", "true", FIRST;
        "start without this interface when it cannot be made"
    Sandbox "name" Form::Name, "", "web", FIRST;
        "the stable identity of the container; without it the engine's name for it"
}
