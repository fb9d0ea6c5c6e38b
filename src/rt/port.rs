//! A port of a bridge: what it is for, and its VLANs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::request::{Glob, VlanId, VlanSet};

/// The VLANs of a port of a bridge that filters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortVlans {
    /// That of untagged frames, which leave untagged as well (PVID).
    pub native: Option<VlanId>,
    /// Those that it carries tagged.
    pub tagged: VlanSet,
    /// The one that the bridge gave it by itself, to be taken away.
    pub not: Option<VlanId>,
}

/// What a port of a bridge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortRole {
    /// It leads out of this host: a NIC, a bond, a team, a port of a switch chip.
    Uplink,
    /// We made it, for a container.
    Ours,
    /// Anything else: another's veth, a tap, a tunnel.
    Other,
}

/// Which ports of a bridge are told of its VLANs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UplinkPorts {
    /// Every one that leads out of this host.
    #[default]
    Physical,
    /// Those that policy names.
    Named(Vec<Glob>),
}

impl UplinkPorts {
    /// Whether a port is one of them. One that we made for a container never
    /// is: its VLANs are its own.
    pub fn include(&self, name: &str, role: PortRole) -> bool {
        match (self, role) {
            (_, PortRole::Ours) => false,
            (Self::Physical, role) => role == PortRole::Uplink,
            (Self::Named(names), _) => names.iter().any(|glob| glob.covers(name)),
        }
    }
}

impl fmt::Display for UplinkPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Named(names) = self else {
            return f.write_str("the uplink ports");
        };
        if names.is_empty() {
            return f.write_str("no port");
        }
        f.write_str("the ports")?;
        for name in names {
            write!(f, " {name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_ports_take_the_place_of_the_physical_ones_and_are_never_ours() {
        let ports = [
            ("eth0", PortRole::Uplink),
            ("tap0", PortRole::Other),
            ("tap1", PortRole::Ours),
        ];
        let included = |rule: &UplinkPorts| ports.map(|(name, role)| rule.include(name, role));
        assert_eq!(included(&UplinkPorts::Physical), [true, false, false]);
        let named = UplinkPorts::Named(vec!["tap*".parse().unwrap()]);
        assert_eq!(included(&named), [false, true, false]);
    }
}
