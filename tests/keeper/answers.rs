//! What a hook hands over, and that it does not hang on the daemon's answer.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg::F_SETFL, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pipework::deadline::Deadline;
use pipework::dhcp::wire::MessageType;
use pipework::keeper::protocol::{Answer, MOST_BYTES, Request, SOCKET, read, write};
use pipework::keeper::{self, KeeperError};
use pipework::sys::seqpacket::{Connection, Listener};

use crate::process::{Daemon, lease_of, store, within};
use crate::renewals::leased;
use crate::server::{Server, grants};
use crate::support::lab::{Container, Lab, lab};

/// Longer than any hook may take: what ends before has not waited for it.
const LONG: Duration = Duration::from_secs(300);

/// Inodes of the packet sockets of a container's namespace (net/packet/af_packet.c,
/// `packet_seq_show`: the last column).
fn packet_sockets(lab: &Lab, container: &Container) -> BTreeSet<String> {
    let table = lab.inside(container, || {
        std::fs::read_to_string("/proc/thread-self/net/packet").unwrap()
    });
    let rows = table.lines().skip(1);
    rows.filter_map(|row| row.split_whitespace().last().map(String::from))
        .collect()
}

/// The inode of a socket of ours.
fn inode(socket: &OwnedFd) -> String {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
    let link = link.display().to_string();
    let inode = link.strip_prefix("socket:[");
    inode.unwrap().strip_suffix(']').unwrap().to_owned()
}

/// Says yes to one who asks until he goes, and passes on what came with a lease.
fn agree(connection: &Connection, tell: &Sender<Vec<OwnedFd>>) {
    let deadline = Deadline::after(LONG);
    while let Ok((bytes, sockets)) = connection.receive_until(MOST_BYTES, deadline) {
        if bytes.is_empty() {
            return;
        }
        if let Ok(Request::Keep(_)) = read(&bytes) {
            tell.send(sockets).ok();
        }
        connection.send(&write(&Answer::Done), &[]).ok();
    }
}

#[test]
fn the_packet_socket_of_a_lease_is_handed_over_with_it() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Server::start(lab, &machine, |m| grants(m, [10, 0, 0, 50].into(), 3600));
        std::fs::create_dir_all(Path::new(SOCKET).parent().unwrap()).unwrap();
        let listener = Listener::bind(Path::new(SOCKET)).unwrap();
        let (tell, told) = channel();
        // It ends with the process of the test.
        thread::spawn(move || {
            loop {
                let Some(connection) = listener.accept().unwrap() else {
                    thread::sleep(Duration::from_millis(1));
                    continue;
                };
                let tell = tell.clone();
                thread::spawn(move || {
                    // It was accepted for one who never waits.
                    fcntl(connection.as_fd(), F_SETFL(OFlag::empty())).unwrap();
                    agree(&connection, &tell);
                });
            }
        });
        let web = lab.container("web");
        let asked = ["pipework.bridge=br0", "pipework.ip=dhcp"];
        lab.attach(&web, &asked).ok();
        let sockets = told.recv_timeout(LONG).unwrap();
        let handed: BTreeSet<String> = sockets.iter().map(inode).collect();
        let there = packet_sockets(lab, &web);
        assert!(!there.is_empty());
        assert!(there.is_subset(&handed), "{there:?} are not of {handed:?}");
    });
}

#[test]
fn who_hands_a_lease_over_waits_at_most_200_ms_for_one_who_never_answers() {
    lab!(|lab| {
        let web = lab.container("web");
        std::fs::create_dir_all(Path::new(SOCKET).parent().unwrap()).unwrap();
        let _listener = Listener::bind(Path::new(SOCKET)).unwrap();
        let kept = lease_of(&web, 7);
        let far = Deadline::after(LONG);
        let error = keeper::hand_over(&kept.id, Vec::new(), far).unwrap_err();
        assert_eq!(error.to_string(), "the daemon did not answer within 200 ms");
        assert!(!far.has_passed());
    });
}

#[test]
fn a_daemon_that_answers_too_late_keeps_the_lease_all_the_same() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, |m| grants(m, [10, 0, 0, 5].into(), 3600));
        let daemon = Daemon::start();
        let (_web, kept) = leased(lab, "web", 1, 5);
        let pid = Pid::from_raw(daemon.pid().cast_signed());
        kill(pid, Signal::SIGSTOP).unwrap();
        store().keep_lease(&kept).unwrap();
        let answer = keeper::hand_over(&kept.id, Vec::new(), Deadline::after(LONG));
        assert!(matches!(answer, Err(KeeperError::Silent(_))), "{answer:?}");
        kill(pid, Signal::SIGCONT).unwrap();
        within("it is renewed", || {
            server.kinds().contains(&MessageType::Request)
        });
    });
}
