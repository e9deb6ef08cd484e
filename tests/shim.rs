//! The shim as an object file: what it may depend on, and what the way of a clock read may touch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Object, ObjectSection, ObjectSymbol, RelocationFlags, elf};

use crate::harness::{Lab, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("image: it is one segment, needs no library and no relocation, and has its memory behind it")
            .shown_by(image_stands_alone),
        spec("image: it exports what a vDSO exports, and nothing else").shown_by(image_exports),
        spec("image: the way of a read touches no vector register and calls through no table")
            .needs("objdump", "binutils")
            .shown_by(image_touches_no_vectors),
        spec("shim: it needs no library, and no symbol but a weak one that every libc has")
            .shown_by(depends_on_nothing),
        spec("shim: it exports what it takes the place of, and nothing else").shown_by(exports),
        spec("shim: nothing but its constructor and its unwinding is relocated").shown_by(relocations),
        spec("shim: it is loaded before everything else").shown_by(initfirst),
        spec("shim: the way of a read touches no vector register and calls through no table")
            .needs("objdump", "binutils")
            .shown_by(no_vector_registers),
    ]
}

/// The shim as a node has it.
fn shim(lab: &Lab) -> PathBuf {
    lab.falseticker(["create", "a"]).expect_code(0);
    let copy = lab.path("falseticker.so");
    std::fs::copy(lab.nodes().join("a/falseticker.so"), &copy).expect("a node has its shim");
    lab.falseticker(["remove", "a"]).expect_code(0);
    copy
}

fn bytes(lab: &Lab) -> Vec<u8> {
    std::fs::read(shim(lab)).expect("it was just copied")
}

fn depends_on_nothing(lab: &Lab) {
    let bytes = bytes(lab);
    let file: ElfFile64 = ElfFile64::parse(&*bytes).expect("an ELF file");
    assert_eq!(entries(&file, elf::DT_NEEDED), Vec::<u64>::new());
    let undefined = file.dynamic_symbols().filter(|symbol| symbol.is_undefined());
    let names: Vec<_> = undefined.map(|symbol| (symbol.name().unwrap_or(""), symbol.is_weak())).collect();
    assert_eq!(names, [("__errno_location", true)]);
}

fn exports(lab: &Lab) {
    let bytes = bytes(lab);
    let file: ElfFile64 = ElfFile64::parse(&*bytes).expect("an ELF file");
    let defined = file.dynamic_symbols().filter(|symbol| symbol.is_definition());
    let names: BTreeSet<_> = defined.map(|symbol| symbol.name().unwrap_or("").to_owned()).collect();
    let list = include_str!("../preload/exports.list").lines().map(str::trim);
    let listed = list.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let listed = listed.map(|name| name.split('@').next().unwrap_or(name).to_owned()).collect();
    assert_eq!(names, listed);
}

fn relocations(lab: &Lab) {
    let bytes = bytes(lab);
    let file: ElfFile64 = ElfFile64::parse(&*bytes).expect("an ELF file");
    let allowed: Vec<_> = [".init_array", ".data", ".data.rel.ro"]
        .iter()
        .filter_map(|name| file.section_by_name(name))
        .map(|section| section.address()..section.address() + section.size())
        .collect();
    for (at, relocation) in file.dynamic_relocations().expect("a table of relocations") {
        match relocation.flags() {
            RelocationFlags::Elf { r_type: elf::R_X86_64_RELATIVE } => {
                assert!(allowed.iter().any(|range| range.contains(&at)), "{at:#x} is relocated");
            }
            RelocationFlags::Elf { r_type: elf::R_X86_64_GLOB_DAT } => {}
            other => panic!("{at:#x}: {other:?}"),
        }
    }
}

fn initfirst(lab: &Lab) {
    let bytes = bytes(lab);
    let file: ElfFile64 = ElfFile64::parse(&*bytes).expect("an ELF file");
    let flags = entries(&file, elf::DT_FLAGS_1);
    assert_eq!(flags, [u64::from(elf::DF_1_INITFIRST | elf::DF_1_NOW)]);
}

/// The values of a kind of entry of the dynamic section.
fn entries(file: &ElfFile64<'_>, tag: u32) -> Vec<u64> {
    let (endian, data) = (file.endian(), file.data());
    let headers = file.elf_header().program_headers(endian, data).expect("program headers");
    let dynamic = headers.iter().find_map(|header| header.dynamic(endian, data).ok().flatten());
    let entries = dynamic.expect("a dynamic section").iter();
    let of_tag = entries.filter(|entry| entry.d_tag.get(endian) == u64::from(tag));
    of_tag.map(|entry| entry.d_val.get(endian)).collect()
}

/// Where a read enters, by the ends of mangled names too.
const ENTRIES: [&str; 7] = [
    "clock_gettime",
    "__clock_gettime",
    "gettimeofday",
    "time",
    "18vdso_clock_gettime",
    "17vdso_gettimeofday",
    "9vdso_time",
];
/// Behind these vector registers are saved, or the read has failed.
const GATES: [&str; 3] = ["5gates4cold", "5gates6seldom", "5errno4fail"];

