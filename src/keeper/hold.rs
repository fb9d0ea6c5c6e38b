//! Which leases are kept, and for how long: as long as a process lives that
//! needs the interface.
//!
//! One process per namespace is watched by a pidfd, which keeps nothing alive.
//! When it ends, another that the record names takes its place; when there is
//! none, the record is collected as a hook would, and its leases end with it.
//! The namespace itself is only held open for a lease that is given back at the
//! end.

use std::path::PathBuf;
use std::time::Duration;

use super::again::Again;
use super::client::Client;
use super::client6::Client6;
use super::daemon::{Daemon, LeaseKey, SWEEP_AFTER, Source};
use super::give_back::give_back;
use super::held::Held;
use super::protocol::Refusal;
use super::renew::{FAREWELL, farewell};
use super::serve::close;
use crate::collect::{CollectError, Collector, Fate};
use crate::deadline::Deadline;
use crate::record::{Kept, RecordError};
use crate::reference::{Keeper, LeaseId, NamespaceKey, Reference};
use crate::sys::block_on;
use crate::sys::clock::since_boot;
use crate::sys::proc::{self, Process};
use crate::sys::rtnl::Rtnl;

/// How long collecting one record may take.
const COLLECT_TIME: Duration = Duration::from_secs(2);
/// When to look again at a namespace that somebody is at work in, or whose NIC
/// has not come back yet; doubled each time.
const RETRY: Duration = Duration::from_millis(100);
/// After this many times it is left to others: 100 ms × 2¹⁰ are two minutes.
const RETRIES: u32 = 10;
/// How often a namespace is looked at that needs no process.
const BOUND_LOOK: Duration = Duration::from_secs(10);

/// A process whose end is waited for.
#[derive(Debug)]
pub(super) struct Watched {
    number: u64,
    pid: i32,
    _process: Process,
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::Failed {
        reason: error.to_string(),
    }
}

impl Daemon {
    /// Takes on what is on disk: after a start.
    pub(super) fn resume(&mut self) {
        let all = match self.store.leases() {
            Ok(all) => all,
            Err(error) => {
                tracing::error!(%error, "no lease can be read");
                return;
            }
        };
        for kept in all {
            match kept {
                Ok(kept) => {
                    let (container, ifname) = (kept.identity.name.clone(), kept.ifname.clone());
                    if let Err(error) = self.take_on(kept)
                        && error != Refusal::Gone
                    {
                        tracing::error!(container, %ifname, %error, "a lease cannot be kept");
                    }
                }
                // That of a newer release is left to it.
                Err(error @ RecordError::Newer { .. }) => tracing::warn!("{error}"),
                Err(error) => tracing::error!(%error, "a lease cannot be read"),
            }
        }
    }

    /// A hook names a lease.
    pub(super) fn keep(&mut self, id: &LeaseId) -> Result<(), Refusal> {
        let kept = self.store.lease(id).map_err(failed)?;
        self.take_on(kept.ok_or(Refusal::Unknown)?)?;
        // It did so itself a moment ago.
        if let Some(held) = self.leases.get_mut(&(id.namespace.cookie, id.ifindex)) {
            held.announce_again(since_boot());
        }
        Ok(())
    }

    /// Applies a lease once more, whatever its file says is in the kernel.
    pub(super) fn apply_again(&mut self, id: &LeaseId) -> Result<(), Refusal> {
        let held = self.leases.get_mut(&(id.namespace.cookie, id.ifindex));
        let held = held.ok_or(Refusal::Unknown)?;
        held.kept.forget_applied();
        held.is_half_made = true;
        held.rests_until = Duration::ZERO;
        Ok(())
    }

