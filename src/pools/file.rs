//! The files of one pool, under its lock.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::PoolError;
use crate::deadline::Deadline;
use crate::gate::{Gate, Pass};
use crate::rt::{Claim, Holder, Owner, PoolName};
use crate::sys::clock::seconds_since_1970;

/// Of this release; a file of a newer one counts as held.
const VERSION: u32 = 1;
/// Most files that a pool may have: of each address, and of each owner.
const MOST_FILES: usize = 1 << 17;
/// Between two attempts at a lock.
const PAUSE: Duration = Duration::from_millis(2);

/// What stands in the file of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of the file.
    pub version: u32,
    /// Whose the address is, or was.
    pub owner: Owner,
    /// What it is held for; `None` once it was given back.
    pub holder: Option<Holder>,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

/// A pool that nobody else works on.
#[derive(Debug)]
pub(super) struct Locked {
    directory: PathBuf,
    /// Whether its addresses are chosen here, so that an owner has to find the
    /// one that it had.
    gives: bool,
    // Before the turn: who comes next finds the lock free.
    _lock: Option<Flock<File>>,
    _turn: Option<Pass<'static>>,
}

/// One thread of this process at a time asks for the lock of a pool. The others
/// are woken here; who waits for the lock itself has to ask again and again.
static ASKING: Gate = Gate::new();

