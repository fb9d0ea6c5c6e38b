//! The fields themselves.

use super::{Form, Key, Scope, table};
use crate::request::ArpProbe;
use crate::request::ovs::VlanMode;

const FIRST: &str = "0.1.0";

table! {
    Uplink "bridge" Form::IfName, "", "br0", FIRST;
        "a port of this bridge, of Linux or Open vSwitch; a missing br* or ovs* is made"
    Uplink "parent" Form::Device, "", "eth1", FIRST;
        "a macvlan on this network card, or what type says"
    Uplink "link" Form::Device, "", "eth1", FIRST;
        "pipework's first argument: plugged in as what the device is, as the shell script does"
    Uplink "ovs" Form::IfName, "", "ovs0", FIRST;
        "a port of this Open vSwitch bridge; a missing ovs* is made"
    Uplink "device" Form::DeviceOrPf, "", "eth2", FIRST;
        "this network card itself, or pf:NAME for a free virtual function of it; given back at the end"
    Uplink "ipoib" Form::Device, "", "ib0", FIRST;
        "a child of this InfiniBand interface"
    Uplink "dummy" Form::IfName, "", "dummy", FIRST;
        "an interface that leads nowhere, whatever name is given"
    Uplink "net" Form::NetworkName, "", "lan", FIRST;
        "a network that the administrator has defined, which says what it is plugged into"
    Interface "type" Form::Type, "", "macvlan", FIRST;
        "the kind of interface, where the uplink allows several"
    Interface "mode" Form::Mode, "bridge", "private", FIRST;
        "how the children of one network card reach each other; those of an ipvlan by l2 unless told"
    Interface "ip" Form::Ip, "0/0", "10.0.0.5/24@10.0.0.1", FIRST;
        "addresses and gateways; 0/0 for none"
    Interface "gw" Form::Gateways, "", "10.0.0.1", FIRST;
        "gateways, where they are not written behind the addresses"
    Interface "route" Form::Routes, "", "10.1.0.0/16 via 10.0.0.2 metric 50", FIRST;
        "further routes: DST [via GW] [metric N] [table T] [src A] [onlink]"
    Interface "rule" Form::Rules, "", "from 10.0.0.5 lookup 100", FIRST;
        "rules that choose a table: [not] [from NET] [to NET] [iif IF] [oif IF] [fwmark N[/M]] [ipproto P] [sport P[-P]] [dport P[-P]] lookup T [priority N] [suppress_prefixlength N]"
    Interface "neigh" Form::Neighbours, "", "10.0.0.1 lladdr 02:00:00:00:00:01", FIRST;
        "permanent neighbours: IP lladdr MAC, or IP proxy to answer for an address"
    Interface "sbr" Form::Bool, "false", "true", FIRST;
        "replies leave by the interface that they came to"
    Interface "dad" Form::Dad, "off", "arp:200", FIRST;
        "off or arp[:MILLISECONDS]: refuse an address that another host has"
    Interface "host-access" Form::Bool, "false", "true", FIRST;
        "host and container reach each other in spite of macvlan or ipvlan"
    Interface "metric" Form::Number(0, u32::MAX), "", "100", FIRST;
        "metric of the default route"
    Interface "default" Form::DefaultRoute, "true", "v4", FIRST;
        "which gateways become the default route; for pods none without it"
    Interface "mac" Form::Mac, "", "U:web", FIRST;
        "hardware address, or U:STRING to derive one; without it a stable one"
    Interface "vlan" Form::Vlan, "", "100", FIRST;
        "the VLAN of the interface, untagged in the container"
    Interface "trunk" Form::Trunk, "", "10,20-30", FIRST;
        "VLANs that reach the container tagged, by a port of a bridge"
    Interface "ifname" Form::IfName, "eth1", "lan0", FIRST;
        "the interface's name in the container; eth<n+1> for interface n, ib<n> on InfiniBand, net<n+1> for pods"
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
    Interface "isolate" Form::Bool, "false", "true", FIRST;
        "no traffic with the other isolated ports of the bridge"
    Interface "spoofcheck" Form::Bool, "false", "true", FIRST;
        "only the interface's own addresses leave it, and nothing that routers and DHCP servers send; true for pods"
    Interface "hairpin" Form::Bool, "false", "true", FIRST;
        "frames may leave by the bridge port that they came from"
    Interface "promisc" Form::Bool, "false", "true", FIRST;
        "receive all frames"
    Interface "rate.in" Form::Rate, "", "10mbit", FIRST;
        "limit of traffic to the container, in bit/s"
    Interface "rate.out" Form::Rate, "", "10mbit", FIRST;
        "limit of traffic from the container, in bit/s"
    Interface "burst" Form::Size, "", "64kb", FIRST;
        "bytes that may exceed the limits at once; without it 10 ms of the rate, at least ten frames"
    Interface "tc" Form::TrafficControl, "", "qdisc add root netem loss 30%", FIRST;
        "traffic control of the interface in the words of tc(8), separated by ;"
    Interface "device.force" Form::Bool, "false", "true", FIRST;
        "move a device although the host uses it"
    Interface "vf.vlan" Form::Number(0, 4094), "", "100", FIRST;
        "VLAN that the card puts the virtual function in; 0 for none"
    Interface "vf.qos" Form::Number(0, 7), "", "3", FIRST;
        "802.1p priority of the virtual function's VLAN"
    Interface "vf.trust" Form::Bool, "", "true", FIRST;
        "trust the virtual function"
    Interface "vf.spoofchk" Form::Bool, "", "true", FIRST;
        "check the sender of the virtual function's frames"
    Interface "vf.link-state" Form::Words(&["auto", "enable", "disable"]), "", "enable", FIRST;
        "link state that the virtual function sees"
    Interface "vf.min-tx-rate" Form::TxRate, "", "10mbit", FIRST;
        "rate that the virtual function is guaranteed"
    Interface "vf.max-tx-rate" Form::TxRate, "", "100mbit", FIRST;
        "rate that the virtual function may reach"
    Interface "ipoib.pkey" Form::Pkey, "", "0x8001", FIRST;
        "partition of the InfiniBand interface; without it its parent's"
    Interface "ipoib.mode" Form::Words(&["datagram", "connected"]), "", "connected", FIRST;
        "how the InfiniBand interface carries packets; without it its parent's way"
    Interface "announce" Form::Announce, "1", "0", FIRST;
        "how often the address is announced on the link"
    Interface "dns" Form::Dns, "auto", "10.0.0.1", FIRST;
        "name servers: auto, lease, keep or a list of addresses"
    Interface "dns.search" Form::Domains, "", "example.net", FIRST;
        "search domains"
    Interface "hosts" Form::Words(&["auto", "keep"]), "auto", "keep", FIRST;
        "whether the container's own name is written to /etc/hosts"
    Interface "dhcp.hostname" Form::HostName, "", "web", FIRST;
        "host name sent to the server; without it the container's"
    Interface "dhcp.client-id" Form::ClientId, "", "01:02:00:00:00:00:05", FIRST;
        "client identifier; without it type 1 and the MAC"
    Interface "dhcp.vendor-class" Form::Text(255), "", "pipework", FIRST;
        "vendor class identifier"
    Interface "dhcp.user-class" Form::Text(254), "", "lab", FIRST;
        "user class"
    Interface "dhcp.fqdn" Form::Domain, "", "web.example.net", FIRST;
        "domain name for the server to enter the address under, in the host name's place"
    Interface "dhcp.server" Form::DhcpServers, "", "10.0.0.2", FIRST;
        "the only servers of DHCPv4 that are listened to"
    Interface "dhcp.timeout" Form::Duration, "20s", "10s", FIRST;
        "how long to wait for a lease; more than a start has left, 45 s in all, is refused"
    Interface "dhcp.arp" Form::Words(&ArpProbe::WORDS), "fast", "rfc", FIRST;
        "probe of an offered address"
    Interface "dhcp.release" Form::Bool, "false", "true", FIRST;
        "give the lease back when the container ends; true for pods"
    Interface "dhcp.keep" Form::Bool, "true", "false", FIRST;
        "refuse a lease that nothing would renew"
    Interface "dhcp.fallback" Form::Fallback, "refuse", "last-lease", FIRST;
        "what to do without an answer: refuse, last-lease, background or ADDRESS/LENGTH"
    Interface "dhcp.program" Form::DhcpProgram, "", "/usr/sbin/udhcpc", FIRST;
        "the program that asks for an IPv4 lease in our own client's place, if policy lists it"
    Interface "wait" Form::Duration, "0s", "30s", FIRST;
        "how long to wait for an uplink that is absent or without carrier; more than a start has left, 45 s in all, is refused"
    Interface "optional" Form::Bool, "false", "true", FIRST;
        "start without this interface when it cannot be made"
    Interface "ovs.iface-id" Form::Text(255), "", "port-1", FIRST;
        "external-ids:iface-id of the port"
    Interface "ovs.external-ids.<k>" Form::Text(255), "", "value", FIRST;
        "another of the port's external-ids"
    Interface "ovs.vlan-mode" Form::Words(&VlanMode::WORDS), "", "trunk", FIRST;
        "VLAN mode of the port; without it what vlan and trunk say"
    Sandbox "name" Form::Name, "", "web", FIRST;
        "the stable identity of the container; without it the engine's name for it"
    Sandbox "cmd" Form::Command, "", "br0 10.0.0.5/24", FIRST;
        "a line of the pipework script, without the container; several as cmd.<anything>"
}
