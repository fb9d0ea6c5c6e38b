//! Connections across the change: nothing of a transfer is lost, and how long
//! it stands still is measured and printed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;

use crate::support::lab::{Container, Lab, ip, lab};
use crate::uplink::{Guards, uplink};

/// No transfer may stand still for longer: a lost segment is sent again after
/// 200 ms at the earliest (tcp(7), `TCP_RTO_MIN`), and twice that if it is lost
/// again.
const LONGEST: Duration = Duration::from_millis(900);
/// Datagrams that may be lost of one a millisecond. None is on a quiet machine;
/// a busy one drops some by itself.
const MOST_LOST: u64 = 40;
/// How long the transfer runs before, between and after the changes.
const PHASE: Duration = Duration::from_millis(700);

/// What a receiver saw.
#[derive(Debug)]
struct Seen {
    units: u64,
    last: Instant,
    /// When something came, and how long after what came before, where that was
    /// long.
    pauses: Vec<(Instant, Duration)>,
}

impl Seen {
    fn start() -> Self {
        Self {
            units: 0,
            last: Instant::now(),
            pauses: Vec::new(),
        }
    }

    fn came(&mut self) {
        let pause = self.last.elapsed();
        self.last = Instant::now();
        if pause > Duration::from_millis(2) {
            self.pauses.push((self.last, pause));
        }
    }

    /// The longest pause that ended before, and that ended after a moment.
    fn longest(&self, moment: Instant) -> (Duration, Duration) {
        let of = |is_after: bool| {
            let pauses = self
                .pauses
                .iter()
                .filter(|(end, _)| (*end > moment) == is_after);
            pauses.map(|(_, pause)| *pause).max().unwrap_or_default()
        };
        (of(false), of(true))
    }
}

/// One direction of traffic: who sends, and what the other end sees.
pub struct Stream {
    what: String,
    sender: JoinHandle<u64>,
    receiver: JoinHandle<Seen>,
}

