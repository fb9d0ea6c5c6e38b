//! What happens at T1, at T2 and at the end of a lease, with servers that answer,
//! refuse, change their minds and are silent (RFC 2131 §4.4.5).

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pipework::dhcp::lease::{LeaseRoute, Times};
use pipework::dhcp::options::code;
use pipework::dhcp::v4::Bound;
use pipework::dhcp::wire::{Message, MessageType};
use pipework::record::{Kept, Wishes};
use pipework::sys::clock::since_boot;
use serde_json::Value;

use crate::process::{Daemon, hand_over, is_kept, lease_of, store, within};
use crate::server::{Server, answer, grants, timed};
use crate::support::lab::{Container, Lab, ip, ip_json, lab};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);
/// Seconds of the leases here: the shortest that the client believes in.
const LEASE: u32 = 10;

/// A container with `eth1` on a LAN, and a lease for it that its hook got and
/// applied just now.
pub fn leased(lab: &Lab, id: &str, renewal: u32, rebinding: u32) -> (Container, Kept) {
    let container = lab.container(id);
    let pid = container.pid();
    ip(&format!(
        "link add to-{id} type veth peer name eth1 address 02:00:00:00:00:05 netns {pid}"
    ));
    ip(&format!("link set to-{id} master br0 up"));
    let index = lab.inside(&container, || {
        ip("link set eth1 up");
        ip(&format!(
            "addr add {ADDRESS}/24 dev eth1 valid_lft {LEASE} preferred_lft {LEASE}"
        ));
        ip_json("link show eth1")[0]["ifindex"].as_u64().unwrap()
    });
    let mut kept = lease_of(&container, u32::try_from(index).unwrap());
    let kept4 = kept.dhcp4.as_mut().unwrap();
    let mut lease = kept4.bound.as_ref().unwrap().lease.clone();
    lease.times = Some(Times {
        renewal,
        rebinding,
        lease: LEASE,
    });
    kept4.bound = Some(Bound::new(lease, since_boot()));
    kept4.wishes = Wishes {
        default_route: true,
        metric: None,
        mtu: Some(1500),
        ..Wishes::default()
    };
    (container, kept)
}

/// The addresses of `eth1`, with the seconds that are left of them.
fn addresses(lab: &Lab, container: &Container) -> Vec<(String, u64)> {
    let told = lab.inside(container, || ip_json("-4 addr show dev eth1"));
    let told = told[0]["addr_info"].as_array().cloned().unwrap_or_default();
    let address = |info: &Value| {
        let seconds = info["valid_life_time"].as_u64().unwrap_or(u64::MAX);
        (info["local"].as_str().unwrap().to_owned(), seconds)
    };
    told.iter().map(address).collect()
}

pub fn names(lab: &Lab, container: &Container) -> Vec<String> {
    let addresses = addresses(lab, container).into_iter();
    addresses.map(|(address, _)| address).collect()
}

fn has_bound(kept: &Kept) -> Option<Bound> {
    store().lease(&kept.id).unwrap()?.dhcp4?.bound
}

/// Answers what a client asks for with leases of [`LEASE`] seconds.
fn willing(message: &Message) -> Vec<Message> {
    grants(message, ADDRESS, LEASE)
}

#[test]
fn at_t1_its_server_is_asked_and_the_kernel_is_told_the_new_end() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Server::start(lab, &machine, willing);
        let _daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 2, 5);
        let since = kept.dhcp4.as_ref().unwrap().bound.as_ref().unwrap().since;
        hand_over(&kept);
        within("the lease is renewed", || {
            has_bound(&kept).is_some_and(|bound| bound.since > since)
        });
        let heard = server.heard();
        let [request] = &heard[..] else {
            panic!("{heard:?}");
        };
        assert_eq!(request.kind(), Some(MessageType::Request));
        assert_eq!(request.ciaddr, ADDRESS);
        for option in [code::REQUESTED_ADDRESS, code::SERVER_ID] {
            assert_eq!(request.options.get(option), None, "RFC 2131 table 5");
        }
        within(
            "the end has moved",
            || matches!(&addresses(lab, &web)[..], [(_, left)] if *left >= 9),
        );
    });
}

