//! A named network: fields that the administrator has filled in, and which of
//! the others a container may add (`pipework.net`).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::address::is_plain_name;
use super::error::cut;
use super::pool::PoolRange;

/// Fields that decide what the uplink is, beside the one that names it.
const OF_UPLINK: [&str; 4] = ["type", "mode", "ipoib.pkey", "ipoib.mode"];
/// Fields that name an uplink, or what divides one.
const NAMES_UPLINK: [&str; 9] = [
    "bridge", "parent", "link", "ovs", "dummy", "device", "ipoib", "vlan", "vf.vlan",
];
/// What a container may say of its interface where a network does not say what
/// it may: what is about the container, and nothing about the network.
pub const OPEN_BY_DEFAULT: [&str; 11] = [
    "ip",
    "mac",
    "ifname",
    "default",
    "metric",
    "announce",
    "dad",
    "dhcp.hostname",
    "optional",
    "rate.in",
    "rate.out",
];

/// The name of a network: `[a-z0-9][a-z0-9_-]{0,31}`, so that it is safe as a
/// file's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkName(String);

/// A text that is no name of a network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0} is not the name of a network: lower case letters, digits, _ and -, at most 32")]
pub struct NetworkNameError(String);

impl NetworkName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NetworkName {
    type Err = NetworkNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match is_plain_name(text) {
            true => Ok(Self(text.to_owned())),
            false => Err(NetworkNameError(cut(text))),
        }
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A field that a network fills in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileField {
    /// The field as an annotation's key, `pipework.` included.
    pub key: String,
    /// Its value in the form of an annotation's.
    pub value: String,
    /// Where it stands, for an error: `networks.d/lan.toml:3 parent`.
    pub shown: String,
}

impl ProfileField {
    /// The field as it stands behind `pipework.`.
    pub fn name(&self) -> &str {
        self.key.strip_prefix("pipework.").unwrap_or(&self.key)
    }
}

/// What containers may add.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Open {
    /// What [`OPEN_BY_DEFAULT`] lists, unless the network says it itself.
    #[default]
    Usual,
    /// Everything that the network does not say itself.
    Any,
    /// These fields; where the network says one too, that holds without one.
    Fields(Vec<String>),
}

/// A network as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: NetworkName,
    /// What it fills in.
    pub fields: Vec<ProfileField>,
    /// What containers may add.
    pub open: Open,
    /// The addresses that it gives.
    pub ranges: Vec<PoolRange>,
    /// What holds where nobody says anything of addresses: that one of these
    /// is given, if there are any.
    pub implied: Option<ProfileField>,
}

impl Profile {
    /// What it says of a field.
    pub fn says(&self, field: &str) -> Option<&ProfileField> {
        self.fields.iter().find(|said| said.name() == field)
    }

    /// What it says of its uplink, and nothing of who is plugged into that.
    pub fn of_uplink(&self) -> impl Iterator<Item = &ProfileField> {
        let is_of_uplink = |said: &&ProfileField| {
            OF_UPLINK
                .iter()
                .chain(&NAMES_UPLINK)
                .any(|f| *f == said.name())
        };
        self.fields.iter().filter(is_of_uplink)
    }

    /// Whether a container may say this of its interface: never what the uplink
    /// is made of, for that has no origin of its own to be judged by.
    pub fn leaves_open(&self, field: &str) -> bool {
        if OF_UPLINK.contains(&field) {
            return false;
        }
        match &self.open {
            Open::Usual => OPEN_BY_DEFAULT.contains(&field) && self.says(field).is_none(),
            Open::Any => self.says(field).is_none(),
            Open::Fields(fields) => fields.iter().any(|open| open == field),
        }
    }
}

/// Where networks are looked up. What is behind it may read files; an error is
/// handed through as it is.
pub trait Networks {
    /// Why a network cannot be had.
    type Error: From<super::RequestError>;

    /// The network of that name.
    fn find(&mut self, name: &NetworkName) -> Result<Profile, Self::Error>;
}