/// The byte at a place of an endless transfer.
fn pattern(place: u64) -> u8 {
    (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

fn send_bytes(mut to: TcpStream, stop: &AtomicBool) -> u64 {
    let mut place = 0;
    while !stop.load(Ordering::Relaxed) {
        let block: Vec<u8> = (place..place + 4096).map(pattern).collect();
        to.write_all(&block).expect("the connection lives");
        place += 4096;
    }
    place
}

fn receive_bytes(mut from: TcpStream) -> Seen {
    let mut seen = Seen::start();
    let mut block = vec![0; 65536];
    loop {
        let length = from.read(&mut block).expect("the connection lives");
        if length == 0 {
            return seen;
        }
        seen.came();
        for byte in &block[..length] {
            assert_eq!(*byte, pattern(seen.units), "byte {}", seen.units);
            seen.units += 1;
        }
    }
}

/// A datagram each millisecond: nobody sends it again, so what is lost is seen.
fn send_datagrams(to: &UdpSocket, stop: &AtomicBool) -> u64 {
    let mut number: u64 = 0;
    while !stop.load(Ordering::Relaxed) {
        // A port that nobody listens on yet, or a route that is not there: lost.
        to.send(&number.to_be_bytes()).ok();
        number += 1;
        sleep(Duration::from_millis(1));
    }
    number
}

fn receive_datagrams(from: &UdpSocket, stop: &AtomicBool) -> Seen {
    from.set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let mut seen = Seen::start();
    let mut number = [0; 8];
    loop {
        match from.recv(&mut number) {
            Ok(_) => {
                seen.came();
                seen.units += 1;
            }
            Err(_) if stop.load(Ordering::Relaxed) => return seen,
            Err(_) => {}
        }
    }
}

/// A connection between the host and `machine`, its two ends.
fn connection(lab: &Lab, machine: &Container, address: &str) -> (TcpStream, TcpStream) {
    let listener = lab.inside(machine, || TcpListener::bind((address, 0)).unwrap());
    let host = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    (host, other)
}

fn datagrams(lab: &Lab, machine: &Container, host: &str, other: &str) -> (UdpSocket, UdpSocket) {
    let theirs = lab.inside(machine, || UdpSocket::bind((other, 0)).unwrap());
    let ours = UdpSocket::bind((host, 0)).unwrap();
    // What comes while a receiver has no processor is not lost.
    for socket in [&ours, &theirs] {
        setsockopt(socket, RcvBufForce, &(4 << 20)).unwrap();
    }
    let connect = |socket: &UdpSocket, to: SocketAddr| socket.connect(to).unwrap();
    connect(&ours, theirs.local_addr().unwrap());
    connect(&theirs, ours.local_addr().unwrap());
    (ours, theirs)
}

/// Starts both kinds of traffic in both directions for one family.
pub fn start(
    lab: &Lab,
    machine: &Container,
    host: &str,
    other: &str,
    stop: &Arc<AtomicBool>,
) -> Vec<Stream> {
    let mut streams = Vec::new();
    for outward in [true, false] {
        let (ours, theirs) = connection(lab, machine, other);
        let (from, to) = if outward {
            (ours, theirs)
        } else {
            (theirs, ours)
        };
        let flag = Arc::clone(stop);
        let (ours, theirs) = datagrams(lab, machine, host, other);
        let (sends, receives) = if outward {
            (ours, theirs)
        } else {
            (theirs, ours)
        };
        let way = if outward { "from" } else { "to" };
        streams.push(Stream {
            what: format!("TCP {way} {host}"),
            sender: spawn(move || send_bytes(from, &flag)),
            receiver: spawn(move || receive_bytes(to)),
        });
        let (sending, receiving) = (Arc::clone(stop), Arc::clone(stop));
        streams.push(Stream {
            what: format!("UDP {way} {host}"),
            sender: spawn(move || send_datagrams(&sends, &sending)),
            receiver: spawn(move || receive_datagrams(&receives, &receiving)),
        });
    }
    streams
}

pub fn prepared(lab: &Lab) -> Container {
    let machine = lab.cable("eth0");
    for line in [
        "addr add 10.0.0.5/24 dev eth0",
        "-6 addr add fd00::5/64 dev eth0 nodad",
        "route add default via 10.0.0.2",
        // Behind the gateway, so that routes and neighbours are needed.
        "route add 10.77.0.0/24 via 10.0.0.2 metric 7",
    ] {
        ip(line);
    }
    lab.inside(&machine, || {
        ip("link set lo up");
        ip("addr add 10.77.0.1/24 dev lo");
    });
    // The strictest that a host can be: a reply must leave where it came in.
    std::fs::write("/proc/sys/net/ipv4/conf/eth0/rp_filter", "1").unwrap();
    machine
}

#[test]
fn a_transfer_loses_nothing_while_a_bridge_takes_the_nics_place_and_gives_it_back() {
    lab!(|lab| {
        let _guards = Guards;
        let machine = prepared(lab);
        let stop = Arc::new(AtomicBool::new(false));
        let mut streams = start(lab, &machine, "10.0.0.5", "10.77.0.1", &stop);
        streams.extend(start(lab, &machine, "fd00::5", "fd00::2", &stop));
        sleep(PHASE);
        let change = Instant::now();
        uplink("add br0 eth0").ok();
        sleep(PHASE);
        uplink("confirm").ok();
        uplink("del br0").ok();
        sleep(PHASE);
        finish(streams, &stop, change);
    });
}

/// Stops the traffic, and prints and judges what came of it.
pub fn finish(streams: Vec<Stream>, stop: &AtomicBool, change: Instant) {
    stop.store(true, Ordering::Relaxed);
    // An emulated processor, with other tests on it.
    let patience = if std::env::var_os("PIPEWORK_VM").is_some() {
        6
    } else {
        1
    };
    let mut lines = Vec::new();
    let mut faults = Vec::new();
    for Stream {
        what,
        sender,
        receiver,
    } in streams
    {
        let sent = sender.join().expect("sends to the end");
        let seen = receiver.join().expect("receives to the end");
        let unit = if what.starts_with("TCP") {
            "bytes"
        } else {
            "datagrams"
        };
        let lost = sent.saturating_sub(seen.units);
        let (before, across) = seen.longest(change);
        lines.push(format!(
            "{what}: {sent} {unit} sent, {lost} lost, longest pause {} ms ({} ms before)",
            across.as_millis(),
            before.as_millis()
        ));
        let most = if unit == "bytes" {
            0
        } else {
            MOST_LOST * patience
        };
        let longest = (LONGEST * u32::try_from(patience).unwrap()).max(before * 2);
        let is_fine = across < longest && lost <= most;
        faults.extend((!is_fine).then_some(what));
    }
    println!("{}", lines.join("\n"));
    assert!(faults.is_empty(), "{faults:?}\n{}", lines.join("\n"));
}

#[test]
fn a_transfer_survives_a_change_that_nobody_confirms() {
    lab!(|lab| {
        let _guards = Guards;
        let machine = prepared(lab);
        let stop = Arc::new(AtomicBool::new(false));
        let streams = start(lab, &machine, "10.0.0.5", "10.77.0.1", &stop);
        sleep(PHASE);
        let change = Instant::now();
        uplink("add br0 eth0 --confirm-within 1s").ok();
        crate::uplink::wait_for("the guard", || !crate::uplink::is_recorded());
        sleep(PHASE);
        finish(streams, &stop, change);
    });
}
