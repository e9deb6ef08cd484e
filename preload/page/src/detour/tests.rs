//! The decoder against encodings with known lengths, the plan against this machine's vDSO and prologues of others, and
//! both against random bytes.

mod fixture;

use super::island::Record;
use super::{Functions, Hooks, ISLAND_SIZE, Kind, Plan, Refusal, decode, hook_of, island_of_jump, plan};
use crate::vdso::{Image, NOTE_NAME};
use fixture::{image, image_with, own_vdso};
use proptest::prelude::*;
use std::format;
use std::vec::Vec;

const BASE: u64 = 0x7fff_1000_0000;
const ISLAND: u64 = BASE + 0x10_0000;
const HOOKS: Hooks =
    Hooks { clock_gettime: 0x1111_2222_3333, gettimeofday: 0x4444_5555_6666, time: 0x7777_8888_9999 };

fn planned(bytes: &[u8]) -> Result<Plan, Refusal> {
    planned_at(bytes, ISLAND)
}

fn planned_at(bytes: &[u8], island: u64) -> Result<Plan, Refusal> {
    let image = Image::parse(bytes).expect("image");
    plan(&image, BASE, &Functions::of(&image).expect("functions"), island, &HOOKS)
}

/// The trampoline's bytes up to its closing jump, and how many bytes it displaced.
fn trampoline(code: &[u8]) -> Option<(Vec<u8>, u64)> {
    let plan = planned(&image_with(code)).ok()?;
    let bytes = &plan.island.bytes()[320..];
    let mut at = 0;
    loop {
        let i = decode(&bytes[at..]).expect("trampoline decodes");
        if let Kind::Branch { relative } = i.kind {
            let target =
                (plan.trampoline() + (at + i.length) as u64).wrapping_add_signed(i64::from(relative));
            assert_eq!(target, plan.displaced.end, "the trampoline goes on where the displaced bytes end");
            return Some((bytes[..at].to_vec(), plan.displaced.end - plan.displaced.start));
        }
        at += i.length;
    }
}

#[test]
fn lengths_of_common_encodings() {
    let cases: &[(&[u8], bool)] = &[
        (&[0x55], true),                                                       // push rbp
        (&[0x41, 0x56], true),                                                 // push r14
        (&[0x48, 0x89, 0xe5], true),                                           // mov rbp, rsp
        (&[0x48, 0x83, 0xec, 0x10], true),                                     // sub rsp, 16
        (&[0xf3, 0x0f, 0x1e, 0xfa], true),                                     // endbr64
        (&[0x83, 0xff, 0x17], true),                                           // cmp edi, 0x17
        (&[0x85, 0xff], true),                                                 // test edi, edi
        (&[0x4c, 0x8d, 0x15, 0xe8, 0x97, 0xff, 0xff], true),                   // lea r10, [rip - 0x6818]
        (&[0x81, 0x3d, 0x20, 0x97, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], true), // cmp dword [rip - n], 0x7fffffff
        (&[0x49, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8], true),                         // mov r8, imm64
        (&[0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0], false),               // nop word cs:[rax + rax]
        (&[0x0f, 0x01, 0xf9], false),                                          // rdtscp
        (&[0x48, 0x0f, 0xac, 0xd0, 0x20], false),                              // shrd rax, rdx, 32
        (&[0x48, 0x0f, 0xba, 0xf0, 0x3f], false),                              // btr rax, 63
        (&[0xf6, 0x46, 0x1d, 0x01], true),                                     // test byte [rsi + 29], 1
        (&[0xf7, 0xd9], true),                                                 // neg ecx
        (&[0xc5, 0xf8, 0x77], false),                                          // vzeroupper
        (&[0xc4, 0xe3, 0x7d, 0x39, 0xc1, 0x01], false),                        // vextracti128 xmm1, ymm0, 1
        (&[0x66, 0xb8, 1, 2], false),                                          // mov ax, imm16
        (&[0x8b, 0x04, 0x25, 1, 2, 3, 4], true),                               // mov eax, [imm32]
        (&[0xc3], false),                                                      // ret
        (&[0xff, 0x25, 1, 2, 3, 4], false),                                    // jmp [rip + n]
        (&[0xf3, 0x90], false),                                                // pause
    ];
    for (bytes, movable) in cases {
        let i = decode(bytes).expect("known");
        assert_eq!((i.length, i.movable), (bytes.len(), *movable), "{bytes:x?}");
        assert_eq!(decode(&bytes[..bytes.len() - 1]).map(|i| i.length).filter(|l| *l >= bytes.len()), None);
    }
    for unknown in
        [&[0x62, 0xf1, 0x7c, 0x48, 0x10, 0xc0][..], &[0x67, 0x8b, 0], &[0xc7, 0xf8, 0, 0, 0, 0], &[0x06], &[]]
    {
        assert_eq!(decode(unknown), None, "{unknown:x?}");
    }
}

