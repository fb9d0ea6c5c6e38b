//! Leases of DHCPv6 from the hook to their end, with the daemon in between
//! (RFC 8415 §18.2).

use std::net::Ipv6Addr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pipework::dhcp::v6::options::code;
use pipework::dhcp::v6::wire::{Message, MessageType};
use pipework::record::Kept;

use crate::process::{Daemon, store, within};
use crate::server::{Server, grants};
use crate::support::dhcp6_server::{
    GIVEN, SERVER, Scripted6, addresses6, lan6, locals6, ordinary, refusing,
};
use crate::support::lab::{Container, Lab, PIPEWORK, bundle_with_root, ip, lab};

/// T1, T2, preferred and valid lifetime: the last is the shortest that the
/// client believes in.
const SHORT: [u32; 4] = [2, 5, 8, 10];
pub const ASKED: [&str; 4] = [
    "pipework.bridge=br0",
    "pipework.ip=dhcp6",
    "pipework.default=false",
    "pipework.dhcp.arp=off",
];

fn asked<'a>(further: &[&'a str]) -> Vec<&'a str> {
    ASKED.iter().chain(further).copied().collect()
}

fn willing(message: &Message) -> Vec<Message> {
    ordinary(message, GIVEN, SHORT)
}

/// Answers that name a server of names, too.
fn with_dns(mut answers: Vec<Message>, server: &str) -> Vec<Message> {
    let server: Ipv6Addr = server.parse().unwrap();
    for answer in &mut answers {
        answer.options.push(code::DNS_SERVERS, server.octets());
    }
    answers
}

fn leases() -> Vec<Kept> {
    let leases = store().leases().unwrap().into_iter();
    leases.map(Result::unwrap).collect()
}

pub fn has_address(lab: &Lab, container: &Container) -> bool {
    !locals6(lab, container).is_empty()
}

/// Seconds that are left of the only address.
fn left(lab: &Lab, container: &Container) -> u64 {
    addresses6(lab, container)[0]["valid_life_time"]
        .as_u64()
        .unwrap()
}

pub fn count(server: &Scripted6, kind: MessageType) -> usize {
    let kinds = server.kinds().into_iter();
    kinds.filter(|heard| *heard == kind).count()
}

#[test]
fn an_ipv6_lease_is_renewed_without_a_gap_and_ends_with_its_container() {
    lab!(|lab| {
        let machine = lan6(lab);
        let server = Scripted6::on(lab, &machine, |message, _| willing(message));
        let daemon = Daemon::start();
        std::thread::sleep(Duration::from_millis(200));
        let idle = daemon.descriptors();
        let mut web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        let listed = Command::new(PIPEWORK).args(["leases", "--json"]).output();
        let listed: serde_json::Value = serde_json::from_slice(&listed.unwrap().stdout).unwrap();
        assert_eq!(listed[0]["dhcp6"]["address"], GIVEN.to_string());
        within("it is renewed twice", || {
            assert!(has_address(lab, &web), "a gap");
            count(&server, MessageType::Renew) >= 2
        });
        within("the kernel knows", || left(lab, &web) >= 9);
        let renew = server.first(MessageType::Renew);
        assert_eq!(renew.options.get(code::SERVER_ID), Some(&SERVER[..]));
        web.kill();
        lab.poststop("web").ok();
        within("the lease ends", || leases().is_empty());
        within("it holds no more than before", || {
            daemon.open_files().len() <= idle
        });
        assert_eq!(count(&server, MessageType::Release), 0);
    });
}

#[test]
fn an_ipv6_lease_whose_server_is_gone_is_taken_on_by_another() {
    lab!(|lab| {
        let machine = lan6(lab);
        let server = Scripted6::on(lab, &machine, |message, _| match message.kind {
            MessageType::Renew => Vec::new(),
            _ => willing(message),
        });
        let _daemon = Daemon::start();
        let web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        within("it is rebound", || {
            assert!(has_address(lab, &web), "a gap");
            count(&server, MessageType::Rebind) == 1
        });
        within("its time goes on", || left(lab, &web) >= 9);
        let rebind = server.first(MessageType::Rebind);
        assert_eq!(rebind.options.get(code::SERVER_ID), None);
    });
}

