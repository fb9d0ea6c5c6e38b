//! Reading what engines keep: bounded, and nothing where there is nothing.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;

use super::State;
use crate::sys::clock;
use crate::sys::proc::{self, Process};

/// How much later than its file a process may seem to begin: clocks are read one
/// after the other, in ticks of 10 ms.
const SLACK: Duration = Duration::from_secs(2);

/// A name this long is in no other cgroup's path by chance.
const LEAST_ID: usize = 12;

/// Most entries of one folder that are looked at.
const MOST_ENTRIES: usize = 8192;

/// Names and paths of what lies in a folder; nothing where there is none.
pub fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let entries = entries.take(MOST_ENTRIES).filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some((name, entry.path()))
    });
    entries.collect()
}

/// The first `most` bytes of a file.
pub fn bytes(path: &Path, most: u64) -> Option<Vec<u8>> {
    // A pipe there must not have us wait for a writer.
    let mut options = File::options();
    let options = options.read(true).custom_flags(nix::libc::O_NONBLOCK);
    let mut bytes = Vec::new();
    let file = options.open(path).ok()?;
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// A small file as text.
pub fn text(path: &Path) -> Option<String> {
    String::from_utf8(bytes(path, 64 << 10)?).ok()
}

/// A file of JSON, of at most 16 MiB.
pub fn json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&bytes(path, 16 << 20)?).ok()
}

/// The pid in a file that holds nothing else.
pub fn pid(path: &Path) -> Option<i32> {
    let pid = text(path)?.trim().parse().ok();
    pid.filter(|pid| *pid > 1)
}

/// Whether there is a process of that pid which has not ended. A pid file
/// outlives its process.
pub fn is_alive(pid: i32) -> bool {
    Process::open(pid).is_ok_and(|process| process.is_alive())
}

/// The first process of a container, if it still is the one that `file` tells of:
/// pids are used again. It began at `ticks` since boot; where the file does not
/// say (`None`), it began before the file was written.
pub fn state(pid: i32, ticks: Option<u64>, file: &Path) -> State {
    // Opened before its start is read: that of no later one then.
    let process = (pid > 1).then(|| Process::open(pid).ok()).flatten();
    let Some(process) = process else {
        return State::Stopped;
    };
    // Who cannot tell believes the file.
    let is_same = match ticks {
        Some(ticks) => proc::start_time(pid).is_ok_and(|began| began == ticks),
        None => began_before(pid, file).unwrap_or(true) || is_in_cgroup_of(pid, file),
    };
    match is_same && process.is_alive() {
        true => State::Running(pid),
        false => State::Stopped,
    }
}

/// Whether its cgroup is named after the folder of `file`, which is the
/// container's id. It tells the same after the clock was set.
fn is_in_cgroup_of(pid: i32, file: &Path) -> bool {
    let id = file.parent().and_then(Path::file_name);
    let id = id
        .and_then(|id| id.to_str())
        .filter(|id| id.len() >= LEAST_ID);
    let cgroup = text(&PathBuf::from(format!("/proc/{pid}/cgroup")));
    id.is_some_and(|id| cgroup.is_some_and(|cgroup| cgroup.contains(id)))
}

fn began_before(pid: i32, file: &Path) -> Option<bool> {
    let age = proc::age(pid).ok()?;
    let written = fs::metadata(file).ok()?.modified().ok()?;
    // A file of the future, or one in /run from before the boot, means that the
    // clock was set since.
    let since = SystemTime::now().duration_since(written).ok()?;
    (since <= clock::since_boot()).then_some(age + SLACK >= since)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn a_pipe_in_the_place_of_a_file_holds_nobody_up() {
        let path = std::env::temp_dir().join(format!("pipework-pipe-{}", std::process::id()));
        nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        // With nobody at its other end, and with somebody who says nothing.
        for writer in [false, true] {
            let mut options = File::options();
            let _silent = writer.then(|| options.read(true).write(true).open(&path).unwrap());
            let (done, is_done) = mpsc::channel();
            let pipe = path.clone();
            thread::spawn(move || done.send(json::<Vec<u8>>(&pipe)));
            let read = is_done.recv_timeout(Duration::from_secs(60));
            assert_eq!(read, Ok(None), "{writer}");
        }
        fs::remove_file(&path).unwrap();
    }
}
