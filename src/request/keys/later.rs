//! The fields that this build knows and checks, and does not carry out.

use super::{Engine, Form, Key, Scope, table};
use crate::request::ArpProbe;

const DHCP: Engine = Engine::NotYet("DHCP");

table! {
    Interface "dhcp.hostname" Form::HostName, "", "web", DHCP;
        "host name sent to the server; without it the container's"
    Interface "dhcp.client-id" Form::ClientId, "", "01:02:00:00:00:00:05", DHCP;
        "client identifier; without it type 1 and the MAC"
    Interface "dhcp.vendor-class" Form::Text(255), "", "pipework", DHCP;
        "vendor class identifier"
    Interface "dhcp.timeout" Form::Duration, "20s", "10s", DHCP;
        "how long to wait for a lease"
    Interface "dhcp.arp" Form::Words(&ArpProbe::WORDS), "fast", "rfc", DHCP;
        "probe of an offered address"
    Interface "dhcp.release" Form::Bool, "false", "true", DHCP;
        "give the lease back when the container ends"
    Interface "dhcp.keep" Form::Bool, "true", "false", DHCP;
        "refuse a lease that nothing would renew"
    Interface "dhcp.fallback" Form::Fallback, "refuse", "last-lease", DHCP;
        "what to do without an answer: refuse, last-lease, background or ADDRESS/LENGTH"
    Interface "wait" Form::Duration, "0s", "30s", Engine::NotYet("waiting for an uplink");
        "how long to wait for an uplink that is absent or without carrier"
    Sandbox "net" Form::NetworkName, "", "lan", Engine::NotYet("a named network");
        "a network that the administrator has defined"
    Sandbox "cmd" Form::Command, "", "br0 10.0.0.5/24", Engine::NotYet("a pipework line");
        "a line for the pipework script, without the guest; also cmd.<anything>"
}
