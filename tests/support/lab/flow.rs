//! Traffic between two network namespaces, and how much of it arrives.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Container, Lab};

/// How long a flow runs before it is measured: bursts are spent, TCP has found
/// its pace.
const START: Duration = Duration::from_millis(600);
/// How long datagrams are measured.
const UDP_TIME: Duration = Duration::from_millis(1500);
/// How long TCP is, which delivers in heaps where something was lost.
const TCP_TIME: Duration = Duration::from_millis(4000);
/// Payload of a datagram, in bytes.
const DATAGRAM: usize = 1400;
/// What of a full frame is payload of TCP with timestamps, over IPv4.
pub const TCP_SHARE: f64 = 1448.0 / 1514.0;
/// What of a frame is payload of our datagrams.
pub const UDP_SHARE: f64 = 1400.0 / 1442.0;

/// Bits of payload per second that TCP brings from `from` to `address` of `to`.
pub fn tcp(lab: &Lab, from: &Container, to: &Container, address: &str) -> f64 {
    let listener = lab.inside(to, || TcpListener::bind((address, 0)).unwrap());
    let target = listener.local_addr().unwrap();
    let sender = lab.inside(from, || connect(target));
    let receiver = listener.accept().unwrap().0;
    measure(
        TCP_TIME,
        move |stop| {
            let (mut sender, data) = (sender, [0x55; 65_536]);
            sender.set_nonblocking(false).unwrap();
            while !stop.load(Ordering::Relaxed) && sender.write_all(&data).is_ok() {}
        },
        move |stop, add| {
            let (mut receiver, mut buffer) = (receiver, vec![0; 1 << 20]);
            let wait = Some(Duration::from_millis(50));
            receiver.set_read_timeout(wait).unwrap();
            while !stop.load(Ordering::Relaxed) {
                match receiver.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(length) => add(length),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                    Err(e) => panic!("{e}"),
                }
            }
        },
    )
}

fn connect(target: SocketAddr) -> TcpStream {
    TcpStream::connect_timeout(&target, Duration::from_secs(10)).unwrap()
}

/// The same for datagrams, sent at twice `rate`.
pub fn udp(lab: &Lab, from: &Container, to: &Container, address: &str, rate: u64) -> f64 {
    let receiver = lab.inside(to, || UdpSocket::bind((address, 0)).unwrap());
    let target = receiver.local_addr().unwrap();
    let sender = lab.inside(from, || UdpSocket::bind("0.0.0.0:0").unwrap());
    measure(
        UDP_TIME,
        move |stop| {
            let begin = Instant::now();
            let mut sent = 0.0;
            while !stop.load(Ordering::Relaxed) {
                let due = begin.elapsed().as_secs_f64() * 2.0 * rate as f64 / 8.0;
                while sent < due {
                    // A queue that is full is what is measured.
                    sender.send_to(&[0x55; DATAGRAM], target).ok();
                    sent += DATAGRAM as f64;
                }
                thread::sleep(Duration::from_millis(1));
            }
        },
        move |stop, add| {
            let mut buffer = [0; 2048];
            let wait = Some(Duration::from_millis(50));
            receiver.set_read_timeout(wait).unwrap();
            while !stop.load(Ordering::Relaxed) {
                if let Ok(length) = receiver.recv(&mut buffer) {
                    add(length);
                }
            }
        },
    )
}

/// Runs both ends in threads of their own; bits per second that arrive.
fn measure(
    time: Duration,
    send: impl FnOnce(&AtomicBool) + Send + 'static,
    receive: impl FnOnce(&AtomicBool, &mut dyn FnMut(usize)) + Send + 'static,
) -> f64 {
    let stop = Arc::new(AtomicBool::new(false));
    let begin = Instant::now();
    let sending = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || send(&stop))
    };
    let receiving = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || {
            let (mut first, mut last, mut bytes) = (None, begin, 0);
            receive(&stop, &mut |length| {
                let now = Instant::now();
                if now.duration_since(begin) < START {
                    return;
                }
                // What came with the first counts from it on.
                if first.is_some() {
                    bytes += length;
                }
                first.get_or_insert(now);
                last = now;
            });
            let time = last.duration_since(first.unwrap_or(last)).as_secs_f64();
            if time > 0.0 {
                bytes as f64 * 8.0 / time
            } else {
                0.0
            }
        })
    };
    thread::sleep(START + time);
    stop.store(true, Ordering::Relaxed);
    let rate = receiving.join().unwrap();
    sending.join().unwrap();
    rate
}
