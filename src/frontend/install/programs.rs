//! Programs of the runtimes: where they are, which version they are, and what they
//! say. Never by PATH, never by a shell, never for longer than the deadline.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::error::InstallError;
use super::interrupt::Interrupts;
use crate::deadline::Deadline;
use crate::sys::raw;

/// Where they are looked for.
pub(super) const FOLDERS: [&str; 4] =
    ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
/// The most that is read of what one says.
const MOST_BYTES: u64 = 1 << 20;
/// How often it is asked whether one has ended.
const TICK: Duration = Duration::from_millis(5);
/// podman and containerd look for their own helpers in it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where a program is.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let mut paths = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
    paths.find(|path| path.is_file())
}

/// For how long a program is waited for.
#[derive(Clone, Copy)]
pub(super) struct Until<'a> {
    /// The longest.
    pub deadline: Deadline,
    /// What ends it sooner.
    pub interrupts: Option<&'a Interrupts>,
}

impl From<Deadline> for Until<'_> {
    fn from(deadline: Deadline) -> Self {
        let interrupts = None;
        Self {
            deadline,
            interrupts,
        }
    }
}

impl Until<'_> {
    /// Why it is waited for no longer.
    fn is_over(self, words: impl FnOnce(String) -> InstallError) -> Option<InstallError> {
        match self.interrupts.and_then(Interrupts::heard) {
            Some(signal) => Some(InstallError::Interrupted(signal)),
            None if self.deadline.has_passed() => {
                Some(words("it has not ended in time".to_owned()))
            }
            None => None,
        }
    }
}

/// What a program said.
#[derive(Debug)]
pub(super) struct Said {
    /// Whether it ended with 0.
    pub is_well: bool,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// The version that a program says it is, as in `5.4.2`.
pub(super) fn version(path: &Path, deadline: Deadline) -> Option<String> {
    let said = run(path, &["--version"], None, deadline).ok()?;
    let words = said.out.split_ascii_whitespace();
    let mut words = words.map(|word| word.trim_start_matches('v').trim_matches(','));
    let found = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    found.map(str::to_owned)
}

/// The first two numbers of a version: what tells what a release can.
pub(super) fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
        _ => None,
    }
}

/// Runs a program to its end, `input` on its standard input.
pub(super) fn run<'a>(
    path: &Path,
    words: &[&str],
    input: Option<Vec<u8>>,
    until: impl Into<Until<'a>>,
) -> Result<Said, InstallError> {
    let until = until.into();
    let failed = |what: String| InstallError::Program {
        program: format!("{} {}", path.display(), words.join(" ")),
        what,
    };
    let stdin = match input {
        Some(_) => Stdio::piped(),
        None => Stdio::null(),
    };
    let mut command = Command::new(path);
    raw::hear_signals(&mut command);
    let mut child = command
        .args(words)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/root")
        .current_dir("/")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // Who does not read it to the end says so by its exit code.
        thread::spawn(move || pipe.write_all(&input));
    }
    let (out, err) = (listen(child.stdout.take()), listen(child.stderr.take()));
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|e| failed(e.to_string()))? {
            break status;
        }
        if let Some(error) = until.is_over(failed) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        thread::sleep(TICK);
    };
    // A daemon that it left behind may hold the pipes open.
    let text = |pipe: mpsc::Receiver<String>| {
        let patience = Duration::from_secs(1);
        pipe.recv_timeout(patience).unwrap_or_default()
    };
    Ok(Said {
        is_well: status.success(),
        out: text(out),
        err: text(err),
    })
}

/// The same where anything but success is an error, which quotes what was said.
pub(super) fn run_well<'a>(
    path: &Path,
    words: &[&str],
    input: Option<Vec<u8>>,
    until: impl Into<Until<'a>>,
) -> Result<String, InstallError> {
    let until = until.into();
    let said = run(path, words, input, until)?;
    if said.is_well {
        return Ok(said.out);
    }
    // Ctrl-C ends the program too, which then says something of its own.
    if let Some(signal) = until.interrupts.and_then(Interrupts::heard) {
        return Err(InstallError::Interrupted(signal));
    }
    let what = match said.err.trim() {
        "" => said.out.trim(),
        err => err,
    };
    Err(InstallError::Program {
        program: format!("{} {}", path.display(), words.first().unwrap_or(&"")),
        what: what.to_owned(),
    })
}

/// A file that is nowhere, for a program that is to judge what may become one.
pub(super) struct Candidate {
    _file: File,
    path: String,
}

impl Candidate {
    /// One with these bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, InstallError> {
        let io = || InstallError::io("making", "memfd");
        let made = memfd_create("candidate", MFdFlags::MFD_CLOEXEC);
        let mut file = File::from(made.map_err(|errno| io()(errno.into()))?);
        file.write_all(bytes).map_err(io())?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        Ok(Self { _file: file, path })
    }

    /// Where others find it, for as long as it lives.
    pub fn path(&self) -> &str {
        &self.path
    }
}

fn listen(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(MOST_BYTES).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(10))
    }

    #[test]
    fn a_program_is_heard_and_its_failure_quoted() {
        let cat = Path::new("/bin/cat");
        let said = run(cat, &[], Some(b"one\ntwo\n".to_vec()), soon()).unwrap();
        assert!(said.is_well);
        assert_eq!(said.out, "one\ntwo\n");
        let refused = run_well(cat, &["/nonexistent"], None, soon()).unwrap_err();
        assert!(refused.to_string().contains("No such file"), "{refused}");
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let deadline = Deadline::after(Duration::from_millis(50));
        let late = run(Path::new("/bin/sleep"), &["1000"], None, deadline).unwrap_err();
        assert!(late.to_string().contains("in time"), "{late}");
    }
}
