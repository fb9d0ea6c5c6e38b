//! What the script says and exits with, where others may go by it.
//!
//! Everything else that can go wrong is said as anywhere else, by the report.

use crate::error::Error;
use crate::frontend::classic::uplink::Unknown;
use crate::host::find::{Docker, FindError};
use crate::host::inspect::InspectError;
use crate::plan::PlanError;
use crate::request::RequestError;
use crate::request::classic::AddressFault;
use crate::sys::rtnl::RtnlError;

/// What is printed where words are missing, one line per form.
pub const SYNTAX: &str = "\
Syntax:
pipework INTERFACE [-i NAME] [-l HOSTNAME] [-a FAMILY] CONTAINER ADDRESS/LENGTH[@GATEWAY] [MAC][@VLAN]
pipework INTERFACE [-i NAME] [-l HOSTNAME] CONTAINER dhcp[:OPTIONS] [MAC][@VLAN]
pipework mac:MAC [-i NAME] CONTAINER ADDRESS/LENGTH[@GATEWAY] [MAC][@VLAN]
pipework --direct-phys INTERFACE [-i NAME] CONTAINER ADDRESS/LENGTH[@GATEWAY] [MAC][@VLAN]
pipework route CONTAINER WORDS of ip route
pipework rule CONTAINER WORDS of ip rule
pipework tc CONTAINER WORDS of tc
pipework --wait [-i NAME] [--timeout SECONDS]
";

/// The code of the script's own refusals.
const OWN: u8 = 1;
/// The code of `ip` where the kernel refuses.
const KERNEL: u8 = 2;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Words are missing.
    #[error("Syntax")]
    Syntax,
    /// The first word is no device, and none that would be made.
    #[error("I do not know how to setup interface {0}.")]
    Interface(String),
    /// No device has that address.
    #[error("Mac address {0} specified for interface but no host interface matched.")]
    Mac(String),
    /// A bridge of Open vSwitch is to be made, and there is none.
    #[error("Need OVS installed on the system to create an ovs bridge")]
    NoOvs,
    /// An InfiniBand interface has the address of its queue pair.
    #[error("MACADDR configuration unsupported for IPoIB interfaces.")]
    InfinibandMac,
    /// An address without a prefix length.
    #[error("The IP address should include a netmask.\nMaybe you meant {0}/24 ?")]
    NoNetmask(String),
    /// The family is not that of the address, or none.
    #[error("-a {family} does not go with {address}: it is 4 or 6, and can be left out")]
    Family {
        /// What `-a` says.
        family: String,
        /// The address.
        address: String,
    },
    /// It is there already.
    #[error("Link {0} exists and is up")]
    Exists(String),
    /// A program is not where systems have it.
    #[error("{0} is not installed")]
    NoTool(&'static str),
    /// A program could not be started.
    #[error("{tool}: {reason}")]
    Tool {
        /// Which one.
        tool: &'static str,
        /// What the kernel said.
        reason: String,
    },
    /// `--timeout` and no time.
    #[error("{0} is no time: write seconds, or 500ms, 20s, 5m")]
    Timeout(String),
    /// The time of `--wait` has passed.
    #[error("{0} is not up with a carrier")]
    NotServed(String),
    /// Whatever can go wrong with an attachment.
    #[error(transparent)]
    Failed(Box<Error>),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<AddressFault> for Refusal {
    fn from(fault: AddressFault) -> Self {
        match fault {
            AddressFault::NoNetmask(address) => Self::NoNetmask(address),
            AddressFault::Family { family, address } => Self::Family { family, address },
        }
    }
}

impl Refusal {
    /// Why the first word means nothing.
    pub fn uplink(unknown: Unknown, word: &str) -> Self {
        match unknown {
            Unknown::Interface => Self::Interface(word.to_owned()),
            Unknown::Mac => Self::Mac(word.trim_start_matches("mac:").to_owned()),
            Unknown::NoOvs => Self::NoOvs,
            Unknown::Kernel(error) => Self::kernel(error),
        }
    }

    /// The kernel did not answer.
    pub fn kernel(error: RtnlError) -> Self {
        Error::from(InspectError::from(error)).into()
    }

    /// What the process exits with.
    pub fn code(&self) -> u8 {
        match self {
            Self::Failed(error) => code_of(error),
            // As shells have it for a program that is not there.
            Self::NoTool(_) | Self::Tool { .. } => 127,
            Self::Syntax
            | Self::Interface(_)
            | Self::Mac(_)
            | Self::NoOvs
            | Self::InfinibandMac
            | Self::NoNetmask(_)
            | Self::Family { .. }
            | Self::Exists(_)
            | Self::Timeout(_)
            | Self::NotServed(_) => OWN,
        }
    }
}

/// 2 for what the kernel refuses, or would: that was the exit code of `ip`.
fn code_of(error: &Error) -> u8 {
    let is_kernels = match error {
        Error::Apply(error) => !error.is_address_in_use() && !error.is_deadline(),
        Error::Plan(error) => matches!(**error, PlanError::NameTaken { .. }),
        Error::Request(error) => is_refused_by_ip(error),
        _ => false,
    };
    if is_kernels { KERNEL } else { OWN }
}

/// A MAC that no interface can have, or the name that each namespace has already.
fn is_refused_by_ip(error: &RequestError) -> bool {
    match error {
        RequestError::Value { key, value, .. } => {
            key == "mac" || (key == "ifname" && value == "lo")
        }
        _ => false,
    }
}

/// The script's own words for an error, with ours behind them.
pub fn of_the_script(error: &Error) -> Option<String> {
    match error {
        Error::Find(FindError::NotFound { name, docker }) => {
            let docker = match docker {
                Docker::Absent => "and Docker not installed.",
                Docker::Unknown | Docker::Silent(_) => "and unknown to Docker.",
            };
            let more = crate::error::report(error, None);
            Some(format!("Container {name} not found, {docker}\n{more}"))
        }
        Error::Stopped { .. } => {
            let more = crate::error::report(error, None);
            Some(format!("Docker inspect returned invalid PID 0\n{more}"))
        }
        _ => None,
    }
}
