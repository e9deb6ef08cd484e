use std::path::PathBuf;

use super::super::elf::{Libc, Sanitizer};
use super::super::privilege::Raised;
use super::*;

/// A program of a kind, with nothing in its way.
fn program(kind: Kind) -> Program {
    Program {
        command: PathBuf::from("/opt/app"),
        file: PathBuf::from("/opt/app"),
        interpreters: Vec::new(),
        by_shell_fallback: false,
        kind,
        loader: None,
        sanitizer: None,
        sanitizer_runtime: None,
        raised: None,
        may_be_traced: false,
        drops_preload: false,
    }
}

const DYNAMIC: Kind = Kind::Dynamic(Libc::Glibc);
const BITS_32: Kind = Kind::Foreign { bits: 32, machine: 3 };

fn by(program: &Program, wanted: Wanted) -> Means {
    choose(program, wanted).unwrap().means
}

#[test]
fn what_can_be_preloaded_is_unless_asked_otherwise() {
    for kind in [DYNAMIC, Kind::Dynamic(Libc::Musl), Kind::GoDynamic(Libc::Glibc), Kind::Loader(Libc::Glibc)]
    {
        let program = program(kind);
        assert_eq!(by(&program, Wanted::Auto), Means::Preload, "{kind:?}");
        assert_eq!(by(&program, Wanted::Preload), Means::Preload, "{kind:?}");
        assert_eq!(by(&program, Wanted::Vdso), Means::Vdso, "{kind:?}");
    }
}

#[test]
fn what_cannot_be_preloaded_has_its_vdso_replaced_and_is_told_why() {
    let sanitized = Program { sanitizer: Some(Sanitizer::Address), ..program(DYNAMIC) };
    let emptied = Program { drops_preload: true, ..program(DYNAMIC) };
    let raised = Program { raised: Some(Raised::Setuid(7)), may_be_traced: true, ..program(DYNAMIC) };
    for (program, why) in [
        (program(Kind::Static), "it is linked statically (static)"),
        (program(Kind::StaticPie), "it is linked statically (static-pie)"),
        (program(Kind::GoStatic), "it is a static Go program, so that nothing can be preloaded"),
        (sanitized, "it is built with AddressSanitizer"),
        (emptied, "the env in its first line takes LD_PRELOAD out"),
        (raised, "it is setuid to user 7"),
    ] {
        let choice = choose(&program, Wanted::Auto).unwrap();
        assert_eq!(choice.means, Means::Vdso);
        assert!(choice.why.starts_with(why), "{}", choice.why);
        assert!(choice.why.ends_with("its vDSO is replaced when it is executed"), "{}", choice.why);
        let err = choose(&program, Wanted::Preload).unwrap_err();
        assert!(err.why().starts_with(why) && err.help().is_some(), "{err}");
    }
}

#[test]
fn what_no_means_reach_is_refused_once_with_the_reason_of_each() {
    for wanted in [Wanted::Auto, Wanted::Preload, Wanted::Vdso] {
        let err = choose(&program(BITS_32), wanted).unwrap_err();
        assert_eq!(err.why(), "it is a 32-bit program (32-bit x86), and falseticker is 64-bit");
        let foreign = program(Kind::Foreign { bits: 64, machine: 183 });
        assert_eq!(
            choose(&foreign, wanted).unwrap_err().why(),
            "it is built for another processor (64-bit aarch64)"
        );
        let homeless = Program { loader: Some("/no/such/loader".into()), ..program(DYNAMIC) };
        assert_eq!(choose(&homeless, wanted).unwrap_err().kind(), ErrorKind::CannotExecute);
    }
    let raised = Program { raised: Some(Raised::Capabilities), ..program(DYNAMIC) };
    let err = choose(&raised, Wanted::Auto).unwrap_err();
    assert!(err.why().contains("LD_PRELOAD") && err.why().contains("; and only root may trace"), "{err}");
    assert!(err.help().is_some());
}

