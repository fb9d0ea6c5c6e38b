//! The real program in a lab: what a runtime hands to the hook, and what a run
//! says.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use super::{Container, Lab, PIPEWORK};

impl Lab {
    /// The state that a runtime passes for `container`.
    pub fn state(&self, container: &Container, annotations: &[&str]) -> Value {
        json!({
            "ociVersion": "1.0.2",
            "id": container.id,
            "status": "creating",
            "pid": container.pid(),
            "bundle": bundle_of(&container.id),
            "annotations": annotation_map(annotations),
        })
    }

    /// Runs `pipework hook --stage createRuntime` for `container`.
    pub fn attach(&self, container: &Container, annotations: &[&str]) -> Outcome {
        let state = self.state(container, annotations);
        hook(&["--stage", "createRuntime"], state.to_string().as_bytes())
    }

    /// Begins what [`Lab::attach`] does; who kills it waits for it.
    pub fn begin(&self, container: &Container, annotations: &[&str]) -> Child {
        let state = self.state(container, annotations).to_string();
        let mut hook = Command::new(PIPEWORK);
        hook.args(["hook", "--stage", "createRuntime"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut hook = hook.spawn().unwrap();
        let mut stdin = hook.stdin.take().unwrap();
        stdin.write_all(state.as_bytes()).unwrap();
        hook
    }

    /// Runs `pipework hook --stage poststop` for the container called `id`.
    pub fn poststop(&self, id: &str) -> Outcome {
        let state = json!({
            "ociVersion": "1.0.2", "id": id, "status": "stopped",
            "bundle": bundle_of(id), "annotations": { "pipework.bridge": "br0" },
        });
        hook(&["--stage", "poststop"], state.to_string().as_bytes())
    }

    /// Runs `pipework gc`.
    pub fn gc(&self) -> Outcome {
        Outcome(Command::new(PIPEWORK).arg("gc").output().unwrap())
    }
}

/// `KEY=VALUE` each, as runtimes have them.
pub fn annotation_map(annotations: &[&str]) -> Value {
    let pairs = annotations.iter().map(|pair| {
        let (key, value) = pair.split_once('=').unwrap();
        (key.to_owned(), Value::from(value))
    });
    Value::Object(pairs.collect())
}

/// Where the bundle of the container `id` is said to be.
pub fn bundle_of(id: &str) -> PathBuf {
    Path::new("/run/bundles").join(id)
}

/// Makes the bundle of the container `id`, with a root of its own and nothing in its
/// `/etc`, and says where it is.
pub fn bundle_with_root(id: &str) -> PathBuf {
    let bundle = bundle_of(id);
    fs::create_dir_all(bundle.join("root/etc")).unwrap();
    let config = json!({ "root": { "path": "root" }, "hostname": "web" });
    fs::write(bundle.join("config.json"), config.to_string()).unwrap();
    bundle
}

/// Runs the hook with `arguments` and `stdin`.
pub fn hook(arguments: &[&str], stdin: &[u8]) -> Outcome {
    feed(Command::new(PIPEWORK).arg("hook").args(arguments), stdin)
}

/// Runs a command with `stdin`.
pub fn feed(command: &mut Command, stdin: &[u8]) -> Outcome {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who refuses early does not read to the end.
    child.stdin.take().unwrap().write_all(stdin).ok();
    Outcome(child.wait_with_output().unwrap())
}

/// What a run left.
#[derive(Debug)]
pub struct Outcome(pub Output);

impl Outcome {
    /// The exit code, if it was no signal that ended the run.
    pub fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    /// All of stderr.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// The run must have had success.
    #[track_caller]
    pub fn ok(&self) -> &Self {
        assert_eq!(self.code(), Some(0), "{}", self.stderr());
        self
    }

    /// The run must have been refused with `code` and a report of ours.
    #[track_caller]
    pub fn refused(&self, code: i32) -> String {
        let text = self.stderr();
        assert_eq!(self.code(), Some(code), "{text}");
        assert!(text.starts_with("pipework: "), "{text}");
        let said = String::from_utf8_lossy(&self.0.stdout);
        assert!(said.is_empty(), "a refusal belongs on stderr: {said}");
        text
    }
}
