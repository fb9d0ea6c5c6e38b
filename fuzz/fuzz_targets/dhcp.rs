//! Any bytes as what comes in on a packet socket: taken out of their frame,
//! decoded as another codec decodes it, and given to a client that waits for it.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pipework::dhcp::frame;
use pipework::dhcp::v4::{Action, Config, Event, Machine};
use pipework::dhcp::wire::{Hardware, Message};
use pipework::sys::arp;

#[path = "../../tests/support/dhcp_oracle.rs"]
mod oracle;

fuzz_target!(|bytes: &[u8]| {
    let _ = arp::read(bytes);
    let inner = frame::message_in(bytes).unwrap_or(bytes);
    let Some(mut message) = Message::read(inner) else {
        return;
    };
    oracle::agree(inner, &message);
    // What was overloaded is written plainly, and then stays as it is.
    let again = Message::read(&message.write());
    assert_eq!(again.as_ref().map(Message::write), Some(message.write()));
    let hardware = Hardware::Ethernet([2, 0, 0, 0, 0, 5]);
    message.hardware = Some(hardware);
    let config = Config::new(hardware, vec![1, 2, 0, 0, 0, 0, 5]);
    let mut machine = Machine::new(config, None, 1);
    let mut now = Duration::ZERO;
    let mut actions = machine.on(&Event::Start, now);
    for _ in 0..4 {
        // The answer to whatever was asked last.
        if let Some(Action::Broadcast(asked)) = actions.last() {
            message.xid = asked.xid;
        }
        for action in machine.on(&Event::Received(&message), now) {
            if let Action::Apply(lease) = action {
                let host = lease.address.addr();
                assert!(!host.is_unspecified() && !host.is_multicast() && !host.is_broadcast());
            }
        }
        now += Duration::from_secs(1);
        actions = machine.on(&Event::Timer, now);
    }
});
