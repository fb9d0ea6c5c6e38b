//! A lease that is due: what its client has to say becomes steps of the same
//! plan by which it was first applied, and the file says so before the kernel
//! does.

use std::io;
use std::time::Duration;

use super::client::Place;
use super::daemon::{Daemon, LeaseKey};
use super::give_back::{give_back4, give_back6};
use super::held::Held;
use super::protocol::Refusal;
use super::serve::close;
use crate::apply::carry_out;
use crate::deadline::Deadline;
use crate::dhcp::io::Change;
use crate::dhcp::v4::{Bound, Now};
use crate::plan::Applied4;
use crate::plan::lease::{Target, change};
use crate::record::{Identity, Kept, Remembered, VERSION};
use crate::reference::LeaseId;
use crate::sys::block_on;
use crate::sys::clock::{seconds_since_1970, since_boot};
use crate::sys::netns::Netns;
use crate::sys::rtnl::{Rtnl, RtnlError};

/// When to try again where the namespace could not be entered.
const LATER: Duration = Duration::from_secs(10);
/// How long the kernel's answers may take.
const KERNEL_TIME: Duration = Duration::from_secs(2);
/// How long a RELEASE may take to find its server's hardware address.
pub(super) const FAREWELL: Duration = Duration::from_millis(60);

/// Why a lease could not be looked after.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// Its interface is gone.
    #[error("the interface is gone")]
    NoLink,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Kernel(#[from] RtnlError),
}

impl Daemon {
    /// A lease is due, or something came in for it.
    pub(super) fn attend(&mut self, key: LeaseKey) {
        let now = since_boot();
        let Some(mut held) = self.leases.remove(&key) else {
            return;
        };
        // A hook that ended the attachment took the file away.
        if matches!(self.store.lease(&held.kept.id), Ok(None)) {
            self.leases.insert(key, held);
            return self.let_go(key);
        }
        if held.kept.has_left {
            return self.end_names(key, held, now);
        }
        let (asks, asks6) = (held.client.asks_all(now), held.client6.asks_all(now));
        // Both families have one turn.
        let waits = (asks || asks6) && !self.turns.ask(held.kept.uplink, held.number);
        held.waits_for_turn = asks && waits;
        held.waits_for_turn6 = asks6 && waits;
        // Nobody reads what comes in for one that waits.
        if held.waits_for_turn {
            close(held.client.hush());
        }
        if held.waits_for_turn6 {
            close(held.client6.hush());
        }
        let looked_after = self.look_after(&mut held, now);
        let (name, ifname) = (held.kept.identity.name.clone(), held.kept.ifname.clone());
        let leaves = held.leaves_at.is_some_and(|at| at <= now);
        let has_listened = held.client.has_listened(now);
        let has_listened6 = held.client6.has_listened(now);
        // A turn is over when neither family waits for an answer any more; one that
        // waits for its turn keeps its place.
        let is_quiet = !waits && held.client.is_quiet(now) && held.client6.is_quiet(now);
        let number = held.number;
        if has_listened {
            close(held.client.hush());
        }
        if has_listened6 {
            close(held.client6.hush());
        }
        let is_over = match &looked_after {
            Ok(()) => leaves,
            Err(Trouble::NoLink) => true,
            Err(Trouble::Io(_) | Trouble::Kernel(_)) => {
                held.rests_until = now + LATER;
                held.waits_for_turn = false;
                held.waits_for_turn6 = false;
                close(held.client.hush());
                close(held.client6.hush());
                leaves
            }
        };
        let has_failed = looked_after.is_err();
        let is_gone = matches!(looked_after, Err(Trouble::NoLink));
        if let Err(error) = looked_after {
            tracing::warn!(container = name, %ifname, %error, "a lease could not be looked after");
        }
        let owes_names = leaves && !is_gone && held.leave();
        if owes_names {
            close(held.client.hush());
            close(held.client.unwatch());
            close(held.client6.hush());
            self.write(&held.kept);
        }
        self.leases.insert(key, held);
        if is_quiet || has_failed {
            self.end_turn(number);
        }
        if is_over && !owes_names {
            self.end(key);
        }
    }

    /// The names of a lease that has been given back, which it ends with.
    fn end_names(&mut self, key: LeaseKey, mut held: Held, now: Now) {
        self.say_again(&mut held, now);
        let owes_names = held.names_at().is_some();
        if owes_names {
            self.write(&held.kept);
        }
        self.leases.insert(key, held);
        if !owes_names {
            self.end(key);
        }
    }

