//! Any bytes are read without a panic: random ones, and a real program with some of its bytes changed.

use std::fs;

use proptest::prelude::*;

use super::*;

/// A header of 52 bytes: all that there is of a 32-bit program.
fn header_of_32_bits() -> Vec<u8> {
    let mut header = vec![0_u8; 52];
    header[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
    header[16..20].copy_from_slice(&[2, 0, 3, 0]);
    header[20] = 1;
    header
}

fn program() -> Vec<u8> {
    fs::read("/bin/true").expect("/bin/true is on every system that the tests support")
}

#[test]
fn other_machines_are_known_by_their_header() {
    let image = read(header_of_32_bits().as_slice()).expect("a header is enough");
    assert_eq!(image.kind, Kind::Foreign { bits: 32, machine: elf::EM_386 });
    assert_eq!(image.kind.to_string(), "32-bit x86");
    let mut other = program();
    other[18..20].copy_from_slice(&243_u16.to_le_bytes());
    assert_eq!(read(other.as_slice()).expect("a header is enough").kind.to_string(), "64-bit RISC-V");
}

#[test]
fn what_is_cut_off_is_malformed() {
    let whole = program();
    for length in [0, 4, 16, 51, 63, 64, 100, 600] {
        assert!(read(&whole[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn an_object_file_is_no_program() {
    let mut object = program();
    object[16] = 1;
    assert!(read(object.as_slice()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let _ = read(bytes.as_slice());
    }

    #[test]
    fn random_bytes_behind_a_good_start(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let start = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0";
        let _ = read([start.as_slice(), &bytes].concat().as_slice());
    }

    #[test]
    fn a_program_with_changed_bytes(
        early in proptest::collection::vec((0_usize..1024, any::<u8>()), 0..12),
        anywhere in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        length in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = program();
        for (at, value) in early {
            bytes[at] = value;
        }
        for (at, value) in anywhere {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let length = if cut { length.index(bytes.len()) } else { bytes.len() };
        let _ = read(&bytes[..length]);
    }
}
