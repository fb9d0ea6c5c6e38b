//! Carriers that come back: behind such a link there may be another network, so
//! leases that were got by it are verified at once and not at T1 (RFC 2131 §3.7,
//! RFC 8415 §18.2.3).
//!
//! One socket in the host's namespace hears of all: an interface's other end, its
//! card or its bridge is there. One in each container would cost a descriptor per
//! lease, and hold the namespace. So nothing is heard of a card that was handed
//! over itself.

use std::time::Duration;

use super::daemon::{Daemon, Source};
use crate::record::Kept;
use crate::sys::clock::since_boot;
use crate::sys::rtnl::carriers::{Back, Carriers};

/// How long a carrier has to hold before a server is asked: a plug is put in with
/// a rattle.
const CALM: Duration = Duration::from_millis(300);

impl Daemon {
    /// Listens from now on.
    pub(super) fn listen_for_carriers(&mut self) {
        let number = self.number(Source::Carriers);
        let opened = Carriers::open().and_then(|carriers| {
            self.poller.add(&carriers, number)?;
            Ok(carriers)
        });
        match opened {
            Ok(carriers) => self.carriers = Some(carriers),
            Err(error) => {
                self.drop_number(number);
                tracing::warn!(%error, "links whose carrier comes back are not noticed");
            }
        }
    }

    /// Something was told of links.
    pub(super) fn carriers_changed(&mut self) {
        let Some(carriers) = &mut self.carriers else {
            return;
        };
        let back = carriers.read().unwrap_or_else(|error| {
            tracing::debug!(%error, "not all was heard of links");
            Vec::new()
        });
        let at = since_boot() + CALM;
        for back in back {
            let leases = self.leases.values_mut();
            for held in leases.filter(|held| concerns(back, &held.kept)) {
                let ifname = &held.kept.ifname;
                tracing::debug!(%ifname, link = back.ifindex, "a carrier is back");
                held.client.verify_at(at);
                held.client6.verify_at(at);
                // Killed before there is an answer, the next run asks. A file that
                // a hook took away stays away.
                if held.note_verifying()
                    && matches!(self.store.lease(&held.kept.id), Ok(Some(_)))
                    && let Err(error) = self.store.keep_lease(&held.kept)
                {
                    let ifname = &held.kept.ifname;
                    tracing::error!(%ifname, %error, "that a lease is verified could not be written down");
                }
            }
        }
    }
}

/// Whether a lease was got by that link: it is its card or bridge, the interface's
/// own other end, or a port of the bridge that leads to no other container, whose
/// owner could have all others ask by setting it down and up.
fn concerns(back: Back, kept: &Kept) -> bool {
    let is_of_bridge = match back.elsewhere {
        Some(other) => other == kept.id.ifindex,
        None => back.controller == Some(kept.uplink),
    };
    is_of_bridge || back.ifindex == kept.uplink
}
