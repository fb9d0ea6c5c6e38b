//! What outlives dockerd, the plugin and a reboot: a file per network, endpoint
//! and pool, below a directory of root alone.
//!
//! A file is written whole under another name, synced and renamed. Its name is a
//! hash, so that no text of dockerd's is one. One of a newer release is an error,
//! one that is broken too: what is in it would be lost.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::asker::Asker;
use super::message::StaticRoute;
use super::settings::Worded;

/// Where they are.
pub const DIRECTORY: &str = "/var/lib/pipework/docker";
/// Of this release.
const VERSION: u32 = 1;
/// No file is longer, in bytes.
const MOST_BYTES: u64 = 1 << 20;
/// How the name of a file ends that is not whole yet.
const UNFINISHED: &str = "new";

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// It is none of ours, or broken.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer release wrote it.
    #[error("{} was written by a newer release (version {version})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// Somebody else could write to the directory.
    #[error("{} must belong to root and be writable by nobody else", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
}

/// A subnet of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// The subnet.
    pub subnet: IpNet,
    /// The gateway that its containers use.
    pub gateway: Option<IpAddr>,
}

/// A network, of which dockerd tells once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Docker's id.
    pub id: String,
    /// The fields of its interfaces, as annotations: keys and values.
    pub fields: Vec<(String, String)>,
    /// Those of them that were written in other words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worded: Vec<Worded>,
    /// Its subnets.
    pub subnets: Vec<Subnet>,
    /// What its interfaces are called in containers, before a number.
    pub prefix: String,
    /// No container of it has a default route.
    pub is_internal: bool,
    /// Its addresses come from pools of ours. No release before this one says so.
    #[serde(default)]
    pub has_pools: bool,
    /// The dockerd whose list has had it, by the id of its network `none`; nobody has
    /// looked yet where there is none.
    #[serde(default)]
    pub listed_by: Option<String>,
}

/// How far an interface is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It may be there by half.
    Making,
    /// It is there.
    Made,
}

/// An interface of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Docker's id.
    pub id: String,
    /// The network's.
    pub network: String,
    /// The boot that it is of.
    pub boot_id: String,
    /// What it is known by over restarts.
    pub name: String,
    /// Its name on the host.
    pub link: String,
    /// How far it is.
    pub stage: Stage,
    /// Its index, once it is made.
    pub ifindex: u32,
    /// Its hardware address.
    pub mac: String,
    /// The address that a server leased, and its gateway; dockerd knows others.
    pub leased: Vec<IpNet>,
    /// The gateways of each family that its container shall use.
    pub gateways: Vec<IpAddr>,
    /// The addresses that dockerd knows of it.
    pub addresses: Vec<IpNet>,
    /// Its further routes.
    pub routes: Vec<StaticRoute>,
    /// Where its container's namespace is, once it joined.
    pub sandbox: Option<PathBuf>,
    /// Its whole name in the container, if one was asked for.
    pub ifname: String,
    /// What its name there begins with, if it says so itself.
    pub prefix: Option<String>,
}

/// A subnet whose addresses we give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolFile {
    /// What dockerd calls it: our choice.
    pub id: String,
    /// The subnet.
    pub subnet: IpNet,
    /// Only these of its addresses, where nobody says which.
    pub range: Option<IpNet>,
    /// The network of ours whose containers have them; another driver's is not
    /// known.
    pub network: Option<String>,
    /// Which process of ours gave it.
    #[serde(default)]
    pub giver: String,
    /// When, in seconds since 1970.
    #[serde(default)]
    pub since: u64,
    /// To whom, if that was the dockerd whose list of networks can be had.
    #[serde(default)]
    pub asker: Option<Asker>,
    /// The first dockerd whose list has had a network in the subnet, as of a network.
    #[serde(default)]
    pub listed_by: Option<String>,
}

/// What has files of its own.
pub trait Kept: Serialize + DeserializeOwned {
    /// Their folder.
    const FOLDER: &'static str;
    /// What tells one from another.
    fn id(&self) -> &str;
}

impl Kept for Network {
    const FOLDER: &'static str = "networks";
    fn id(&self) -> &str {
        &self.id
    }
}

impl Kept for Endpoint {
    const FOLDER: &'static str = "endpoints";
    fn id(&self) -> &str {
        &self.id
    }
}

impl Kept for PoolFile {
    const FOLDER: &'static str = "pools";
    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    value: T,
}

#[derive(Deserialize)]
struct OnlyVersion {
    version: u32,
}

