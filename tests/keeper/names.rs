//! What a container's files say of names, while its lease changes.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pipework::dhcp::options::code;
use pipework::dhcp::wire::MessageType;
use pipework::plan::{FileUndo, Follows, Undo};
use pipework::record::{Kept, Unsaid};
use pipework::rt::{ContainerFile, FilePlace, Resolver, hosts_text, is_sealed};

use crate::process::{Daemon, hand_over, soon, store, within};
use crate::renewals::{leased, names};
use crate::server::{Server, answer, grants, timed};
use crate::support::lab::{Container, Lab, ip_json, lab};

const OLD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const NEW: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);
const HOSTS: &str = "127.0.0.1 localhost\n";
const ROOT: &str = "/run/root-of-web";

fn read(file: &str) -> String {
    fs::read_to_string(format!("{ROOT}/etc/{file}")).unwrap()
}

/// Writes the files as a hook does that has a lease with the server 10.0.0.2,
/// and hands the lease over.
fn hand_over_with_files(lab: &Lab, web: &Container, mut kept: Kept, former: &str) -> Kept {
    let asked = ["pipework.eth7.bridge=br0", "pipework.eth7.ip=10.0.0.77/24"];
    lab.attach(web, &asked).ok();
    let resolver = Resolver {
        servers: vec![(Ipv4Addr::new(10, 0, 0, 2).into(), kept.ifname.clone())],
        search: vec!["old.lan".to_owned()],
    };
    let resolv = resolver.text(Some(former));
    let hosts = hosts_text(OLD.into(), &["web"], Some(HOSTS)).unwrap();
    fs::create_dir_all(format!("{ROOT}/etc")).unwrap();
    let mut record = store().read(&kept.id.namespace).unwrap().complete.unwrap();
    let files = [
        (ContainerFile::Resolv, former, resolv),
        (ContainerFile::Hosts, HOSTS, hosts),
    ];
    for (file, former, text) in files {
        fs::write(format!("{ROOT}/etc/{}", file.name()), &text).unwrap();
        let place = FilePlace::Root {
            root: PathBuf::from(ROOT),
        };
        record.attachments[0].undo.push(Undo::File(FileUndo {
            file,
            place,
            former: Some(former.to_owned()),
            written: Some(text),
        }));
    }
    store().rewrite(&record).unwrap();
    let lease = &mut kept.dhcp4.as_mut().unwrap().bound.as_mut().unwrap().lease;
    lease.dns = vec![Ipv4Addr::new(10, 0, 0, 2)];
    lease.domain = Some("old.lan".to_owned());
    hand_over(&kept);
    kept
}

/// Renews leases, with another server and domain each time, and with another
/// address from the third question on.
fn changing(lab: &Lab, machine: &Container) -> Server {
    let mut times = 0;
    Server::start(lab, machine, move |message| {
        times += 1;
        let address = if times > 2 { NEW } else { OLD };
        let mut ack = answer(message, MessageType::Ack, address, 10);
        ack.options.set(code::DNS_SERVERS, [10, 0, 0, 9]);
        ack.options.set(code::DOMAIN_NAME, *b"new.lan");
        vec![timed(ack, 1, 9)]
    })
}

#[test]
fn the_files_of_a_container_say_what_its_lease_says_by_now_and_come_back_at_the_end() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = changing(lab, &machine);
        let _daemon = Daemon::start();
        let (mut web, kept) = leased(lab, "web", 1, 5);
        let former = "options ndots:2\n";
        hand_over_with_files(lab, &web, kept, former);

        within("the server is another", || {
            read("resolv.conf").contains("nameserver 10.0.0.9\n")
        });
        let resolv = read("resolv.conf");
        assert!(
            is_sealed(&resolv) && resolv.contains("search new.lan\n"),
            "{resolv}"
        );
        assert!(
            resolv.contains("options ndots:2\n") && !resolv.contains("10.0.0.2"),
            "{resolv}"
        );
        within("the name has the new address", || {
            read("hosts").contains("10.0.0.6\tweb\n")
        });
        web.kill();
        within("what stood there is there", || {
            read("resolv.conf") == former && read("hosts") == HOSTS
        });
    });
}

#[test]
fn a_name_server_that_somebody_wrote_stays_although_the_lease_said_the_same() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = changing(lab, &machine);
        let _daemon = Daemon::start();
        let (_web, mut kept) = leased(lab, "web", 1, 5);
        kept.follows = Follows {
            servers: None,
            search: Some(vec!["old.lan".to_owned()]),
        };
        hand_over_with_files(lab, &_web, kept, "");
        // The address comes with the answer after the one that brought names.
        within("the name has the new address", || {
            read("hosts").contains("10.0.0.6\tweb\n")
        });
        let resolv = read("resolv.conf");
        assert!(resolv.contains("nameserver 10.0.0.2\n"), "{resolv}");
        assert!(!resolv.contains("10.0.0.9"), "{resolv}");
        assert!(resolv.contains("search old.lan\n"), "{resolv}");
    });
}

