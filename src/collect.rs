//! Ends attachments whose containers are gone, whoever failed to say so.
//!
//! A record is dead when every process that it names is. What happens then
//! depends on the namespace: another process in it keeps the interface, a
//! namespace that is held open by a path has it taken out, and one that is gone
//! took it along. A run that was killed half-way is taken back from its record.
//! Everything here runs under the namespace's lock.

mod detach;
mod leases;
mod objects;
mod ovs;
mod parents;
mod reach;
mod release;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::apply::{Cause, Left, OTHERS_TIME, Sides, is_in_use, keep_others_away, take_back};
use crate::config::ConfigError;
use crate::deadline::Deadline;
use crate::host::bundle::namespace_path;
use crate::plan::Undo;
use crate::record::{BridgeRecord, Known, Mode, Record, RecordError, Store};
use crate::reference::{Keeper, NamespaceKey, Reference};
pub use crate::sys::clock::seconds_since_boot;
use crate::sys::netns::Netns;
use crate::sys::ovsdb::vswitch::OvsError;
use crate::sys::proc;
use crate::sys::rtnl::{Rtnl, RtnlError};

pub use ovs::OvsSwept;
pub use reach::{Lack, Reaches, Wanting};

/// How long the kernel may take to give a NIC back, once its namespace has no
/// process any more: 3 to 20 ms, and what the NIC's driver needs.
pub const NIC_PATIENCE: Duration = Duration::from_secs(5);
/// How long a bridge of ours stays after it was first seen empty, in seconds.
pub const EMPTY_BRIDGE_SECONDS: u64 = 60;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A container that it names lives, or another process needs it.
    Lives,
    /// Everything in it was taken back, and it is forgotten.
    Ended,
    /// Another run works on it now.
    Busy,
}