#[test]
fn a_script_is_told_by_its_interpreter() {
    let script = Program { interpreters: vec!["/opt/app".into()], ..program(Kind::Static) };
    let choice = choose(&script, Wanted::Auto).unwrap();
    assert!(choice.why.starts_with("its interpreter /opt/app is linked statically"), "{}", choice.why);
    let script = Program { interpreters: vec!["/bin/sh".into()], ..program(DYNAMIC) };
    let choice = choose(&script, Wanted::Auto).unwrap();
    assert_eq!(choice.why, "script run by /bin/sh, which can be preloaded (dynamic, glibc)");
}

#[test]
fn every_means_have_a_name_and_cover_reads_evidence_and_traps() {
    for (means, name) in [(Means::Preload, "preload"), (Means::Vdso, "vdso"), (Means::Attach, "attach")] {
        assert_eq!(means.to_string(), name);
        assert_eq!(serde_json::to_value(means).unwrap(), name);
        for kind in [DYNAMIC, Kind::GoStatic] {
            let covers = means.reach().covers(kind);
            for part in [Part::Reads, Part::VdsoReads, Part::Evidence, Part::ReadTraps, Part::Forks] {
                assert_eq!(covers.of_part(part), Cover::Whole, "{means}: {part:?}");
            }
            assert!(matches!(covers.of_part(Part::RawReads), Cover::Not(_)));
        }
    }
}

#[test]
fn waits_for_an_instant_are_covered_by_the_shim_alone() {
    for part in [Part::Deadlines, Part::Timers, Part::SyscallReads, Part::Settings, Part::ConnectTraps] {
        assert_eq!(Preload.covers(DYNAMIC).of_part(part), Cover::Whole, "{part:?}");
        for means in [Means::Vdso, Means::Attach] {
            assert!(
                matches!(means.reach().covers(DYNAMIC).of_part(part), Cover::Not(_)),
                "{means}: {part:?}"
            );
        }
    }
}

#[test]
fn lengths_of_time_are_a_gap_only_where_the_monotonic_clock_may_be_faulted() {
    let gaps = |monotonic| Vdso.covers(Kind::Static).gaps(monotonic);
    let of_lengths = |gaps: &[Gap]| gaps.iter().any(|gap| gap.part == Part::Lengths);
    assert!(!of_lengths(&gaps(false)) && of_lengths(&gaps(true)));
    let texts: Vec<String> = gaps(false).into_iter().map(String::from).collect();
    assert!(
        texts.contains(
            &"waits for an instant of the wall clock: those that the kernel has end by the machine's clock"
                .to_owned()
        ),
        "{texts:?}"
    );
}

/// The table of the guide.
fn as_markdown() -> String {
    let columns = [
        ("`preload`", Preload.covers(DYNAMIC)),
        ("`preload`, Go", Preload.covers(Kind::GoDynamic(Libc::Glibc))),
        ("`vdso`", Vdso.covers(DYNAMIC)),
        ("`attach`", Attach.covers(DYNAMIC)),
    ];
    let line = |first: &str, cells: Vec<String>| format!("| {first} | {} |\n", cells.join(" | "));
    let cell = |cover: Cover| match cover {
        Cover::Whole => "yes".to_owned(),
        Cover::But(what) => format!("yes, but: {what}"),
        Cover::Not(what) => what.to_owned(),
    };
    let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let head = line("covered?", names) + &line("---", vec!["---".to_owned(); columns.len()]);
    Part::ALL.into_iter().fold(head, |table, part| {
        let cells = columns.iter().map(|(_, covers)| cell(covers.of_part(part))).collect();
        table + &line(part.describe(), cells)
    })
}

#[test]
fn the_guide_has_the_table_of_what_is_covered() {
    let page = include_str!("../../guide/reach.md");
    assert!(page.contains(&as_markdown()), "it should have this table:\n{}", as_markdown());
}

#[test]
fn of_a_preloaded_c_program_nothing_is_notable() {
    let notable = |kind| {
        let gaps = Preload.covers(kind).gaps(false).into_iter();
        gaps.filter(|gap| gap.is_notable()).map(|gap| gap.part).collect::<Vec<_>>()
    };
    assert_eq!(notable(DYNAMIC), []);
    assert_eq!(notable(Kind::GoDynamic(Libc::Glibc)), [Part::ConnectTraps]);
}
