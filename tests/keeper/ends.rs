//! How long a lease is kept: as long as a process needs its interface.

use std::net::Ipv4Addr;
use std::time::Duration;

use pipework::dhcp::wire::MessageType;
use pipework::keeper::protocol::Refusal;
use pipework::keeper::{self, KeeperError};

use crate::process::{Daemon, hand_over, is_kept, lease_of, soon, store, within};
use crate::server::Server;
use crate::support::lab::{ip, ip_json, lab};

const ASKED: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];

fn ports() -> usize {
    ip_json("link show master br0").as_array().unwrap().len()
}

#[test]
fn a_lease_ends_with_its_container_and_what_it_left_goes_too() {
    lab!(|lab| {
        lab.bridge("br0");
        let _daemon = Daemon::start();
        let mut web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        let kept = lease_of(&web, 7);
        hand_over(&kept);
        assert!(is_kept(&kept.id) && ports() == 1);
        // Nobody calls poststop.
        web.kill();
        within("the lease ends", || !is_kept(&kept.id));
        within("its interface is gone", || ports() == 0);
        let known = store().read(&kept.id.namespace).unwrap();
        assert_eq!(known.complete, None);
    });
}

#[test]
fn a_namespace_is_free_at_once_when_its_container_ends() {
    lab!(|lab| {
        lab.bridge("br0");
        let _daemon = Daemon::start();
        for release in [false, true] {
            let mut web = lab.container("web");
            // A veth end that only goes with its namespace.
            crate::support::lab::ip(&format!(
                "link add host0 type veth peer name eth1 netns {}",
                web.pid()
            ));
            let mut kept = lease_of(&web, 7);
            kept.release = release;
            hand_over(&kept);
            web.kill();
            // The test holds the namespace as well until here.
            drop(web);
            within("the veth is gone", || {
                !std::path::Path::new("/sys/class/net/host0").exists()
                    && ip_json("link show")
                        .as_array()
                        .unwrap()
                        .iter()
                        .all(|link| link["ifname"] != "host0")
            });
        }
    });
}

#[test]
fn a_lease_goes_on_while_a_second_container_of_the_namespace_lives() {
    lab!(|lab| {
        lab.bridge("br0");
        let _daemon = Daemon::start();
        let mut first = lab.container("first");
        lab.attach(&first, &ASKED).ok();
        let kept = lease_of(&first, 7);
        hand_over(&kept);
        // It refers to the interface, which the hook of `first` made.
        let mut second = lab.container_in(&first, "second");
        lab.attach(&second, &ASKED).ok();
        // And this one to nothing, but it is in the namespace.
        let mut third = lab.container_in(&first, "third");
        first.kill();
        std::thread::sleep(Duration::from_millis(50));
        assert!(is_kept(&kept.id));
        second.kill();
        std::thread::sleep(Duration::from_millis(300));
        assert!(is_kept(&kept.id));
        assert_eq!(ports(), 1);
        third.kill();
        within("the lease ends", || !is_kept(&kept.id));
    });
}

#[test]
fn a_lease_that_is_not_written_down_or_whose_container_is_gone_is_refused() {
    lab!(|lab| {
        let _daemon = Daemon::start();
        let mut web = lab.container("web");
        let kept = lease_of(&web, 7);
        let refused = |wanted: &Refusal| {
            let answer = keeper::hand_over(&kept.id, Vec::new(), soon());
            let Err(KeeperError::Refused(refusal)) = answer else {
                panic!("{answer:?}");
            };
            assert_eq!(&refusal, wanted);
        };
        refused(&Refusal::Unknown);
        store().keep_lease(&kept).unwrap();
        web.kill();
        refused(&Refusal::Gone);
        assert!(!is_kept(&kept.id));
    });
}

#[test]
fn a_lease_of_a_container_that_ended_without_a_daemon_is_given_back_by_the_next() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        ip("addr add 10.0.0.1/24 dev br0");
        let server = Server::start(lab, &machine, |_| Vec::new());
        let mut web = lab.container("web");
        let mut kept = lease_of(&web, 7);
        kept.release = true;
        store().keep_lease(&kept).unwrap();
        web.kill();
        // Who has come to use the address since keeps it.
        let next = lab.container("web-again");
        let mut again = lease_of(&next, 7);
        again.identity = kept.identity.clone();
        store().keep_lease(&again).unwrap();
        let daemon = Daemon::start();
        within("the lease ends", || !is_kept(&kept.id));
        daemon.kill();
        store().keep_lease(&kept).unwrap();
        store().forget_lease(&again.id).unwrap();
        let _daemon = Daemon::start();
        within("it is given back", || !server.heard().is_empty());
        let [release] = &server.heard()[..] else {
            panic!("{:?}", server.kinds());
        };
        assert_eq!(release.kind(), Some(MessageType::Release));
        assert_eq!(release.ciaddr, Ipv4Addr::new(10, 0, 0, 5));
    });
}

#[test]
fn gc_forgets_leases_of_the_dead_and_of_former_boots_and_no_others() {
    lab!(|lab| {
        let (mut dead, alive) = (lab.container("dead"), lab.container("alive"));
        let gone = lease_of(&dead, 7);
        let stays = lease_of(&alive, 7);
        let mut former = lease_of(&alive, 8);
        former.id.namespace.boot_id = "00000000-0000-0000-0000-000000000000".to_owned();
        // A record is reason enough, though no process is named.
        lab.bridge("br0");
        let attached = lab.container("attached");
        lab.attach(&attached, &ASKED).ok();
        let mut recorded = lease_of(&attached, 7);
        recorded.keepers.clear();
        for kept in [&gone, &stays, &former, &recorded] {
            store().keep_lease(kept).unwrap();
        }
        dead.kill();
        lab.gc().ok();
        let kept = [&gone, &stays, &former, &recorded].map(|kept| is_kept(&kept.id));
        assert_eq!(kept, [false, true, false, true]);
    });
}
