//! What to do about a request that cannot be taken, where the error does not
//! say so already.

use super::{RequestError, ValueError};
use crate::request::address::AddressError;
use crate::request::sysctl::SysctlError;

impl RequestError {
    /// What to do about it, where the text does not say so already.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::KeyCharacter { .. } | Self::KeyTooLong { .. } => Some(
                "name the interface with pipework.0.ifname=NAME where its name does not fit a key"
                    .to_owned(),
            ),
            Self::KeyEmptyPart { .. } => {
                Some("write pipework.FIELD, or pipework.0.FIELD for several interfaces".to_owned())
            }
            Self::UnknownField { .. } => Some("pipework keys lists every field".to_owned()),
            Self::FieldAsInterface { field, .. } => Some(format!(
                "write pipework.0.ifname={field} and the other fields as pipework.0.FIELD"
            )),
            Self::InterfaceNumber { .. } | Self::Selector { .. } | Self::MixedForms { .. } => Some(
                "write pipework.FIELD for one interface, pipework.0.FIELD or pipework.eth1.FIELD for several"
                    .to_owned(),
            ),
            Self::TwoInOne { .. } => Some("give each its own --annotation".to_owned()),
            Self::Value { reason, .. } => value_hint(reason),
            Self::NoUplink { .. } => {
                Some("name a bridge or a network card, for example pipework.bridge=br0".to_owned())
            }
            Self::NoGateway { .. } => {
                Some("write it behind the address, for example 10.0.0.5/24@10.0.0.1".to_owned())
            }
            Self::MtuForIpv6 { .. } => Some("raise the MTU or leave out IPv6".to_owned()),
            Self::DuplicateInterface { .. } => {
                Some("give one of them another name with the field ifname".to_owned())
            }
            Self::IpoibMac { .. } => Some(
                "leave the address out; behind @ stands the partition key, for example pipework.mac=@8001"
                    .to_owned(),
            ),
            Self::RuleOfAnother { .. } => {
                Some("write the rule behind the key of the interface that it is about".to_owned())
            }
            Self::RulesAlike { .. } => Some("give them different priorities".to_owned()),
            Self::EmptyValue { .. } => Some("leave it out, or give it a value".to_owned()),
            Self::ControlCharacter { .. } => {
                Some("a YAML block (| or >) ends in a line break; write the value on one line".to_owned())
            }
            Self::NoNetwork { network, .. } => Some(format!(
                "pipework networks lists them; each is a file like /etc/pipework/networks.d/{network}.toml"
            )),
            Self::Closed { network, .. } => Some(format!(
                "leave it out; what containers may say stands behind `open` in /etc/pipework/networks.d/{network}.toml"
            )),
            Self::TooManyInterfaces { .. }
            | Self::WhosePool { .. }
            | Self::NoPool { .. }
            | Self::NeedsAnother { .. }
            | Self::ValueTooLong { .. }
            | Self::NotSupported { .. }
            | Self::Conflict { .. } => None,
        }
    }
}

fn value_hint(reason: &ValueError) -> Option<String> {
    match reason {
        ValueError::Address(AddressError::Scope { .. }) => {
            Some("the interface is known already; leave out % and what follows".to_owned())
        }
        ValueError::Address(AddressError::Empty | AddressError::NotAnAddress { .. }) => {
            Some("write ADDRESS/LENGTH@GATEWAY, for example 10.0.0.5/24@10.0.0.1".to_owned())
        }
        ValueError::Sysctl(SysctlError::UnknownLeaf { family, .. }) => {
            Some(format!("pipework keys sysctl.{family}.conf lists them"))
        }
        ValueError::Line(error) => error.hint(),
        ValueError::Address(_)
        | ValueError::NetworkName(_)
        | ValueError::Rule(_)
        | ValueError::Neighbour(_)
        | ValueError::Dad(_)
        | ValueError::Form(_)
        | ValueError::Device(_)
        | ValueError::IfName(_)
        | ValueError::Mac(_)
        | ValueError::Mode(_)
        | ValueError::IpvlanMode(_)
        | ValueError::Vlan(_)
        | ValueError::Mtu(_)
        | ValueError::Rate(_)
        | ValueError::Tc(_)
        | ValueError::Route(_)
        | ValueError::Sysctl(_)
        | ValueError::ExternalId(_)
        | ValueError::Pkey(_)
        | ValueError::TxRate(_)
        | ValueError::ClientId(_)
        | ValueError::DhcpServers(_)
        | ValueError::DhcpProgram(_)
        | ValueError::Fallback(_)
        | ValueError::Dns(_)
        | ValueError::Mismatch(_) => None,
    }
}
