//! What a bundle's config.json says of a container (runtime-spec, "Root",
//! "Hostname", "Mounts" and "Namespaces"), as far as anybody here asks.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A config.json is some 10 KiB; podman's with many mounts a few times that.
const MAX_CONFIG_BYTES: u64 = 16 << 20;

/// The file, with what else it says left out.
#[derive(Debug, Default, Deserialize)]
pub struct Config {
    /// Where the container's files are.
    pub root: Option<Root>,
    /// Its host name, if its runtime sets one.
    pub hostname: Option<String>,
    /// What is mounted over its files, the last on top.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Its namespaces.
    pub linux: Option<Linux>,
}

/// A container's files.
#[derive(Debug, Deserialize)]
pub struct Root {
    /// Where they are, from the bundle.
    pub path: PathBuf,
    /// They are not the container's to change.
    #[serde(default)]
    pub readonly: bool,
}

/// Something that is mounted.
#[derive(Debug, Deserialize)]
pub struct Mount {
    /// Where, as the container sees it.
    pub destination: PathBuf,
    /// What.
    pub source: Option<PathBuf>,
}

/// What is Linux's own.
#[derive(Debug, Deserialize)]
pub struct Linux {
    /// Those that it does not share with its runtime.
    #[serde(default)]
    pub namespaces: Vec<Namespace>,
}

/// One namespace.
#[derive(Debug, Deserialize)]
pub struct Namespace {
    /// `network`, `pid` and so on.
    pub r#type: String,
    /// Where it is, if the container joins one that exists.
    pub path: Option<PathBuf>,
}

impl Config {
    /// That of a bundle; `None` if there is none that could be read.
    pub fn read(bundle: &Path) -> Option<Self> {
        read(bundle)
    }

    /// The path of its network namespace, if it joins one that has a path.
    pub fn namespace_path(&self) -> Option<&Path> {
        let mut namespaces = self.linux.as_ref()?.namespaces.iter();
        let network = namespaces.find(|namespace| namespace.r#type == "network")?;
        network.path.as_deref()
    }

    /// Whether podman gives the container a network behind its hooks, as it does
    /// where ids are mapped and the namespace is the runtime's to make. Without
    /// any network it mounts no resolv.conf of its own; with `--dns none` neither,
    /// which nothing here tells apart.
    pub fn network_follows(&self, id: &str) -> bool {
        let Some(linux) = &self.linux else {
            return false;
        };
        let own = |kind: &str| {
            let mut namespaces = linux.namespaces.iter();
            namespaces.any(|namespace| namespace.r#type == kind && namespace.path.is_none())
        };
        let podmans = Path::new(id).join("userdata/resolv.conf");
        let is_podmans = |mount: &Mount| {
            let source = mount.source.as_deref();
            mount.destination == Path::new("/etc/resolv.conf")
                && source.is_some_and(|source| source.ends_with(&podmans))
        };
        own("user") && own("network") && self.mounts.iter().any(is_podmans)
    }
}

/// Those fields of a bundle's config.json that `T` has; `None` if there is none
/// that could be read.
pub fn read<T: DeserializeOwned>(bundle: &Path) -> Option<T> {
    read_if_there(bundle).ok()?
}

/// The same, for whoever must know that there is none: an error is a file that could
/// not be read, or has another shape (`InvalidData`).
pub fn read_if_there<T: DeserializeOwned>(bundle: &Path) -> io::Result<Option<T>> {
    // Relative is what has no bundle at all.
    if !bundle.is_absolute() {
        return Ok(None);
    }
    let file = match File::open(bundle.join("config.json")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_CONFIG_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}

/// The path of the network namespace that the bundle's config.json names.
pub fn namespace_path(bundle: &Path) -> Option<PathBuf> {
    Config::read(bundle)?
        .namespace_path()
        .map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESOLV: &str = r#"{"destination": "/etc/resolv.conf",
        "source": "/run/containers/storage/overlay-containers/3f/userdata/resolv.conf"}"#;

    fn follows(mounts: &str, namespaces: &str) -> bool {
        let text =
            format!(r#"{{"mounts": [{mounts}], "linux": {{"namespaces": [{namespaces}]}}}}"#);
        let config: Config = serde_json::from_str(&text).unwrap();
        config.network_follows("3f")
    }

    #[test]
    fn podman_makes_its_network_behind_us_only_where_ids_are_mapped_and_it_has_one() {
        let (user, network) = (r#"{"type": "user"}"#, r#"{"type": "network"}"#);
        assert!(follows(RESOLV, &format!("{user}, {network}")));
        // Without a network, without mapped ids, in a namespace that is there.
        assert!(!follows("", &format!("{user}, {network}")));
        assert!(!follows(RESOLV, network));
        let joined = r#"{"type": "network", "path": "/run/netns/a"}"#;
        assert!(!follows(RESOLV, &format!("{user}, {joined}")));
    }

    #[test]
    fn a_file_of_the_users_is_no_sign_of_a_network() {
        let own = RESOLV.replace("/run/containers/storage/overlay-containers/3f", "/srv");
        assert!(!follows(&own, r#"{"type": "user"}, {"type": "network"}"#));
    }
}
