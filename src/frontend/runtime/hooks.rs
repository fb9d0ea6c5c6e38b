//! Our hooks in a bundle's config.json, for the commands that leave no moment
//! between a container's creation and its first instruction.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::host::bundle;
use crate::request::annotations;

/// Seconds that a runtime gives them, as in the files of hooks.d.
const STAGES: [(&str, u64); 2] = [("createRuntime", 60), ("poststop", 30)];

/// Adds the hooks if the bundle's annotations ask for anything and they are not
/// there. All else that the file says stays; it is replaced at once or not at all.
pub fn add(bundle: &Path) -> io::Result<()> {
    let bundle = fs::canonicalize(bundle)?;
    // What cannot be read is the real runtime's to complain about.
    let Some(mut config) = bundle::read::<Value>(&bundle) else {
        return Ok(());
    };
    let program = std::env::current_exe()?;
    if !is_annotated(&config) || !put(&mut config, &program) {
        return Ok(());
    }
    replace(&bundle.join("config.json"), config.to_string().as_bytes())
}

fn is_annotated(config: &Value) -> bool {
    let all = config.get("annotations").and_then(Value::as_object);
    all.is_some_and(|all| all.keys().any(|key| annotations::is_ours(key)))
}

/// True if anything was added. A file of an unexpected shape stays as it is.
fn put(config: &mut Value, program: &Path) -> bool {
    let Some(config) = config.as_object_mut() else {
        return false;
    };
    let Some(hooks) = object(config, "hooks") else {
        return false;
    };
    let mut is_changed = false;
    for (stage, timeout) in STAGES {
        let list = hooks.entry(stage).or_insert(Value::Null);
        if list.is_null() {
            *list = json!([]);
        }
        let Some(list) = list.as_array_mut() else {
            continue;
        };
        let is_ours = |hook: &Value| {
            let args = hook.get("args").and_then(Value::as_array);
            args.is_some_and(|args| {
                args.iter().any(|arg| arg == "hook") && args.iter().any(|arg| arg == stage)
            }) && hook.get("path").and_then(Value::as_str).map(Path::new) == Some(program)
        };
        if !list.iter().any(is_ours) {
            list.push(json!({
                "path": program,
                "args": ["pipework", "hook", "--stage", stage],
                "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
                "timeout": timeout,
            }));
            is_changed = true;
        }
    }
    is_changed
}

fn object<'v>(of: &'v mut Map<String, Value>, key: &str) -> Option<&'v mut Map<String, Value>> {
    let value = of.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut()
}

/// A reader sees the former file or this one, with the former one's mode.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o7777;
    let part = path.with_extension(format!("json.pipework-{}", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&part)?;
    let written = file
        .set_permissions(fs::Permissions::from_mode(mode))
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn hooks_are_added_once_and_all_else_stays() {
        let dir = std::env::temp_dir().join(format!("pipework-hooks-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("config.json");
        let text = r#"{"x":18446744073709551615,"annotations":{"pipework.ip":"0/0"},
            "hooks":{"prestart":[{"path":"/a"}],"createRuntime":[{"path":"/b"}],"poststop":null}}"#;
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        // Who reads it meanwhile has the old text or the new one, whole.
        let mut reader = fs::File::open(&path).unwrap();
        add(&dir).unwrap();
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
        let once = fs::read_to_string(&path).unwrap();
        add(&dir).unwrap();
        assert_eq!(once, fs::read_to_string(&path).unwrap());
        let seen: Value = serde_json::from_str(&once).unwrap();
        assert_eq!(seen["x"], json!(18446744073709551615_u64));
        assert_eq!(seen["hooks"]["prestart"], json!([{"path": "/a"}]));
        assert_eq!(seen["hooks"]["createRuntime"][0], json!({"path": "/b"}));
        assert_eq!(
            seen["hooks"]["createRuntime"][1]["args"][3],
            "createRuntime"
        );
        assert_eq!(seen["hooks"]["poststop"][0]["timeout"], 30);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o640
        );
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_bundle_that_asks_for_nothing_is_left_alone() {
        let dir = std::env::temp_dir().join(format!("pipework-bare-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        for text in [r#"{"annotations": {"other": "1"}}"#, "{ ", "[]"] {
            fs::write(dir.join("config.json"), text).unwrap();
            add(&dir).unwrap();
            assert_eq!(fs::read_to_string(dir.join("config.json")).unwrap(), text);
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}
