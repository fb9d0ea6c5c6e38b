//! A server of DHCPv6 whose every answer a test decides, on UDP port 547 of
//! another machine of the lab. What `dhcp_server` is for IPv4.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use pipework::dhcp::v6::options::{Ia, IaAddress, Status, code};
use pipework::dhcp::v6::wire::{Message, MessageType};
use pipework::dhcp::v6::{ALL_SERVERS, SERVER_PORT};

use super::dhcp_server::bind;
use super::lab::{Container, Lab, ip, ip_json};

/// The address that it gives.
pub const GIVEN: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x50);
/// Who it is.
pub const SERVER: [u8; 10] = [0, 3, 0, 1, 2, 0, 0, 0, 0, 2];
/// T1, T2, preferred and valid lifetime, in seconds.
pub const HOUR: [u32; 4] = [900, 1440, 1800, 3600];

/// A bridge br0 with another machine, whose IPv6 addresses can be used at once.
pub fn lan6(lab: &Lab) -> Container {
    let machine = lab.lan("br0");
    settle6(lab, &machine);
    machine
}

/// Has a machine's IPv6 addresses be usable at once.
pub fn settle6(lab: &Lab, machine: &Container) {
    lab.inside(machine, || {
        ip("link set wire down");
        std::fs::write("/proc/sys/net/ipv6/conf/wire/dad_transmits", "0").unwrap();
        ip("link set wire up");
        ip("-6 addr replace fd00::2/64 dev wire nodad");
        let is_ready = || {
            let link = ip_json("-6 addr show dev wire");
            let all = link[0]["addr_info"].as_array().cloned().unwrap_or_default();
            all.iter()
                .any(|a| a["scope"] == "link" && a["tentative"] != true)
        };
        for _ in 0..500 {
            if is_ready() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("wire has no link-local address");
    });
}

/// A running server, which ends when this goes.
pub struct Scripted6 {
    heard: Arc<Mutex<Vec<Message>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scripted6 {
    /// Serves on `wire` of `machine`. `script` is told every message and how many
    /// came before it, and says what goes back.
    pub fn on(
        lab: &Lab,
        machine: &Container,
        mut script: impl FnMut(&Message, usize) -> Vec<Message> + Send + 'static,
    ) -> Self {
        let heard: Arc<Mutex<Vec<Message>>> = Arc::default();
        let ends: Arc<AtomicBool> = Arc::default();
        let socket = lab.inside(machine, || {
            let index = nix::net::if_::if_nametoindex("wire").unwrap();
            let socket = bind((Ipv6Addr::UNSPECIFIED, SERVER_PORT));
            socket.join_multicast_v6(&ALL_SERVERS, index).unwrap();
            socket
        });
        let tick = Some(Duration::from_millis(20));
        socket.set_read_timeout(tick).unwrap();
        let (log, end) = (heard.clone(), ends.clone());
        let thread = spawn(move || {
            let mut buffer = [0; 2048];
            while !end.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let message = Message::read(&buffer[..length]).expect("a client's message");
                let before = log.lock().unwrap().len();
                log.lock().unwrap().push(message.clone());
                for answer in script(&message, before) {
                    // A client may be gone by now.
                    let _ = socket.send_to(&answer.write(), from);
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
        Self::on(lab, machine, |message, _| ordinary(message, GIVEN, HOUR))
    }

    /// Everything that came in so far.
    pub fn heard(&self) -> Vec<Message> {
        self.heard.lock().unwrap().clone()
    }

    /// Its types.
    pub fn kinds(&self) -> Vec<MessageType> {
        self.heard().iter().map(|message| message.kind).collect()
    }

    /// The first message of a type.
    #[track_caller]
    pub fn first(&self, kind: MessageType) -> Message {
        let found = self.heard().into_iter().find(|m| m.kind == kind);
        found.unwrap_or_else(|| panic!("no {kind:?} among {:?}", self.kinds()))
    }
}

impl Drop for Scripted6 {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

/// An answer that says who it is from and for, and nothing else.
pub fn reply(to: &Message, kind: MessageType) -> Message {
    let mut reply = Message::new(kind, to.xid);
    let client = to
        .options
        .get(code::CLIENT_ID)
        .expect("a client with a name");
    reply.options.push(code::CLIENT_ID, client);
    reply.options.push(code::SERVER_ID, SERVER);
    reply
}

/// The same with an address for the association of the client.
pub fn giving(to: &Message, kind: MessageType, address: Ipv6Addr, times: [u32; 4]) -> Message {
    let [t1, t2, preferred, valid] = times;
    let asked = Ia::read(to.options.get(code::IA_NA).unwrap()).unwrap();
    let ia = Ia {
        iaid: asked.iaid,
        t1,
        t2,
        addresses: vec![IaAddress {
            address,
            preferred,
            valid,
        }],
        status: Status::Success,
    };
    let mut reply = reply(to, kind);
    reply.options.push(code::IA_NA, ia.write());
    reply
}

/// The same with a refusal in the association (RFC 8415 §21.13).
pub fn refusing(to: &Message, kind: MessageType, status: u16) -> Message {
    let asked = Ia::read(to.options.get(code::IA_NA).unwrap()).unwrap();
    let mut value = [asked.iaid, 0, 0].map(u32::to_be_bytes).concat();
    value.extend([0, 13, 0, 2]);
    value.extend(status.to_be_bytes());
    let mut reply = reply(to, kind);
    reply.options.push(code::IA_NA, value);
    reply
}

/// A Reply that is a status and nothing more.
pub fn saying(to: &Message, status: u16) -> Message {
    let mut reply = reply(to, MessageType::Reply);
    reply.options.push(code::STATUS_CODE, status.to_be_bytes());
    reply
}

/// What a server answers to whatever it is asked.
pub fn ordinary(message: &Message, address: Ipv6Addr, times: [u32; 4]) -> Vec<Message> {
    let answer = match message.kind {
        MessageType::Solicit => giving(message, MessageType::Advertise, address, times),
        MessageType::Request | MessageType::Renew | MessageType::Rebind => {
            giving(message, MessageType::Reply, address, times)
        }
        MessageType::Confirm | MessageType::Release | MessageType::Decline => saying(message, 0),
        MessageType::InformationRequest => {
            let mut reply = reply(message, MessageType::Reply);
            let dns: Ipv6Addr = "fd00::53".parse().unwrap();
            reply.options.push(code::DNS_SERVERS, dns.octets());
            reply.options.push(code::DOMAIN_LIST, *b"\x03lan\0");
            reply
        }
        _ => return Vec::new(),
    };
    vec![answer]
}

/// The IPv6 addresses of eth1 that are not link-local, as the kernel tells them.
pub fn addresses6(lab: &Lab, container: &Container) -> Vec<serde_json::Value> {
    let link = lab.inside(container, || ip_json("-6 addr show dev eth1"));
    let all = link[0]["addr_info"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|a| a["scope"] == "global").collect()
}

/// Their texts.
pub fn locals6(lab: &Lab, container: &Container) -> Vec<String> {
    let all = addresses6(lab, container).into_iter();
    all.map(|a| a["local"].as_str().unwrap().to_owned())
        .collect()
}