/// The address and what leads over it must not be used any more, and nobody answers
/// for its name servers: those of before the lease are all that is left.
#[test]
fn at_the_end_of_a_lease_its_routes_and_names_go_until_the_next() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let again = Arc::new(AtomicBool::new(false));
        let (is_again, mut renewals) = (Arc::clone(&again), 0);
        // It renews once, and is silent then until it is told to begin again.
        let _server = Server::start(lab, &machine, move |message| {
            let begins = is_again.load(Ordering::Relaxed);
            let (address, server) = if begins { (NEW, 8) } else { (OLD, 9) };
            let mut answers = grants(message, address, 10);
            renewals += usize::from(!begins);
            if !begins && renewals > 1 {
                answers.clear();
            }
            for answer in &mut answers {
                answer.options.set(code::DNS_SERVERS, [10, 0, 0, server]);
                answer.options.set(code::ROUTERS, [10, 0, 0, 2]);
            }
            answers
        });
        let _daemon = Daemon::start();
        let (mut web, kept) = leased(lab, "web", 1, 5);
        let former = "nameserver 10.89.0.1\noptions ndots:2\n";
        hand_over_with_files(lab, &web, kept, former);
        let routes = || lab.inside(&web, || ip_json("-4 route show dev eth1"));
        let count = || routes().as_array().unwrap().len();
        within("it is renewed with a router", || count() == 2);
        within("the name server is known", || {
            read("resolv.conf").contains("nameserver 10.0.0.9\n")
        });
        within("the address is gone", || names(lab, &web).is_empty());
        within("its routes went with it", || count() == 0);
        within("its names went with it", || {
            let resolv = read("resolv.conf");
            let names = ["10.0.0.9", "old.lan"];
            is_sealed(&resolv) && !names.iter().any(|name| resolv.contains(name))
        });
        let resolv = read("resolv.conf");
        assert!(resolv.ends_with(former), "{resolv}");
        again.store(true, Ordering::Relaxed);
        within("the next lease brings another", || {
            read("resolv.conf").contains("nameserver 10.0.0.8\n")
        });
        let resolv = read("resolv.conf");
        assert!(
            !resolv.contains("10.0.0.9") && !resolv.contains("10.89.0.1"),
            "{resolv}"
        );
        within("and its routes", || count() == 2);
        web.kill();
        within("what stood there is there", || {
            read("resolv.conf") == former
        });
    });
}

/// Somebody is at work in the namespace at the end of a lease, and once more when the
/// next one begins.
#[test]
fn what_could_not_be_written_of_names_is_written_when_nobody_is_in_the_way() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let gives = Arc::new(AtomicBool::new(false));
        let is_giving = Arc::clone(&gives);
        let _server = Server::start(lab, &machine, move |message| {
            let mut answers = match is_giving.load(Ordering::Relaxed) {
                true => grants(message, NEW, 10),
                false => Vec::new(),
            };
            for answer in &mut answers {
                answer.options.set(code::DNS_SERVERS, [10, 0, 0, 8]);
            }
            answers
        });
        let daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 1, 5);
        let former = "nameserver 10.89.0.1\n";
        let kept = hand_over_with_files(lab, &web, kept, former);
        let unsaid = || {
            let kept = store().lease(&kept.id).unwrap().unwrap();
            kept.dhcp4.unwrap().unsaid
        };
        // As a start in the same namespace has it, for longer than the daemon waits.
        let lock = || store().lock_namespace(&kept.id.namespace, soon()).unwrap();
        let begun = lock();
        within("the end is owed", || unsaid() == Some(Unsaid::End));
        within("the address is gone", || names(lab, &web).is_empty());
        assert!(read("resolv.conf").contains("nameserver 10.0.0.2\n"));
        drop(begun);
        within("its names are gone", || {
            read("resolv.conf").ends_with(former) && unsaid().is_none()
        });

        let begun = lock();
        gives.store(true, Ordering::Relaxed);
        within("it has another", || names(lab, &web) == ["10.0.0.6"]);
        within("its names are owed", || unsaid().is_some());
        daemon.kill();
        assert!(read("resolv.conf").ends_with(former));
        drop(begun);
        let _daemon = Daemon::start();
        within("the next daemon writes them", || {
            read("resolv.conf").contains("nameserver 10.0.0.8\n") && unsaid().is_none()
        });
        assert!(read("hosts").contains("10.0.0.6\tweb\n"));
    });
}

/// A person gives a lease back while somebody is at work in the namespace.
#[test]
fn a_lease_that_is_given_back_takes_its_names_along_once_nobody_is_in_the_way() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let asked = Arc::new(AtomicBool::new(false));
        let is_asked = Arc::clone(&asked);
        let _server = Server::start(lab, &machine, move |message| {
            let is_release = message.kind() == Some(MessageType::Release);
            is_asked.fetch_or(!is_release, Ordering::Relaxed);
            Vec::new()
        });
        let daemon = Daemon::start();
        let (web, kept) = leased(lab, "web", 1000, 2000);
        let former = "nameserver 10.89.0.1\n";
        let kept = hand_over_with_files(lab, &web, kept, former);
        let lock = store().lock_namespace(&kept.id.namespace, soon());
        pipework::keeper::release(&kept.id).unwrap();
        within("the address is gone", || names(lab, &web).is_empty());
        let has_left = || {
            let kept = store().lease(&kept.id).unwrap();
            kept.is_some_and(|kept| kept.has_left)
        };
        within("its names are owed", has_left);
        assert!(read("resolv.conf").contains("nameserver 10.0.0.2\n"));
        daemon.kill();
        let _daemon = Daemon::start();
        drop(lock);
        within("its names are gone", || {
            read("resolv.conf").ends_with(former) && store().lease(&kept.id).unwrap().is_none()
        });
        assert!(!asked.load(Ordering::Relaxed), "it asks for another");
    });
}
