//! Addresses that this host gives, and who has them.
//!
//! `/var/lib/pipework/pools/POOL/ADDRESS` is a file per address, written whole
//! and renamed, under one lock per pool: what a kill leaves is either there or
//! not. A link `owner-HASH` leads from a container's name to its address, which
//! so is the same after a restart and a reboot. An address that is given back
//! stays its owner's until nothing else is left to give. Whoever gives
//! addresses (an interface of ours, an engine's own networks) uses this.

mod choose;
mod file;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind::PermissionDenied};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::deadline::Deadline;
use crate::record::Store;
use crate::reference::NamespaceKey;
use crate::request::PoolRange;
use crate::rt::{Claim, Holder, Owner, PoolName, SOMEBODY};
use crate::sys::proc;
pub use file::Entry;
use file::Locked;

/// Where they are.
pub const DIRECTORY: &str = "/var/lib/pipework/pools";
/// Most holders that an error names.
const NAMED: usize = 8;

/// Why an address cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// Everything is given.
    #[error("the pool {pool} has nothing left of {range}: {}", named(holders, *unnamed))]
    Exhausted {
        /// The pool.
        pool: PoolName,
        /// Its ranges.
        range: String,
        /// Who has the addresses.
        holders: Vec<Claim>,
        /// How many more are held by who is not named to the reader.
        unnamed: usize,
    },
    /// Somebody has it.
    #[error("{} is held by {}", .0.address, .0.owner)]
    Held(Box<Claim>),
    /// Somebody has it who is not named to the reader.
    #[error("{0} is held by {SOMEBODY}")]
    HeldUnnamed(IpAddr),
    /// Others work on the pool for longer than there is time.
    #[error("the pool {pool} was locked until the time was over")]
    Locked {
        /// The pool.
        pool: PoolName,
    },
    /// Others have said each address themselves that it had.
    #[error(
        "the time was over before the pool {pool} had an address that nobody has on its uplink"
    )]
    Late {
        /// The pool.
        pool: PoolName,
    },
    /// There are more files than could be looked at.
    #[error("{} has more files than are looked at", .0.display())]
    TooMany(PathBuf),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

fn named(holders: &[Claim], unnamed: usize) -> String {
    let shown = holders.iter().take(NAMED);
    let shown: Vec<String> = shown
        .map(|c| format!("{} is {}'s", c.address, c.owner))
        .collect();
    let shown = match holders.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    };
    match (unnamed, shown.as_str()) {
        (0, _) => shown,
        (_, "") => format!("other namespaces hold {unnamed}"),
        (_, _) => format!("{shown}, and other namespaces hold {unnamed}"),
    }
}

impl PoolError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exhausted { pool, .. } if !pool.is_network() => {
                Some("widen its --ip-range or --subnet, or end containers".to_owned())
            }
            Self::Exhausted { pool, .. } => Some(format!(
                "widen its range, or end containers; pipework networks {pool} shows who has what"
            )),
            Self::Held(_) | Self::HeldUnnamed(_) => Some(
                "two containers of one network, or on one uplink, cannot have one address"
                    .to_owned(),
            ),
            Self::Late { pool } => Some(format!(
                "others on its uplink, not containers of this host, answer for addresses of it: \
                 give {pool} a range that nobody else has, or take theirs off it"
            )),
            Self::Locked { .. } | Self::TooMany(_) | Self::Io { .. } => None,
        }
    }

    /// Whether it was time that ran out.
    pub fn is_deadline(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Late { .. })
    }
}

/// What is asked of a pool.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The pool.
    pub pool: &'a PoolName,
    /// The ranges to choose from, all of one family.
    pub ranges: &'a [&'a PoolRange],
    /// Whose the address will be.
    pub owner: &'a Owner,
    /// What it is held for.
    pub holder: &'a Holder,
    /// Addresses that cannot be given although nobody holds them.
    pub avoid: &'a [IpAddr],
}

/// Whether nothing is left of what an address is held for.
pub type IsGone<'a> = &'a dyn Fn(&Holder) -> bool;

/// All pools of this host.
#[derive(Debug, Clone)]
pub struct Pools {
    root: PathBuf,
}

impl Pools {
    /// Those at their usual place.
    pub fn of_this_host() -> Self {
        Self::at(Path::new(DIRECTORY))
    }

    /// Those below `root`, which is made when it is needed.
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Gives an address and its subnet's length: the one that the owner had, if
    /// it can be given, or another one.
    pub fn request(
        &self,
        ask: Ask<'_>,
        is_gone: IsGone<'_>,
        deadline: Deadline,
    ) -> Result<(IpNet, Option<IpAddr>), PoolError> {
        let pool = Locked::enter(&self.root, ask.pool, deadline)?;
        let (range, address) = choose::choose(&pool, || pool.addresses(), ask, is_gone)?;
        pool.give(address, ask.owner, ask.holder)?;
        Ok((net(address, range), range.gateway()))
    }

    /// What [`request`](Self::request) would give now; nothing is changed, and
    /// who may not see the files has them taken for absent.
    pub fn preview(&self, ask: Ask<'_>) -> Result<(IpNet, Option<IpAddr>), PoolError> {
        let pool = Locked::peek(&self.root, ask.pool);
        let used = || match pool.addresses() {
            Err(PoolError::Io { source, .. }) if source.kind() == PermissionDenied => {
                Ok(BTreeSet::new())
            }
            used => used,
        };
        let (range, address) = choose::choose(&pool, used, ask, &|_| false)?;
        Ok((net(address, range), range.gateway()))
    }

