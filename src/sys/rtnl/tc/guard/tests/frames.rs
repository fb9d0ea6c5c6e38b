//! Frames, as small as they get.

use super::machine::Frame;
use super::{MAC, v6};

pub fn ethernet(source: [u8; 6], kind: u16, payload: &[u8]) -> Frame {
    let mut bytes = vec![0xff; 6];
    bytes.extend(source);
    bytes.extend(kind.to_be_bytes());
    bytes.extend(payload);
    Frame { bytes, tag: None }
}

pub fn arp(operation: u16, mac: [u8; 6], sender: [u8; 4], target: [u8; 4]) -> Frame {
    let mut bytes = vec![0, 1, 8, 0, 6, 4];
    bytes.extend(operation.to_be_bytes());
    bytes.extend(mac);
    bytes.extend(sender);
    bytes.extend([0; 6]);
    bytes.extend(target);
    ethernet(MAC, 0x0806, &bytes)
}

pub fn ipv4(source: [u8; 4], protocol: u8, fragment: u16, options: usize, payload: &[u8]) -> Frame {
    let mut bytes = vec![0x45 + u8::try_from(options).unwrap(), 0, 0, 0, 0, 0];
    bytes.extend(fragment.to_be_bytes());
    bytes.extend([64, protocol, 0, 0]);
    bytes.extend(source);
    bytes.extend([10, 0, 0, 1]);
    bytes.resize(20 + 4 * options, 1);
    bytes.extend(payload);
    ethernet(MAC, 0x0800, &bytes)
}

pub fn udp(from: u16, to: u16) -> Vec<u8> {
    let ports = [from, to, 8, 0].map(u16::to_be_bytes);
    ports.concat()
}

/// Extension headers, each by its kind, in front of `payload` of `kind`.
pub fn ipv6(source: [u8; 16], extensions: &[u8], kind: u8, payload: &[u8]) -> Frame {
    let mut chain = extensions.to_vec();
    chain.push(kind);
    let mut bytes = vec![0x60, 0, 0, 0, 0, 0, chain[0], 255];
    bytes.extend(source);
    bytes.extend(v6("ff02::1"));
    for pair in chain.windows(2) {
        let header = match pair[0] {
            // 4 bytes more than its length says, twice.
            51 => [pair[1], 4].into_iter().chain([0; 22]).collect(),
            44 => [pair[1], 0, 0, 1, 0, 0, 0, 9].to_vec(),
            _ => [pair[1], 1].into_iter().chain([0; 14]).collect::<Vec<u8>>(),
        };
        bytes.extend(header);
    }
    bytes.extend(payload);
    ethernet(MAC, 0x86dd, &bytes)
}

pub fn icmp6(kind: u8, target: [u8; 16]) -> Vec<u8> {
    let mut bytes = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(target);
    bytes
}
