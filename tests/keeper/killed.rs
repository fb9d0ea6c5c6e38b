//! A daemon that is killed in the middle: no gap, nothing asked twice, and
//! nothing that outlives its lease.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pipework::dhcp::options::code;
use pipework::dhcp::wire::{Message, MessageType};

use crate::carriers::{of_an_hour, replug, verifies};
use crate::process::{Daemon, hand_over, is_kept, store, within};
use crate::renewals::leased;
use crate::server::{Server, grants};
use crate::support::lab::{Container, Lab, PIPEWORK, ip, ip_json, lab};

/// When the leases of these tests are asked of every server.
const REBINDS: Duration = Duration::from_secs(5);

fn willing(message: &Message) -> Vec<Message> {
    grants(message, [10, 0, 0, 5].into(), 10)
}

fn has_address(lab: &Lab, container: &Container) -> bool {
    let told = lab.inside(container, || ip_json("-4 addr show dev eth1"));
    told[0]["addr_info"]
        .as_array()
        .is_some_and(|addresses| !addresses.is_empty())
}

#[test]
fn with_every_process_dead_the_kernel_ends_the_address_with_its_lease() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let daemon = Daemon::start();
        let begin = Instant::now();
        let (web, kept) = leased(lab, "web", 5, 8);
        let routes = || {
            lab.inside(&web, || ip_json("-4 route show"))
                .as_array()
                .unwrap()
                .len()
        };
        lab.inside(&web, || ip("route add default via 10.0.0.2 dev eth1"));
        hand_over(&kept);
        daemon.kill();
        assert!(has_address(lab, &web));
        assert_eq!(routes(), 2);
        within("the address is gone", || !has_address(lab, &web));
        // Ten seconds, and what a busy machine needs to see it.
        let lasted = begin.elapsed().as_secs();
        assert!((9..25).contains(&lasted), "{lasted}");
        within("its routes went with it", || routes() == 0);
    });
}

#[test]
fn killed_while_it_asks_for_an_address_it_asks_again() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let offers = Arc::new(AtomicBool::new(false));
        let acks = Arc::new(AtomicBool::new(false));
        let (offering, giving) = (Arc::clone(&offers), Arc::clone(&acks));
        let server = Server::start(lab, &machine, move |message| {
            let says = match message.kind() {
                Some(MessageType::Discover) => &offering,
                _ => &giving,
            };
            match says.load(Ordering::Relaxed) {
                true => willing(message),
                false => Vec::new(),
            }
        });
        let (web, mut kept) = leased(lab, "web", 5, 8);
        lab.inside(&web, || ip("addr flush dev eth1"));
        let kept4 = kept.dhcp4.as_mut().unwrap();
        kept4.bound = None;
        kept4.applied = Default::default();
        let has = |kind| server.kinds().contains(&kind);
        let daemon = Daemon::start();
        hand_over(&kept);
        within("it is in SELECTING", || has(MessageType::Discover));
        daemon.kill();
        offers.store(true, Ordering::Relaxed);
        let daemon = Daemon::start();
        within("it is in REQUESTING", || has(MessageType::Request));
        daemon.kill();
        assert!(!has_address(lab, &web));
        acks.store(true, Ordering::Relaxed);
        let _daemon = Daemon::start();
        within("it has an address", || has_address(lab, &web));
    });
}

#[test]
fn killed_while_a_lease_holds_it_asks_nobody_and_renews_in_time() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, willing);
        let daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 3, 7);
        hand_over(&kept);
        daemon.kill();
        let _daemon = Daemon::start();
        assert!(server.kinds().is_empty());
        within("it is renewed", || {
            assert!(has_address(lab, &web), "a gap");
            !server.kinds().is_empty()
        });
        assert_eq!(server.kinds(), [MessageType::Request]);
        assert_eq!(server.heard()[0].options.get(code::SERVER_ID), None);
    });
}

