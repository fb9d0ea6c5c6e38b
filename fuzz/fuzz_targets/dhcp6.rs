//! Any bytes as what a server of DHCPv6 sends: decoded, and given to a client
//! that waits for them.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pipework::dhcp::v6::wire::Message;
use pipework::dhcp::v6::{Action, Config, Event, Machine, Purpose};

fuzz_target!(|bytes: &[u8]| {
    let Some(mut message) = Message::read(bytes) else {
        return;
    };
    assert_eq!(Message::read(&message.write()), Some(message.clone()));
    let config = Config {
        duid: vec![0, 3, 0, 1, 2, 0, 0, 0, 0, 5],
        iaid: 1,
        host_name: None,
        rapid_commit: true,
        purpose: Purpose::Address,
    };
    let mut machine = Machine::new(config, None, 1);
    let mut now = Duration::ZERO;
    let mut actions = machine.on(&Event::Start, now);
    for _ in 0..4 {
        // The answer to whatever was asked last.
        if let Some(Action::Send { message: asked, .. }) = actions.last() {
            message.xid = asked.xid;
        }
        let _ = machine.on(&Event::Received(&message), now);
        now += Duration::from_secs(1);
        actions = machine.on(&Event::Timer, now);
    }
});
