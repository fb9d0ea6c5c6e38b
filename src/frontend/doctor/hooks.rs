//! The files by which podman and CRI-O know of us.
//!
//! podman skips a hook whose program is missing without a word, and starts no
//! container at all while any file of the folder is broken.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::finding::{Finding, Severity};
use super::host::{Host, bytes, files};

/// What podman and CRI-O read unless they are told otherwise.
const USUAL: &str = "/usr/share/containers/oci/hooks.d";
/// What some packages of podman read besides.
const BESIDES: &str = "/etc/containers/oci/hooks.d";
const PODMAN: [&str; 3] = ["/usr/bin/podman", "/usr/local/bin/podman", "/bin/podman"];
/// How long a run of ours may take, in seconds (frontend/hook.rs).
const OWN_DEADLINE: u64 = 45;

/// The fields of a file in hooks.d that we look at (oci-hooks(5)).
#[derive(Debug, Deserialize)]
struct HookFile {
    hook: HookProgram,
    #[serde(default)]
    when: When,
    #[serde(default)]
    stages: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct HookProgram {
    path: PathBuf,
    #[serde(default)]
    args: Vec<String>,
    timeout: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct When {
    #[serde(default)]
    always: bool,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
struct ContainersConf {
    #[serde(default)]
    engine: Engine,
}

#[derive(Debug, Default, Deserialize)]
struct Engine {
    hooks_dir: Option<Vec<Item>>,
}

/// What a list may hold: values, and whether they follow those of the files
/// before (containers.conf(5), "append").
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Item {
    Folder(PathBuf),
    Attribute { append: bool },
}

/// What is wrong with the files.
pub fn check(_: &Host) -> Vec<Finding> {
    let read_by_podman = folders_of_podman();
    let mut folders = read_by_podman.clone();
    for folder in [USUAL, BESIDES].map(PathBuf::from) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let mut findings = Vec::new();
    let mut stages = Vec::new();
    let has_podman = PODMAN.iter().any(|path| Path::new(path).exists());
    for path in folders.iter().flat_map(|folder| files(folder, "json")) {
        match judge(&path) {
            Ok(None) => {}
            Ok(Some((file, faults))) => {
                findings.extend(faults);
                let folder = path.parent().unwrap_or(&path);
                if read_by_podman.iter().any(|read| read == folder) {
                    stages.extend(file.stages);
                } else if has_podman {
                    findings.push(not_read(&path, &read_by_podman));
                }
            }
            Err(finding) => findings.push(finding),
        }
    }
    let folder = read_by_podman
        .first()
        .map_or(Path::new(USUAL), PathBuf::as_path);
    let found = lacking(&stages, has_podman);
    findings.extend(found.map(|(severity, cause)| {
        let cure = "pipework install podman";
        Finding::new(severity, folder.display(), cause, cure)
    }));
    findings
}

/// A file of ours and what is wrong with it; `None` for another's.
fn judge(path: &Path) -> Result<Option<(HookFile, Vec<Finding>)>, Finding> {
    let error =
        |cause: String, cure: &str| Finding::new(Severity::Error, path.display(), cause, cure);
    let bytes = match bytes(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(e) => {
            return Err(Finding::new(
                Severity::Unseen,
                path.display(),
                e,
                "sudo pipework doctor",
            ));
        }
    };
    let is_ours = path.to_string_lossy().contains("pipework")
        || bytes.windows(8).any(|part| part == b"pipework");
    let file: HookFile = match serde_json::from_slice(&bytes) {
        Ok(file) => file,
        Err(e) if is_ours => {
            let cause = format!("it is broken ({e}), and podman starts no container while it is");
            return Err(error(cause, "write it anew: pipework install podman"));
        }
        // Of others only what stops everybody is our matter.
        Err(e) if e.is_syntax() || e.is_eof() => {
            let cause =
                format!("it is no JSON ({e}), and podman starts no container while it is there");
            return Err(error(cause, "repair it, or move it away"));
        }
        Err(_) => return Ok(None),
    };
    Ok(is_ours.then(|| {
        let faults = faults(path, &file);
        (file, faults)
    }))
}

fn faults(path: &Path, file: &HookFile) -> Vec<Finding> {
    let HookFile { hook, when, stages } = file;
    let subject = path.display();
    let mut findings = Vec::from_iter(program(path, &hook.path));
    let mut add = |severity, cause: String, cure: String| {
        findings.push(Finding::new(severity, &subject, cause, cure));
    };
    for stage in stages {
        let said = stage_of(&hook.args);
        if said != Some(stage.as_str()) {
            let cause = match said {
                Some(said) => format!("it is called at {stage} and told that it is {said}"),
                None => format!("it is not told its stage, {stage}"),
            };
            let cure = format!("\"args\": [\"pipework\", \"hook\", \"--stage\", \"{stage}\"]");
            add(Severity::Warning, cause, cure);
        }
    }
    let is_for_us = |key: &&String| key.contains("pipework");
    if !when.always && !when.annotations.keys().any(|key| is_for_us(&key)) {
        let cause = "no annotation of ours calls it".to_owned();
        let cure = r#""when": { "annotations": { "^pipework\\.": ".*" } }"#.to_owned();
        add(Severity::Error, cause, cure);
    }
    let is_attach = stages.iter().any(|stage| stage != "poststop");
    if let Some(timeout) = hook.timeout.filter(|t| is_attach && *t <= OWN_DEADLINE) {
        let cause =
            format!("it is killed after {timeout} s, before its own deadline of {OWN_DEADLINE} s");
        add(Severity::Warning, cause, "\"timeout\": 60".to_owned());
    }
    findings
}

/// What follows `--stage`.
fn stage_of(arguments: &[String]) -> Option<&str> {
    let joined = arguments.iter().find_map(|a| a.strip_prefix("--stage="));
    let mut words = arguments.iter().skip_while(|word| *word != "--stage");
    joined.or_else(|| words.nth(1).map(String::as_str))
}

/// What is wrong with the program that a file names.
fn program(file: &Path, program: &Path) -> Option<Finding> {
    let shown = program.display();
    let (severity, cause, cure) = match std::fs::metadata(program) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => (
            Severity::Error,
            format!("{shown} is not there, and podman skips the hook without a word"),
            format!("install the program there, or: rm {}", file.display()),
        ),
        Err(e) => (
            Severity::Unseen,
            format!("{shown}: {e}"),
            "sudo pipework doctor".to_owned(),
        ),
        Ok(meta) if !meta.is_file() || meta.mode() & 0o111 == 0 => (
            Severity::Error,
            format!("{shown} is no program that can be run"),
            format!("chmod 755 {shown}"),
        ),
        Ok(meta) if meta.uid() != 0 || meta.mode() & 0o022 != 0 => (
            Severity::Warning,
            format!("others than root may write to {shown}, which runs as root"),
            format!("chown root:root {shown}; chmod go-w {shown}"),
        ),
        Ok(_) => return None,
    };
    Some(Finding::new(severity, file.display(), cause, cure))
}

fn not_read(path: &Path, read: &[PathBuf]) -> Finding {
    let read: Vec<String> = read.iter().map(|p| p.display().to_string()).collect();
    let read = read.join(" and ");
    let cause = format!("podman does not read this folder, but {read}");
    let cure = format!("mv {} {read}/", path.display());
    Finding::new(Severity::Warning, path.display(), cause, cure)
}

/// Stages of which podman has no file.
fn lacking(stages: &[String], has_podman: bool) -> Option<(Severity, &'static str)> {
    let has = |name: &str| stages.iter().any(|stage| stage == name);
    let attaches = has("createRuntime") || has("prestart");
    match (attaches, has("poststop")) {
        (true, true) => None,
        (false, false) if !has_podman => None,
        (false, false) => Some((
            Severity::Warning,
            "podman is installed and has no hook of ours: annotations do nothing",
        )),
        (true, false) => Some((
            Severity::Warning,
            "no file calls us at poststop: what containers leave waits for a later start or gc",
        )),
        (false, true) => Some((
            Severity::Error,
            "no file calls us at createRuntime: annotations do nothing",
        )),
    }
}

/// The folders that podman reads (containers.conf(5)).
pub fn folders_of_podman() -> Vec<PathBuf> {
    let mut paths = ["/usr/share/containers", "/etc/containers"]
        .map(|folder| Path::new(folder).join("containers.conf"))
        .to_vec();
    paths.extend(files(
        Path::new("/etc/containers/containers.conf.d"),
        "conf",
    ));
    folders_named(paths.iter().map(super::host::text))
}

/// The folders that files of settings name, of which later ones are read later:
/// a list replaces those before, or follows them once a file said so.
fn folders_named(texts: impl Iterator<Item = String>) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from(USUAL)];
    let mut follows = false;
    for text in texts {
        let conf: Option<ContainersConf> = toml::from_str(&text).ok();
        let Some(items) = conf.and_then(|conf| conf.engine.hooks_dir) else {
            continue;
        };
        let mut named = Vec::new();
        for item in items {
            match item {
                Item::Folder(folder) => named.push(folder),
                Item::Attribute { append } => follows = append,
            }
        }
        match follows {
            true => folders.extend(named),
            false => folders = named,
        }
    }
    // Podman then goes by what it was built with.
    if folders.is_empty() {
        folders = [USUAL, BESIDES].map(PathBuf::from).to_vec();
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(text: &str) -> Vec<String> {
        let file: HookFile = serde_json::from_str(text).unwrap();
        let found = faults(Path::new("/x.json"), &file);
        found.into_iter().map(|finding| finding.cause).collect()
    }

    #[test]
    fn our_own_files_have_no_fault_but_that_the_program_may_be_missing() {
        for text in [
            include_str!("../../../hooks/20-pipework-poststop.json"),
            include_str!("../../../hooks/80-pipework-createruntime.json"),
        ] {
            let own = std::env::current_exe().unwrap();
            let text = text.replace("/usr/bin/pipework", own.to_str().unwrap());
            let found = causes(&text);
            let of_program = |cause: &&String| cause.contains("others than root");
            assert_eq!(
                found.iter().filter(|c| !of_program(c)).count(),
                0,
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_list_of_folders_replaces_or_follows_those_before() {
        let named = |texts: &[&str]| {
            let texts = texts.iter();
            let texts = texts.map(|list| format!("[engine]\nhooks_dir = {list}\n"));
            let folders = folders_named(texts);
            Vec::from_iter(folders.iter().map(|folder| folder.display().to_string()))
        };
        assert_eq!(named(&[]), [USUAL]);
        assert_eq!(named(&["[]"]), [USUAL, BESIDES]);
        assert_eq!(named(&["['/a']", "['/b']"]), ["/b"]);
        assert_eq!(named(&["['/a', {append=true}]"]), [USUAL, "/a"]);
        // The word holds until another file takes it back.
        let lists = ["['/a', {append=true}]", "['/b']"];
        assert_eq!(named(&lists), [USUAL, "/a", "/b"]);
        let lists = ["['/a', {append=true}]", "['/b', {append=false}]"];
        assert_eq!(named(&lists), ["/b"]);
        assert_eq!(named(&["no list"]), [USUAL]);
    }

    #[test]
    fn a_file_that_is_never_called_or_called_wrongly_is_told() {
        let found = causes(
            r#"{"hook":{"path":"/nonexistent","args":["pipework","hook"],"timeout":10},
                "when":{"annotations":{"^other$":".*"}},"stages":["createRuntime"]}"#,
        );
        let expected = [
            "is not there",
            "is not told its stage",
            "no annotation of ours",
            "killed after 10 s",
        ];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (cause, expected) in found.iter().zip(expected) {
            assert!(cause.contains(expected), "{cause}");
        }
    }
}
