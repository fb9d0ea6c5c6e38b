//! Addresses of an interface with their gateways, in pipework's form
//! `a/len[,a/len…][@gw[,gw6]]`; `0/0` stands for no address at all.
//!
//! [`AddressWithGateway`] cannot hold an address that no host can have, nor a
//! gateway without an address of its family; `check` has the rules. A gateway
//! outside the subnets is allowed: it is reached on the link.

mod check;
mod error;
mod form;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

use super::error::cut;

pub use error::{AddressError, Unusable};
pub use form::{DynamicForm, FormError, is_plain_name};

/// Addresses with prefix length, host bits kept, and their gateways.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct AddressWithGateway {
    /// In the order written; empty for `0/0`.
    pub addresses: Vec<IpNet>,
    /// Gateway for IPv4.
    pub gateway4: Option<Ipv4Addr>,
    /// Gateway for IPv6.
    pub gateway6: Option<Ipv6Addr>,
}

impl AddressWithGateway {
    /// Adds the gateways of a list separated by commas or `;`.
    ///
    /// Fails when one of them contradicts a gateway that is there, or the
    /// addresses; a repetition is accepted.
    pub fn add_gateways(&mut self, text: &str) -> Result<(), AddressError> {
        for item in text.split([',', ';']) {
            self.add_gateway(gateway(item.trim())?)?;
        }
        check::gateways(self)
    }

    fn add_gateway(&mut self, gateway: IpAddr) -> Result<(), AddressError> {
        let before = match gateway {
            IpAddr::V4(v4) => self.gateway4.replace(v4).map(IpAddr::V4),
            IpAddr::V6(v6) => self.gateway6.replace(v6).map(IpAddr::V6),
        };
        match before {
            Some(first) if first != gateway => Err(AddressError::TwoGateways {
                first,
                second: gateway,
            }),
            Some(_) | None => Ok(()),
        }
    }
}

fn plain(text: &str) -> Result<IpAddr, AddressError> {
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    if text.contains('%') {
        return Err(AddressError::Scope { text: cut(text) });
    }
    text.parse()
        .map_err(|_| AddressError::NotAnAddress { text: cut(text) })
}

fn gateway(text: &str) -> Result<IpAddr, AddressError> {
    if text.contains('/') {
        return Err(AddressError::GatewayWithLength { text: cut(text) });
    }
    plain(text)
}

/// `value` with the usual prefix length wherever one is missing.
fn repaired(list: &str, gateways: Option<&str>) -> String {
    let items: Vec<String> = list
        .split(',')
        .map(|item| match item.trim().parse() {
            Ok(IpAddr::V4(address)) => format!("{address}/24"),
            Ok(IpAddr::V6(address)) => format!("{address}/64"),
            Err(_) => item.trim().to_owned(),
        })
        .collect();
    let list = items.join(",");
    match gateways {
        Some(gateways) => cut(&format!("{list}@{gateways}")),
        None => cut(&list),
    }
}

fn with_length(address: &str, length: &str) -> Result<IpNet, AddressError> {
    let address = plain(address)?;
    let max = if address.is_ipv4() { 32 } else { 128 };
    let refused = || AddressError::PrefixLength {
        address,
        text: cut(length),
        max,
    };
    let digits = length.bytes().all(|b| b.is_ascii_digit());
    let number: u8 = length.parse().ok().filter(|_| digits).ok_or_else(refused)?;
    // An interface whose subnet is everything would swallow every route; the
    // unspecified address gets the better answer from `check`.
    if number == 0 && !address.is_unspecified() {
        return Err(refused());
    }
    IpNet::new(address, number).map_err(|_| refused())
}

/// Is this pipework's "no address"?
fn is_nothing(item: &str) -> bool {
    matches!(item, "0/0" | "0.0.0.0/0" | "::/0")
}

impl FromStr for AddressWithGateway {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (list, gateways) = match text.split_once('@') {
            Some((list, gateways)) => (list, Some(gateways)),
            None => (text, None),
        };
        let mut read = Self::default();
        let mut nothing = false;
        for item in list.split(',').map(str::trim) {
            if is_nothing(item) {
                nothing = true;
                continue;
            }
            let Some((address, length)) = item.split_once('/') else {
                return Err(AddressError::NoPrefixLength {
                    address: plain(item)?,
                    suggestion: repaired(list, gateways),
                });
            };
            read.addresses.push(with_length(address, length)?);
        }
        if let (true, Some(address)) = (nothing, read.addresses.first()) {
            return Err(AddressError::NothingAndSomething { address: *address });
        }
        check::addresses(&read.addresses)?;
        // An empty gateway is allowed, as pipework allows it.
        if let Some(gateways) = gateways.map(str::trim).filter(|text| !text.is_empty()) {
            read.add_gateways(gateways)?;
        }
        Ok(read)
    }
}

impl fmt::Display for AddressWithGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            addresses,
            gateway4,
            gateway6,
        } = self;
        if addresses.is_empty() {
            return f.write_str("0/0");
        }
        let list: Vec<String> = addresses.iter().map(IpNet::to_string).collect();
        f.write_str(&list.join(","))?;
        match (gateway4, gateway6) {
            (None, None) => Ok(()),
            (Some(v4), None) => write!(f, "@{v4}"),
            (None, Some(v6)) => write!(f, "@{v6}"),
            (Some(v4), Some(v6)) => write!(f, "@{v4},{v6}"),
        }
    }
}

#[cfg(test)]
mod tests;
