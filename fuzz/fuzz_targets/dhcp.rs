//! Any bytes as what comes in on a packet socket: taken out of their frame,
//! decoded, and given to a client that waits for them.
#![no_main]

use std::time::Duration;

use dhcproto::{Decodable, Decoder, v4};
use libfuzzer_sys::fuzz_target;
use pipework::dhcp::frame;
use pipework::dhcp::v4::{Action, Config, Event, Machine};
use pipework::dhcp::wire::{Hardware, Message};
use pipework::sys::arp;

fuzz_target!(|bytes: &[u8]| {
    let _ = arp::read(bytes);
    let inner = frame::message_in(bytes).unwrap_or(bytes);
    let Some(mut message) = Message::read(inner) else {
        return;
    };
    agree(inner, &message);
    // What was overloaded is written plainly, and then stays as it is.
    let again = Message::read(&message.write());
    assert_eq!(again.as_ref().map(Message::write), Some(message.write()));
    let hardware = Hardware::Ethernet([2, 0, 0, 0, 0, 5]);
    message.hardware = Some(hardware);
    let config = Config {
        hardware,
        client_id: vec![1, 2, 0, 0, 0, 0, 5],
        host_name: None,
        vendor_class: None,
        user_class: None,
        fqdn: None,
        broadcast: false,
        probes: false,
        servers: Vec::new(),
    };
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

/// Another codec makes the same of the fixed fields. Options it does not see:
/// some of wrong lengths make it panic.
fn agree(bytes: &[u8], our: &Message) {
    let mut fixed = bytes.get(..240).unwrap_or_default().to_vec();
    fixed.push(255);
    let Ok(their) = v4::Message::decode(&mut Decoder::new(&fixed)) else {
        return;
    };
    assert_eq!((our.xid, our.secs), (their.xid(), their.secs()));
    assert_eq!(our.broadcast, their.flags().broadcast());
    assert_eq!((our.ciaddr, our.yiaddr), (their.ciaddr(), their.yiaddr()));
    assert_eq!((our.siaddr, our.giaddr), (their.siaddr(), their.giaddr()));
    if let Some(Hardware::Ethernet(mac)) = our.hardware {
        assert_eq!(&mac[..], their.chaddr());
    }
}
