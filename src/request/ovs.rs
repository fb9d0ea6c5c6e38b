//! What is written to a port's rows in the database of Open vSwitch, in the
//! words of its schema (ovs-vswitchd.conf.db(5)).

use std::fmt;

use serde::Deserialize;
use thiserror::Error;

/// `vlan_mode` of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VlanMode {
    /// One VLAN, untagged.
    Access,
    /// VLANs with their tags, and no untagged frames.
    Trunk,
    /// VLANs with their tags; untagged frames are of VLAN `tag`, and leave it
    /// tagged.
    NativeTagged,
    /// VLANs with their tags; untagged frames are of VLAN `tag`, and leave it
    /// untagged.
    NativeUntagged,
    /// Whatever the port sends, inside of VLAN `tag` (IEEE 802.1ad).
    Dot1qTunnel,
}

impl VlanMode {
    const ALL: [Self; 5] = [
        Self::Access,
        Self::Trunk,
        Self::NativeTagged,
        Self::NativeUntagged,
        Self::Dot1qTunnel,
    ];
    /// Every word, in that order.
    pub const WORDS: [&'static str; 5] = [
        "access",
        "trunk",
        "native-tagged",
        "native-untagged",
        "dot1q-tunnel",
    ];

    /// The schema's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Trunk => "trunk",
            Self::NativeTagged => "native-tagged",
            Self::NativeUntagged => "native-untagged",
            Self::Dot1qTunnel => "dot1q-tunnel",
        }
    }

    /// The mode of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }

    /// Whether the port has a VLAN of its own, `tag`.
    pub fn has_tag(self) -> bool {
        match self {
            Self::Trunk => false,
            Self::Access | Self::NativeTagged | Self::NativeUntagged | Self::Dot1qTunnel => true,
        }
    }

    /// Whether the port carries tagged frames, of `trunks`.
    pub fn has_trunks(self) -> bool {
        match self {
            Self::Trunk | Self::NativeTagged | Self::NativeUntagged => true,
            Self::Access | Self::Dot1qTunnel => false,
        }
    }
}

impl fmt::Display for VlanMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Where packets of a bridge are switched (`datapath_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Datapath {
    /// In the kernel.
    #[default]
    System,
    /// In `ovs-vswitchd` itself.
    Netdev,
}

impl Datapath {
    /// The schema's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Netdev => "netdev",
        }
    }
}

/// Why a key of external-ids cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExternalIdError {
    /// Ours prove whose a row is.
    #[error("external-ids that begin with pipework. are pipework's own")]
    Reserved,
    /// It has a field of its own.
    #[error("external-ids:iface-id has a field of its own, ovs.iface-id")]
    IfaceId,
}

/// A key of external-ids that a request may give.
pub fn external_id(key: &str) -> Result<String, ExternalIdError> {
    match key {
        "iface-id" => Err(ExternalIdError::IfaceId),
        _ if key.starts_with("pipework.") => Err(ExternalIdError::Reserved),
        _ => Ok(key.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_schema_is_a_mode() {
        for word in VlanMode::WORDS {
            assert_eq!(VlanMode::of_word(word).unwrap().to_string(), word);
        }
        assert_eq!(VlanMode::of_word("Trunk"), None);
    }

    #[test]
    fn nobody_can_write_what_proves_that_a_row_is_ours() {
        assert_eq!(
            external_id("pipework.boot-id"),
            Err(ExternalIdError::Reserved)
        );
        assert_eq!(external_id("iface-id"), Err(ExternalIdError::IfaceId));
        assert_eq!(external_id("pipework"), Ok("pipework".to_owned()));
    }
}
