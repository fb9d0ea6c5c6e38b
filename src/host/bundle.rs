//! What a bundle's config.json says of a container (runtime-spec, "Root",
//! "Hostname", "Mounts" and "Namespaces"), as far as anybody here asks.

use std::fs::File;
use std::io::Read as _;
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
}

/// Those fields of a bundle's config.json that `T` has; `None` if there is none
/// that could be read.
pub fn read<T: DeserializeOwned>(bundle: &Path) -> Option<T> {
    // Relative is what has no bundle at all.
    let path = bundle.is_absolute().then(|| bundle.join("config.json"))?;
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_CONFIG_BYTES).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The path of the network namespace that the bundle's config.json names.
pub fn namespace_path(bundle: &Path) -> Option<PathBuf> {
    Config::read(bundle)?
        .namespace_path()
        .map(Path::to_path_buf)
}
