//! containerd: NRI, by which its pods reach the plugin, or a runtime of its CRI
//! plugin that is us. NRI is on by itself since 2.0.

use std::path::{Path, PathBuf};

use serde_json::json;
use toml_edit::{DocumentMut, Item};

use super::change::{Content, Step, Wish};
use super::error::InstallError;
use super::files;
use super::program::Program;
use super::programs;
use super::setting::Setting;
use super::target::Target;
use crate::deadline::Deadline;
use crate::frontend::doctor::runtimes::NRI_PLUGIN;

const SETTINGS: &str = "/etc/containerd/config.toml";
/// What is read besides, where the settings import it.
const DROP_IN: &str = "/etc/containerd/conf.d/50-pipework.toml";
/// The name of our runtime, for a RuntimeClass.
const HANDLER: &str = "pipework";

/// How containerd is told of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By the Node Resource Interface.
    Nri,
    /// By a runtime of our name, which hands our annotations on.
    Runtime,
}

/// What is to be there, for the release `version`.
pub(super) fn wishes(
    program: &Program,
    version: &str,
    way: Way,
) -> Result<Vec<Wish>, InstallError> {
    let path = files::real(SETTINGS.as_ref());
    let found = files::look(&path)?;
    let text = String::from_utf8_lossy(found.bytes().unwrap_or_default()).into_owned();
    let is_new = text.trim().is_empty();
    let wish = |path: &Path, content| {
        let (target, path) = (Target::Containerd, path.to_owned());
        Ok(vec![Wish {
            target,
            path,
            content,
        }])
    };
    let nri = Setting::over(&["plugins", NRI_PLUGIN, "disable"], json!(false));
    let Ok(now) = text.parse::<DocumentMut>() else {
        // Whoever edits a broken file refuses it, with the place.
        return wish(&path, Content::Toml(vec![nri]));
    };
    let form = form(&now, is_new, version, &path)?;
    let mut settings = Vec::new();
    if is_new {
        settings.push(Setting::new(&["version"], json!(form)));
    }
    match way {
        Way::Nri if is_before_nri(version) => {
            return Err(InstallError::NoNri(version.to_owned()));
        }
        Way::Nri => {
            let plugin = at(&now, &["plugins", NRI_PLUGIN]);
            let disable = plugin.and_then(|plugin| plugin.get("disable")?.as_bool());
            if disable == Some(false) || (disable.is_none() && !version.starts_with("1.")) {
                return Ok(Vec::new());
            }
            if plugin.is_none() && imports_drop_ins(&now) {
                let text = format!(
                    "# pipework attaches pods as a plugin of NRI.\nversion = {form}\n\n[plugins.\"{NRI_PLUGIN}\"]\n  disable = false\n"
                );
                return wish(DROP_IN.as_ref(), Content::Whole(text.into_bytes(), 0o644));
            }
            settings.push(nri);
        }
        // Not in a file of its own: what is imported takes the place of a plugin's
        // whole table.
        Way::Runtime => {
            let plugin = match form {
                2 => "io.containerd.grpc.v1.cri",
                _ => "io.containerd.cri.v1.runtime",
            };
            let runtimes = ["plugins", plugin, "containerd", "runtimes"];
            let mut options = json!({ "BinaryName": program.runtime.display().to_string() });
            // Both must keep cgroups in the same way.
            let of_runc = [&runtimes[..], &["runc", "options", "SystemdCgroup"]].concat();
            if let (Some(systemd), Some(options)) = (
                at(&now, &of_runc).and_then(Item::as_bool),
                options.as_object_mut(),
            ) {
                options.insert("SystemdCgroup".to_owned(), json!(systemd));
            }
            let value = json!({
                "runtime_type": "io.containerd.runc.v2",
                "pod_annotations": ["pipework.*"],
                "container_annotations": ["pipework.*"],
                "options": options,
            });
            settings.push(Setting::new(&[&runtimes[..], &[HANDLER]].concat(), value));
        }
    }
    wish(&path, Content::Toml(settings))
}

/// Whether a release is older than 1.7.
fn is_before_nri(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (1, 7),
        _ => false,
    }
}

/// The version of the settings' form. The first has other names for everything.
fn form(now: &DocumentMut, is_new: bool, version: &str, path: &Path) -> Result<i64, InstallError> {
    match now.get("version").and_then(Item::as_integer) {
        Some(form) if form >= 2 => Ok(form),
        None if is_new => Ok(if version.starts_with("1.") { 2 } else { 3 }),
        _ => Err(InstallError::OldForm(path.to_owned())),
    }
}

fn at<'d>(document: &'d DocumentMut, path: &[&str]) -> Option<&'d Item> {
    path.iter()
        .try_fold(document.as_item(), |item, name| item.get(name))
}

fn imports_drop_ins(now: &DocumentMut) -> bool {
    let imports = now.get("imports").and_then(Item::as_array);
    let mut imports = imports
        .into_iter()
        .flatten()
        .filter_map(|import| import.as_str());
    let folder = PathBuf::from(DROP_IN);
    let folder = folder.parent().unwrap_or(Path::new("/"));
    imports.any(|import| Path::new(import) == folder.join("*.toml"))
}

/// Has containerd itself judge what is going to be its settings.
pub(super) fn judge(
    containerd: &Path,
    step: &Step,
    deadline: Deadline,
) -> Result<(), InstallError> {
    let Some(bytes) = step.bytes() else {
        return Ok(());
    };
    let candidate = programs::Candidate::new(bytes)?;
    let words = ["--config", candidate.path(), "config", "dump"];
    programs::run_well(containerd, &words, None, deadline).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_ins_are_read_where_the_settings_import_them() {
        let of = |text: &str| imports_drop_ins(&text.parse().unwrap());
        assert!(of("imports = [\"/etc/containerd/conf.d/*.toml\"]"));
        assert!(!of("imports = []"));
        assert!(!of("version = 2"));
    }

    #[test]
    fn a_file_of_the_first_form_is_refused() {
        let path = Path::new("/c.toml");
        let of =
            |text: &str, version| form(&text.parse().unwrap(), text.is_empty(), version, path).ok();
        assert_eq!(of("", "1.7.24"), Some(2));
        assert_eq!(of("", "2.1.9"), Some(3));
        assert_eq!(of("version = 2\n", "2.1.9"), Some(2));
        assert_eq!(of("root = \"/x\"\n", "1.7.24"), None);
    }
}
