//! Docker: a runtime in daemon.json, which dockerd reads again at SIGHUP. The
//! default runtime is changed for who asks for it by name.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::change::{Content, Step, Wish};
use super::error::InstallError;
use super::program::Program;
use super::programs;
use super::setting::Setting;
use super::target::Target;
use crate::deadline::Deadline;
use crate::host::find::dockerd;
use crate::sys::unix_http;

/// The name by which containers ask for us.
pub(super) const NAME: &str = "pipework";
const SETTINGS: &str = "/etc/docker/daemon.json";
const SOCKET: &str = "/run/docker.sock";
/// How often dockerd is asked whether it has read its settings.
const TICK: Duration = Duration::from_millis(100);

/// Whether our runtime is asked for by containers, or had by all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Default {
    /// It stays what it is.
    Stays,
    /// It is ours.
    Ours,
}

/// What is to be there.
pub(super) fn wishes(program: &Program, default: Default) -> Result<Vec<Wish>, InstallError> {
    let words = dockerd::running()
        .map(|(_, words)| words)
        .unwrap_or_default();
    let by_flag = |flag: &str, key| match words.iter().find(|word| word.starts_with(flag)) {
        Some(word) => Err(InstallError::ByFlag {
            program: "dockerd",
            flag: word.clone(),
            key,
        }),
        None => Ok(()),
    };
    by_flag("--add-runtime", "runtimes")?;
    let path = program.runtime.display().to_string();
    let mut settings = vec![Setting::new(&["runtimes", NAME], json!({ "path": path }))];
    if default == Default::Ours {
        by_flag("--default-runtime", "default-runtime")?;
        settings.push(Setting::over(&["default-runtime"], json!(NAME)));
    }
    Ok(vec![Wish {
        target: Target::Docker,
        path: settings_of(&words),
        content: Content::Json(settings),
    }])
}

/// Where dockerd reads its settings.
fn settings_of(words: &[String]) -> PathBuf {
    let mut each = words.iter();
    while let Some(word) = each.next() {
        let given = match word.strip_prefix("--config-file=") {
            Some(path) => Some(path),
            None if word == "--config-file" => each.next().map(String::as_str),
            None => None,
        };
        if let Some(path) = given.filter(|path| path.starts_with('/')) {
            return PathBuf::from(path);
        }
    }
    PathBuf::from(SETTINGS)
}

/// Has dockerd itself judge what is going to be its settings.
pub(super) fn judge(dockerd: &Path, step: &Step, deadline: Deadline) -> Result<(), InstallError> {
    let Some(bytes) = step.bytes() else {
        return Ok(());
    };
    let candidate = programs::Candidate::new(bytes)?;
    let words = ["--validate", "--config-file", candidate.path()];
    programs::run_well(dockerd, &words, None, deadline).map(drop)
}

/// Whether dockerd runs.
pub(super) fn is_up() -> bool {
    dockerd::running().is_some()
}

/// Has dockerd read its settings; containers stay.
pub(super) fn reload() -> Result<(), InstallError> {
    let (pid, _) = dockerd::running().ok_or_else(|| failed("it does not run"))?;
    kill(Pid::from_raw(pid), Signal::SIGHUP).map_err(|errno| failed(errno.desc()))
}

/// Waits until dockerd has our runtime. The other way there is nothing to wait for:
/// where none is named any more it keeps those that it had until it is restarted.
pub(super) fn await_us(deadline: Deadline) -> Result<(), InstallError> {
    while knows_us(deadline) != Some(true) {
        if deadline.has_passed() {
            return Err(failed("it has not taken its settings; see its log"));
        }
        thread::sleep(TICK);
    }
    Ok(())
}

fn failed(what: &str) -> InstallError {
    InstallError::Program {
        program: "dockerd".to_owned(),
        what: what.to_owned(),
    }
}

/// Whether dockerd has our runtime now.
pub(super) fn knows_us(deadline: Deadline) -> Option<bool> {
    let answer = unix_http::get(Path::new(SOCKET), "/info", deadline).ok()?;
    let answer: Value = serde_json::from_slice(&answer).ok()?;
    Some(answer.get("Runtimes")?.get(NAME).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockerd_says_by_its_words_where_its_settings_are() {
        let of = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            settings_of(&words)
        };
        assert_eq!(of("dockerd -H fd://"), Path::new(SETTINGS));
        assert_eq!(of("dockerd --config-file /x.json"), Path::new("/x.json"));
        assert_eq!(of("dockerd --config-file=/x.json"), Path::new("/x.json"));
    }
}
