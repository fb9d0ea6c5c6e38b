//! What the first word of the classic form means on this host, looked at before
//! anything else, as the script does.

use crate::deadline::Deadline;
use crate::host::inspect::is_wireless;
use crate::host::ovs;
use crate::request::classic::Kind;
use crate::request::{DeviceRef, IfName};
use crate::sys::ovsdb;
use crate::sys::rtnl::{LinkFacts, Rtnl, RtnlError};

/// Why the first word means nothing.
#[derive(Debug)]
pub enum Unknown {
    /// Nothing of that name, and nothing that would be made.
    Interface,
    /// `mac:` and an address that no NIC has.
    Mac,
    /// `ovs*`, and there is no Open vSwitch.
    NoOvs,
    /// The kernel did not answer.
    Kernel(RtnlError),
}

/// Kinds of devices that may be a bridge of Open vSwitch: its own in the kernel,
/// and a tap of its userspace datapath.
const OVS_KINDS: [&str; 2] = ["openvswitch", "tun"];

/// What `word` means, and what it is called in annotations: the name of the device
/// that has the address, as the script looks for it among all.
pub async fn kind_of(
    word: &str,
    host: &Rtnl,
    deadline: Deadline,
) -> Result<(Kind, String), Unknown> {
    let device = match word.parse::<DeviceRef>() {
        Ok(device) => device,
        Err(_) => return Err(Unknown::Interface),
    };
    let link = match &device {
        DeviceRef::Name(name) => host.link_by_name(name.as_str()).await,
        DeviceRef::Mac(mac) => host.links().await.map(|links| {
            let octets = Some(mac.octets());
            // A VLAN device or a bridge may have a NIC's address too.
            let is_nic = |link: &&LinkFacts| link.permanent_mac == octets;
            let has_it = |link: &&LinkFacts| link.mac == octets;
            let found = links.iter().find(is_nic);
            found.or_else(|| links.iter().find(has_it)).cloned()
        }),
        // The planner looks for it.
        DeviceRef::Pci(_) => return Ok((Kind::Nic, word.to_owned())),
    };
    match (link.map_err(Unknown::Kernel)?, device) {
        (Some(link), DeviceRef::Mac(_)) => Ok((present(&link, deadline), link.name)),
        (Some(link), _) => Ok((present(&link, deadline), word.to_owned())),
        (None, DeviceRef::Name(name)) => Ok((absent(&name)?, word.to_owned())),
        (None, DeviceRef::Mac(_) | DeviceRef::Pci(_)) => Err(Unknown::Mac),
    }
}

fn present(link: &LinkFacts, deadline: Deadline) -> Kind {
    let kind = link.kind.as_deref().unwrap_or_default();
    if link.is_infiniband {
        return Kind::Infiniband;
    }
    let is_ovs = || {
        let bridge = ovs::open(deadline).and_then(|mut ovsdb| ovsdb.bridge(&link.name));
        bridge.is_ok_and(|bridge| bridge.is_some())
    };
    if kind == "bridge" || (OVS_KINDS.contains(&kind) && is_ovs()) {
        return Kind::Port;
    }
    match is_wireless(link) {
        true => Kind::Radio,
        false => Kind::Nic,
    }
}

/// A missing `br*` or `ovs*` is made.
fn absent(name: &IfName) -> Result<Kind, Unknown> {
    let name = name.as_str();
    if name.starts_with("ovs") && !ovsdb::is_installed() {
        return Err(Unknown::NoOvs);
    }
    if name.starts_with("br") || name.starts_with("ovs") {
        return Ok(Kind::Port);
    }
    match name.starts_with("dummy") {
        true => Ok(Kind::Dummy),
        false => Err(Unknown::Interface),
    }
}
