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

/// Where it is told.
const SETTINGS: &str = "/etc/containerd/config.toml";
/// What is read besides, where the settings import it.
const DROP_IN: &str = "/etc/containerd/conf.d/50-pipework.toml";
/// Both.
pub(super) const FILES: [&str; 2] = [SETTINGS, DROP_IN];
/// The name of our runtime, for a RuntimeClass.
const HANDLER: &str = "pipework";
/// The name of the runtime that is there without any settings.
const RUNC: &str = "runc";
/// The name that our plugin registers by.
const PLUGIN: &str = "pipework";
/// What a pod says that may begin without the plugins that are required.
const TOLERATED: &str = "tolerate-missing-plugins.noderesource.dev";
/// What systemd makes of `systemctl enable pipework-nri`.
const ENABLED: &str = "/etc/systemd/system/multi-user.target.wants/pipework-nri.service";

/// Whether the plugin is a service of this host, that begins with it. One that is a
/// pod itself could never begin where it is required.
pub(super) fn has_service() -> bool {
    Path::new(ENABLED).symlink_metadata().is_ok()
}

/// What is said where pods could be refused while the plugin is not there, and are
/// not.
pub(super) fn notice(version: &str, way: Way) -> Option<&'static str> {
    let is_open = way == Way::Nri && can_require(version) && !has_service();
    is_open.then_some(
        "  pods begin without their interfaces while the plugin is not there; once \
         pipework-nri.service is enabled, the same again has containerd refuse them\n",
    )
}

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
    let Ok(now) = text.parse::<DocumentMut>() else {
        // Whoever edits a broken file refuses it, with the place.
        return Ok(vec![wish(&path, Content::Toml(vec![nri_is_on()]))]);
    };
    let form = form(&now, is_new, version, &path)?;
    let mut settings = match way {
        Way::Nri if is_before_nri(version) => {
            return Err(InstallError::NoNri(version.to_owned()));
        }
        Way::Nri => match by_nri(&now, version) {
            settings if settings.is_empty() => return Ok(Vec::new()),
            _ if nri_of(&now).is_none() && imports_drop_ins(&now) => {
                let text = drop_in(form, is_required(version)).into_bytes();
                let path = DROP_IN.as_ref();
                return Ok(vec![wish(path, Content::Whole(text, 0o644))]);
            }
            settings => settings,
        },
        Way::Runtime => by_runtime(&now, form, version, program),
    };
    if is_new {
        settings.insert(0, Setting::new(&["version"], json!(form)));
    }
    Ok(vec![wish(&path, Content::Toml(settings))])
}

fn wish(path: &Path, content: Content) -> Wish {
    let (target, path) = (Target::Containerd, path.to_owned());
    Wish {
        target,
        path,
        content,
    }
}

fn nri_is_on() -> Setting {
    Setting::over(&["plugins", NRI_PLUGIN, "disable"], json!(false))
}

fn nri_of(now: &DocumentMut) -> Option<&Item> {
    at(now, &["plugins", NRI_PLUGIN])
}

/// Whether no container shall be made while our plugin is not there.
pub(super) fn is_required(version: &str) -> bool {
    can_require(version) && has_service()
}

/// What the settings lack for NRI; it is on by itself since 2.0.
fn by_nri(now: &DocumentMut, version: &str) -> Vec<Setting> {
    let plugin = nri_of(now);
    let disable = plugin.and_then(|plugin| plugin.get("disable")?.as_bool());
    let is_on = disable == Some(false) || (disable.is_none() && !version.starts_with("1."));
    let mut settings = Vec::new();
    if !is_on {
        settings.push(nri_is_on());
    }
    if is_required(version) {
        settings.extend(requirement(plugin));
    }
    settings
}

