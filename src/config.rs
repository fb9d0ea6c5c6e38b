//! What the administrator sets for the whole machine, in
//! /etc/pipework/config.toml.
//!
//! The file need not exist, and is read only by who needs something of it. A
//! broken one is an error, never the absence of a setting.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::request::Datapath;
use crate::trust::{self, FileError, text};

/// Where the settings are.
pub const CONFIG_PATH: &str = "/etc/pipework/config.toml";

/// Why the settings cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// A path that would depend on where the program was started.
    #[error("{}: {key} is {value:?}, which is no absolute path", path.display())]
    Relative {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: &'static str,
        /// Its value.
        value: PathBuf,
    },
}

impl ConfigError {
    /// What to do about it, if one thing does.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.cure(),
            Self::Relative { .. } => None,
        }
    }
}

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// The socket of Open vSwitch's database, where it is not the usual one.
    pub ovsdb: Option<PathBuf>,
    /// The OCI runtime that `pipework runtime` calls.
    pub runtime: Option<PathBuf>,
    /// The datapath of Open vSwitch bridges that we make.
    pub ovs_datapath: Datapath,
}

impl Config {
    /// The machine's settings; the defaults where there is no file.
    pub fn load() -> Result<Self, ConfigError> {
        Self::load_from(Path::new(CONFIG_PATH))
    }

    /// The settings in a file.
    pub fn load_from(path: &Path) -> Result<Self, ConfigError> {
        match trust::read(path)? {
            None => Ok(Self::default()),
            Some(bytes) => Self::parse(path, &bytes),
        }
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ConfigError> {
        let text = text::of(path, bytes)?;
        let config: Self = toml::from_str(text).map_err(|e| text::not_toml(path, text, &e))?;
        for (key, value) in [("ovsdb", &config.ovsdb), ("runtime", &config.runtime)] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_absolute()) {
                return Err(ConfigError::Relative {
                    path: path.to_owned(),
                    key,
                    value: value.clone(),
                });
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("/c"), text.as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn an_absent_file_leaves_the_defaults() {
        let config = Config::load_from(Path::new("/nonexistent/config.toml")).unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.ovs_datapath.word(), "system");
    }

    #[test]
    fn what_is_written_is_taken() {
        let config = parse("ovsdb = \"/x/db.sock\"\novs-datapath = \"netdev\"\n").unwrap();
        assert_eq!(config.ovsdb.as_deref(), Some(Path::new("/x/db.sock")));
        assert_eq!(config.ovs_datapath, Datapath::Netdev);
    }

    #[test]
    fn the_example_holds_the_defaults() {
        let example = include_str!("../packaging/config.toml.example");
        let lines = example.lines().filter_map(|line| line.strip_prefix("#: "));
        let lines: Vec<&str> = lines.collect();
        let config = parse(&lines.join("\n")).unwrap();
        assert_eq!(
            config.ovsdb.as_deref(),
            Some(Path::new("/run/openvswitch/db.sock"))
        );
        assert_eq!(config.ovs_datapath, Datapath::default());
        assert_eq!(parse(example), Ok(Config::default()));
    }

    #[test]
    fn a_slip_is_an_error_that_names_the_file_and_the_line() {
        for text in [
            "ovsbd = \"/x\"",
            "ovs-datapath = \"dpdk\"",
            "ovsdb = 5",
            "x",
            "\u{0}",
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("/c:1:"), "{error}");
        }
        let relative = parse("ovsdb = \"db.sock\"").unwrap_err();
        assert_eq!(
            relative,
            "/c: ovsdb is \"db.sock\", which is no absolute path"
        );
    }
}