    fn look_after(&self, held: &mut Held, now: Now) -> Result<(), Trouble> {
        let netns = self.open(&held.kept.id.namespace, &held.kept.keepers)?;
        let guest = Rtnl::open_in(&netns, &self.home, Deadline::after(KERNEL_TIME))?;
        let link = block_on(guest.link_by_index(held.kept.id.ifindex))??;
        let link = link.ok_or(Trouble::NoLink)?;
        // It may have another name by now.
        if let Ok(name) = link.name.parse() {
            held.kept.ifname = name;
        }
        if held.leaves_at.is_some_and(|at| at <= now) {
            let four = self.use_lease(held, None, (&guest, &netns), now);
            return self.use_lease6(held, None, (&guest, &netns), now).and(four);
        }
        if held.is_half_made {
            let bound = held.client.in_use().cloned();
            held.is_half_made = false;
            // It is asked for all the same: what comes next may be whole.
            if let Err(error) = self.use_lease(held, bound, (&guest, &netns), now) {
                tracing::warn!(%error, "a lease could not be applied whole");
            }
            let bound = held.client6.in_use().cloned();
            if let Err(error) = self.use_lease6(held, bound, (&guest, &netns), now) {
                tracing::warn!(%error, "a lease could not be applied whole");
            }
        }
        if held.way_at().is_some_and(|at| at <= now) {
            let applied = held.kept.dhcp4.as_ref();
            let address = applied.and_then(|kept| kept.applied.address);
            self.reach(held, (address, address), now);
            self.write(&held.kept);
        }
        if held.names_at().is_some_and(|at| at <= now) {
            self.say_again(held, now);
            self.write(&held.kept);
        }
        self.announce(held, &netns, now);
        let place = Place {
            netns: &netns,
            home: &self.home,
            poller: &self.poller,
            number: held.number,
        };
        let six = self.look_after6(held, place, &guest, now);
        let four = self.look_after4(held, place, &guest, now);
        if held.note_verifying() {
            self.write(&held.kept);
        }
        four.and(six)
    }

    fn look_after4(
        &self,
        held: &mut Held,
        place: Place<'_>,
        guest: &Rtnl,
        now: Now,
    ) -> Result<(), Trouble> {
        if held.waits_for_turn {
            return Ok(());
        }
        let changes = match held.client.serve(place, &held.kept, now) {
            Err(e) if matches!(e.raw_os_error(), Some(nix::libc::ENODEV | nix::libc::ENXIO)) => {
                return Err(Trouble::NoLink);
            }
            changes => changes?,
        };
        // Only what it comes to: an address that is replaced leaves no gap.
        let used = match changes.last() {
            Some(Change::Apply(_)) => {
                let bound = held.client.in_use().cloned();
                self.use_lease(held, bound, (guest, place.netns), now)
            }
            Some(Change::Withdraw) => self.use_lease(held, None, (guest, place.netns), now),
            None => Ok(()),
        };
        if held.watches {
            match held.client.watch(place, &held.kept) {
                Ok(former) => close(former.into_iter().collect()),
                Err(error) => {
                    let ifname = &held.kept.ifname;
                    tracing::warn!(%ifname, %error, "who claims the address is not heard");
                }
            }
        }
        used
    }

    /// Makes the interface what `bound` says; without a lease, what it was.
    fn use_lease(
        &self,
        held: &mut Held,
        bound: Option<Bound>,
        (guest, netns): (&Rtnl, &Netns),
        now: Now,
    ) -> Result<(), Trouble> {
        let Kept { id, ifname, .. } = &held.kept;
        let (ifindex, ifname) = (id.ifindex, ifname.clone());
        let Some(mut kept) = held.kept.dhcp4.clone() else {
            return Ok(());
        };
        let (before, reach) = (kept.applied.address, kept.reach.clone());
        let target = Target {
            ifindex,
            ifname: &ifname,
            wishes: kept.wishes,
            reach: reach.as_ref(),
        };
        let (_, after) = change(target, &kept.applied, bound.as_ref(), now);
        // What somebody else took away comes back with each answer.
        let stale = |route: &crate::rt::Route| !after.routes.contains(route);
        let routes = kept.applied.routes.iter().filter(|route| stale(route));
        let former = Applied4 {
            routes: routes.cloned().collect(),
            ..kept.applied.clone()
        };
        let (steps, after) = change(target, &former, bound.as_ref(), now);

        let is_refused = |former: &Bound| former.ends_at().is_none_or(|end| now < end);
        if bound.is_none() && kept.bound.as_ref().is_some_and(is_refused) {
            // Before its time has come: nothing to ask for in the next life.
            self.forget_remembered(&held.kept.identity);
        }
        let named = self.named_after(&held.kept, bound.as_ref());
        held.names = held.names.after(&named.said(), now);
        (kept.named, kept.unsaid) = (named.lease, named.unsaid);
        kept.bound = bound;
        held.kept.dhcp4 = Some(kept);
        self.write(&held.kept);
        let done = block_on(async {
            let mut done = Ok(());
            for step in &steps {
                // What is refused does not keep the others from their turn.
                done = done.and(carry_out(step, guest).await);
            }
            done
        })?;
        if let Some(address) = after.address
            && Some(address) != before
            && held.kept.announces > 0
        {
            held.announce_again(now);
            // Neighbours that knew the former host learn of it.
            let told = self.announce4(&held.kept, address.addr(), netns);
            // Which the kernel repeats, where it can.
            let _ = block_on(guest.probe_neighbour(ifindex, address.addr()));
            if let Err(error) = told {
                tracing::debug!(%ifname, %address, %error, "an address could not be announced");
            }
        }
        self.reach(held, (before, after.address), now);
        if let Some(kept) = &mut held.kept.dhcp4 {
            kept.applied = after;
        }
        self.write(&held.kept);
        self.tell(&held.kept, before);
        Ok(done?)
    }

