//! `pipework docker-plugin`: Docker's driver of networks and of addresses, in the
//! foreground; or a part of `pipework daemon`.
//!
//! It listens where dockerd looks for plugins, or at the socket that a service
//! manager hands on. It owns nothing: what is kept is on disk before dockerd is
//! answered, so it may be killed, restarted and upgraded at any time.

mod asked;
mod asker;
mod belonging;
pub mod driver;
mod dropped;
mod endpoint;
pub mod error;
mod follow;
mod ipam;
mod left;
mod lost;
pub mod orphan;
mod place;
mod released;
mod routes;
mod scratch;
mod server;
pub mod sweep;
mod unclaimed;

use std::convert::Infallible;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::fcntl::Flock;

use super::given::Given;
use super::{daemon, telling};
use crate::error::Error;
use crate::logging;
use crate::record::{DIRECTORY, Store};
use crate::sys::seqpacket::{is_listened_at, listen_for_streams};
use crate::sys::sole;
use driver::Driver;
use error::DockerError;
use server::Server;

/// Where dockerd looks for a driver called `pipework`.
const SOCKET: &str = "/run/docker/plugins/pipework.sock";
/// Held by the one plugin.
const INSTANCE: &str = "/run/pipework/docker.lock";
/// How often one whose socket is not closed yet is given [`END`] for it.
const ENDS: u32 = 20;
const END: Duration = Duration::from_millis(50);
/// How often a service inside the daemon looks whether another plugin has gone.
const RETRY: Duration = Duration::from_secs(5);

/// Runs the plugin with the options of `docker-plugin`; it returns when it cannot.
/// `None` where there are other words.
pub fn run(given: &Given) -> Option<u8> {
    if !given.words().is_empty() {
        return None;
    }
    logging::start();
    let socket = given.value("--socket").unwrap_or(SOCKET);
    let served = daemon::listener()
        .map_err(Error::from)
        .and_then(|handed| serve(Path::new(socket), handed, daemon::ready));
    Some(match served {
        Ok(never) => match never {},
        Err(error) => {
            telling::tell(&error, None);
            error.exit_code() as u8
        }
    })
}

/// Runs inside the daemon, on a thread of its own; as soon as no other does.
pub fn start() -> Result<(), DockerError> {
    let work = || {
        let mut told = String::new();
        loop {
            let Err(error) = serve(Path::new(SOCKET), None, || {});
            let text = error.to_string();
            if text != told {
                tracing::error!(%error, "Docker's networks are not made here");
            }
            told = text;
            thread::sleep(RETRY);
            // Nothing is held meanwhile: systemd may be about to start who listens there.
            while is_listened_at(Path::new(SOCKET)).unwrap_or_default() {
                thread::sleep(RETRY);
            }
        }
    };
    let thread = thread::Builder::new().name("docker".to_owned());
    thread.spawn(work).map(drop).map_err(DockerError::Thread)
}

/// Serves at the socket that was handed on, or at `socket`; calls `ready` first.
/// Where it fails, nothing goes on behind it: the daemon tries again.
fn serve(socket: &Path, handed: Option<OwnedFd>, ready: fn()) -> Result<Infallible, Error> {
    Store::open(Path::new(DIRECTORY))?;
    let _instance = instance()?;
    let driver = Arc::new(Driver::open()?);
    left::end(&driver);
    let listener = match handed {
        Some(handed) => UnixListener::from(handed),
        None => listen(socket, ENDS)?,
    };
    Ok(serve_at((listener, socket), &driver, ready)?)
}

fn serve_at(
    (listener, socket): (UnixListener, &Path),
    driver: &Arc<Driver>,
    ready: fn(),
) -> Result<Infallible, DockerError> {
    let server = Server::open(listener).map_err(not_at(socket))?;
    // Nothing ends it but the process, so it is the last that may fail.
    let swept = Arc::clone(driver);
    let sweeper = thread::Builder::new().name("sweep".to_owned());
    let sweeper = sweeper.spawn(move || sweep::run(&swept));
    sweeper.map_err(DockerError::Thread)?;
    ready();
    server.serve(driver)
}

fn not_at(path: &Path) -> impl Fn(io::Error) -> DockerError {
    |source| DockerError::Listen {
        path: path.to_owned(),
        source,
    }
}

/// Listens once nobody else does, after so many looks at most. The directory is
/// dockerd's own, which it may not have made yet.
fn listen(socket: &Path, most_looks: u32) -> Result<UnixListener, DockerError> {
    let failed = not_at(socket);
    if let Some(folder) = socket.parent() {
        let mut made = DirBuilder::new();
        let made = made.mode(0o755).recursive(true).create(folder);
        made.map_err(&failed)?;
    }
    // Of us there is one at a time, and one that was killed lets go of its socket last;
    // but systemd may listen for that one.
    let mut looks = 0;
    while is_listened_at(socket).map_err(&failed)? {
        looks += 1;
        if looks == most_looks {
            let path = socket.to_owned();
            return Err(DockerError::Taken { path });
        }
        thread::sleep(END);
    }
    let is_socket = fs::symlink_metadata(socket).is_ok_and(|meta| is_a_socket(&meta));
    if is_socket {
        fs::remove_file(socket).map_err(&failed)?;
    }
    listen_for_streams(socket).map_err(failed)
}

fn is_a_socket(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    meta.file_type().is_socket()
}

fn instance() -> Result<Flock<File>, DockerError> {
    let held = sole::hold(Path::new(INSTANCE)).map_err(not_at(Path::new(INSTANCE)))?;
    held.ok_or(DockerError::Another(INSTANCE))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn a_socket_is_taken_from_the_dead_and_not_from_whoever_listens() {
        let folder = std::env::temp_dir().join(format!("pipework-taken-{}", std::process::id()));
        let path = folder.join("a folder/p.sock");
        let former = listen(&path, 1).unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        // By whatever name the folder goes.
        std::os::unix::fs::symlink("a folder", folder.join("other")).unwrap();
        let refused = listen(&folder.join("other/p.sock"), 1).unwrap_err();
        assert!(
            matches!(refused, DockerError::Taken { .. }),
            "{refused}: {refused:?}"
        );
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
        drop(former);
        let _listener = listen(&path, 1).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        // What is no socket is nobody's to remove.
        let file = folder.join("file");
        fs::write(&file, "").unwrap();
        listen(&file, 1).unwrap_err();
        assert!(file.is_file());
        fs::remove_dir_all(folder).unwrap();
    }

    /// The daemon tries again and again: each time one would be left.
    #[test]
    fn nobody_sweeps_behind_a_socket_that_cannot_be_served() {
        let folder = std::env::temp_dir().join(format!("pipework-served-{}", std::process::id()));
        let driver = Arc::new(Driver::at(&folder).unwrap());
        // No socket, so nothing can be waited for there (epoll_ctl(2), EPERM).
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        let listener = UnixListener::from(OwnedFd::from(file));
        let ready = || panic!("it is not served");
        let refused = serve_at((listener, Path::new("/run/p.sock")), &driver, ready).unwrap_err();
        fs::remove_dir_all(folder).unwrap();
        assert!(
            refused
                .to_string()
                .starts_with("listening at /run/p.sock: "),
            "{refused}"
        );
        assert_eq!(Arc::strong_count(&driver), 1);
    }
}
