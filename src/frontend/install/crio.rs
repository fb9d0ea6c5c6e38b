//! CRI-O: its pods reach the plugin by NRI, which is on by itself since 1.30; a
//! file of our own switches it on before, or where somebody has switched it off.
//! No hooks: those refuse its pods.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::change::{Content, Wish};
use super::error::InstallError;
use super::programs;
use super::target::Target;
use crate::frontend::doctor::host::{files, text};

const SETTINGS: &str = "/etc/crio/crio.conf";
const FOLDER: &str = "/etc/crio/crio.conf.d";
/// Later files count more.
const DROP_IN: &str = "99-pipework.conf";
const TEXT: &str = "# pipework attaches pods as a plugin of NRI.\n[crio.nri]\nenable_nri = true\n";

/// What is to be there, for the release `version`.
pub(super) fn wishes(version: &str) -> Result<Vec<Wish>, InstallError> {
    let mut paths = vec![PathBuf::from(SETTINGS)];
    paths.extend(files(Path::new(FOLDER), "conf"));
    let said = last_word(paths.into_iter().map(|path| {
        let text = text(&path);
        (path, text)
    }));
    let ours = Path::new(FOLDER).join(DROP_IN);
    match said {
        Some((_, true)) => return Ok(Vec::new()),
        None if has_nri_on(version) => return Ok(Vec::new()),
        Some((by, false)) if by > ours => {
            return Err(InstallError::Overruled { path: ours, by });
        }
        Some((_, false)) | None => {}
    }
    Ok(vec![Wish {
        target: Target::Crio,
        path: ours,
        content: Content::Whole(TEXT.as_bytes().to_vec(), 0o644),
    }])
}

/// Whether NRI is on by the last of the files that says anything of it.
fn last_word(files: impl DoubleEndedIterator<Item = (PathBuf, String)>) -> Option<(PathBuf, bool)> {
    files.rev().find_map(|(path, text)| {
        let table: Table = text.parse().ok()?;
        let nri = table.get("crio")?.get("nri")?;
        let is_on = nri.get("enable_nri").and_then(Value::as_bool)?;
        Some((path, is_on))
    })
}

fn has_nri_on(version: &str) -> bool {
    programs::release(version).is_some_and(|version| version >= (1, 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nri_is_on_since_1_30() {
        assert!(has_nri_on("1.30.0") && has_nri_on("1.34.1") && has_nri_on("2.0"));
        assert!(!has_nri_on("1.29.4") && !has_nri_on(""));
    }

    #[test]
    fn the_last_file_that_says_so_counts() {
        let file = |name: &str, text: &str| (PathBuf::from(name), text.to_owned());
        let on = "[crio.nri]\nenable_nri = true\n";
        let off = "[crio.nri]\nenable_nri = false\n";
        let said = |files: &[(&str, &str)]| {
            let files: Vec<_> = files.iter().map(|(name, text)| file(name, text)).collect();
            last_word(files.into_iter())
        };
        let last = said(&[("10.conf", off), ("99-pipework.conf", on), ("zz.conf", "")]);
        assert_eq!(last, Some(("99-pipework.conf".into(), true)));
        let last = said(&[("99-pipework.conf", on), ("zz.conf", off)]);
        assert_eq!(last, Some(("zz.conf".into(), false)));
        assert_eq!(said(&[("10.conf", "[crio]\n")]), None);
    }
}
