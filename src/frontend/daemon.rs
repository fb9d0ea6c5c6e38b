//! `pipework daemon`: keeps leases, in the foreground.
//!
//! A service manager may hand it the socket (sd_listen_fds(3)) and be told when
//! it is ready (sd_notify(3)); without one it does the same by itself. These are
//! the only environment variables that pipework reads.

use std::io;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::given::Given;
use super::{docker_plugin, gc, nri, telling};
use crate::error::Error;
use crate::keeper::{self, DaemonError, Setup};
use crate::logging;
use crate::sys::raw;

/// The first descriptor that a service manager hands on (`SD_LISTEN_FDS_START`).
const FIRST: i32 = 3;

/// Options of `nri`, which say nothing without it.
const OF_PODS: [&str; 3] = ["--socket", "--metrics", "--api-proxy"];

/// Keeps leases until it is killed, or until a service manager may start it again
/// when it is needed; with `--nri` it attaches pods as well, with `--docker` it is
/// Docker's driver too, and those are always needed. `None` where the words are none
/// of its.
pub fn run(given: &Given) -> Option<u8> {
    let has_pods = given.has("--nri");
    let is_of_pods = OF_PODS.iter().any(|option| given.has(option));
    if !given.words().is_empty() || (is_of_pods && !has_pods) {
        return None;
    }
    logging::start();
    Some(match serve(given) {
        Ok(()) => 0,
        Err(error) => {
            telling::tell(&error, None);
            error.exit_code() as u8
        }
    })
}

fn serve(given: &Given) -> Result<(), Error> {
    let (has_pods, has_networks) = (given.has("--nri"), given.has("--docker"));
    if has_pods {
        nri::start(given)?;
    }
    if has_networks {
        docker_plugin::start()?;
    }
    Ok(keeper::run(Setup {
        listener: listener()?,
        ends_idle: !has_pods && !has_networks,
        sweep: gc::sweep_quietly,
        ready,
    })?)
}

/// The socket that a service manager listens at for us.
pub(super) fn listener() -> Result<Option<OwnedFd>, DaemonError> {
    let is_for_us = number("LISTEN_PID") == Some(std::process::id());
    match number("LISTEN_FDS").filter(|_| is_for_us) {
        None | Some(0) => Ok(None),
        Some(1) => raw::inherited(FIRST).map(Some).map_err(DaemonError::Listen),
        Some(_) => Err(DaemonError::Listen(io::Error::from_raw_os_error(
            nix::libc::EINVAL,
        ))),
    }
}

fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Tells the service manager, if there is one that wants to know.
pub(super) fn ready() {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let name = name.into_encoded_bytes();
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(String::from_utf8_lossy(&name).as_ref()),
    };
    let sent = address.and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.send_to_addr(b"READY=1", &address)
    });
    if let Err(error) = sent {
        tracing::warn!(%error, "the service manager could not be told that we are ready");
    }
}
