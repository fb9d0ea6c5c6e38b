//! A lease of DHCPv6 that is due: what `renew` is for IPv4.

use super::client::Place;
use super::daemon::Daemon;
use super::held::Held;
use super::renew::Trouble;
use crate::apply::carry_out;
use crate::dhcp::io6::Change;
use crate::dhcp::v6::{Bound, Now};
use crate::plan::Applied6;
use crate::plan::lease6::change;
use crate::record::{Kept, Remembered6};
use crate::sys::block_on;
use crate::sys::clock::{seconds_since_1970, since_boot};
use crate::sys::ndisc;
use crate::sys::netns::Netns;
use crate::sys::rtnl::Rtnl;

impl Daemon {
    /// Does what is due for IPv6.
    pub(super) fn look_after6(
        &self,
        held: &mut Held,
        place: Place<'_>,
        guest: &Rtnl,
        now: Now,
    ) -> Result<(), Trouble> {
        if held.waits_for_turn6 {
            return Ok(());
        }
        let changes = match held.client6.serve(place, &held.kept, now) {
            Err(e) if matches!(e.raw_os_error(), Some(nix::libc::ENODEV | nix::libc::ENXIO)) => {
                return Err(Trouble::NoLink);
            }
            changes => changes?,
        };
        // Only what it comes to.
        match changes.last() {
            Some(Change::Apply(_)) => {
                let bound = held.client6.in_use().cloned();
                self.use_lease6(held, bound, (guest, place.netns), now)
            }
            Some(Change::Withdraw) => self.use_lease6(held, None, (guest, place.netns), now),
            // Nobody keeps a client that asks for nothing else.
            Some(Change::Inform(_)) | None => Ok(()),
        }
    }

    /// Makes the interface what `bound` says; without a lease, what it was.
    pub(super) fn use_lease6(
        &self,
        held: &mut Held,
        bound: Option<Bound>,
        (guest, netns): (&Rtnl, &Netns),
        now: Now,
    ) -> Result<(), Trouble> {
        let Some(mut kept) = held.kept.dhcp6.clone() else {
            return Ok(());
        };
        let before = kept.applied;
        let (ifindex, ifname) = (held.kept.id.ifindex, held.kept.ifname.clone());
        let (steps, after) = change((ifindex, &ifname), before, bound.as_ref(), now);
        let holds = |former: &Bound| former.ends_at().is_none_or(|end| now < end);
        if bound.is_none() && kept.bound.as_ref().is_some_and(holds) {
            // Refused before its time: nothing to ask for in the next life.
            let forgotten = self.store.forget_remembered6(&held.kept.identity);
            if let Err(error) = forgotten {
                tracing::warn!(%error, "a lease that is nobody's any more is remembered");
            }
        }
        let named = self.named_after6(&held.kept, bound.as_ref());
        held.names = held.names.after(&named.said(), now);
        (kept.named, kept.unsaid) = (named.lease, named.unsaid);
        kept.bound = bound;
        held.kept.dhcp6 = Some(kept.clone());
        self.write(&held.kept);
        let mut done = Ok(());
        for step in &steps {
            // What one refuses is no reason to leave out the others.
            done = done.and(block_on(carry_out(step, guest))?);
        }
        kept.applied = after;
        held.kept.dhcp6 = Some(kept);
        self.write(&held.kept);
        if let Some(address) = after.address
            && after != before
            && held.kept.announces > 0
        {
            held.announce_again(now);
            // Neighbours that knew the former host learn of it.
            let socket = ndisc::open_in(netns, &self.home);
            let told = socket.and_then(|s| ndisc::advertise(&s, ifindex, address, held.kept.mac));
            if let Err(error) = told {
                tracing::debug!(%ifname, %address, %error, "an address could not be announced");
            }
        }
        self.tell6(&held.kept, before);
        Ok(done?)
    }

    /// Says what changed, and remembers it for the next life.
    fn tell6(&self, kept: &Kept, before: Applied6) {
        let Some(kept6) = &kept.dhcp6 else { return };
        let (container, ifname) = (&kept.identity.name, &kept.ifname);
        match (before.address, kept6.applied.address) {
            (before, Some(now)) if before != Some(now) => {
                tracing::info!(container, %ifname, address = %now, "has a lease");
            }
            (Some(before), None) => {
                tracing::warn!(container, %ifname, address = %before, "has no lease any more");
            }
            (_, _) => {}
        }
        let Some(bound) = &kept6.bound else { return };
        let clocks = (seconds_since_1970(), since_boot());
        let remembered = Remembered6::of(bound, kept.identity.clone(), kept.release, clocks);
        if let Err(error) = self.store.remember_lease6(&remembered) {
            tracing::warn!(container, %ifname, %error, "a lease could not be remembered");
        }
    }
}
