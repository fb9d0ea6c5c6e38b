//! The program as it is shipped: one file that needs no other.

use crate::support::skip;

/// A program's interpreter, in its program headers (elf(5)).
const PT_INTERP: u64 = 3;
/// Names of functions, in its section headers.
const SHT_SYMTAB: u64 = 2;

/// The bytes at a place as a number, lowest first.
fn number(elf: &[u8], at: u64, length: usize) -> u64 {
    let at = usize::try_from(at).unwrap();
    let bytes = elf[at..at + length].iter().rev();
    bytes.fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The type of each entry of a table: where the table's place, its entries' size
/// and their count stand, and where in an entry its type does.
fn types(elf: &[u8], place: u64, size: u64, count: u64, at: u64) -> Vec<u64> {
    let (table, size, count) = (
        number(elf, place, 8),
        number(elf, size, 2),
        number(elf, count, 2),
    );
    let entries = (0..count).map(|entry| number(elf, table + entry * size + at, 4));
    entries.collect()
}

/// A tenth more than it was when this was written, with musl; glibc's is a tenth
/// larger. Each page that a start touches is read once, and costs.
const MOST_BYTES: usize = 5_680_000;

#[test]
fn the_release_binary_is_static_stripped_and_no_larger_than_it_was() {
    // Cargo's own build for tests is neither.
    let Some(path) = option_env!("PIPEWORK_BIN") else {
        skip!("no release binary is tested: PIPEWORK_BIN names one");
    };
    let elf = std::fs::read(path).unwrap();
    assert_eq!(&elf[..6], b"\x7fELF\x02\x01", "64 bits, lowest byte first");
    let segments = types(&elf, 0x20, 0x36, 0x38, 0);
    assert!(segments.len() > 1, "{segments:?}");
    assert!(!segments.contains(&PT_INTERP), "it has a dynamic loader");
    let sections = types(&elf, 0x28, 0x3a, 0x3c, 4);
    assert!(!sections.contains(&SHT_SYMTAB), "it has symbols");
    assert!(elf.len() <= MOST_BYTES, "it has {} bytes", elf.len());
}