#[test]
fn without_an_answer_an_ipv6_address_goes_at_its_end_and_is_asked_for_again() {
    lab!(|lab| {
        let machine = lan6(lab);
        let mut solicits = 0;
        let server = Scripted6::on(lab, &machine, move |message, _| {
            solicits += u32::from(message.kind == MessageType::Solicit);
            let is_silent = matches!(message.kind, MessageType::Renew | MessageType::Rebind);
            if is_silent || solicits == 2 {
                Vec::new()
            } else {
                willing(message)
            }
        });
        let _daemon = Daemon::start();
        let web = lab.container("web");
        let begin = Instant::now();
        lab.attach(&web, &ASKED).ok();
        within("the address is gone", || !has_address(lab, &web));
        let lasted = begin.elapsed().as_secs_f32();
        assert!(lasted >= 9.0, "{lasted}");
        within("it has one again", || has_address(lab, &web));
        assert!(count(&server, MessageType::Solicit) >= 3);
    });
}

#[test]
fn a_server_that_has_forgotten_an_ipv6_lease_is_asked_for_it_while_it_holds() {
    lab!(|lab| {
        let machine = lan6(lab);
        let server = Scripted6::on(lab, &machine, |message, _| match message.kind {
            MessageType::Renew => vec![refusing(message, MessageType::Reply, 3)],
            _ => willing(message),
        });
        let _daemon = Daemon::start();
        let web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        let of_the_hook = [MessageType::Request, MessageType::Solicit].map(|k| count(&server, k));
        within("it is asked for again", || {
            assert!(has_address(lab, &web), "a gap");
            count(&server, MessageType::Request) > of_the_hook[0]
        });
        within("its time goes on", || left(lab, &web) >= 9);
        assert_eq!(count(&server, MessageType::Solicit), of_the_hook[1]);
    });
}

#[test]
fn a_killed_daemon_asks_nobody_and_renews_an_ipv6_lease_in_time() {
    lab!(|lab| {
        let machine = lan6(lab);
        let server = Scripted6::on(lab, &machine, |message, _| willing(message));
        let daemon = Daemon::start();
        let web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        let of_the_hook = server.heard().len();
        daemon.kill();
        let daemon = Daemon::start();
        assert_eq!(server.heard().len(), of_the_hook);
        within("it is renewed", || {
            assert!(has_address(lab, &web), "a gap");
            server.heard().len() > of_the_hook
        });
        assert_eq!(server.kinds()[of_the_hook], MessageType::Renew);
        // With every process dead the kernel ends it.
        daemon.kill();
        assert!(has_address(lab, &web));
        within("the address is gone", || !has_address(lab, &web));
        let _daemon = Daemon::start();
        within("it has one again", || has_address(lab, &web));
    });
}

#[test]
fn an_ipv6_address_of_a_start_in_the_background_is_probed_and_declined() {
    lab!(|lab| {
        let machine = lan6(lab);
        lab.inside(&machine, || {
            ip(&format!("-6 addr add {GIVEN}/64 dev wire nodad"));
        });
        let _daemon = Daemon::start();
        let web = lab.container("web");
        let mut asked = asked(&[
            "pipework.dhcp.timeout=300ms",
            "pipework.dhcp.fallback=background",
        ]);
        asked[3] = "pipework.dhcp.arp=fast";
        lab.attach(&web, &asked).ok();
        assert!(!has_address(lab, &web));
        let other = "fd00::77".parse().unwrap();
        let mut declined = false;
        let server = Scripted6::on(lab, &machine, move |message, _| {
            declined |= message.kind == MessageType::Decline;
            ordinary(message, if declined { other } else { GIVEN }, SHORT)
        });
        within("it has an address", || {
            let found = locals6(lab, &web);
            assert!(!found.contains(&GIVEN.to_string()), "{found:?}");
            !found.is_empty()
        });
        assert_eq!(locals6(lab, &web), ["fd00::77"]);
        assert_eq!(count(&server, MessageType::Decline), 1);
    });
}

