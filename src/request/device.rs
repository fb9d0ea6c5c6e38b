//! How a device of the host is referred to: by name, by MAC, by PCI address.
//!
//! Which device that is on this host is found later; nothing here looks.
//! Also the modes of a macvlan (drivers/net/macvlan.c), in the kernel's words.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::PhysicalRef;
use super::error::cut;
use super::ifname::{IfName, IfNameError};
use super::mac::{MacAddr, MacError};

/// A device of the host, as the user referred to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceRef {
    /// Its name, or an alternative name.
    Name(IfName),
    /// Its hardware address, written `mac:02:00:00:00:00:05`.
    Mac(MacAddr),
    /// Its place on the PCI bus, written `pci:0000:3b:02.0`.
    Pci(PciAddress),
}

/// A PCI address: domain, bus, device and function (lspci -D).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

/// How the children of one macvlan parent reach each other.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum MacvlanMode {
    /// Directly, through the parent (`MACVLAN_MODE_BRIDGE`).
    #[default]
    Bridge,
    /// Not at all (`MACVLAN_MODE_PRIVATE`).
    Private,
    /// By an external switch that sends frames back (`MACVLAN_MODE_VEPA`).
    Vepa,
    /// There is one child only, which takes the parent over
    /// (`MACVLAN_MODE_PASSTHRU`).
    Passthru,
}

/// Where an ipvlan switches packets (drivers/net/ipvlan).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum IpvlanMode {
    /// In the parent, as a bridge would (`IPVLAN_MODE_L2`).
    #[default]
    L2,
    /// In the parent's namespace, which routes; nothing is broadcast
    /// (`IPVLAN_MODE_L3`).
    L3,
    /// The same, through netfilter of the parent's namespace
    /// (`IPVLAN_MODE_L3S`).
    L3s,
}

impl DeviceRef {
    /// Whether pipework, given this first argument and no device of that name,
    /// makes a dummy: its name begins so.
    pub fn stands_for_a_dummy(&self) -> bool {
        match self {
            Self::Name(name) => name.as_str().starts_with("dummy"),
            Self::Mac(_) | Self::Pci(_) => false,
        }
    }
}

/// Why a text refers to no device.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeviceError {
    /// Not a name.
    #[error(transparent)]
    Name(#[from] IfNameError),
    /// `mac:` with something else behind it.
    #[error(transparent)]
    Mac(#[from] MacError),
    /// `pci:` with something else behind it.
    #[error("{text} is not a PCI address of the form 0000:3b:02.0")]
    Pci {
        /// What was written, cut for display.
        text: String,
    },
}

/// The text is none of the macvlan modes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text} is not a macvlan mode; they are bridge, private, vepa, passthru")]
pub struct MacvlanModeError {
    /// What was written, cut for display.
    pub text: String,
}

/// The text is none of the ipvlan modes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text} is not an ipvlan mode; they are l2, l3, l3s")]
pub struct IpvlanModeError {
    /// What was written, cut for display.
    pub text: String,
}

/// What follows `prefix` in any case, if the text begins with it.
fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

impl FromStr for PhysicalRef {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match after(text, "pf:") {
            Some(function) => Self::FreeVf(function.parse()?),
            None => Self::Device(text.parse()?),
        })
    }
}

impl fmt::Display for PhysicalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => device.fmt(f),
            Self::FreeVf(function) => write!(f, "pf:{function}"),
        }
    }
}

impl FromStr for DeviceRef {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(mac) = after(text, "mac:") {
            return Ok(Self::Mac(mac.parse()?));
        }
        if let Some(pci) = after(text, "pci:") {
            return Ok(Self::Pci(pci.parse()?));
        }
        Ok(Self::Name(text.parse()?))
    }
}

impl fmt::Display for DeviceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Mac(mac) => write!(f, "mac:{mac}"),
            Self::Pci(pci) => write!(f, "pci:{pci}"),
        }
    }
}