/// Why a record could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The store.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The kernel.
    #[error(transparent)]
    Kernel(#[from] RtnlError),
    /// Open vSwitch.
    #[error(transparent)]
    Ovs(#[from] OvsError),
    /// The machine's settings, which say where Open vSwitch listens.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something could not be taken back.
    #[error("{} could not be removed: {}", .0.undo, .0.error)]
    Left(Box<Left>),
    /// What attachments share could not be made good.
    #[error("{object} could not be made good: {error}")]
    Shared {
        /// The object.
        object: String,
        /// Why.
        error: Box<Cause>,
    },
    /// A namespace could not be entered.
    #[error("entering the namespace: {0}")]
    Enter(#[source] std::io::Error),
}

/// Where collection works.
#[derive(Debug)]
pub struct Collector<'a> {
    /// The records.
    pub store: &'a Store,
    /// A socket on the host.
    pub host: &'a Rtnl,
    /// Our own namespace.
    pub home: &'a Netns,
    /// When it must have ended.
    pub deadline: Deadline,
    /// How long to wait for a NIC that the kernel gives back by and by.
    pub patience: Duration,
}

/// A namespace that still is there.
struct Alive {
    netns: Netns,
    keeper: Option<Keeper>,
}

impl Collector<'_> {
    /// Ends the record of `key` if it is dead.
    pub async fn reap(&self, key: &NamespaceKey) -> Result<Fate, CollectError> {
        let Some(_lock) = self.store.try_lock_namespace(key)? else {
            return Ok(Fate::Busy);
        };
        self.reap_locked(key, &[]).await
    }

    /// The same, after waiting a while for a run that works on it, unless the
    /// container lives: then that is its start, which may wait for a lease.
    pub async fn reap_waiting(&self, key: &NamespaceKey) -> Result<Fate, CollectError> {
        let known = self.store.read(key)?;
        let record = known.complete.or(known.applying);
        if record.is_some_and(|record| lives(&record, key)) {
            return self.reap(key).await;
        }
        let patience = self.deadline.sooner(OTHERS_TIME);
        let _lock = self.store.lock_namespace(key, patience)?;
        self.reap_locked(key, &[]).await
    }

    /// The same for who holds the lock already. `paths` may lead to the
    /// namespace besides the bundles that the record names.
    pub async fn reap_locked(
        &self,
        key: &NamespaceKey,
        paths: &[PathBuf],
    ) -> Result<Fate, CollectError> {
        let known = self.store.read_locked(key)?;
        let alive = match known.complete.as_ref().or(known.applying.as_ref()) {
            Some(record) if !lives(record, key) || known.applying.is_some() => {
                self.find(record, paths)
            }
            Some(_) => return Ok(Fate::Lives),
            None => return Ok(Fate::Ended),
        };
        self.take_back_half_made(&known, alive.as_ref()).await?;
        let Some(mut record) = known.complete else {
            return Ok(Fate::Ended);
        };
        let is_bound = alive.is_some() && record.references().any(Reference::is_bound);
        if is_bound || lives(&record, key) {
            return Ok(Fate::Lives);
        }
        if let Some(Alive {
            keeper: Some(keeper),
            ..
        }) = &alive
        {
            record.keeper = Some(*keeper);
            for reference in record.references() {
                self.store.unlead(reference, key)?;
            }
            for attachment in &mut record.attachments {
                attachment.references.clear();
            }
            self.store.rewrite(&record)?;
            return Ok(Fate::Lives);
        }
        self.end(&record, alive.as_ref()).await
    }

    /// Takes back what a run made that was killed before its end.
    pub async fn settle(&self, known: &Known, netns: &Netns) -> Result<(), CollectError> {
        let guest = Rtnl::open_in(netns, self.home, self.deadline).map_err(CollectError::Enter)?;
        self.take_back_with(known, self.sides(Some(&guest), Some(netns)))
            .await
    }

    async fn take_back_half_made(
        &self,
        known: &Known,
        alive: Option<&Alive>,
    ) -> Result<(), CollectError> {
        if known.applying.is_none() {
            return Ok(());
        }
        let guest = self.guest(alive)?;
        let netns = alive.map(|alive| &alive.netns);
        self.take_back_with(known, self.sides(guest.as_ref(), netns))
            .await
    }

    async fn take_back_with(&self, known: &Known, sides: Sides<'_>) -> Result<(), CollectError> {
        let Some(applying) = &known.applying else {
            return Ok(());
        };
        let is_half_made = |ifindex| {
            known
                .complete
                .as_ref()
                .is_none_or(|record| record.attachment(ifindex).is_none())
        };
        let half_made = applying
            .attachments
            .iter()
            .filter(|a| is_half_made(a.ifindex));
        let made: Vec<u32> = half_made.clone().map(|a| a.ifindex).collect();
        // The latest interface first, and what belongs to none of them last.
        let mut undos: Vec<Undo> = half_made.rev().flat_map(|a| a.undo.clone()).collect();
        // An earlier run's, which had success, come first in the list and stay.
        let kept = known
            .complete
            .as_ref()
            .map_or(0, |record| record.undo.len());
        undos.extend(applying.undo.iter().skip(kept).cloned());
        // One that somebody is at right now is left to `reap_bridge`.
        let _bridges = keep_others_away(&mut undos, self.store, Duration::ZERO);
        let sides = Sides {
            half_made: true,
            has_links: false,
            ..sides
        };
        let (undone, left) = take_back(&undos, sides).await;
        self.forget_bridges(&undone).await?;
        no_left(left)?;
        self.lower_parents(&undos, &made).await;
        Ok(self.store.abandon(applying)?)
    }

    /// A bridge that was removed, or never came to be, as another device has its index,
    /// needs no record. That device may be another bridge of ours, which has one.
    pub async fn forget_bridges(&self, undone: &[Undo]) -> Result<(), CollectError> {
        for undo in undone {
            let Undo::DeleteBridge { ifindex, name, .. } = undo else {
                continue;
            };
            let there = self.host.link_by_index(*ifindex).await?;
            if there.is_none_or(|link| link.name != *name)
                && let Some(kept) = self.store.bridge(*ifindex)?
                && kept.name.as_str() == name
            {
                self.store.forget_bridge(*ifindex)?;
            }
        }
        Ok(())
    }

    async fn undo(&self, undos: &[Undo], alive: Option<&Alive>) -> Result<(), CollectError> {
        let guest = self.guest(alive)?;
        let netns = alive.map(|alive| &alive.netns);
        let (_, left) = take_back(undos, self.sides(guest.as_ref(), netns)).await;
        no_left(left)
    }

    /// What can be reached, for taking back.
    pub fn sides<'b>(&'b self, guest: Option<&'b Rtnl>, netns: Option<&'b Netns>) -> Sides<'b> {
        Sides {
            host: self.host,
            guest,
            netns,
            home: self.home,
            store: self.store,
            deadline: self.deadline,
            patience: self.patience,
            half_made: false,
            has_links: true,
        }
    }

    fn guest(&self, alive: Option<&Alive>) -> Result<Option<Rtnl>, CollectError> {
        let open = |alive: &Alive| Rtnl::open_in(&alive.netns, self.home, self.deadline);
        alive.map(open).transpose().map_err(CollectError::Enter)
    }

    /// The namespace of a record, by a process in it or by a path to it.
    fn find(&self, record: &Record, paths: &[PathBuf]) -> Option<Alive> {
        if proc::boot_id().ok()? != record.key.boot_id {
            return None;
        }
        let mut visited = None;
        for pid in proc::in_network_namespace(record.inode).unwrap_or_default() {
            let path = PathBuf::from(format!("/proc/{pid}/ns/net"));
            // The inode may be that of a later namespace; the cookie is not.
            let Some(netns) = self.open_if_it_is(&path, &record.key) else {
                continue;
            };
            // An engine that only put one of its threads there keeps nothing.
            if proc::has_thread_in(pid, self.home.inode().1) {
                visited = Some(netns);
            } else if let Ok(process) = proc::Process::open(pid) {
                return Some(Alive {
                    netns,
                    keeper: Some(Keeper {
                        pid,
                        birth: process.birth,
                    }),
                });
            }
        }
        let bundles = record.references().map(|r| Path::new(&r.bundle).to_owned());
        let by_config = bundles.filter_map(|bundle| namespace_path(&bundle));
        let recorded = record.paths.iter().cloned();
        let mut paths = paths.iter().cloned().chain(recorded).chain(by_config);
        let by_path = || paths.find_map(|path| self.open_if_it_is(&path, &record.key));
        Some(Alive {
            netns: visited.or_else(by_path)?,
            keeper: None,
        })
    }

    fn open_if_it_is(&self, path: &Path, key: &NamespaceKey) -> Option<Netns> {
        Netns::open_known(path, key.cookie, self.home)
    }

    /// Notes since when a bridge of ours is empty.
    async fn note_empty_bridges(&self, record: &Record) -> Result<(), CollectError> {
        for attachment in &record.attachments {
            let Some(bridge) = self.store.bridge(attachment.uplink_ifindex)? else {
                continue;
            };
            if self.host.ports(bridge.ifindex).await?.is_empty() {
                self.note_empty(bridge)?;
            }
        }
        Ok(())
    }

    fn note_empty(&self, mut bridge: BridgeRecord) -> Result<(), CollectError> {
        bridge.empty_since = Some(seconds_since_boot());
        Ok(self.store.keep_bridge(&bridge)?)
    }

    /// Removes a bridge of ours that has been empty and untouched for
    /// [`EMPTY_BRIDGE_SECONDS`]; true when it is gone.
    pub async fn reap_bridge(&self, bridge: BridgeRecord) -> Result<bool, CollectError> {
        let _lock = self
            .store
            .lock_bridge(&bridge.name, Mode::Exclusive, self.deadline)?;
        let link = self.host.link_by_index(bridge.ifindex).await?;
        let Some(link) = link.filter(|_| proc::boot_id().is_ok_and(|id| id == bridge.boot_id))
        else {
            self.store.forget_bridge(bridge.ifindex)?;
            return Ok(true);
        };
        if link.name != bridge.name.as_str() || link.mac != Some(bridge.mac.octets()) {
            return Ok(false);
        }
        if is_in_use(self.host, &link).await? {
            let used = BridgeRecord {
                empty_since: None,
                ..bridge
            };
            self.store.keep_bridge(&used)?;
            return Ok(false);
        }
        match bridge.empty_since {
            Some(since) if seconds_since_boot().saturating_sub(since) >= EMPTY_BRIDGE_SECONDS => {
                self.host.delete_link(bridge.ifindex).await?;
                self.store.forget_bridge(bridge.ifindex)?;
                Ok(true)
            }
            Some(_) => Ok(false),
            None => self.note_empty(bridge).map(|()| false),
        }
    }
}

/// The first of what could not be taken back is the error.
pub fn no_left(left: Vec<Left>) -> Result<(), CollectError> {
    match left.into_iter().next() {
        None => Ok(()),
        Some(left) => Err(CollectError::Left(Box::new(left))),
    }
}

/// Whether any process that the record names is the same one still.
fn lives(record: &Record, key: &NamespaceKey) -> bool {
    record.key == *key
        && record
            .keepers()
            .any(|keeper| proc::is_same(keeper.pid, keeper.birth))
}
