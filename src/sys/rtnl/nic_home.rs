//! What a NIC was on the host, and finding it again.
//!
//! Away from home it has another name and may have another index, and the
//! kernel brings it back under whatever name is free (`default_device_exit_net`).
//! [`NicId`] finds it, [`NicHome`] gives back what it had.

use serde::{Deserialize, Serialize};

use super::{LinkFacts, NicState, NotRestored, PortVlanFacts, Refusal, Rtnl, RtnlError};
use crate::rt::{NicId, PortFlags};

/// What a NIC was on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicHome {
    /// What it is known by.
    pub id: NicId,
    /// Addresses, routes and settings.
    pub state: NicState,
    /// Its alternative names.
    pub altnames: Vec<String>,
    /// Its alias.
    pub alias: Option<String>,
    /// It received all frames.
    pub promisc: bool,
    /// It received all multicast frames.
    pub allmulti: bool,
    /// A program was attached to it that sees frames before the kernel does.
    #[serde(default)]
    pub has_xdp: bool,
    /// The bridge or bond that it was a port of, by index and name.
    pub controller: Option<(u32, String)>,
    /// Of a port of a Linux bridge: its flags.
    #[serde(default)]
    pub port_flags: Option<PortFlags>,
    /// The same: its VLANs.
    #[serde(default)]
    pub vlans: Option<PortVlanFacts>,
}

/// The id of a link.
pub fn id_of(link: &LinkFacts) -> NicId {
    NicId {
        parent_device: link.parent_device.clone(),
        parent_bus: link.parent_bus.clone(),
        permanent_mac: link.permanent_mac.filter(|mac| *mac != [0; 6]),
    }
}

impl Rtnl {
    /// The device with this id; `None` when it is not in this namespace, and
    /// also when several could be it.
    pub async fn nic(&self, id: &NicId) -> Result<Option<LinkFacts>, RtnlError> {
        Ok(only_one(self.links().await?, id))
    }
}

/// The one of `links` that the id means.
pub fn only_one(links: Vec<LinkFacts>, id: &NicId) -> Option<LinkFacts> {
    let mut found: Vec<LinkFacts> = links
        .into_iter()
        .filter(|link| link.kind.is_none())
        .filter(|link| id.may_be(link.parent_device.as_deref(), link.permanent_mac))
        .collect();
    if found.len() > 1 {
        // Several ports of one card on one PCI function.
        found.retain(|link| link.permanent_mac == id.permanent_mac);
    }
    match found.len() {
        1 => found.pop(),
        _ => None,
    }
}

impl NicHome {
    /// What `link` is now, in the namespace of the socket, which the thread is
    /// in as well; `None` when it has just gone.
    pub async fn capture(rtnl: &Rtnl, link: &LinkFacts) -> Result<Option<Self>, RtnlError> {
        let Some(state) = NicState::capture(rtnl, link.ifindex).await? else {
            return Ok(None);
        };
        let controller = match link.controller {
            Some(ifindex) => rtnl.link_by_index(ifindex).await?,
            None => None,
        };
        Ok(Some(Self {
            id: id_of(link),
            state,
            altnames: link.altnames.clone(),
            alias: link.alias.clone(),
            promisc: link.promisc,
            allmulti: link.allmulti,
            has_xdp: link.has_xdp,
            port_flags: link.port_flags,
            vlans: match (&controller, link.port_flags) {
                (Some(bridge), Some(_)) => {
                    let mut ports = rtnl.port_vlans(bridge.ifindex).await?.into_iter();
                    ports.find(|facts| facts.ifindex == link.ifindex)
                }
                (None, _) | (_, None) => None,
            },
            controller: controller.map(|controller| (controller.ifindex, controller.name)),
        }))
    }

    /// Makes `link` what it was, whatever of that it is already; returns what
    /// could not be given back. Its name comes first, because the rest goes by it;
    /// where another device has it by now, the rest is given all the same.
    pub async fn restore(
        &self,
        rtnl: &Rtnl,
        link: &LinkFacts,
    ) -> Result<Vec<NotRestored>, RtnlError> {
        let ifindex = link.ifindex;
        let mut missing = Vec::new();
        let mut note = |what: String, result: Result<(), RtnlError>| {
            if let Err(error) = result {
                let reason = error.to_string();
                missing.push(NotRestored { what, reason });
            }
        };
        if link.name != self.state.name {
            let named = self.rename(rtnl, link).await;
            let what = format!(
                "the name {} ({} is its name now)",
                self.state.name, link.name
            );
            note(what, named);
        }
        for altname in &self.altnames {
            if !link.altnames.contains(altname) {
                let added = rtnl.add_altname(ifindex, altname).await;
                note(format!("the name {altname}"), added);
            }
        }
        if link.alias != self.alias {
            let alias = self.alias.as_deref().unwrap_or_default();
            note("its alias".to_owned(), rtnl.set_alias(ifindex, alias).await);
        }
        if (link.promisc, link.allmulti) != (self.promisc, self.allmulti) {
            let set = rtnl.set_receives_all(ifindex, self.promisc, self.allmulti);
            note("which frames it receives".to_owned(), set.await);
        }
        if link.has_xdp && !self.has_xdp {
            // Whoever had it left a program on it, which would see the host's
            // frames.
            let detached = rtnl.detach_xdp(ifindex).await;
            note("being without a program of XDP".to_owned(), detached);
        }
        if let Some((controller, name)) = &self.controller
            && link.controller.is_none()
        {
            let joined = self.rejoin(rtnl, ifindex, *controller, name).await;
            note(format!("its place in {name}"), joined);
        }
        missing.extend(self.state.restore(rtnl, ifindex).await?);
        Ok(missing)
    }

