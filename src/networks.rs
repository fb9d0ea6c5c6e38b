//! Named networks: the files of /etc/pipework/networks.d.
//!
//! Only root may have written one, and it must be right, as the policy must. A
//! file is read only when a container names its network, and a broken one
//! refuses that network alone. A name is `[a-z0-9][a-z0-9_-]{0,31}`, so that no
//! text of a user becomes a path.

mod file;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::request::annotations::check_profile;
use crate::request::{NetworkName, Profile, RequestError, near};
use crate::trust::{self, FileError};

/// Where the networks are.
pub const DIRECTORY: &str = "/etc/pipework/networks.d";
/// Most networks that are looked at for a name that was meant, or listed.
const MOST: usize = 4096;

/// Why a network cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// There is no file of that name.
    #[error("no network is called {name}: there is no {}{}", path.display(), did_you_mean(similar.as_ref()))]
    Unknown {
        /// The name.
        name: NetworkName,
        /// Where it is looked for.
        path: PathBuf,
        /// A network that is there, and was most likely meant.
        similar: Option<NetworkName>,
    },
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// The fields do not go together, or have wrong values.
    #[error("{}: {error}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: Box<RequestError>,
    },
}

fn did_you_mean(similar: Option<&NetworkName>) -> String {
    similar.map_or(String::new(), |name| format!("; did you mean {name}"))
}

impl NetworkError {
    /// What to do about it, if one thing does.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { .. } => Some("pipework networks lists those that are there".to_owned()),
            Self::File(FileError::Malformed { .. }) | Self::Wrong { .. } => {
                Some("nothing is attached to this network until its file is right".to_owned())
            }
            Self::File(error) => error.cure(),
        }
    }

    /// Whether there is a file that means something, and cannot be used.
    pub fn is_broken(&self) -> bool {
        !matches!(self, Self::Unknown { .. })
    }
}

/// The file of a network.
pub fn path_of(directory: &Path, name: &NetworkName) -> PathBuf {
    directory.join(format!("{name}.toml"))
}

/// The network of that name.
pub fn load(directory: &Path, name: &NetworkName) -> Result<Profile, NetworkError> {
    let path = path_of(directory, name);
    match read(&path)? {
        Some(bytes) => parse(&path, name, &bytes),
        None => Err(NetworkError::Unknown {
            name: name.clone(),
            similar: similar(directory, name),
            path,
        }),
    }
}

/// The bytes of a network's file; `None` where there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, NetworkError> {
    Ok(trust::read(path)?)
}

/// The network in a file's content; the path is for messages.
pub fn parse(path: &Path, name: &NetworkName, bytes: &[u8]) -> Result<Profile, NetworkError> {
    let profile = file::parse(path, name, bytes)?;
    match check_profile(&profile) {
        Ok(()) => Ok(profile),
        Err(error) => Err(NetworkError::Wrong {
            path: path.to_owned(),
            error: Box::new(error),
        }),
    }
}

/// The names of all networks, in order; none where there is no directory. A file of
/// another name is none.
///
/// # Errors
///
/// The directory cannot be read.
pub fn names(directory: &Path) -> Result<Vec<NetworkName>, NetworkError> {
    let failed = |source| FileError::Unreadable {
        path: directory.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error).into()),
    };
    let mut names = Vec::new();
    for entry in entries.take(MOST) {
        let file = entry.map_err(failed)?.file_name();
        let name = file.to_str().and_then(|file| file.strip_suffix(".toml"));
        names.extend(name.and_then(|name| name.parse().ok()));
    }
    names.sort();
    Ok(names)
}

/// The network that is called most like this one.
fn similar(directory: &Path, wanted: &NetworkName) -> Option<NetworkName> {
    let names = names(directory).ok()?;
    let meant = near(wanted.as_str(), names.iter().map(NetworkName::as_str))?;
    names.iter().find(|name| name.as_str() == meant).cloned()
}

#[cfg(test)]
mod tests;
