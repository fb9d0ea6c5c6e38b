//! The fields that this build knows and checks, and does not carry out.

use super::{Engine, Form, Key, Scope, table};

const DEVICE: Engine = Engine::NotYet("moving a device into the container");
const DHCP: Engine = Engine::NotYet("DHCP");
const DNS: Engine = Engine::NotYet("DNS configuration");
const OVS: Engine = Engine::NotYet("Open vSwitch");
const PORT: Engine = Engine::NotYet("a setting of the bridge port");
const RATE: Engine = Engine::NotYet("rate limiting");
const ROUTING: Engine = Engine::NotYet("policy routing");
const SRIOV: Engine = Engine::NotYet("SR-IOV");

table! {
    Uplink "ovs" Form::IfName, "", "ovs0", OVS;
        "a port of this Open vSwitch bridge; a missing ovs* is made"
    Uplink "device" Form::DeviceOrPf, "", "eth2", DEVICE;
        "this network card itself, or pf:NAME for a free virtual function of it"
    Uplink "dummy" Form::Device, "", "dummy", Engine::NotYet("a dummy interface");
        "an interface that leads nowhere"
    Uplink "ipoib" Form::Device, "", "ib0", Engine::NotYet("IPoIB");
        "a child of this InfiniBand interface"
    Interface "rule" Form::Text(4096), "", "from 10.0.0.5 table 100", ROUTING;
        "routing policy rules"
    Interface "neigh" Form::Text(4096), "", "10.0.0.1 lladdr 02:00:00:00:00:01", Engine::NotYet("a permanent neighbour");
        "permanent neighbours"
    Interface "sbr" Form::Bool, "false", "true", ROUTING;
        "replies leave by the interface that they came to"
    Interface "dhcp.hostname" Form::HostName, "", "web", DHCP;
        "host name sent to the server; without it the container's"
    Interface "dhcp.client-id" Form::Text(255), "", "01:02:00:00:00:00:05", DHCP;
        "client identifier; without it type 1 and the MAC"
    Interface "dhcp.vendor-class" Form::Text(255), "", "pipework", DHCP;
        "vendor class identifier"
    Interface "dhcp.timeout" Form::Duration, "20s", "10s", DHCP;
        "how long to wait for a lease"
    Interface "dhcp.arp" Form::Words(&["off", "fast", "rfc"]), "fast", "rfc", DHCP;
        "probe of an offered address"
    Interface "dhcp.release" Form::Bool, "false", "true", DHCP;
        "give the lease back when the container ends"
    Interface "dhcp.keep" Form::Bool, "true", "false", DHCP;
        "refuse a lease that nothing would renew"
    Interface "dhcp.fallback" Form::Fallback, "refuse", "last-lease", DHCP;
        "what to do without an answer: refuse, last-lease, background or ADDRESS/LENGTH"
    Interface "dns" Form::Dns, "auto", "lease", DNS;
        "name servers: auto, lease, keep or a list of addresses"
    Interface "dns.search" Form::Text(1024), "", "example.net", DNS;
        "search domains"
    Interface "hosts" Form::Words(&["auto", "keep"]), "auto", "keep", DNS;
        "whether the container's own name is written to /etc/hosts"
    Interface "isolate" Form::Bool, "false", "true", PORT;
        "no traffic with the other isolated ports of the bridge"
    Interface "spoofcheck" Form::Bool, "false", "true", Engine::NotYet("a guard against forged addresses");
        "only the interface's own addresses leave it"
    Interface "hairpin" Form::Bool, "false", "true", PORT;
        "frames may leave by the port that they came from"
    Interface "promisc" Form::Bool, "false", "true", PORT;
        "receive all frames"
    Interface "rate.in" Form::Rate, "", "10mbit", RATE;
        "limit of traffic to the container, in bit/s"
    Interface "rate.out" Form::Rate, "", "10mbit", RATE;
        "limit of traffic from the container, in bit/s"
    Interface "burst" Form::Size, "", "64kb", RATE;
        "bytes that may exceed the limit at once"
    Interface "tc" Form::Text(4096), "", "qdisc add root fq", Engine::NotYet("traffic control");
        "traffic control in the words of tc"
    Interface "dad" Form::Dad, "off", "arp:200", Engine::NotYet("duplicate address detection");
        "off or arp[:MILLISECONDS]: refuse an address that another host has"
    Interface "host-access" Form::Bool, "false", "true", Engine::NotYet("a path between host and container");
        "host and container reach each other in spite of macvlan"
    Interface "wait" Form::Duration, "0s", "30s", Engine::NotYet("waiting for an uplink");
        "how long to wait for an uplink that is absent or without carrier"
    Interface "device.force" Form::Bool, "false", "true", DEVICE;
        "move a device although the host uses it"
    Interface "vf.vlan" Form::Number(0, 4094), "", "100", SRIOV;
        "VLAN of the virtual function"
    Interface "vf.qos" Form::Number(0, 7), "", "3", SRIOV;
        "802.1p priority of the virtual function"
    Interface "vf.trust" Form::Bool, "false", "true", SRIOV;
        "trust the virtual function"
    Interface "vf.spoofchk" Form::Bool, "", "true", SRIOV;
        "check the sender of its frames"
    Interface "vf.link-state" Form::Words(&["auto", "enable", "disable"]), "auto", "enable", SRIOV;
        "link state that it sees"
    Interface "vf.min-tx-rate" Form::Rate, "", "10mbit", SRIOV;
        "rate that it is guaranteed"
    Interface "vf.max-tx-rate" Form::Rate, "", "100mbit", SRIOV;
        "rate that it may reach"
    Interface "ovs.iface-id" Form::Text(255), "", "port-1", OVS;
        "external-ids:iface-id of the port"
    Interface "ovs.external-ids.<k>" Form::Text(255), "", "value", OVS;
        "another of the port's external-ids"
    Interface "ovs.vlan-mode" Form::Words(&["access", "trunk", "native-tagged", "native-untagged", "dot1q-tunnel"]), "", "trunk", OVS;
        "VLAN mode of the port"
    Sandbox "net" Form::NetworkName, "", "lan", Engine::NotYet("a named network");
        "a network that the administrator has defined"
    Sandbox "cmd" Form::Command, "", "br0 10.0.0.5/24", Engine::NotYet("a pipework line");
        "a line for the pipework script, without the guest; also cmd.<anything>"
}