    /// Holds one address; it may be held for the same already.
    pub fn claim(
        &self,
        claim: &Claim,
        is_gone: IsGone<'_>,
        deadline: Deadline,
    ) -> Result<(), PoolError> {
        let pool = Locked::enter(&self.root, &claim.pool, deadline)?;
        if let Some(Entry {
            owner,
            holder: Some(holder),
            ..
        }) = pool.entry(claim.address)?
            && holder != claim.holder
            && !is_gone(&holder)
        {
            return Err(PoolError::Held(Box::new(Claim {
                owner,
                holder,
                ..claim.clone()
            })));
        }
        pool.give(claim.address, &claim.owner, &claim.holder)
    }

    /// Gives an address back, unless it is held for something else by now.
    pub fn release(&self, claim: &Claim, deadline: Deadline) -> Result<(), PoolError> {
        if !self.root.join(claim.pool.as_str()).exists() {
            return Ok(());
        }
        let pool = Locked::enter(&self.root, &claim.pool, deadline)?;
        match pool.entry(claim.address)? {
            Some(entry) if entry.holder.as_ref() == Some(&claim.holder) => {
                pool.take_back(claim.address, entry)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Ends a pool with all that is in it.
    pub fn end(&self, pool: &PoolName, deadline: Deadline) -> Result<(), PoolError> {
        let path = self.root.join(pool.as_str());
        if !path.exists() {
            return Ok(());
        }
        let _locked = Locked::enter(&self.root, pool, deadline)?;
        fs::remove_dir_all(&path).map_err(|source| PoolError::Io { path, source })
    }

    /// The pools that have files, in no order.
    pub fn names(&self) -> Vec<PoolName> {
        let folders = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let names = folders.filter_map(|folder| folder.file_name().into_string().ok());
        let name = |text: String| serde_json::from_value(serde_json::Value::String(text)).ok();
        names.filter_map(name).collect()
    }

    /// What is held in a pool, in order.
    pub fn held(&self, pool: &PoolName) -> Result<Vec<Claim>, PoolError> {
        Locked::peek(&self.root, pool).held(pool)
    }

    /// Who holds an address, if anybody does.
    pub fn holder_of(&self, pool: &PoolName, address: IpAddr) -> Result<Option<Holder>, PoolError> {
        let entry = Locked::peek(&self.root, pool).entry(address)?;
        Ok(entry.and_then(|entry| entry.holder))
    }

    /// Gives back what is held for nothing any more, in all pools.
    pub fn sweep(&self, is_gone: IsGone<'_>, deadline: Deadline) -> Vec<Result<Claim, PoolError>> {
        let mut swept = Vec::new();
        for pool in self.names() {
            match Locked::enter(&self.root, &pool, deadline) {
                Ok(locked) => match sweep(&locked, &pool, is_gone) {
                    Ok(claims) => swept.extend(claims),
                    Err(error) => swept.push(Err(error)),
                },
                Err(error) => swept.push(Err(error)),
            }
        }
        swept
    }
}

/// Under the lock of the pool: a start that holds an address by now keeps its
/// namespace locked, and one that comes waits for us.
fn sweep(
    pool: &Locked,
    name: &PoolName,
    is_gone: IsGone<'_>,
) -> Result<Vec<Result<Claim, PoolError>>, PoolError> {
    let held = pool.held(name)?.into_iter();
    let gone = held.filter(|claim| is_gone(&claim.holder));
    let swept = gone.map(|claim| {
        if let Some(entry) = pool.entry(claim.address)? {
            pool.take_back(claim.address, entry)?;
        }
        Ok(claim)
    });
    Ok(swept.collect())
}

fn net(address: IpAddr, range: &PoolRange) -> IpNet {
    // The length is that of a subnet of the same family.
    IpNet::new(address, range.subnet().prefix_len()).unwrap_or_else(|_| IpNet::from(address))
}

/// Whether an interface that holds an address is gone: its namespace is of a
/// former boot, or nobody works in it and no record speaks of the interface.
pub fn is_gone(store: &Store, holder: &Holder) -> bool {
    let is_of_now = |id: &String| proc::is_this_boot(id);
    let (boot_id, cookie, ifname) = match holder {
        Holder::Interface {
            boot_id,
            cookie,
            ifname,
        } => (boot_id, *cookie, ifname),
        Holder::Endpoint { boot_id, id: _ } => return !is_of_now(boot_id),
        Holder::Lasting { id: _ } => return false,
    };
    if !is_of_now(boot_id) {
        return true;
    }
    let key = NamespaceKey {
        boot_id: boot_id.clone(),
        cookie,
    };
    let Ok(Some(_lock)) = store.try_lock_namespace(&key) else {
        return false;
    };
    let Ok(known) = store.read(&key) else {
        return false;
    };
    let records = known.complete.iter().chain(&known.applying);
    let mut attachments = records.flat_map(|record| &record.attachments);
    !attachments.any(|attachment| attachment.ifname.as_str() == ifname)
}

#[cfg(test)]
mod tests;
