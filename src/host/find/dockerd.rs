//! The dockerd whose socket we ask at. A process that is merely called so may be one
//! in a container, or one of several: the one that is meant has that socket open.
//!
//! Nothing is asked of it here: systemd may listen at its socket, and would start it
//! (docker.socket).

use std::fs;
use std::path::Path;

use super::docker::SOCKETS;
use crate::sys::proc;

/// What it is called.
const NAME: &str = "dockerd";
/// Where it writes its pid, unless told otherwise.
const PID_FILES: [&str; 2] = ["/run/docker.pid", "/var/run/docker.pid"];
/// The sockets of our network namespace (fs/proc: net/unix/af_unix.c).
const TABLE: &str = "/proc/net/unix";
/// `__SO_ACCEPTCON` among a socket's flags, in that table.
const LISTENS: &str = "00010000";

/// Its pid and its words; where it listens elsewhere alone, those of whoever wrote
/// the usual file.
pub fn running() -> Option<(i32, Vec<String>)> {
    let served = serving().map(|pid| (pid, proc::command_line(pid).unwrap_or_default()));
    served.or_else(|| {
        PID_FILES
            .iter()
            .find_map(|path| written_in(Path::new(path)))
    })
}

/// Whether it runs. Who is not sent by a person asks it something only then.
pub fn is_running() -> bool {
    serving().is_some()
}

/// Whether it is this process.
pub fn is_it(pid: i32) -> bool {
    serves(pid, NAME, &sockets_at(&paths()))
}

fn serving() -> Option<i32> {
    let sockets = sockets_at(&paths());
    let mut all = match sockets.is_empty() {
        true => return None,
        false => proc::all().ok()?,
    };
    all.find(|pid| serves(*pid, NAME, &sockets))
}

fn paths() -> [String; 2] {
    SOCKETS.map(|path| format!("/{path}"))
}

/// The sockets that somebody listens at by these paths, as links to them read; others
/// than ours may be bound by the same in another mount namespace.
fn sockets_at(paths: &[String]) -> Vec<String> {
    let table = fs::read_to_string(TABLE).unwrap_or_default();
    let inode = |line: &str| {
        let mut columns = line.split_ascii_whitespace().skip(3);
        let (flags, inode, path) = (columns.next()?, columns.nth(2)?, columns.next()?);
        let is_meant = flags == LISTENS && paths.iter().any(|meant| meant == path);
        is_meant.then(|| format!("socket:[{inode}]"))
    };
    table.lines().filter_map(inode).collect()
}

/// Whether a process of that name has one of the sockets, and is in no container.
fn serves(pid: i32, name: &str, sockets: &[String]) -> bool {
    let of = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let is_called =
        || proc::read_short(format!("/proc/{pid}/comm")).is_ok_and(|c| c.trim() == name);
    let is_here = || of("self").is_some_and(|own| of(&pid.to_string()) == Some(own));
    let has_one = || {
        let open = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten();
        let mut to = open
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok());
        to.any(|to| {
            sockets
                .iter()
                .any(|socket| to.as_os_str() == socket.as_str())
        })
    };
    is_called() && is_here() && has_one()
}

/// The dockerd whose pid is in a file.
fn written_in(path: &Path) -> Option<(i32, Vec<String>)> {
    let pid = proc::read_short(path).ok()?.trim().parse().ok()?;
    let words = proc::command_line(pid).ok()?;
    // The file may be older than the last boot.
    let name = Path::new(words.first()?).file_name()?;
    (name == NAME).then_some((pid, words))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::process::{Child, Command};

    use super::*;

    /// A folder with a program that is called as no other process is.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = format!("pipework-{name}-{}", std::process::id());
            let folder = Self(std::env::temp_dir().join(folder));
            let _ = fs::remove_dir_all(&folder.0);
            fs::create_dir_all(&folder.0).unwrap();
            folder
        }

        fn runs(&self, name: &str) -> Child {
            let program = self.0.join(name);
            // By a process of its own: what another test begins in the meantime would
            // have the program open for writing, and it could not be run (ETXTBSY).
            let mut copy = Command::new("cp");
            let copied = copy.arg("/bin/sleep").arg(&program).status();
            assert!(copied.unwrap().success());
            let child = Command::new(program).arg("1000").spawn().unwrap();
            // Whoever spawns goes on as soon as the child has memory of its own, before it
            // has its words (begin_new_exec, fs/exec.c).
            let words = || proc::command_line(number(child.id())).unwrap();
            while words().is_empty() {
                std::thread::yield_now();
            }
            child
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn number(id: u32) -> i32 {
        i32::try_from(id).unwrap()
    }

    #[test]
    fn it_is_the_process_of_that_name_that_has_the_socket() {
        let folder = Folder::new("dockerd");
        let path = folder.0.join("docker.sock");
        let paths = [path.display().to_string()];
        assert_eq!(sockets_at(&paths), [""; 0]);
        let _listener = UnixListener::bind(&path).unwrap();
        let sockets = sockets_at(&paths);
        assert_eq!(sockets.len(), 1);
        let own = number(std::process::id());
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        assert!(serves(own, name.trim(), &sockets));
        assert!(!serves(own, "another", &sockets));
        assert!(!serves(own, name.trim(), &[]));
        // Not who is called so alone.
        let mut child = folder.runs("pw-dockerd");
        let is_it = serves(number(child.id()), "pw-dockerd", &sockets);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_it);
    }

    #[test]
    fn a_pid_in_a_file_is_dockerds_if_its_process_is_called_so() {
        let folder = Folder::new("docker-pid");
        let path = folder.0.join("docker.pid");
        assert_eq!(written_in(&path), None);
        fs::write(&path, std::process::id().to_string()).unwrap();
        assert_eq!(written_in(&path), None);
        let mut child = folder.runs("dockerd");
        fs::write(&path, format!("{}\n", child.id())).unwrap();
        let found = written_in(&path);
        child.kill().unwrap();
        child.wait().unwrap();
        let (pid, words) = found.unwrap();
        assert_eq!(pid, number(child.id()));
        assert_eq!(words[1..], ["1000"]);
    }
}