/// The directory with all of them.
#[derive(Debug, Clone)]
pub struct State {
    root: PathBuf,
}

/// A hash of parts of text, in hexadecimal digits.
pub fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let digest = hasher.finalize();
    let half = digest.iter().take(16);
    half.map(|byte| format!("{byte:02x}")).collect()
}

impl State {
    /// Opens the directory, and makes it if it is not there.
    ///
    /// Refuses one that others could write to.
    pub fn open(root: &Path) -> Result<Self, StateError> {
        for folder in [Network::FOLDER, Endpoint::FOLDER, PoolFile::FOLDER] {
            let path = root.join(folder);
            let made = DirBuilder::new().mode(0o700).recursive(true).create(&path);
            made.map_err(at(&path))?;
            let meta = fs::symlink_metadata(&path).map_err(at(&path))?;
            let ours = nix::unistd::geteuid().as_raw();
            if !meta.is_dir() || meta.uid() != ours || meta.mode() & 0o022 != 0 {
                return Err(StateError::NotOurs { path });
            }
            remove_unfinished(&path).map_err(at(&path))?;
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// The directory of a plugin that may be running: nothing in it is made, and what
    /// is being written there stays.
    pub fn of_another(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    fn path<T: Kept>(&self, id: &str) -> PathBuf {
        self.root.join(T::FOLDER).join(hash(&[id]))
    }

    /// What is kept under `id`.
    pub fn read<T: Kept>(&self, id: &str) -> Result<Option<T>, StateError> {
        read(&self.path::<T>(id))
    }

    /// Keeps `value`, on the disk when this returns.
    pub fn write<T: Kept>(&self, value: &T) -> Result<(), StateError> {
        let path = self.path::<T>(value.id());
        let new = path.with_extension(UNFINISHED);
        let versioned = Versioned {
            version: VERSION,
            value,
        };
        let bytes = serde_json::to_vec(&versioned).map_err(|error| StateError::Unreadable {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        write_synced(&new, &bytes).map_err(at(&new))?;
        fs::rename(&new, &path).map_err(at(&path))?;
        sync_folder(&path).map_err(at(&path))
    }

    /// Forgets what is kept under `id`, if anything is.
    pub fn forget<T: Kept>(&self, id: &str) -> Result<(), StateError> {
        let path = self.path::<T>(id);
        match fs::remove_file(&path) {
            Ok(()) => sync_folder(&path).map_err(at(&path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// All of a kind; what cannot be read is an error of its own, and so is the
    /// folder: it never counts as empty.
    pub fn all<T: Kept>(&self) -> Vec<Result<T, StateError>> {
        let folder = self.root.join(T::FOLDER);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => return vec![Err(at(&folder)(error))],
        };
        let each = entries.filter_map(|entry| match entry {
            Ok(entry) => {
                let path = entry.path();
                // A kill may leave one that was being written.
                let is_whole = path.extension().is_none();
                is_whole.then(|| read(&path).transpose()).flatten()
            }
            Err(error) => Some(Err(at(&folder)(error))),
        });
        each.collect()
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    |source| StateError::Io { path, source }
}

fn read<T: Kept>(path: &Path) -> Result<Option<T>, StateError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path)(error)),
    };
    let mut bytes = Vec::new();
    let mut bounded = file.take(MOST_BYTES);
    bounded.read_to_end(&mut bytes).map_err(at(path))?;
    let unreadable = |error: serde_json::Error| StateError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let OnlyVersion { version } = serde_json::from_slice(&bytes).map_err(unreadable)?;
    if version > VERSION {
        return Err(StateError::Newer {
            path: path.to_owned(),
            version,
        });
    }
    let whole: Versioned<T> = serde_json::from_slice(&bytes).map_err(unreadable)?;
    Ok(Some(whole.value))
}

/// Removes what was being written when a former plugin was killed. Whoever opens the
/// folders is the only one that writes to them.
fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == UNFINISHED) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// What was renamed or removed stays so over a loss of power.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_read_is_an_error_and_not_empty() {
        let name = format!("pipework-state-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let state = State::open(&root).unwrap();
        assert!(state.all::<Endpoint>().is_empty());
        fs::remove_dir(root.join("endpoints")).unwrap();
        fs::write(root.join("endpoints"), "").unwrap();
        let all = state.all::<Endpoint>();
        fs::remove_dir_all(&root).unwrap();
        assert!(
            matches!(all.as_slice(), [Err(StateError::Io { .. })]),
            "{all:?}"
        );
    }
}
