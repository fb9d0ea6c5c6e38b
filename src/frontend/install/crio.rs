//! CRI-O: its pods reach the plugin by NRI, which is on by itself since 1.30; a
//! file of our own switches it on before, or where somebody has switched it off.
//! No hooks: those refuse its pods.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::change::{Content, Wish};
use super::target::Target;
use crate::frontend::doctor::host::{files, text};

const SETTINGS: &str = "/etc/crio/crio.conf";
const FOLDER: &str = "/etc/crio/crio.conf.d";
/// Later files count more.
const DROP_IN: &str = "99-pipework.conf";
const TEXT: &str = "# pipework attaches pods as a plugin of NRI.\n[crio.nri]\nenable_nri = true\n";

/// What is to be there, for the release `version`.
pub(super) fn wishes(version: &str) -> Vec<Wish> {
    let mut paths = vec![PathBuf::from(SETTINGS)];
    paths.extend(files(Path::new(FOLDER), "conf"));
    let said = paths.iter().rev().find_map(|path| {
        let table: Table = text(path).parse().ok()?;
        let nri = table.get("crio")?.get("nri")?;
        nri.get("enable_nri").and_then(Value::as_bool)
    });
    if said.unwrap_or(has_nri_on(version)) {
        return Vec::new();
    }
    vec![Wish {
        target: Target::Crio,
        path: Path::new(FOLDER).join(DROP_IN),
        content: Content::Whole(TEXT.as_bytes().to_vec(), 0o644),
    }]
}

fn has_nri_on(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (1, 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nri_is_on_since_1_30() {
        assert!(has_nri_on("1.30.0") && has_nri_on("1.34.1") && has_nri_on("2.0"));
        assert!(!has_nri_on("1.29.4") && !has_nri_on(""));
    }
}
