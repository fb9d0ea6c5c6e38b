//! What is known of a device that is to be handed over itself: what it is to
//! the host, and whether it comes back.

use std::fmt;

use crate::request::IfName;
use crate::rt::{VfAddress, VfSettings};
use crate::sys::rtnl::NicHome;

/// A device that is to be handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicView {
    /// What it is on the host, so that it can be made that again.
    pub home: NicHome,
    /// No other device could be taken for it when it comes back.
    pub is_distinct: bool,
    /// Our namespace is the one to which the kernel gives it back (the initial
    /// one).
    pub comes_back_here: bool,
    /// Its index is free in the container's namespace.
    pub index_is_free: bool,
    /// Devices that sit on it: VLAN devices, macvlan children.
    pub upper: Vec<String>,
    /// Containers that have such a device, by what our records say.
    pub users: Vec<String>,
    /// A default route leaves the host by it.
    pub has_default_route: bool,
    /// Its virtual functions that somebody uses.
    pub busy_functions: Vec<BusyFunction>,
    /// It is itself a virtual function.
    pub vf: Option<VfView>,
    /// The radio below it.
    pub radio: Option<RadioView>,
}

/// A virtual function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VfView {
    /// Which one it is.
    pub address: VfAddress,
    /// Index of its physical function.
    pub function: u32,
    /// Name of its physical function.
    pub function_name: IfName,
    /// The physical function is up, without which no frame passes.
    pub function_up: bool,
    /// What the card says of it now.
    pub settings: VfSettings,
}

/// The radio below a wireless interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RadioView {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The other interfaces that it has, which go along.
    pub others: Vec<NicHome>,
}

/// The virtual functions of a card, when one of them was asked for and none is
/// free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusyFunctions {
    /// How many there are.
    pub count: usize,
    /// Why each is not free.
    pub reasons: Vec<BusyFunction>,
}

/// A virtual function that is not free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusyFunction {
    /// Which one, and why.
    pub reason: String,
    /// The containers that have it, with whom the reason ends.
    pub holders: Vec<String>,
}

impl From<String> for BusyFunction {
    fn from(reason: String) -> Self {
        Self {
            reason,
            holders: Vec::new(),
        }
    }
}

impl fmt::Display for BusyFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.holders.as_slice() {
            [] => f.write_str(&self.reason),
            holders => write!(f, "{} {}", self.reason, holders.join(", ")),
        }
    }
}

#[cfg(test)]
impl NicView {
    /// A NIC that nobody needs.
    pub fn sample(name: &str, ifindex: u32) -> Self {
        Self {
            home: NicHome::sample(name, ifindex),
            is_distinct: true,
            comes_back_here: true,
            index_is_free: true,
            upper: Vec::new(),
            users: Vec::new(),
            has_default_route: false,
            busy_functions: Vec::new(),
            vf: None,
            radio: None,
        }
    }
}

#[cfg(test)]
impl VfView {
    /// Function 1 of ens1f0, whose index is 3.
    pub fn sample() -> Self {
        let function = NicHome::sample("ens1f0", 3);
        Self {
            address: VfAddress {
                function: function.id,
                function_name: function.state.name,
                number: 1,
            },
            function: 3,
            function_name: "ens1f0".parse().expect("a name"),
            function_up: true,
            settings: VfSettings {
                mac: Some([0; 6]),
                trust: Some(false),
                rate: Some((0, 500)),
                ..VfSettings::default()
            },
        }
    }
}
