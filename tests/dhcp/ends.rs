//! What is left of a lease for the next start, and what its server learns of
//! its end.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pipework::dhcp::options::code;
use pipework::dhcp::wire::MessageType;

use crate::plain::{ALONE, addresses, alone};
use crate::servers::within;
use crate::support::dhcp_server::{GIVEN, Scripted, nak, ordinary};
use crate::support::lab::{Lab, PIPEWORK, lab};

/// A container that has come and gone.
fn former_life(lab: &Lab, further: &[&str]) {
    let mut container = lab.container("web");
    lab.attach(&container, &alone(further)).ok();
    container.kill();
    lab.poststop("web").ok();
}

#[test]
fn a_restart_asks_for_the_same_address_outright() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::ordinary(lab, &machine);
        former_life(lab, &[]);
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        assert_eq!(addresses(lab, &container)[0]["local"], GIVEN.to_string());
        assert_eq!(
            server.kinds(),
            [
                MessageType::Discover,
                MessageType::Request,
                MessageType::Request
            ]
        );
        let reboot = &server.heard()[2];
        assert_eq!(reboot.options.address(code::REQUESTED_ADDRESS), Some(GIVEN));
        assert_eq!(reboot.options.address(code::SERVER_ID), None);
        assert!(reboot.ciaddr.is_unspecified());
    });
}

#[test]
fn a_remembered_address_that_is_refused_leads_to_a_new_one() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::on(lab, &machine, |message, before| match before {
            2 => vec![nak(message, "wrong network")],
            _ => ordinary(message, |m| {
                if before > 2 {
                    m.yiaddr = [10, 0, 0, 51].into();
                }
            }),
        });
        former_life(lab, &[]);
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        assert_eq!(addresses(lab, &container)[0]["local"], "10.0.0.51");
        assert_eq!(server.kinds()[3], MessageType::Discover);
    });
}

#[test]
fn a_server_that_has_forgotten_is_asked_anew_after_two_tries() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::on(lab, &machine, |message, before| match before {
            2..=3 => Vec::new(),
            _ => ordinary(message, |_| {}),
        });
        former_life(lab, &[]);
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        assert_eq!(
            server.kinds()[2..],
            [
                MessageType::Request,
                MessageType::Request,
                MessageType::Discover,
                MessageType::Request
            ]
        );
    });
}

#[test]
fn the_last_lease_is_used_where_nobody_answers_and_that_is_wanted() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::ordinary(lab, &machine);
        former_life(lab, &[]);
        drop(server);
        let container = lab.container("web");
        let asked = alone(&[
            "pipework.dhcp.timeout=400ms",
            "pipework.dhcp.fallback=last-lease",
        ]);
        lab.attach(&container, &asked).ok();
        let found = addresses(lab, &container);
        assert_eq!(found[0]["local"], GIVEN.to_string());
        assert!(found[0]["valid_life_time"].as_u64().unwrap() <= 3600);
    });
}

#[test]
fn a_lease_is_given_back_at_the_end_where_that_is_asked_for() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        crate::support::lab::ip("addr add 10.0.0.1/24 dev br0");
        let server = Scripted::ordinary(lab, &machine);
        former_life(lab, &["pipework.dhcp.release=true"]);
        within("it is given back", || {
            server.kinds().contains(&MessageType::Release)
        });
        let release = server.first(MessageType::Release);
        assert_eq!(release.ciaddr, GIVEN);
        assert!(release.options.address(code::SERVER_ID).is_some());
        assert!(release.options.get(code::CLIENT_ID).is_some());
        // The server knows nothing of it now, so it is not asked outright.
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        let heard = server.heard();
        let released = heard
            .iter()
            .rposition(|message| message.kind() == Some(MessageType::Release));
        let discover = &heard[released.unwrap() + 1];
        assert_eq!(discover.kind(), Some(MessageType::Discover));
        // It is a wish, which the server may grant or not.
        let wish = discover.options.address(code::REQUESTED_ADDRESS);
        assert_eq!(wish, Some(GIVEN));
    });
}

#[test]
fn no_lease_is_given_back_without_a_word_and_no_file_stays() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::ordinary(lab, &machine);
        former_life(lab, &[]);
        std::thread::sleep(Duration::from_millis(200));
        assert!(!server.kinds().contains(&MessageType::Release));
        let left = std::fs::read_dir(Path::new("/run/pipework/leases"));
        assert_eq!(left.map(Iterator::count).unwrap_or(0), 0);
    });
}

#[test]
fn a_start_that_is_killed_while_it_asks_is_taken_back_by_the_next() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let container = lab.container("web");
        let mut hook = Command::new(PIPEWORK)
            .args(["hook", "--stage", "createRuntime"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let state = lab.state(&container, &ALONE).to_string();
        let mut stdin = hook.stdin.take().unwrap();
        stdin.write_all(state.as_bytes()).unwrap();
        drop(stdin);
        std::thread::sleep(Duration::from_millis(400));
        hook.kill().unwrap();
        hook.wait().unwrap();
        let _server = Scripted::ordinary(lab, &machine);
        lab.attach(&container, &ALONE).ok();
        assert_eq!(addresses(lab, &container).len(), 1);
        let ports = crate::support::lab::ip_json("link show master br0");
        // The other machine's, and ours once.
        assert_eq!(ports.as_array().unwrap().len(), 2);
    });
}

#[test]
fn without_an_answer_the_daemon_goes_on_asking_where_that_is_wanted() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let mut daemon = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", PIPEWORK, "daemon"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let socket = Path::new("/run/pipework/daemon.sock");
        let wait = |what: &dyn Fn() -> bool| {
            let end = Instant::now() + Duration::from_secs(10);
            while !what() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(10));
            }
            assert!(what());
        };
        wait(&|| socket.exists());
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=dhcp",
            "pipework.dhcp.timeout=300ms",
            "pipework.dhcp.fallback=background",
        ];
        lab.attach(&container, &asked).ok();
        assert!(addresses(lab, &container).is_empty());
        let _server = Scripted::ordinary(lab, &machine);
        wait(&|| !addresses(lab, &container).is_empty());
        assert_eq!(addresses(lab, &container)[0]["local"], GIVEN.to_string());
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    });
}
