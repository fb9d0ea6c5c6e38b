//! A DHCP server whose every answer a test decides, on UDP port 67 of another
//! machine of the lab.
//!
//! It speaks with the library's own codec, which has its own tests; what it
//! gets to hear is kept as it came.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use pipework::dhcp::options::code;
use pipework::dhcp::wire::{Message, MessageType, Op};

use super::lab::{Container, Lab};

/// What a server on [`Lab::lan`] has for its address.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
/// What it gives.
pub const GIVEN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);

/// A server's socket. What a test beside this one starts has, until it is another
/// program, a copy of the socket that the server before has closed.
pub fn bind(to: impl ToSocketAddrs) -> UdpSocket {
    let start = Instant::now();
    loop {
        let bound = UdpSocket::bind(&to);
        let error = bound.as_ref().err().map(std::io::Error::kind);
        if error != Some(ErrorKind::AddrInUse) || start.elapsed().as_secs() >= 10 {
            return bound.unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A running server; it ends when this goes.
pub struct Scripted {
    heard: Arc<Mutex<Vec<Message>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scripted {
    /// Serves on `wire` of `machine`. `script` is told every message and how many
    /// came before it, and says what goes out to everybody's port 68.
    pub fn on(
        lab: &Lab,
        machine: &Container,
        mut script: impl FnMut(&Message, usize) -> Vec<Vec<u8>> + Send + 'static,
    ) -> Self {
        let heard: Arc<Mutex<Vec<Message>>> = Arc::default();
        let ends: Arc<AtomicBool> = Arc::default();
        let socket = lab.inside(machine, || {
            let socket = bind("0.0.0.0:67");
            socket.set_broadcast(true).unwrap();
            setsockopt(&socket.as_fd(), sockopt::BindToDevice, &"wire".into()).unwrap();
            socket
        });
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let (log, end) = (heard.clone(), ends.clone());
        let thread = spawn(move || {
            let everybody = SocketAddr::from((Ipv4Addr::BROADCAST, 68));
            let mut buffer = [0; 2048];
            while !end.load(Ordering::Relaxed) {
                let Ok((length, _)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let message = Message::read(&buffer[..length]).expect("a client's message");
                let before = log.lock().unwrap().len();
                log.lock().unwrap().push(message.clone());
                for answer in script(&message, before) {
                    socket.send_to(&answer, everybody).unwrap();
                }
            }
        });
        Self {
            heard,
            ends,
            thread: Some(thread),
        }
    }

    /// A server that does nothing unusual.
    pub fn ordinary(lab: &Lab, machine: &Container) -> Self {
        Self::on(lab, machine, |message, _| ordinary(message, |_| {}))
    }

    /// Everything that came in so far.
    pub fn heard(&self) -> Vec<Message> {
        self.heard.lock().unwrap().clone()
    }

    /// Its types.
    pub fn kinds(&self) -> Vec<MessageType> {
        let heard = self.heard();
        heard.iter().filter_map(Message::kind).collect()
    }

    /// The first message of a type.
    #[track_caller]
    pub fn first(&self, kind: MessageType) -> Message {
        let heard = self.heard();
        let found = heard.into_iter().find(|m| m.kind() == Some(kind));
        found.unwrap_or_else(|| panic!("no {kind:?}"))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

/// A reply to a message: [`GIVEN`] for an hour unless `change` says otherwise.
pub fn reply(to: &Message, kind: MessageType, change: impl FnOnce(&mut Message)) -> Message {
    let mut reply = Message::request(kind, to.hardware.unwrap(), to.xid);
    reply.op = Op::Reply;
    reply.yiaddr = GIVEN;
    let options = &mut reply.options;
    options.set(code::SERVER_ID, SERVER.octets());
    options.set(code::LEASE_TIME, 3600_u32.to_be_bytes());
    options.set(code::SUBNET_MASK, [255, 255, 255, 0]);
    options.set(code::ROUTERS, SERVER.octets());
    change(&mut reply);
    reply
}

/// A refusal.
pub fn nak(to: &Message, why: &str) -> Vec<u8> {
    let mut nak = reply(to, MessageType::Nak, |m| {
        m.options.set(code::MESSAGE, why.as_bytes());
    });
    nak.yiaddr = Ipv4Addr::UNSPECIFIED;
    nak.write()
}

/// What a server answers to whatever it is asked, each answer changed by
/// `change`.
pub fn ordinary(message: &Message, change: impl FnOnce(&mut Message)) -> Vec<Vec<u8>> {
    let kind = match message.kind() {
        Some(MessageType::Discover) => MessageType::Offer,
        Some(MessageType::Request) => MessageType::Ack,
        _ => return Vec::new(),
    };
    vec![reply(message, kind, change).write()]
}