    pub(super) fn write(&self, kept: &Kept) {
        if let Err(error) = self.store.keep_lease(kept) {
            tracing::error!(%error, "what became of a lease could not be written down");
        }
    }

    /// Says what changed, and remembers it for the next life.
    fn tell(&self, kept: &Kept, before: Option<ipnet::Ipv4Net>) {
        let Some(kept4) = &kept.dhcp4 else { return };
        let (container, ifname) = (&kept.identity.name, &kept.ifname);
        match (before, kept4.applied.address) {
            (before, Some(now)) if before != Some(now) => {
                tracing::info!(container, %ifname, address = %now, "has a lease");
            }
            (Some(before), None) => {
                tracing::warn!(container, %ifname, address = %before, "has no lease any more");
            }
            (_, _) => {}
        }
        let Some(bound) = &kept4.bound else { return };
        let left = bound.ends_at().map(|at| at.saturating_sub(since_boot()));
        let ends = left.map(|left| seconds_since_1970() + left.as_secs());
        let remembered = Remembered {
            version: VERSION,
            identity: kept.identity.clone(),
            lease: bound.lease.clone(),
            // What will be given back is nothing to come back to.
            ends: if kept.release { Some(0) } else { ends },
        };
        if let Err(error) = self.store.remember_lease(&remembered) {
            tracing::warn!(container, %ifname, %error, "a lease could not be remembered");
        }
    }

    /// Gives a lease back, and takes its address away a moment later. Where its
    /// interface is gone, or an engine has taken its address off already, the host
    /// says so instead.
    pub(super) fn give_back(&mut self, id: &LeaseId) -> Result<(), Refusal> {
        let key = (id.namespace.cookie, id.ifindex);
        let held = self.leases.get(&key).ok_or(Refusal::Unknown)?;
        let netns = self.open(&held.kept.id.namespace, &held.kept.keepers);
        let held = self.leases.get_mut(&key).ok_or(Refusal::Unknown)?;
        let ifname = held.kept.ifname.clone();
        let (four, six) = match &netns {
            Ok(netns) => (
                held.client.release(netns, &self.home, &ifname),
                held.client6.release(netns, &self.home, &held.kept),
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::debug!(%ifname, "an interface that has a lease is gone");
                (false, false)
            }
            Err(error) => {
                return Err(Refusal::Failed {
                    reason: error.to_string(),
                });
            }
        };
        if !four {
            give_back4(&held.kept);
        }
        if !six {
            give_back6(&held.kept);
        }
        held.is_given_back = true;
        held.leaves_at = Some(since_boot() + FAREWELL);
        let identity = held.kept.identity.clone();
        self.forget_remembered(&identity);
        if let Err(error) = self.store.forget_remembered6(&identity) {
            tracing::warn!(%error, "a lease that was given back is remembered");
        }
        Ok(())
    }

    fn forget_remembered(&self, identity: &Identity) {
        if let Err(error) = self.store.forget_remembered(identity) {
            tracing::warn!(%error, "a lease that is nobody's any more is remembered");
        }
    }
}

/// Says goodbye for a lease whose namespace is about to end; true when there was
/// something to say, and the way to say it.
pub(super) fn farewell(held: &mut Held, netns: &Netns, home: &Netns) -> bool {
    let ifname = held.kept.ifname.clone();
    let four = held.client.release(netns, home, &ifname);
    held.client6.release(netns, home, &held.kept) || four
}