    fn take_on(&mut self, kept: Kept) -> Result<(), Refusal> {
        if kept.id.namespace.boot_id != self.boot_id {
            self.forget(&kept.id);
            return Err(Refusal::Gone);
        }
        let key = (kept.id.namespace.cookie, kept.id.ifindex);
        self.let_go(key);
        // A namespace that a path keeps would stay for as long as we hold it.
        let netns = if kept.release && !self.is_bound(&kept.id.namespace) {
            self.open(&kept.id.namespace, &kept.keepers).ok()
        } else {
            None
        };
        // Nor is it listened in.
        let watches = kept.dhcp4.as_ref().is_some_and(|four| four.watches);
        let watches = watches && !self.is_bound(&kept.id.namespace);
        let held = Held {
            client: Client::resume(&kept),
            client6: Client6::resume(&kept),
            number: self.number(Source::Lease(key)),
            is_half_made: kept.is_half_made(),
            rests_until: Duration::ZERO,
            waits_for_turn: false,
            waits_for_turn6: false,
            leaves_at: None,
            way: Again::default(),
            names: Again::default(),
            watches,
            announces: None,
            netns,
            is_given_back: false,
            kept,
        };
        self.leases.insert(key, held);
        if !self.watch(key.0) {
            self.settle(key.0);
        }
        if self.leases.contains_key(&key) {
            Ok(())
        } else {
            Err(Refusal::Gone)
        }
    }

    /// Stops keeping a lease, which stays on disk.
    pub(super) fn let_go(&mut self, key: LeaseKey) {
        if let Some(mut held) = self.leases.remove(&key) {
            self.drop_number(held.number);
            self.end_turn(held.number);
            close(held.client.hush());
            close(held.client.unwatch());
            close(held.client6.hush());
        }
        let is_needed = self.leases.keys().any(|(cookie, _)| *cookie == key.0);
        if !is_needed && let Some(watched) = self.watched.remove(&key.0) {
            self.drop_number(watched.number);
        }
    }

    /// Ends a lease: nobody uses its address any more.
    pub(super) fn end(&mut self, key: LeaseKey) {
        if let Some(held) = self.leases.get(&key) {
            let id = held.kept.id.clone();
            self.forget(&id);
        }
        self.let_go(key);
        self.sweep_at = Some(since_boot() + SWEEP_AFTER);
    }

    /// Gives back what nobody of us could when the container ended.
    fn give_back_rest(&self, cookie: u64) {
        let leases = self.leases.range((cookie, 0)..=(cookie, u32::MAX));
        for (_, held) in leases {
            if held.kept.release && !held.is_given_back && !self.has_next_life(&held.kept) {
                give_back(&held.kept);
            }
        }
    }

    /// Whether the same interface has a lease again, by which its server knows it.
    fn has_next_life(&self, kept: &Kept) -> bool {
        let all = self.store.leases().unwrap_or_default();
        let mut others = all.iter().flatten().filter(|other| other.id != kept.id);
        others.any(|other| other.identity == kept.identity && !other.has_left)
    }

    fn forget(&self, id: &LeaseId) {
        if let Err(error) = self.store.forget_lease(id) {
            tracing::warn!(%error, "the file of a lease that ended stays");
        }
    }

    fn namespace_key(&self, cookie: u64) -> NamespaceKey {
        NamespaceKey {
            boot_id: self.boot_id.clone(),
            cookie,
        }
    }

    /// Every process that needs a namespace, and the paths to it.
    pub(super) fn keepers(
        &self,
        key: &NamespaceKey,
        more: &[Keeper],
    ) -> (Vec<Keeper>, Vec<PathBuf>) {
        let known = self.store.read(key).unwrap_or_default();
        let record = known.complete.or(known.applying);
        let mut keepers = more.to_vec();
        let mut paths = Vec::new();
        if let Some(record) = record {
            keepers.extend(record.keepers());
            paths.extend(record.paths);
        }
        (keepers, paths)
    }

    fn keepers_of_leases(&self, cookie: u64) -> Vec<Keeper> {
        let leases = self.leases.range((cookie, 0)..=(cookie, u32::MAX));
        leases
            .flat_map(|(_, held)| held.kept.keepers.clone())
            .collect()
    }

    /// Watches a process that needs a namespace; false when there is none.
    fn watch(&mut self, cookie: u64) -> bool {
        let (key, more) = (self.namespace_key(cookie), self.keepers_of_leases(cookie));
        let (keepers, _) = self.keepers(&key, &more);
        for Keeper { pid, birth } in keepers {
            let Ok(process) = Process::open(pid) else {
                continue;
            };
            if process.birth != birth || !process.is_alive() {
                continue;
            }
            let number = self.number(Source::Process(cookie));
            if let Err(error) = self.poller.add(&process, number) {
                self.drop_number(number);
                tracing::error!(pid, %error, "a process cannot be watched");
                continue;
            }
            let watched = Watched {
                number,
                pid,
                _process: process,
            };
            if let Some(former) = self.watched.insert(cookie, watched) {
                self.drop_number(former.number);
            }
            return true;
        }
        false
    }