    async fn rename(&self, rtnl: &Rtnl, link: &LinkFacts) -> Result<(), RtnlError> {
        let name = &self.state.name;
        // It may have come to be one of the other names.
        if link.altnames.contains(name) {
            rtnl.delete_altname(link.ifindex, name).await?;
        }
        rtnl.set_state(link.ifindex, false).await?;
        rtnl.set_name(link.ifindex, name).await
    }

    /// Makes it a port again, unless the bridge or bond is another one by now.
    async fn rejoin(
        &self,
        rtnl: &Rtnl,
        ifindex: u32,
        controller: u32,
        name: &str,
    ) -> Result<(), RtnlError> {
        let present = rtnl.link_by_index(controller).await?;
        if present.is_none_or(|present| present.name != name) {
            return Err(absent("RTM_SETLINK"));
        }
        // A bond takes only what is down (bond_enslave).
        rtnl.set_state(ifindex, false).await?;
        rtnl.set_controller(ifindex, controller).await?;
        if let Some(flags) = self.port_flags {
            rtnl.set_port_flags(ifindex, flags).await?;
        }
        match &self.vlans {
            Some(had) => rtnl.restore_port_vlans(ifindex, controller, had).await,
            None => Ok(()),
        }
    }
}

/// That the device is nowhere.
pub fn absent(operation: &'static str) -> RtnlError {
    RtnlError::Refused(Refusal {
        operation,
        errno: nix::libc::ENODEV,
        kernel_says: None,
    })
}

#[cfg(test)]
impl NicHome {
    /// A NIC that is down and has nothing.
    pub fn sample(name: &str, ifindex: u32) -> Self {
        let mac = [0x52, 0x54, 0, 0, 0, 2];
        Self {
            id: NicId {
                parent_device: Some("0000:03:00.0".to_owned()),
                parent_bus: Some("pci".to_owned()),
                permanent_mac: Some(mac),
            },
            state: NicState {
                name: name.to_owned(),
                ifindex,
                mac: Some(mac),
                permanent_mac: Some(mac),
                mtu: 1500,
                txqlen: 1000,
                up: false,
                settings: Vec::new(),
                addresses: Vec::new(),
                nexthops: Vec::new(),
                routes: Vec::new(),
                rules: Vec::new(),
                neighbours: Vec::new(),
                captured_at: 0,
            },
            altnames: Vec::new(),
            alias: None,
            promisc: false,
            allmulti: false,
            has_xdp: false,
            controller: None,
            port_flags: None,
            vlans: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(ifindex: u32, parent: &str, last: u8) -> LinkFacts {
        LinkFacts {
            ifindex,
            parent_device: Some(parent.to_owned()),
            permanent_mac: Some([0x52, 0, 0, 0, 0, last]),
            ..LinkFacts::default()
        }
    }

    #[test]
    fn of_several_ports_on_one_function_the_address_tells() {
        let links = || vec![link(2, "0000:03:00.0", 1), link(3, "0000:03:00.0", 2)];
        let second = id_of(&link(9, "0000:03:00.0", 2));
        assert_eq!(only_one(links(), &second).map(|l| l.ifindex), Some(3));
        let neither = id_of(&link(9, "0000:03:00.0", 7));
        assert_eq!(only_one(links(), &neither), None);
    }

    #[test]
    fn a_virtual_function_is_found_although_its_permanent_address_has_changed() {
        let links = vec![link(2, "0000:03:10.0", 1), link(3, "0000:03:10.2", 2)];
        let id = id_of(&link(2, "0000:03:10.0", 9));
        assert_eq!(only_one(links, &id).map(|l| l.ifindex), Some(2));
    }

    #[test]
    fn what_sits_on_a_nic_is_not_the_nic() {
        let child = LinkFacts {
            kind: Some("macvlan".to_owned()),
            ..link(4, "0000:03:00.0", 1)
        };
        let links = vec![link(2, "0000:03:00.0", 1), child];
        let id = id_of(&link(2, "0000:03:00.0", 1));
        assert_eq!(only_one(links, &id).map(|l| l.ifindex), Some(2));
    }
}