#[test]
fn prologues_of_other_kernels_are_moved() {
    let pushes = [0x55, 0x48, 0x89, 0xe5, 0x41, 0x56, 0x53, 0xc3];
    assert_eq!(trampoline(&pushes), Some((pushes[..6].to_vec(), 6)));
    let endbr = [0xf3, 0x0f, 0x1e, 0xfa, 0x83, 0xff, 0x17, 0x77, 0x01, 0xc3, 0xc3];
    assert_eq!(trampoline(&endbr), Some((endbr[..7].to_vec(), 7)));
    // cmp edi, 0x17; ja +6: encoded anew with 32 bits, to the same place.
    let compare = [0x83, 0xff, 0x17, 0x77, 0x06, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc3];
    let (bytes, displaced) = trampoline(&compare).expect("moved");
    assert_eq!((displaced, &bytes[..5]), (5, &[0x83, 0xff, 0x17, 0x0f, 0x87][..]));
    let end = Record::trampoline(ISLAND) + 9;
    let relative = i32::from_le_bytes(bytes[5..].try_into().expect("four"));
    assert_eq!(end.wrapping_add_signed(i64::from(relative)), BASE + 1024 + 11);
}

#[test]
fn operands_relative_to_rip_keep_their_target() {
    let code = [0x55, 0x81, 0x3d, 0x20, 0x97, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xc3];
    let (bytes, displaced) = trampoline(&code).expect("moved");
    assert_eq!((displaced, bytes.len()), (11, 11));
    let old = BASE + 1024 + 11 - 0x68e0;
    let new = i32::from_le_bytes(bytes[3..7].try_into().expect("four"));
    assert_eq!((Record::trampoline(ISLAND) + 11).wrapping_add_signed(i64::from(new)), old);
    assert_eq!(bytes[7..], code[7..11]);
}

#[test]
fn what_cannot_be_moved_is_refused() {
    let refused: &[&[u8]] = &[
        &[0xe9, 0, 0, 0, 0, 0xc3],                         // a jump
        &[0x55, 0xe8, 0, 0, 0, 0, 0xc3],                   // a call
        &[0x55, 0xc3, 0x90, 0x90, 0x90, 0x90],             // a return
        &[0x55, 0x0f, 0x05, 0x90, 0x90, 0x90, 0xc3],       // a system call
        &[0x55, 0x53, 0xc3],                               // too short
        &[0x55, 0x48, 0x89, 0xe5, 0x53, 0xeb, 0xfa, 0xc3], // a loop into the displaced bytes
        &[0x55, 0x48, 0x89, 0xe5, 0x53, 0x74, 0xf9, 0xc3], // a loop to the very start
        &[0x55, 0x48, 0x89, 0xe5, 0x53, 0x62, 0xeb, 0xf9], // the same behind what cannot be decoded
    ];
    for code in refused {
        assert_eq!(planned(&image_with(code)).err(), Some(Refusal::Undecodable), "{code:x?}");
    }
}

#[test]
fn a_branch_from_another_function_into_displaced_bytes_is_refused() {
    let own = [0x55, 0x48, 0x89, 0xe5, 0x53, 0xc3];
    // gettimeofday at 1024 + 16 jumps to clock_gettime's second byte; then to its first, as may be.
    let jump_to = |to: i32| {
        let [a, b, c, d] = (to - 16 - 5).to_le_bytes();
        [0xe9, a, b, c, d, 0xc3]
    };
    assert_eq!(planned(&image(&own, &jump_to(1), None)).err(), Some(Refusal::Undecodable));
    assert!(planned(&image(&own, &jump_to(0), None)).is_ok());
}

#[test]
fn an_island_too_far_away_or_an_image_of_ours_is_refused() {
    let own = image_with(&[0x55, 0x48, 0x89, 0xe5, 0x53, 0xc3]);
    assert_eq!(planned_at(&own, BASE + 0x8000_1000).err(), Some(Refusal::NoIsland));
    assert_eq!(planned_at(&own, BASE - 0x8000_1000).err(), Some(Refusal::NoIsland));
    assert!(planned_at(&own, BASE - 0x7fff_f000).is_ok());
    let ours = image(&[0x55, 0x48, 0x89, 0xe5, 0x53, 0xc3], &[0xc3; 6], Some(NOTE_NAME));
    assert_eq!(planned(&ours).err(), Some(Refusal::Replaced));
}

#[test]
fn the_island_names_itself_and_can_be_undone() {
    let bytes = image_with(&[0x55, 0x48, 0x89, 0xe5, 0x53, 0xc3]);
    let plan = planned(&bytes).expect("plan");
    let record = Record::parse(plan.island.bytes()).expect("record");
    assert_eq!(record.vdso, BASE);
    for (index, (patch, slot)) in plan.patches.iter().zip(record.slots).enumerate() {
        let patch = patch.expect("all three");
        assert_eq!((slot.entry, slot.original), (patch.at, patch.old));
        assert_eq!(island_of_jump(patch.at, &patch.new, index), Some(ISLAND));
        assert_eq!(island_of_jump(patch.at, &patch.old, index), None);
    }
    let landing = &plan.island.bytes()[256..];
    assert_eq!(landing[..6], [0xff, 0x25, 0, 0, 0, 0]);
    assert_eq!(landing[6..14], HOOKS.clock_gettime.to_le_bytes());
    assert_eq!(Record::parse(&[0; ISLAND_SIZE]), None);
    assert_eq!(Record::parse(&plan.island.bytes()[..40]), None);
}