    /// A process that was watched ended.
    pub(super) fn process_ended(&mut self, cookie: u64) {
        if let Some(watched) = self.watched.remove(&cookie) {
            self.drop_number(watched.number);
            tracing::debug!(pid = watched.pid, "a container's process ended");
        }
        if !self.watch(cookie) {
            self.settle(cookie);
        }
    }

    /// No process is known that needs a namespace: either there is another, or
    /// its leases end.
    pub(super) fn settle(&mut self, cookie: u64) {
        let before = self.retries.remove(&cookie);
        let key = self.namespace_key(cookie);
        let is_bound = self.is_bound(&key);
        // What is listened by holds the namespace, and its NIC with it: an answer
        // that comes yet is for nobody. Who has a path to stay by asks on.
        for (_, held) in self.leases.range_mut((cookie, 0)..=(cookie, u32::MAX)) {
            close(held.client.unwatch());
            if !is_bound {
                close(held.client.hush());
                close(held.client6.hush());
            }
        }
        if !is_bound && self.says_farewell(cookie) {
            self.retries.insert(cookie, (since_boot() + FAREWELL, 0));
            return;
        }
        let again = match self.collect(&key) {
            Ok(Fate::Ended) => {
                self.give_back_rest(cookie);
                self.end_all(cookie);
                None
            }
            Ok(Fate::Lives) if self.watch(cookie) => None,
            Ok(Fate::Lives | Fate::Busy) if is_bound => {
                self.retries.insert(cookie, (since_boot() + BOUND_LOOK, 0));
                return;
            }
            Ok(Fate::Lives | Fate::Busy) => Some(None),
            Err(error) => Some(Some(error)),
        };
        let Some(error) = again else { return };
        let tries = before.map_or(0, |(_, tries)| tries);
        if tries < RETRIES {
            let at = since_boot() + RETRY * (1 << tries);
            self.retries.insert(cookie, (at, tries + 1));
            return;
        }
        if let Some(error) = error {
            tracing::warn!(%error, "what a container left behind stays for now");
        }
        self.end_all(cookie);
    }

    /// Whether it stays for as long as a path leads to it, without any process.
    fn is_bound(&self, key: &NamespaceKey) -> bool {
        let known = self.store.read(key).unwrap_or_default();
        let record = known.complete.or(known.applying);
        record.is_some_and(|record| record.references().any(Reference::is_bound))
    }

    fn collect(&self, key: &NamespaceKey) -> Result<Fate, CollectError> {
        let deadline = Deadline::after(COLLECT_TIME);
        let collected = block_on(async {
            let host = Rtnl::open(deadline).map_err(CollectError::Enter)?;
            let collector = Collector {
                store: &self.store,
                host: &host,
                home: &self.home,
                deadline,
                patience: Duration::ZERO,
            };
            collector.reap(key).await
        });
        collected.map_err(CollectError::Enter)?
    }

    fn end_all(&mut self, cookie: u64) {
        let leases = self.leases.range((cookie, 0)..=(cookie, u32::MAX));
        let keys: Vec<LeaseKey> = leases.map(|(key, _)| *key).collect();
        for key in keys {
            self.end(key);
        }
    }

    /// Gives back what is to be given back, while the namespace still is there, once;
    /// and lets go of it. True when there is something to wait for.
    fn says_farewell(&mut self, cookie: u64) -> bool {
        let mut waits = false;
        for (_, held) in self.leases.range_mut((cookie, 0)..=(cookie, u32::MAX)) {
            let Some(netns) = held.netns.take() else {
                continue;
            };
            let others = proc::in_network_namespace(netns.inode().1);
            let home = self.home.inode().1;
            let only_visit = |pid: &i32| proc::has_thread_in(*pid, home);
            // Where /proc cannot be read, somebody may be there.
            if !others.is_ok_and(|others| others.iter().all(only_visit)) {
                held.netns = Some(netns);
            } else if !held.is_given_back {
                held.is_given_back = true;
                if farewell(held, &netns, &self.home) {
                    held.netns = Some(netns);
                    waits = true;
                } else {
                    // A hook was faster at taking the interface away.
                    give_back(&held.kept);
                }
            }
        }
        waits
    }
}