fn digest(owner: &Owner) -> [u8; 16] {
    let Owner {
        engine,
        name,
        ifname,
    } = owner;
    let mut hasher = Sha256::new();
    for part in [engine, name, ifname] {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let mut first = [0; 16];
    let whole = hasher.finalize();
    first
        .iter_mut()
        .zip(whole)
        .for_each(|(to, from)| *to = from);
    first
}

/// Where the search for an address begins, so that an owner finds the same one
/// although all files are lost.
pub(super) fn start_of(owner: &Owner) -> u128 {
    u128::from_be_bytes(digest(owner))
}

impl Locked {
    /// Waits for the pool, and makes its directory.
    pub(super) fn enter(
        root: &Path,
        pool: &PoolName,
        deadline: Deadline,
    ) -> Result<Self, PoolError> {
        let locked = || PoolError::Locked { pool: pool.clone() };
        let turn = ASKING
            .enter_until(pool.as_str(), deadline)
            .ok_or_else(locked)?;
        let directory = root.join(pool.as_str());
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| PoolError::Io { path, source }
        };
        let mut builder = DirBuilder::new();
        let made = builder.mode(0o700).recursive(true).create(&directory);
        made.map_err(io(&directory))?;
        let path = directory.join("lock");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(io(&path))?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => {
                    return Ok(Self {
                        directory,
                        gives: pool.gives(),
                        _lock: Some(lock),
                        _turn: Some(turn),
                    });
                }
                Err((back, Errno::EWOULDBLOCK)) if !deadline.has_passed() => file = back,
                Err((_, Errno::EWOULDBLOCK)) => return Err(locked()),
                Err((_, errno)) => return Err(io(&path)(errno.into())),
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The pool as it is, for looking at only.
    pub(super) fn peek(root: &Path, pool: &PoolName) -> Self {
        Self {
            directory: root.join(pool.as_str()),
            gives: pool.gives(),
            _lock: None,
            _turn: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What is known of an address. What a power failure left of a file is as
    /// good as none.
    pub(super) fn entry(&self, address: IpAddr) -> Result<Option<Entry>, PoolError> {
        let path = self.path(&address.to_string());
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(PoolError::Io { path, source }),
        };
        let entry: Option<Entry> = serde_json::from_slice(&bytes).ok();
        match entry {
            Some(entry) if entry.version > VERSION => Ok(Some(Entry {
                // Not ours to give to somebody else.
                holder: Some(Holder::Lasting {
                    id: "a newer release".to_owned(),
                }),
                ..entry
            })),
            other => Ok(other),
        }
    }

    /// Every address that has a file. What cannot be seen might be held, so it is
    /// never taken for absent.
    pub(super) fn addresses(&self) -> Result<BTreeSet<IpAddr>, PoolError> {
        let io = |source| PoolError::Io {
            path: self.directory.clone(),
            source,
        };
        let files = match fs::read_dir(&self.directory) {
            Ok(files) => files,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(source) => return Err(io(source)),
        };
        let mut addresses = BTreeSet::new();
        for (seen, file) in files.enumerate() {
            if seen == MOST_FILES {
                return Err(PoolError::TooMany(self.directory.clone()));
            }
            let name = file.map_err(io)?.file_name();
            addresses.extend(name.to_str().and_then(|name| name.parse::<IpAddr>().ok()));
        }
        Ok(addresses)
    }

    /// The address that was last an owner's.
    pub(super) fn address_of(&self, owner: &Owner, v6: bool) -> Option<IpAddr> {
        let target = fs::read_link(self.owner_path(owner, v6)).ok()?;
        target.to_str()?.parse().ok()
    }

    fn owner_path(&self, owner: &Owner, v6: bool) -> PathBuf {
        let hash: String = digest(owner).iter().map(|b| format!("{b:02x}")).collect();
        self.path(&format!("owner-{hash}-{}", if v6 { 6 } else { 4 }))
    }

    /// Makes an address its owner's. The file comes first: a link that is
    /// missing costs the owner its address, and a file that is missing would
    /// give it away twice.
    pub(super) fn give(
        &self,
        address: IpAddr,
        owner: &Owner,
        holder: &Holder,
    ) -> Result<(), PoolError> {
        let former = self.entry(address)?;
        let entry = Entry {
            version: VERSION,
            owner: owner.clone(),
            holder: Some(holder.clone()),
            since: seconds_since_1970(),
        };
        self.write(address, &entry)?;
        if !self.gives {
            return Ok(());
        }
        if let Some(former) = former.filter(|former| former.owner != *owner)
            && self.address_of(&former.owner, address.is_ipv6()) == Some(address)
        {
            let _ = fs::remove_file(self.owner_path(&former.owner, address.is_ipv6()));
        }
        let path = self.owner_path(owner, address.is_ipv6());
        let new = self.path("new-link");
        let _ = fs::remove_file(&new);
        let linked = symlink(address.to_string(), &new).and_then(|()| fs::rename(&new, &path));
        linked.map_err(|source| PoolError::Io { path, source })
    }

    /// Notes that an address was given back. Where none is given by itself,
    /// nobody needs to know whose it was.
    pub(super) fn take_back(&self, address: IpAddr, entry: Entry) -> Result<(), PoolError> {
        let is_network = self.directory.file_name();
        let is_network = is_network.and_then(|name| name.to_str());
        if is_network.is_some_and(|name| name.contains('@')) {
            if self.gives {
                let _ = fs::remove_file(self.owner_path(&entry.owner, address.is_ipv6()));
            }
            let path = self.path(&address.to_string());
            return fs::remove_file(&path).map_err(|source| PoolError::Io { path, source });
        }
        let since = seconds_since_1970();
        self.write(
            address,
            &Entry {
                holder: None,
                since,
                ..entry
            },
        )
    }

    fn write(&self, address: IpAddr, entry: &Entry) -> Result<(), PoolError> {
        let path = self.path(&address.to_string());
        let new = self.path("new");
        let write = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            let options = options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&new)?;
            file.write_all(&serde_json::to_vec(entry)?)?;
            // What outlives a reboot must outlive a power failure.
            if let Some(Holder::Lasting { id: _ }) = entry.holder {
                file.sync_all()?;
            }
            fs::rename(&new, &path)?;
            match entry.holder {
                Some(Holder::Lasting { id: _ }) => File::open(&self.directory)?.sync_all(),
                Some(Holder::Interface { .. } | Holder::Endpoint { .. }) | None => Ok(()),
            }
        };
        write().map_err(|source| PoolError::Io {
            path: path.clone(),
            source,
        })
    }

    /// What is held.
    pub(super) fn held(&self, pool: &PoolName) -> Result<Vec<Claim>, PoolError> {
        let mut held = Vec::new();
        for address in self.addresses()? {
            if let Some(Entry {
                owner,
                holder: Some(holder),
                ..
            }) = self.entry(address)?
            {
                held.push(Claim {
                    pool: pool.clone(),
                    address,
                    owner,
                    holder,
                });
            }
        }
        Ok(held)
    }
}
