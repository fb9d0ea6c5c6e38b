//! The daemon itself: one at a time, restarted at any moment, idle when there is
//! nothing to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use pipework::keeper;
use pipework::reference::NamespaceKey;

use crate::process::{Daemon, MOST_RESIDENT, hand_over, is_kept, lease_of, soon, store, within};
use crate::support::lab::{Container, PIPEWORK, RECORDS, has, lab};
use crate::support::skip;

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    lab!(|_lab| {
        let _daemon = Daemon::start();
        let second = Command::new(PIPEWORK).arg("daemon").output().unwrap();
        let text = String::from_utf8_lossy(&second.stderr).into_owned();
        assert_eq!(second.status.code(), Some(19), "{text}");
        assert!(text.contains("another daemon"), "{text}");
        assert!(keeper::is_there(soon()));
    });
}

#[test]
fn nobody_but_root_can_reach_the_daemon() {
    lab!(|_lab| {
        let _daemon = Daemon::start();
        let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&format!("{RECORDS}/daemon.sock")), 0o600);
        assert_eq!(mode(RECORDS), 0o700);
    });
}

#[test]
fn a_killed_daemon_goes_on_where_it_was_and_ends_what_ended_meanwhile() {
    lab!(|lab| {
        let daemon = Daemon::start();
        let (mut stays, mut goes) = (lab.container("stays"), lab.container("goes"));
        let (first, second) = (lease_of(&stays, 7), lease_of(&goes, 7));
        hand_over(&first);
        hand_over(&second);
        daemon.kill();
        goes.kill();
        assert!(is_kept(&first.id) && is_kept(&second.id));
        assert!(!keeper::is_there(soon()));
        let _daemon = Daemon::start();
        within("what ended is forgotten", || !is_kept(&second.id));
        assert_eq!(store().lease(&first.id).unwrap(), Some(first.clone()));
        stays.kill();
        within("what it took on again ends", || !is_kept(&first.id));
    });
}

#[test]
fn leases_of_another_boot_go_and_those_of_a_newer_release_stay() {
    lab!(|lab| {
        let web = lab.container("web");
        let mut former = lease_of(&web, 7);
        former.id.namespace = NamespaceKey {
            boot_id: "00000000-0000-0000-0000-000000000000".to_owned(),
            cookie: 1,
        };
        let mut newer = lease_of(&web, 8);
        newer.version += 1;
        store().keep_lease(&former).unwrap();
        store().keep_lease(&newer).unwrap();
        let _daemon = Daemon::start();
        within("that of another boot goes", || !is_kept(&former.id));
        let files = fs::read_dir(format!("{RECORDS}/leases")).unwrap().count();
        assert_eq!(files, 1);
        assert!(store().lease(&newer.id).is_err());
    });
}

#[test]
fn five_hundred_leases_cost_little_memory_one_descriptor_each_and_no_time() {
    lab!(|lab| {
        let daemon = Daemon::start();
        let alone = daemon.descriptors();
        let containers: Vec<Container> = (0..500).map(|_| lab.any_container()).collect();
        let start = Instant::now();
        for (place, container) in containers.iter().enumerate() {
            let mut kept = lease_of(container, 7);
            // Every second one is given back at the end.
            kept.release = place % 2 == 0;
            hand_over(&kept);
        }
        eprintln!("500 leases were handed over in {:?}", start.elapsed());
        let held = daemon.descriptors() - alone;
        // And the connection of whoever was the last.
        assert!(held <= 752, "{held} descriptors");
        let kib = daemon.resident();
        eprintln!("{kib} KiB, {held} descriptors");
        assert!(kib <= MOST_RESIDENT, "{kib} KiB");
        // A sweep after its start may still be at work.
        std::thread::sleep(Duration::from_millis(500));
        let woken = || daemon.status("voluntary_ctxt_switches:");
        let before = woken();
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(woken(), before, "it was woken although nothing was due");
        drop(containers);
        within("all of them end", || store().leases().unwrap().is_empty());
        within("their descriptors are closed", || {
            daemon.descriptors() <= alone
        });
    });
}

#[test]
fn a_service_manager_may_listen_for_the_daemon() {
    if !has("systemd-socket-activate", "--version") {
        skip!("systemd-socket-activate is not installed");
    }
    lab!(|lab| {
        let web = lab.container("web");
        let kept = lease_of(&web, 7);
        store().keep_lease(&kept).unwrap();
        let socket = format!("{RECORDS}/daemon.sock");
        let manager = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "systemd-socket-activate"])
            .args(["--seqpacket", "-l", &socket, PIPEWORK, "daemon"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _manager = Daemon(manager);
        within("it listens", || keeper::is_there(soon()));
        within("the daemon answers", || {
            keeper::hand_over(&kept.id, Vec::new(), soon()).is_ok()
        });
    });
}

#[test]
fn a_daemon_with_a_lease_and_nothing_to_do_has_one_thread() {
    lab!(|lab| {
        let daemon = Daemon::start();
        let web = lab.container("web");
        hand_over(&lease_of(&web, 7));
        let tasks = format!("/proc/{}/task", daemon.pid());
        // What it does aside at its start ends by itself.
        within("it has one thread", || {
            fs::read_dir(&tasks).unwrap().count() == 1
        });
    });
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_lease_that_ended_a_month_ago_is_remembered_no_more() {
    lab!(|_lab| {
        if !Path::new("/proc/self/ns/time").exists() {
            skip!("kernel has no time namespaces");
        }
        let directory = Path::new("/var/lib/pipework/leases");
        fs::create_dir_all(directory).unwrap();
        // As releases before this one wrote it; it ended in 2001.
        let bytes = include_str!("bytes/remembered.json");
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let new = bytes.replace("1795288308", "99999999999");
        for (name, bytes, at) in [
            ("0a", bytes.replace("1795288308", "1000000000"), old),
            ("0b", new, old),
        ] {
            fs::write(directory.join(name), bytes).unwrap();
            let file = fs::File::options().write(true).open(directory.join(name));
            file.unwrap().set_modified(at).unwrap();
        }
        // A clock that nothing has set yet says nothing of months.
        let daemon = Daemon::since_boot(HOUR / 2);
        std::thread::sleep(Duration::from_millis(300));
        assert!(keeper::is_there(soon()));
        assert!(directory.join("0a").exists());
        daemon.kill();
        let _daemon = Daemon::since_boot(HOUR * 2);
        within("the first is forgotten", || !directory.join("0a").exists());
        assert!(directory.join("0b").exists());
    });
}