fn no_vector_registers(lab: &Lab) {
    way_of_a_read_is_clean(lab, &shim(lab), &ENTRIES);
}

/// From its entries to its gates, a read touches no vector register.
fn way_of_a_read_is_clean(lab: &Lab, library: &Path, entries: &[&str]) {
    let listing = lab.command("objdump", ["-d", "--no-show-raw-insn"]).arg(library).done().expect_code(0);
    let functions = functions(listing.text());
    // A mangled name has its length before it; without, any longer name with that end would do.
    let is_end = |name: &str, part: &str| {
        part.starts_with(|c: char| c.is_ascii_digit()) && name.contains(&format!("{part}17h"))
    };
    let is = |name: &str, part: &str| name == part || is_end(name, part);
    let mut next: Vec<&str> =
        functions.keys().copied().filter(|name| entries.iter().any(|entry| is(name, entry))).collect();
    assert!(next.len() >= entries.len() - 1, "entries found: {next:?}");
    let mut seen = BTreeSet::new();
    while let Some(name) = next.pop() {
        if !seen.insert(name) || GATES.iter().any(|gate| is(name, gate)) {
            continue;
        }
        for instruction in &functions[name] {
            assert!(
                !["%xmm", "%ymm", "%zmm", "%st"].iter().any(|bank| instruction.contains(bank)),
                "{name}: {instruction}"
            );
            assert!(
                !instruction.starts_with("call") || !instruction.contains("(%rip)"),
                "{name}: {instruction}"
            );
            let target = instruction.split_once('<').and_then(|(_, target)| target.split(['+', '>']).next());
            next.extend(target.and_then(|target| functions.get_key_value(target)).map(|(name, _)| *name));
        }
    }
    assert!(seen.iter().any(|name| is(name, "5gates4cold")), "the cold gate was not reached: {seen:?}");
}

/// The instructions of each function of a listing.
fn functions(listing: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut functions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = None;
    for line in listing.lines() {
        if let Some(name) = line.strip_suffix(">:").and_then(|line| line.split_once('<')) {
            current = Some(functions.entry(name.1).or_default());
        } else if let (Some(body), Some((_, instruction))) = (&mut current, line.split_once(":\t")) {
            body.push(instruction.trim());
        }
    }
    functions
}

/// The replacement image, as it was built.
const IMAGE: &str = concat!(env!("OUT_DIR"), "/falseticker-vdso.so");

fn image_stands_alone(_: &Lab) {
    let bytes = std::fs::read(IMAGE).expect("it was built");
    let file: ElfFile64 = ElfFile64::parse(&*bytes).expect("an ELF file");
    let (endian, data) = (file.endian(), file.data());
    let headers = file.elf_header().program_headers(endian, data).expect("program headers");
    let loads: Vec<_> = headers.iter().filter(|header| header.p_type(endian) == elf::PT_LOAD).collect();
    assert_eq!(loads.len(), 1, "segments that are loaded");
    let load = loads[0];
    assert_eq!((load.p_offset(endian), load.p_vaddr(endian)), (0, 0));
    assert_eq!(load.p_flags(endian), elf::PF_R | elf::PF_X, "never writable");
    assert_eq!(load.p_filesz(endian), load.p_memsz(endian));
    let dynamic = headers.iter().find(|header| header.p_type(endian) == elf::PT_DYNAMIC).expect("a table");
    assert_eq!(dynamic.p_flags(endian), elf::PF_R, "static glibc would write to it");
    assert_eq!(entries(&file, elf::DT_NEEDED), Vec::<u64>::new());
    let undefined: Vec<_> = file.dynamic_symbols().filter(|symbol| symbol.is_undefined()).collect();
    assert!(undefined.is_empty(), "{undefined:?}");
    for (at, relocation) in file.dynamic_relocations().into_iter().flatten() {
        let none = RelocationFlags::Elf { r_type: elf::R_X86_64_NONE };
        assert_eq!(relocation.flags(), none, "{at:#x} is relocated");
    }
    for hash in [elf::DT_HASH, elf::DT_GNU_HASH] {
        assert_eq!(entries(&file, hash).len(), 1, "glibc, musl and Go each read another table");
    }
}

fn image_exports(_: &Lab) {
    let bytes = std::fs::read(IMAGE).expect("it was built");
    let file: ElfFile64 = ElfFile64::parse(&*bytes).expect("an ELF file");
    let functions = file.dynamic_symbols().filter(|symbol| symbol.kind() == object::SymbolKind::Text);
    let names: BTreeSet<_> = functions.map(|symbol| symbol.name().unwrap_or("").to_owned()).collect();
    let plain = ["clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres", "getrandom"];
    let expected = plain.iter().flat_map(|name| [(*name).to_owned(), format!("__vdso_{name}")]).collect();
    assert_eq!(names, expected);
}

fn image_touches_no_vectors(lab: &Lab) {
    let entries = ["__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time"];
    way_of_a_read_is_clean(lab, Path::new(IMAGE), &entries);
}