#[test]
fn at_t2_any_server_is_asked_and_the_one_that_answers_is_asked_from_then_on() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        // The first server is gone; its partner only hears what goes to all.
        let server = Server::start(lab, &machine, |message| {
            let mut answers = willing(message);
            for answer in &mut answers {
                answer.options.set(code::SERVER_ID, [10, 0, 0, 3]);
            }
            answers
        });
        lab.inside(&machine, || ip("addr add 10.0.0.3/24 dev wire"));
        let _daemon = Daemon::start();
        let (_web, mut kept) = leased(lab, "web", 1, 3);
        let bound = kept.dhcp4.as_mut().unwrap().bound.as_mut().unwrap();
        bound.lease.server = Ipv4Addr::new(10, 0, 0, 77);
        hand_over(&kept);
        within("another server is", || {
            has_bound(&kept).is_some_and(|b| b.lease.server == Ipv4Addr::new(10, 0, 0, 3))
        });
        let request = &server.heard()[0];
        assert_eq!(request.ciaddr, ADDRESS);
        assert_eq!(request.options.get(code::SERVER_ID), None);
    });
}

#[test]
fn without_an_answer_the_address_goes_at_the_end_and_is_asked_for_again() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let mut requests = 0;
        let server = Server::start(lab, &machine, move |message| {
            // Silent until somebody begins anew.
            requests += u32::from(message.kind() == Some(MessageType::Discover));
            if requests > 1 {
                willing(message)
            } else {
                Vec::new()
            }
        });
        let _daemon = Daemon::start();
        let start = Instant::now();
        let (web, kept) = leased(lab, "web", 1, 3);
        hand_over(&kept);
        within("the address is gone", || names(lab, &web).is_empty());
        let lasted = start.elapsed();
        assert!(lasted.as_secs() >= 9, "{lasted:?}");
        within("it has a lease again", || names(lab, &web) == ["10.0.0.5"]);
        assert!(server.kinds().contains(&MessageType::Discover));
        assert!(has_bound(&kept).is_some());
    });
}

#[test]
fn a_refusal_takes_the_address_away_at_once_and_another_is_asked_for() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let mut refused = false;
        let _server = Server::start(lab, &machine, move |message| {
            let kind = match message.kind() {
                Some(MessageType::Discover) => MessageType::Offer,
                Some(MessageType::Request) if refused => MessageType::Ack,
                Some(MessageType::Request) => MessageType::Nak,
                _ => return Vec::new(),
            };
            refused = true;
            vec![answer(message, kind, OTHER, LEASE)]
        });
        let _daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 1, 5);
        hand_over(&kept);
        within("it has another address", || {
            names(lab, &web) == ["10.0.0.6"]
        });
    });
}

#[test]
fn what_a_renewal_changes_is_changed_and_what_it_leaves_out_goes() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let mut times = 0;
        let _server = Server::start(lab, &machine, move |message| {
            times += 1;
            let mut ack = answer(message, MessageType::Ack, ADDRESS, LEASE);
            if times == 1 {
                ack.options.set(code::ROUTERS, [10, 0, 0, 9]);
                ack.options.set(code::INTERFACE_MTU, 1400_u16.to_be_bytes());
            }
            vec![timed(ack, 2, 9)]
        });
        let _daemon = Daemon::start();
        let (web, mut kept) = leased(lab, "web", 1, 5);
        // Before: a router, 10.0.0.2.
        let kept4 = kept.dhcp4.as_mut().unwrap();
        let route = LeaseRoute {
            destination: "0.0.0.0/0".parse().unwrap(),
            via: Some(Ipv4Addr::new(10, 0, 0, 2)),
        };
        kept4.bound.as_mut().unwrap().lease.routes.push(route);
        hand_over(&kept);
        let gateway = || {
            let routes = lab.inside(&web, || ip_json("route show default"));
            routes[0]["gateway"].as_str().map(str::to_owned)
        };
        let mtu = || lab.inside(&web, || ip_json("link show eth1")[0]["mtu"].as_u64());
        within("the router is another", || {
            gateway().as_deref() == Some("10.0.0.9")
        });
        assert_eq!(mtu(), Some(1400));
        within("there is none any more", || gateway().is_none());
        within("the MTU is what it was", || mtu() == Some(1500));
        assert_eq!(names(lab, &web), ["10.0.0.5"]);
    });
}