#[test]
fn this_machines_vdso_is_parsed_by_either_hash_and_planned() {
    let bytes = own_vdso();
    let image = Image::parse(&bytes).expect("parse");
    assert!(!image.is_ours());
    let functions = Functions::of(&image).expect("functions");
    for function in image.functions() {
        let mut rest = image.code(function).expect("code");
        while !rest.is_empty() {
            let i = decode(rest).expect("every instruction of every function is known");
            rest = &rest[i.length..];
        }
    }
    let plan = plan(&image, BASE, &functions, ISLAND, &HOOKS).expect("plan");
    assert!(plan.patches.iter().all(Option::is_some));

    // Without DT_HASH, as newer kernels have it; then without either.
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
    let header = (64..).step_by(56).find(|at| word(*at) & 0xffff_ffff == 2).expect("PT_DYNAMIC");
    let dynamic = usize::try_from(word(header + 8)).expect("offset");
    let without = |bytes: &[u8], tag: u64| {
        let mut changed = bytes.to_vec();
        let at = (dynamic..).step_by(16).find(|at| word(*at) == tag).expect("tag");
        changed[at..at + 8].copy_from_slice(&0x6fff_0000_u64.to_le_bytes());
        changed
    };
    let gnu_only = without(&bytes, 4);
    let image = Image::parse(&gnu_only).expect("gnu hash");
    assert_eq!(image.function(b"__vdso_time"), functions.time);
    assert_eq!(image.function(b"__vdso_tim"), None);
    assert!(Image::parse(&without(&gnu_only, 0x6fff_fef5)).is_none());
}

#[test]
fn danger_is_what_is_overwritten_but_for_the_first_byte_and_an_island_names_its_hooks() {
    let bytes = own_vdso();
    let plan = planned(&bytes).expect("planned");
    let patched: Vec<u64> = plan.patches.iter().flatten().map(|patch| patch.at).collect();
    let danger: Vec<_> = plan.danger().collect();
    assert_eq!(
        danger.iter().map(|range| range.start).collect::<Vec<_>>(),
        patched.iter().map(|at| at + 1).collect::<Vec<_>>()
    );
    assert_eq!(danger[0].end, plan.displaced.end);
    assert!(danger.iter().zip(&patched).all(|(range, at)| range.end >= at + 5));
    let hooks = [HOOKS.clock_gettime, HOOKS.gettimeofday, HOOKS.time];
    for (index, hook) in hooks.into_iter().enumerate() {
        assert_eq!(hook_of(plan.island.bytes(), index), Some(hook));
    }
    assert_eq!(hook_of(plan.island.bytes(), 3), None);
    assert_eq!(hook_of(&[0; ISLAND_SIZE], 0), None);
    assert_eq!(hook_of(&plan.island.bytes()[..260], 0), None);
}

#[test]
fn refusals_survive_publication() {
    let all = [
        Refusal::NoVdso,
        Refusal::Replaced,
        Refusal::AlreadyDetoured,
        Refusal::OtherThreads,
        Refusal::NoProc(2),
        Refusal::NoIsland,
        Refusal::Undecodable,
        Refusal::CannotWrite(13),
        Refusal::NotAsWritten,
    ];
    for refusal in all {
        assert_ne!(refusal.code(), 0);
        assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
    }
    assert_eq!(Refusal::from_code(0), None);
}

proptest! {
    #[test]
    fn any_bytes_decode_within_themselves(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
        if let Some(i) = decode(&bytes) {
            prop_assert!((1..=15).contains(&i.length) && i.length <= bytes.len());
            prop_assert_eq!(decode(&bytes[..i.length]), Some(i), "what follows does not matter");
            if let Kind::RipRelative { field } = i.kind {
                prop_assert!(field + 4 <= i.length);
            }
        }
    }

    #[test]
    fn any_function_is_planned_or_refused(code in prop::collection::vec(any::<u8>(), 1..64)) {
        if let Ok(plan) = planned(&image_with(&code)) {
            prop_assert!(plan.displaced.end - plan.displaced.start >= 5);
            prop_assert!(Record::parse(plan.island.bytes()).is_some());
        }
    }

    #[test]
    fn a_spoilt_image_is_a_none(changes in prop::collection::vec((0_usize..1024, any::<u8>()), 1..8), cut in 0_usize..2049) {
        let mut bytes = image(&[0x55, 0x48, 0x89, 0xe5, 0x53, 0xc3], &[0xc3; 6], Some(NOTE_NAME));
        for (at, value) in changes {
            bytes[at] = value;
        }
        if let Some(image) = Image::parse(&bytes[..cut]) {
            prop_assert!(image.functions().all(|f| image.code(f).is_some()), "{}", format!("{image:?}"));
            if let Some(functions) = Functions::of(&image) {
                let _ = plan(&image, BASE, &functions, ISLAND, &HOOKS);
            }
        }
    }
}