#[test]
fn both_families_are_one_lease_and_given_back_together() {
    lab!(|lab| {
        let machine = lan6(lab);
        let four = Server::start(lab, &machine, |message| {
            grants(message, [10, 0, 0, 50].into(), 600)
        });
        let six = Scripted6::on(lab, &machine, |message, _| willing(message));
        let daemon = Daemon::start();
        let mut both = asked(&["pipework.dhcp.release=true"]);
        both[1] = "pipework.ip=dhcp,dhcp6";
        let mut web = lab.container("web");
        lab.attach(&web, &both).ok();
        assert_eq!(leases().len(), 1);
        assert!(leases()[0].dhcp4.is_some() && leases()[0].dhcp6.is_some());
        let netns = std::fs::read_link(format!("/proc/{}/ns/net", web.pid()));
        let netns = netns.unwrap().display().to_string();
        within("the daemon has opened its namespace", || {
            daemon.open_files().contains(&netns)
        });
        web.kill();
        let is_told = || {
            use pipework::dhcp::wire::MessageType as Four;
            let kinds = four.kinds();
            kinds.contains(&Four::Release) && count(&six, MessageType::Release) > 0
        };
        within("both servers know", is_told);
        within("the lease ends", || leases().is_empty());
        // And by name, while the container lives.
        let web = lab.container("web2");
        lab.attach(&web, &both).ok();
        let before = count(&six, MessageType::Release);
        let mut command = Command::new(PIPEWORK);
        let output = command.args(["leases", "release", "web2"]).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        let wanted = format!("gave back 10.0.0.50/24 and {GIVEN} of web2\n");
        assert_eq!(text, wanted);
        within("the address is gone", || !has_address(lab, &web));
        assert!(count(&six, MessageType::Release) > before);
    });
}

#[test]
fn the_files_of_a_container_follow_its_ipv6_lease() {
    lab!(|lab| {
        let machine = lan6(lab);
        let other = "fd00::77".parse().unwrap();
        let _server = Scripted6::on(lab, &machine, move |message, _| {
            let is_new = message.kind == MessageType::Renew;
            let (address, dns) = match is_new {
                true => (other, "fd00::54"),
                false => (GIVEN, "fd00::53"),
            };
            with_dns(ordinary(message, address, SHORT), dns)
        });
        let _daemon = Daemon::start();
        let web = lab.container("web");
        let bundle = bundle_with_root("web");
        lab.attach(&web, &ASKED).ok();
        let read = |file: &str| {
            let path = bundle.join("root/etc").join(file);
            std::fs::read_to_string(path).unwrap_or_default()
        };
        assert!(read("resolv.conf").contains("nameserver fd00::53\n"));
        within("the server is another", || {
            read("resolv.conf").contains("nameserver fd00::54\n")
        });
        assert!(!read("resolv.conf").contains("fd00::53"));
        within("the address is another", || {
            locals6(lab, &web) == ["fd00::77"]
        });
        let hosts = read("hosts");
        assert!(!hosts.contains(&GIVEN.to_string()), "{hosts}");
    });
}

#[test]
fn an_ipv6_lease_that_ends_takes_its_name_servers_with_it() {
    lab!(|lab| {
        let machine = lan6(lab);
        let silent = Arc::new(AtomicBool::new(false));
        let is_silent = Arc::clone(&silent);
        let _server = Scripted6::on(lab, &machine, move |message, _| {
            if is_silent.load(Ordering::Relaxed) {
                return Vec::new();
            }
            with_dns(willing(message), "fd00::53")
        });
        let _daemon = Daemon::start();
        let web = lab.container("web");
        let bundle = bundle_with_root("web");
        lab.attach(&web, &ASKED).ok();
        silent.store(true, Ordering::Relaxed);
        let has_server = || {
            let path = bundle.join("root/etc/resolv.conf");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.contains("nameserver fd00::53\n")
        };
        assert!(has_server());
        within("the address is gone", || !has_address(lab, &web));
        within("its name server went with it", || !has_server());
        silent.store(false, Ordering::Relaxed);
        within("the next lease brings it back", has_server);
    });
}
