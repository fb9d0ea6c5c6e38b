//! NICs that a start which failed, or was killed, had brought up.

use super::Collector;
use crate::plan::Undo;
use crate::sys::rtnl::LinkFacts;

impl Collector<'_> {
    /// Brings those NICs down again that `undos` name, unless another attachment than
    /// those of the indexes `made`, which do not come to be, has come to use them, or
    /// the host has. Gives back what was done.
    ///
    /// Called while the record of the start is there still, so that a kill in between
    /// leaves it to the next who looks.
    pub async fn lower_parents(&self, undos: &[Undo], made: &[u32]) -> Vec<Undo> {
        let mut done = Vec::new();
        for undo in undos {
            let Undo::LowerParent { ifindex, .. } = *undo else {
                continue;
            };
            if self.is_used(ifindex, made).await || self.is_the_hosts(ifindex).await {
                continue;
            }
            let is_down = self.host.set_state(ifindex, false).await.is_ok();
            // A start that saw it up meanwhile does not raise it by itself.
            if self.is_used(ifindex, made).await {
                let _ = self.host.set_state(ifindex, true).await;
            } else if is_down {
                done.push(undo.clone());
            }
        }
        done
    }

    /// Whether somebody has given this device an address, made it a port or put a
    /// device on it, and reaches others by it; so it is where that cannot be seen.
    async fn is_the_hosts(&self, ifindex: u32) -> bool {
        match self.host.link_by_index(ifindex).await {
            Ok(Some(link)) if link.controller.is_none() => {
                let has_address = self.host.has_given_address(ifindex).await;
                has_address.unwrap_or(true) || self.carries(ifindex).await
            }
            Ok(None) => false,
            Ok(Some(_)) | Err(_) => true,
        }
    }

    /// Whether a device of the host is on this one, and up. What attachments have there
    /// is in the records, which say more.
    async fn carries(&self, ifindex: u32) -> bool {
        let is_on_it = |link: &LinkFacts| link.lower == Some(ifindex) && link.up;
        match self.host.links().await {
            Ok(links) => links.iter().any(is_on_it),
            Err(_) => true,
        }
    }

    /// Whether this device, or a VLAN device on it, is the uplink of an attachment.
    async fn is_used(&self, ifindex: u32, except: &[u32]) -> bool {
        let records = self.store.all().into_iter().flatten();
        let attachments = records.flat_map(|record| record.attachments);
        let others = attachments.filter(|a| !except.contains(&a.ifindex));
        let uplinks: Vec<u32> = others.map(|a| a.uplink_ifindex).collect();
        let Ok(devices) = self.host.vlan_devices().await else {
            return true;
        };
        let below = |uplink: u32| devices.iter().find(|link| link.ifindex == uplink)?.lower;
        uplinks.into_iter().any(|uplink| {
            let mut chain = std::iter::successors(Some(uplink), |device| below(*device));
            chain.any(|device| device == ifindex)
        })
    }
}