/// A hexadecimal number of `min` to `max` digits.
fn hex(text: &str, min: usize, max: usize) -> Option<u32> {
    let form = (min..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    form.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

fn pci_parts(text: &str) -> Option<PciAddress> {
    let (rest, function) = text.rsplit_once('.')?;
    let mut parts = rest.split(':');
    let address = PciAddress {
        // A domain beyond 16 bits exists behind Intel VMD.
        domain: hex(parts.next()?, 4, 8)?,
        bus: u8::try_from(hex(parts.next()?, 2, 2)?).ok()?,
        device: u8::try_from(hex(parts.next()?, 2, 2)?).ok()?,
        function: u8::try_from(hex(function, 1, 1)?).ok()?,
    };
    // 5 bits of device and 3 of function (linux/pci.h, PCI_DEVFN).
    let in_range = address.device < 32 && address.function < 8 && parts.next().is_none();
    in_range.then_some(address)
}

impl FromStr for PciAddress {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        pci_parts(text).ok_or_else(|| DeviceError::Pci { text: cut(text) })
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            domain,
            bus,
            device,
            function,
        } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

impl FromStr for MacvlanMode {
    type Err = MacvlanModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "bridge" => Ok(Self::Bridge),
            "private" => Ok(Self::Private),
            "vepa" => Ok(Self::Vepa),
            "passthru" => Ok(Self::Passthru),
            _ => Err(MacvlanModeError { text: cut(text) }),
        }
    }
}

impl fmt::Display for MacvlanMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bridge => "bridge",
            Self::Private => "private",
            Self::Vepa => "vepa",
            Self::Passthru => "passthru",
        })
    }
}

impl FromStr for IpvlanMode {
    type Err = IpvlanModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "l2" => Ok(Self::L2),
            "l3" => Ok(Self::L3),
            "l3s" => Ok(Self::L3s),
            _ => Err(IpvlanModeError { text: cut(text) }),
        }
    }
}

impl fmt::Display for IpvlanMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::L2 => "l2",
            Self::L3 => "l3",
            Self::L3s => "l3s",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<DeviceRef>().unwrap().to_string()
    }

    #[test]
    fn a_name_is_a_name() {
        assert_eq!(shown("eth0.100"), "eth0.100");
    }

    #[test]
    fn a_mac_is_taken_in_any_case() {
        assert_eq!(shown("MAC:02:AB:00:00:00:99"), "mac:02:ab:00:00:00:99");
    }

    #[test]
    fn a_pci_address_is_written_in_lower_case() {
        assert_eq!(shown("pci:0000:3B:02.0"), "pci:0000:3b:02.0");
        assert_eq!(shown("pci:10000:e1:00.0"), "pci:10000:e1:00.0");
    }

    #[test]
    fn a_wrong_pci_address_is_refused_with_the_form() {
        for text in [
            "pci:3b:02.0",
            "pci:0000:3b:20.0",
            "pci:0000:3b:02.8",
            "pci:../../x",
            "pci:",
        ] {
            let error = text.parse::<DeviceRef>().unwrap_err();
            assert!(matches!(error, DeviceError::Pci { .. }), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_cut_inside_a_character_is_refused_quietly() {
        assert!("mäc:1".parse::<DeviceRef>().is_err());
    }

    #[test]
    fn a_function_of_a_card_is_referred_to_by_the_card() {
        let text = "PF:MAC:02:AB:00:00:00:99";
        let device: PhysicalRef = text.parse().unwrap();
        assert_eq!(device.to_string(), "pf:mac:02:ab:00:00:00:99");
        assert!(matches!(device, PhysicalRef::FreeVf(DeviceRef::Mac(_))));
        assert!("pf:".parse::<PhysicalRef>().is_err());
    }

    #[test]
    fn the_modes_are_the_kernels_words() {
        for word in ["bridge", "private", "vepa", "passthru"] {
            assert_eq!(word.parse::<MacvlanMode>().unwrap().to_string(), word);
        }
        assert_eq!(MacvlanMode::default(), MacvlanMode::Bridge);
        assert!("Bridge".parse::<MacvlanMode>().is_err());
    }
}
