//! The dockerd whose socket we ask at. A process that is merely called so may be one
//! in a container, or one of several: the one that is meant has that socket open.
//!
//! Nothing is asked of it here: systemd may listen at its socket, and would start it
//! (docker.socket).

use std::fs;
use std::path::Path;

use super::docker::SOCKETS;
use crate::sys::proc;
use crate::sys::seqpacket::listening;

/// What it is called.
const NAME: &str = "dockerd";
/// Where it writes its pid, unless told otherwise.
const PID_FILES: [&str; 2] = ["/run/docker.pid", "/var/run/docker.pid"];

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
    let all = listening().unwrap_or_default();
    let meant = |path: &Path| paths.iter().any(|meant| path == Path::new(meant));
    let meant = all.iter().filter(|(_, path)| meant(path));
    meant
        .map(|(inode, _)| format!("socket:[{inode}]"))
        .collect()
}

/// Whether a process of that name has one of the sockets, and is in no container. It
/// is of our own user: everybody may be called so and listen by the same path, in a
/// mount namespace of his own.
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
    let is_trusted = || proc::is_of_our_user(pid).unwrap_or_default();
    is_called() && is_here() && is_trusted() && has_one()
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
    use std::os::fd::OwnedFd;
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};
    use std::os::unix::process::CommandExt as _;
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
            begun(&mut self.command(name))
        }

        /// A copy could not be run while another test's child has it open for writing.
        fn command(&self, name: &str) -> Command {
            let program = self.0.join(name);
            let _ = fs::remove_file(&program);
            std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
            let mut command = Command::new(program);
            command.arg("1000");
            command
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn begun(command: &mut Command) -> Child {
        let child = command.spawn().unwrap();
        await_words(number(child.id()));
        child
    }

    /// Who starts a program may go on a moment before that has its name and, after it,
    /// its words (`begin_new_exec`).
    fn await_words(pid: i32) {
        let has_words = |words: Vec<String>| words.last().is_some_and(|word| word == "1000");
        for _ in 0..6000 {
            if proc::command_line(pid).is_ok_and(has_words) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("it has not begun within a minute");
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
    fn it_is_of_our_user_whoever_else_listens_there_by_its_name() {
        let folder = Folder::new("dockerd-user");
        let path = folder.0.join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let sockets = sockets_at(&[path.display().to_string()]);
        let own = nix::unistd::geteuid().as_raw();
        for (uid, is_it) in [(own, true), (65534, false)] {
            let mut command = folder.command("pw-dockerd");
            command.stdin(OwnedFd::from(listener.try_clone().unwrap()));
            let mut child = begun(command.uid(uid));
            let found = serves(number(child.id()), "pw-dockerd", &sockets);
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(found, is_it, "{uid}");
        }
    }

    #[test]
    fn a_socket_whose_name_is_no_text_hides_no_other() {
        let folder = Folder::new("dockerd-names");
        let name = format!("pipework-{}-", std::process::id());
        let name = [name.as_bytes(), b"\xff"].concat();
        let odd = SocketAddr::from_abstract_name(name).unwrap();
        let _odd = UnixListener::bind_addr(&odd).unwrap();
        let path = folder.0.join("docker.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        assert_eq!(sockets_at(&[path.display().to_string()]).len(), 1);
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
