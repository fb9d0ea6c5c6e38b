//! What a start leaves running, and what the next one finds after a reboot.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pipework::dhcp::options::code;
use pipework::dhcp::wire::MessageType;

use crate::plain::{ALONE, addresses};
use crate::support::dhcp_server::{GIVEN, Scripted, ordinary};
use crate::support::lab::{PIPEWORK, RECORDS, ip_json, lab};
use crate::support::ovs::eventually;

/// Processes of a session, or whose environment has `mark` in it.
fn descendants(session: u32, mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // Behind the name: state, parent, process group, session.
        let rest = stat.rsplit(')').next().unwrap();
        let is_of_session = rest.split_whitespace().nth(3) == Some(&session.to_string());
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let text = String::from_utf8_lossy(&environment).into_owned();
        if is_of_session || text.contains(mark) {
            found.push(stat);
        }
    }
    found
}

#[test]
fn a_hook_leaves_no_descendant() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::ordinary(lab, &machine);
        let container = lab.container("web");
        let mark = format!("A_HOOK_LEAVES_NO_DESCENDANT={}", std::process::id());
        let (name, value) = mark.split_once('=').unwrap();
        let mut hook = Command::new("setsid")
            .args([PIPEWORK, "hook", "--stage", "createRuntime"])
            .env(name, value)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let session = hook.id();
        // Its environment is empty for a moment while it is executed, and before that it
        // may not be in its session yet.
        eventually("it is looked for rightly", || {
            !descendants(session, &mark).is_empty()
        });
        let state = lab.state(&container, &ALONE).to_string();
        hook.stdin
            .take()
            .unwrap()
            .write_all(state.as_bytes())
            .unwrap();
        assert!(hook.wait().unwrap().success());
        assert_eq!(addresses(lab, &container).len(), 1);
        assert_eq!(descendants(session, &mark), [""; 0]);
    });
}

#[test]
fn after_a_reboot_the_same_address_is_asked_for_outright() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::on(lab, &machine, |message, before| {
            // To who does not know what it had, another one.
            let last = if before < 2 || message.kind() == Some(MessageType::Request) {
                50
            } else {
                60
            };
            ordinary(message, |m| m.yiaddr = [10, 0, 0, last].into())
        });
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        // Nothing is told of the end, and of /run nothing is left.
        container.end();
        fs::remove_dir_all(RECORDS).unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        let ports = || ip_json("link show master br0").as_array().unwrap().len();
        while ports() > 1 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let before = server.heard().len();
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        assert_eq!(addresses(lab, &container)[0]["local"], GIVEN.to_string());
        let heard = server.heard().split_off(before);
        let [request] = &heard[..] else {
            panic!("{heard:?}");
        };
        assert_eq!(request.kind(), Some(MessageType::Request));
        assert_eq!(
            request.options.address(code::REQUESTED_ADDRESS),
            Some(GIVEN)
        );
    });
}
