//! A DHCP server that does what a test says: right, wrong, late or nothing.
//!
//! It listens on UDP port 67 in the namespace of one machine; what it hears is
//! kept, and a script answers each message with any number of others.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use pipework::dhcp::options::code;
use pipework::dhcp::wire::{Message, MessageType, Op};

use crate::support::dhcp_server::bind;
use crate::support::lab::{Container, Lab};

/// How often the server looks whether it shall end.
const TICK: Duration = Duration::from_millis(20);

/// What was heard.
pub type Heard = Arc<Mutex<Vec<Message>>>;

/// A running server, which ends when this goes.
pub struct Server {
    heard: Heard,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts one on `wire` of a machine of the lab. `script` is called for each
    /// message that comes in.
    pub fn start(
        lab: &Lab,
        machine: &Container,
        mut script: impl FnMut(&Message) -> Vec<Message> + Send + 'static,
    ) -> Self {
        let socket = lab.inside(machine, || {
            let socket = bind((Ipv4Addr::UNSPECIFIED, 67));
            socket.set_broadcast(true).unwrap();
            socket.set_read_timeout(Some(TICK)).unwrap();
            // Who has no other route sends to all by this one.
            crate::support::lab::ip("route replace 255.255.255.255/32 dev wire");
            socket
        });
        let (heard, ends) = (Heard::default(), Arc::new(AtomicBool::new(false)));
        let (log, stop) = (heard.clone(), ends.clone());
        let thread = std::thread::spawn(move || {
            let mut bytes = [0; 2048];
            while !stop.load(Ordering::Relaxed) {
                let Ok((length, _)) = socket.recv_from(&mut bytes) else {
                    continue;
                };
                let Some(message) = Message::read(&bytes[..length]) else {
                    continue;
                };
                log.lock().unwrap().push(message.clone());
                for answer in script(&message) {
                    // RFC 2131 §4.1: to who has an address by that, else to all.
                    let to = if message.ciaddr.is_unspecified() {
                        Ipv4Addr::BROADCAST
                    } else {
                        message.ciaddr
                    };
                    socket.send_to(&answer.write(), (to, 68)).ok();
                }
            }
        });
        Self {
            heard,
            ends,
            thread: Some(thread),
        }
    }

    /// Everything that was heard so far.
    pub fn heard(&self) -> Vec<Message> {
        self.heard.lock().unwrap().clone()
    }

    /// The types of what was heard.
    pub fn kinds(&self) -> Vec<MessageType> {
        self.heard().iter().filter_map(Message::kind).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// An answer to `message` as a server that is right gives it: 10.0.0.2 gives
/// `address` of a /24 for `secs` seconds.
pub fn answer(message: &Message, kind: MessageType, address: Ipv4Addr, secs: u32) -> Message {
    let mut answer = message.clone();
    answer.op = Op::Reply;
    answer.options = Default::default();
    answer.options.set(code::MESSAGE_TYPE, [kind.number()]);
    answer.options.set(code::SERVER_ID, [10, 0, 0, 2]);
    if kind != MessageType::Nak {
        answer.yiaddr = address;
        answer.options.set(code::SUBNET_MASK, [255, 255, 255, 0]);
        answer.options.set(code::LEASE_TIME, secs.to_be_bytes());
    }
    answer
}

/// The same with times of renewal and rebinding, in seconds.
pub fn timed(mut answer: Message, renewal: u32, rebinding: u32) -> Message {
    let options = &mut answer.options;
    options.set(code::RENEWAL_TIME, renewal.to_be_bytes());
    options.set(code::REBINDING_TIME, rebinding.to_be_bytes());
    answer
}

/// What a server answers that lets anybody have `address` for `seconds`.
pub fn grants(message: &Message, address: Ipv4Addr, seconds: u32) -> Vec<Message> {
    let kind = match message.kind() {
        Some(MessageType::Discover) => MessageType::Offer,
        Some(MessageType::Request) => MessageType::Ack,
        _ => return Vec::new(),
    };
    vec![answer(message, kind, address, seconds)]
}
