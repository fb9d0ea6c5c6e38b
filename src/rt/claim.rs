//! Who has which address of a pool, as data: what is planned, recorded and kept
//! in the pool's own files.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::request::{IfName, NetworkName};

/// The name of a pool: safe as a file's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PoolName(String);

impl PoolName {
    /// That of a named network.
    pub fn of_network(network: &NetworkName) -> Self {
        Self(network.to_string())
    }

    /// The addresses that containers say themselves, by an uplink and what divides
    /// it, a VLAN or a partition: nothing is given there, and nobody has what
    /// another one has.
    pub fn of_uplink(uplink: &IfName, part: Option<u16>) -> Self {
        match part {
            Some(part) => Self(format!("uplink@{uplink}@{part}")),
            None => Self(format!("uplink@{uplink}")),
        }
    }

    /// One of an engine that has networks of its own.
    pub fn of_engine(engine: &NetworkName, name: &NetworkName) -> Self {
        Self(format!("{engine}@{name}"))
    }

    /// What an engine calls the pool; `None` where it is not one of that engine's.
    pub fn of_engine_called(&self, engine: &str) -> Option<&str> {
        self.0.strip_prefix(engine)?.strip_prefix('@')
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether addresses are chosen there, and not only held.
    pub fn gives(&self) -> bool {
        !self.0.starts_with("uplink@")
    }

    /// Whether it is that of a named network, whose containers find their
    /// addresses again.
    pub fn is_network(&self) -> bool {
        !self.0.contains('@')
    }
}

impl fmt::Display for PoolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose an address is over restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// `podman`, `oci`, `nri`, `docker`.
    pub engine: String,
    /// The container's name there.
    pub name: String,
    /// The interface's name.
    pub ifname: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.ifname)
    }
}

/// What an address is held for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "lowercase")]
pub enum Holder {
    /// An interface in a namespace of this boot, for as long as its record.
    Interface {
        /// The boot.
        boot_id: String,
        /// The namespace's cookie.
        cookie: u64,
        /// The interface.
        ifname: String,
    },
    /// Whatever an engine calls so, until it says that it ended, or a reboot.
    Endpoint {
        /// The boot.
        boot_id: String,
        /// Its name.
        id: String,
    },
    /// The same, over reboots.
    Lasting {
        /// Its name.
        id: String,
    },
}

/// An address that an interface has, and nobody else in its pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The pool.
    pub pool: PoolName,
    /// The address.
    pub address: IpAddr,
    /// Whose.
    pub owner: Owner,
    /// What for.
    pub holder: Holder,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the pool {}", self.address, self.pool)
    }
}
