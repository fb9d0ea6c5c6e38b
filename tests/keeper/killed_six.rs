//! A daemon that is killed in each state of a client of DHCPv6 (RFC 8415 §18.2):
//! the next one goes on from what is on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pipework::dhcp::v6::wire::MessageType;
use pipework::record::Kept;

use crate::carriers::replug;
use crate::moved::port;
use crate::process::{Daemon, store, within};
use crate::six::{ASKED, count, has_address};
use crate::support::dhcp6_server::{GIVEN, Scripted6, lan6, ordinary};
use crate::support::lab::{Container, Lab, lab};

/// T1, T2, preferred and valid lifetime: what asks soon, and ends after the test.
const SOON: [u32; 4] = [2, 5, 3000, 3600];
/// What asks after a while.
const LATER: [u32; 4] = [8, 1800, 3000, 3600];
/// What ends: the shortest that the client believes in.
const BRIEF: [u32; 4] = [2, 5, 8, 10];

/// A server that is silent to some messages while it is not told to answer all.
struct Taciturn {
    server: Scripted6,
    answers_all: Arc<AtomicBool>,
}

impl Taciturn {
    fn on(lab: &Lab, times: [u32; 4], unheard: &'static [MessageType]) -> Self {
        let machine = lan6(lab);
        let answers_all = Arc::new(AtomicBool::new(false));
        let answers = Arc::clone(&answers_all);
        let server = Scripted6::on(lab, &machine, move |message, _| {
            let is_unheard = unheard.contains(&message.kind);
            match is_unheard && !answers.load(Ordering::Relaxed) {
                true => Vec::new(),
                false => ordinary(message, GIVEN, times),
            }
        });
        Self {
            server,
            answers_all,
        }
    }

    fn answer_all(&self, all: bool) {
        self.answers_all.store(all, Ordering::Relaxed);
    }

    fn heard(&self, kind: MessageType) -> usize {
        count(&self.server, kind)
    }
}

/// When the only lease was given.
fn since() -> Option<Duration> {
    let leases = store().leases().unwrap().into_iter();
    let kept: Option<Kept> = leases.map(Result::unwrap).next();
    Some(kept?.dhcp6?.bound?.since)
}

/// Takes the carrier of the only container on br0 away and gives it back.
fn replug_the_port() {
    replug(&port());
}

/// A lease of a hook, whose daemon is killed while it waits for the answer to
/// `asks`: another renews or rebinds it, and there is no gap.
fn goes_on(times: [u32; 4], unheard: &'static [MessageType], asks: MessageType, begin: fn()) {
    lab!(move |lab| {
        let taciturn = Taciturn::on(lab, times, unheard);
        let daemon = Daemon::start();
        let web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        let first = since().unwrap();
        let of_the_hook = taciturn.heard(MessageType::Solicit);
        begin();
        within("it asks", || taciturn.heard(asks) > 0);
        daemon.kill();
        assert!(has_address(lab, &web));
        assert_eq!(since(), Some(first), "it has no answer");
        taciturn.answer_all(true);
        let asked = taciturn.heard(asks);
        let _daemon = Daemon::start();
        if asks == MessageType::Confirm {
            within("it asks again at once", || taciturn.heard(asks) > asked);
        }
        within("its time goes on", || {
            assert!(has_address(lab, &web), "a gap");
            since().is_some_and(|since| since > first)
        });
        assert_eq!(taciturn.heard(MessageType::Solicit), of_the_hook);
    });
}

#[test]
fn killed_while_it_renews_an_ipv6_lease_it_goes_on_without_a_gap() {
    let unheard = &[MessageType::Renew, MessageType::Rebind];
    goes_on(SOON, unheard, MessageType::Renew, || {});
}

#[test]
fn killed_while_it_rebinds_an_ipv6_lease_it_goes_on_without_a_gap() {
    let unheard = &[MessageType::Renew, MessageType::Rebind];
    goes_on(SOON, unheard, MessageType::Rebind, || {});
}

#[test]
fn killed_while_it_has_an_ipv6_lease_confirmed_it_goes_on_without_a_gap() {
    let unheard = &[
        MessageType::Confirm,
        MessageType::Renew,
        MessageType::Rebind,
    ];
    goes_on(LATER, unheard, MessageType::Confirm, replug_the_port);
}

fn gets_one(lab: &Lab, web: &Container, taciturn: &Taciturn) {
    taciturn.answer_all(true);
    let _daemon = Daemon::start();
    within("it has an address", || has_address(lab, web));
}

/// A start in the background, whose daemon is killed while it waits for the answer
/// to `asks`.
fn asks_again(unheard: &'static [MessageType], asks: MessageType) {
    lab!(move |lab| {
        let taciturn = Taciturn::on(lab, LATER, unheard);
        let daemon = Daemon::start();
        let web = lab.container("web");
        let background = [
            "pipework.dhcp.timeout=300ms",
            "pipework.dhcp.fallback=background",
        ];
        lab.attach(&web, &[&ASKED[..], &background].concat()).ok();
        let of_the_hook = taciturn.heard(asks);
        within("the daemon asks", || taciturn.heard(asks) > of_the_hook);
        daemon.kill();
        assert!(!has_address(lab, &web));
        gets_one(lab, &web, &taciturn);
    });
}

#[test]
fn killed_while_it_asks_for_an_ipv6_address_it_asks_again() {
    asks_again(&[MessageType::Solicit], MessageType::Solicit);
    asks_again(&[MessageType::Request], MessageType::Request);
}

#[test]
fn killed_after_the_end_of_an_ipv6_lease_it_asks_again() {
    lab!(|lab| {
        let all = &[
            MessageType::Renew,
            MessageType::Rebind,
            MessageType::Solicit,
        ];
        let taciturn = Taciturn::on(lab, BRIEF, all);
        let daemon = Daemon::start();
        let web = lab.container("web");
        taciturn.answer_all(true);
        lab.attach(&web, &ASKED).ok();
        taciturn.answer_all(false);
        let of_the_hook = taciturn.heard(MessageType::Solicit);
        within("it has ended", || {
            taciturn.heard(MessageType::Solicit) > of_the_hook && !has_address(lab, &web)
        });
        daemon.kill();
        gets_one(lab, &web, &taciturn);
    });
}