/// The settings of a runtime of our name. Not in a file of its own: what is imported
/// takes the place of a plugin's whole table.
fn by_runtime(now: &DocumentMut, form: i64, version: &str, program: &Program) -> Vec<Setting> {
    let plugin = match form {
        2 => "io.containerd.grpc.v1.cri",
        _ => "io.containerd.cri.v1.runtime",
    };
    let runtimes = ["plugins", plugin, "containerd", "runtimes"];
    let mut options = json!({ "BinaryName": program.runtime.display().to_string() });
    // Both must keep cgroups in the same way.
    let of_runc = [&runtimes[..], &["runc", "options", "SystemdCgroup"]].concat();
    if let (Some(systemd), Some(options)) = (
        at(now, &of_runc).and_then(Item::as_bool),
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
    // The table of the settings takes the place of that which containerd 1.7
    // has built in, and without the default runtime it serves no pod.
    let default = at(now, &[&runtimes[..3], &["default_runtime_name"]].concat());
    let default = default.and_then(Item::as_str).unwrap_or(RUNC);
    let of_default = [&runtimes[..], &[RUNC]].concat();
    let mut settings = Vec::new();
    if version.starts_with("1.") && default == RUNC && at(now, &of_default).is_none() {
        let built_in = json!({ "runtime_type": "io.containerd.runc.v2" });
        settings.push(Setting::new(&of_default, built_in));
    }
    settings.push(Setting::new(&[&runtimes[..], &[HANDLER]].concat(), value));
    settings
}

/// A file of our own beside the settings.
fn drop_in(form: i64, is_required: bool) -> String {
    let mut text = format!(
        "# pipework attaches pods as a plugin of NRI.\nversion = {form}\n\n[plugins.\"{NRI_PLUGIN}\"]\n  disable = false\n"
    );
    if is_required {
        text += &format!(
            "\n# No container is made while the plugin is not there, but in pods that say so.\n\
             [plugins.\"{NRI_PLUGIN}\".default_validator]\n  enable = true\n  \
             required_plugins = [\"{PLUGIN}\"]\n  tolerate_missing_plugins_annotation = \"{TOLERATED}\"\n"
        );
    }
    text
}

/// Has the default validator require our plugin, besides what it requires already.
fn requirement(plugin: Option<&Item>) -> Vec<Setting> {
    let validator = plugin.and_then(|plugin| plugin.get("default_validator"));
    let known = |key| validator.and_then(|validator| validator.get(key));
    let path = |key| ["plugins", NRI_PLUGIN, "default_validator", key];
    let required = known("required_plugins").and_then(Item::as_array);
    let required = required.into_iter().flatten();
    let mut required: Vec<String> = required
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    if !required.iter().any(|name| name == PLUGIN) {
        required.push(PLUGIN.to_owned());
    }
    let mut settings = vec![
        Setting::over(&path("enable"), json!(true)),
        Setting::over(&path("required_plugins"), json!(required)),
    ];
    let tolerated = known("tolerate_missing_plugins_annotation").and_then(Item::as_str);
    if tolerated.is_none_or(str::is_empty) {
        let key = path("tolerate_missing_plugins_annotation");
        settings.push(Setting::over(&key, json!(TOLERATED)));
    }
    settings
}

/// Whether a release is older than 1.7.
fn is_before_nri(version: &str) -> bool {
    programs::release(version).is_some_and(|version| version < (1, 7))
}

/// Whether a release has the default validator.
fn can_require(version: &str) -> bool {
    programs::release(version).is_some_and(|version| version >= (2, 2))
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
    fn a_plugin_can_be_required_since_2_2_beside_those_that_are() {
        assert!(can_require("2.2.0") && can_require("2.10.1") && can_require("3.0.0"));
        assert!(!can_require("2.1.9") && !can_require("1.7.24~ds1") && !can_require(""));
        let text = "[default_validator]\nrequired_plugins = [\"a\"]\n\
                    tolerate_missing_plugins_annotation = \"mine\"\n";
        let document = text.parse::<DocumentMut>().unwrap();
        let [_, required] = requirement(Some(document.as_item())).try_into().unwrap();
        assert_eq!(required.value, json!(["a", "pipework"]));
        let values = requirement(None).into_iter().map(|setting| setting.value);
        let values: Vec<_> = values.collect();
        assert_eq!(values, [json!(true), json!(["pipework"]), json!(TOLERATED)]);
        drop_in(3, true).parse::<DocumentMut>().unwrap();
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