#[test]
fn killed_while_it_renews_or_rebinds_it_goes_on_without_a_gap() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let mut asked = 0;
        // The first REQUESTs get no answer.
        let server = Server::start(lab, &machine, move |message| {
            asked += 1;
            if asked > 2 {
                willing(message)
            } else {
                Vec::new()
            }
        });
        let daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 1, 5);
        hand_over(&kept);
        let since = Instant::now();
        within("it renews", || !server.kinds().is_empty());
        daemon.kill();
        let daemon = Daemon::start();
        within("it renews again", || server.kinds().len() >= 2);
        daemon.kill();
        std::thread::sleep(REBINDS.saturating_sub(since.elapsed()));
        let _daemon = Daemon::start();
        within("it rebinds", || {
            assert!(has_address(lab, &web), "a gap");
            server.kinds().len() >= 3
        });
        let kinds = server.kinds();
        assert!(
            kinds.iter().all(|kind| *kind == MessageType::Request),
            "{kinds:?}"
        );
    });
}

#[test]
fn killed_while_it_verifies_a_lease_it_does_so_again_at_once_and_without_a_gap() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let answers = Arc::new(AtomicBool::new(false));
        let is_willing = Arc::clone(&answers);
        let server = Server::start(lab, &machine, move |message| {
            match is_willing.load(Ordering::Relaxed) {
                true => willing(message),
                false => Vec::new(),
            }
        });
        let mut daemon = Daemon::start();
        let (web, kept) = of_an_hour(lab, "web");
        let kept4 = || store().lease(&kept.id).unwrap().unwrap().dhcp4.unwrap();
        hand_over(&kept);
        let since = kept4().bound.unwrap().since;
        for tries in 1.. {
            let asked = server.heard().len();
            replug("to-web");
            within("it is in REBOOTING", || server.heard().len() > asked);
            daemon.kill();
            // On a machine that is busy for seconds it has given up meanwhile.
            if kept4().verifies {
                break;
            }
            assert!(tries < 5, "its file does not say that it is to be verified");
            daemon = Daemon::start();
        }
        answers.store(true, Ordering::Relaxed);
        // By itself nothing is due for half an hour.
        let _daemon = Daemon::start();
        within("it is verified", || {
            assert!(has_address(lab, &web), "a gap");
            let kept4 = kept4();
            kept4.bound.unwrap().since > since && !kept4.verifies
        });
        let heard = server.heard();
        assert!(heard.iter().all(verifies), "{heard:?}");
    });
}

#[test]
fn killed_until_the_lease_has_ended_it_begins_anew() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, willing);
        let daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 8, 9);
        hand_over(&kept);
        daemon.kill();
        within("the address is gone", || !has_address(lab, &web));
        let _daemon = Daemon::start();
        within("it has one again", || has_address(lab, &web));
        assert_eq!(
            server.kinds(),
            [MessageType::Discover, MessageType::Request]
        );
    });
}

#[test]
fn a_lease_that_is_given_back_is_told_to_its_server_by_name_and_at_the_end() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, willing);
        let _daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 5, 8);
        hand_over(&kept);
        let release = |name: &str| {
            let mut command = Command::new(PIPEWORK);
            command.args(["leases", "release", name]).output().unwrap()
        };
        assert_eq!(release("nobody").status.code(), Some(19));
        let released = release("web");
        let text = String::from_utf8_lossy(&released.stdout).into_owned();
        assert_eq!(text, "gave back 10.0.0.5/24 of web\n", "{released:?}");
        within("the address is gone", || {
            !has_address(lab, &web) && !is_kept(&kept.id)
        });
        within("the server knows", || {
            server.kinds().contains(&MessageType::Release)
        });
        drop(web);

        let (mut web, mut kept) = leased(lab, "web2", 5, 8);
        kept.release = true;
        hand_over(&kept);
        web.kill();
        within("the lease ends", || !is_kept(&kept.id));
        let releases = || {
            let kinds = server.kinds().into_iter();
            kinds.filter(|kind| *kind == MessageType::Release).count()
        };
        within("the server knows of both", || releases() == 2);
        let mut heard = server.heard();
        // On a busy machine one was renewed before.
        heard.retain(|message| message.kind() == Some(MessageType::Release));
        let [_, release] = &heard[..] else {
            panic!("{heard:?}");
        };
        assert_eq!(release.kind(), Some(MessageType::Release));
        assert_eq!(release.ciaddr, std::net::Ipv4Addr::new(10, 0, 0, 5));
        let id = release.options.get(code::CLIENT_ID);
        assert_eq!(id, Some(&[1, 2, 0, 0, 0, 0, 5][..]));
        let server_id = release.options.get(code::SERVER_ID);
        assert_eq!(server_id, Some(&[10, 0, 0, 2][..]));
        assert!(store().leases().unwrap().is_empty());
    });
}