/// The kernel could change it by taking the address away alone, and its routes with it.
#[test]
fn a_renewal_that_changes_the_broadcast_address_keeps_address_and_routes() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Server::start(lab, &machine, |message| {
            let mut ack = answer(message, MessageType::Ack, ADDRESS, LEASE);
            ack.options.set(code::BROADCAST_ADDRESS, [255; 4]);
            vec![timed(ack, 2, 9)]
        });
        let _daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 1, 5);
        lab.inside(&web, || ip("route add 10.9.0.0/16 via 10.0.0.2"));
        let told = || {
            let told = lab.inside(&web, || ip_json("-4 addr show dev eth1"));
            told[0]["addr_info"][0]["broadcast"].clone()
        };
        let before = told();
        hand_over(&kept);
        within("it is renewed", || {
            let bound = has_bound(&kept).unwrap();
            bound.lease.broadcast == Some(Ipv4Addr::BROADCAST)
        });
        within("it is renewed again", || {
            let since = |bound: Bound| bound.since > has_since(&kept) + Duration::from_secs(2);
            has_bound(&kept).is_some_and(since)
        });
        assert_eq!(told(), before);
        assert_eq!(names(lab, &web), ["10.0.0.5"]);
        let routes = lab.inside(&web, || ip_json("route show 10.9.0.0/16"));
        assert_eq!(routes[0]["gateway"], "10.0.0.2", "{routes}");
    });
}

#[test]
fn a_renewal_may_shorten_the_lease_and_change_mask_and_routes() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let narrow = Arc::new(AtomicBool::new(false));
        let is_narrow = Arc::clone(&narrow);
        let _server = Server::start(lab, &machine, move |message| {
            let mut ack = answer(message, MessageType::Ack, ADDRESS, LEASE);
            if !is_narrow.load(Ordering::Relaxed) {
                ack.options.set(code::SUBNET_MASK, [255, 255, 0, 0]);
                let routes = vec![16, 10, 9, 10, 0, 0, 3];
                ack.options.set(code::CLASSLESS_ROUTES, routes);
            }
            vec![timed(ack, 3, 9)]
        });
        let _daemon = Daemon::start();
        let (web, mut kept) = leased(lab, "web", 1, 5);
        lab.inside(&web, || ip(&format!("addr replace {ADDRESS}/24 dev eth1")));
        let bound = kept.dhcp4.as_mut().unwrap().bound.as_mut().unwrap();
        bound.lease.times.as_mut().unwrap().lease = 3600;
        hand_over(&kept);
        let prefixes = || {
            let told = lab.inside(&web, || ip_json("-4 addr show dev eth1"));
            let told = told[0]["addr_info"].as_array().cloned().unwrap_or_default();
            let prefixes = told.iter().map(|info| info["prefixlen"].as_u64().unwrap());
            prefixes.collect::<Vec<u64>>()
        };
        let routes = || {
            let routes = lab.inside(&web, || ip_json("route show dev eth1"));
            let routes = routes.as_array().unwrap().iter();
            let mut to: Vec<String> = routes
                .map(|route| route["dst"].as_str().unwrap().to_owned())
                .collect();
            to.sort();
            to
        };
        let [all, far, near] = ["10.0.0.0/16", "10.9.0.0/16", "10.0.0.0/24"];
        within("its mask is another", || prefixes() == [16]);
        within("a route is there", || routes() == [all, far]);
        // Of an hour nothing is left.
        assert!(addresses(lab, &web)[0].1 <= u64::from(LEASE));
        narrow.store(true, Ordering::Relaxed);
        within("its mask is what it was", || prefixes() == [24]);
        within("the route is gone", || routes() == [near]);
        assert_eq!(names(lab, &web), ["10.0.0.5"]);
    });
}

#[test]
fn an_interface_that_was_renamed_is_renewed_and_one_that_is_gone_is_let_go() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Server::start(lab, &machine, willing);
        let _daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 1, 5);
        let since = has_since(&kept);
        hand_over(&kept);
        lab.inside(&web, || ip("link set eth1 name lan0"));
        within("it is renewed", || {
            has_bound(&kept).is_some_and(|bound| bound.since > since)
        });
        ip("link del to-web");
        within("the lease is let go", || !is_kept(&kept.id));
    });
}

fn has_since(kept: &Kept) -> Duration {
    kept.dhcp4.as_ref().unwrap().bound.as_ref().unwrap().since
}
