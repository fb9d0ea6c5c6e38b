//! A machine for classic BPF, as far as the guard uses it.

use super::super::super::program::Program;
use super::DROP;

/// A frame and what the kernel knows of it besides.
#[derive(Clone, Debug)]
pub struct Frame {
    /// From the hardware addresses on.
    pub bytes: Vec<u8>,
    /// Type and number of the tag.
    pub tag: Option<(u16, u16)>,
}

/// What the program answers; `None` where it does not end.
pub fn run(program: &Program, frame: &Frame) -> Option<u32> {
    let (length, code) = program.assemble();
    assert_eq!(usize::from(length) * 8, code.len());
    let (mut a, mut x, mut kept) = (0_u32, 0_u32, [0_u32; 16]);
    let load = |width: usize, at: u32| -> Option<u32> {
        let at = at as usize;
        let bytes = frame.bytes.get(at..at + width)?;
        Some(bytes.iter().fold(0, |sum, b| sum << 8 | u32::from(*b)))
    };
    let mut here = 0;
    loop {
        let one = code.get(here * 8..here * 8 + 8)?;
        let opcode = u16::from_ne_bytes([one[0], one[1]]);
        let k = u32::from_ne_bytes([one[4], one[5], one[6], one[7]]);
        here += 1;
        let mut go = |so: bool| here += usize::from(if so { one[2] } else { one[3] });
        let ancillary = match k {
            0xffff_f030 => Some(u32::from(frame.tag.is_some())),
            0xffff_f02c => Some(frame.tag.map_or(0, |(_, tag)| u32::from(tag))),
            0xffff_f03c => Some(frame.tag.map_or(0, |(kind, _)| u32::from(kind))),
            _ => None,
        };
        let loaded = match opcode {
            0x20 if ancillary.is_some() => ancillary,
            0x20 => load(4, k),
            0x28 => load(2, k),
            0x30 => load(1, k),
            0x40 => load(4, k.wrapping_add(x)),
            0x48 => load(2, k.wrapping_add(x)),
            0x50 => load(1, k.wrapping_add(x)),
            0xb1 => load(1, k).map(|byte| 4 * (byte & 0xf)),
            _ => Some(0),
        };
        // A load beyond the end ends the program.
        let Some(loaded) = loaded else {
            return Some(DROP);
        };
        match opcode {
            0x20 | 0x28 | 0x30 | 0x40 | 0x48 | 0x50 => a = loaded,
            0xb1 => x = loaded,
            0x00 => a = k,
            0x02 => kept[k as usize] = a,
            0x60 => a = kept[k as usize],
            0x61 => x = kept[k as usize],
            0x04 => a = a.wrapping_add(k),
            0x0c => a = a.wrapping_add(x),
            0x54 => a &= k,
            0x64 => a <<= k,
            0x05 => here += k as usize,
            0x15 => go(a == k),
            0x35 => go(a >= k),
            0x45 => go(a & k != 0),
            0x06 => return Some(k),
            other => panic!("opcode {other:#x}"),
        }
    }
}
