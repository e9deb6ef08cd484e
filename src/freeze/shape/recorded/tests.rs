use std::path::Path;

use proptest::prelude::*;

use super::*;

const GC_LOG: &str = include_str!("../../../../tests/data/gc.log");
const SAFEPOINTS: &str = include_str!("../../../../tests/data/safepoints.log");

fn read(text: &str) -> Result<Recording> {
    let refused = |why: std::io::Error| Error::bad_input("read the recorded pauses in x", why).remedy("none");
    Recording::of(Path::new("x"), text.as_bytes(), refused)
}

fn nanos(spans: &[Span]) -> Vec<i64> {
    spans.iter().map(|span| span.as_nanos()).collect()
}

#[track_caller]
fn refusal(text: &str, fragments: &[&str]) {
    let error = read(text).unwrap_err();
    assert!(error.help().is_some(), "{error}");
    for fragment in fragments {
        assert!(error.to_string().contains(fragment), "{text:?}: {fragment:?} is not in {error}");
    }
}

#[test]
fn a_list_has_a_span_a_line_and_comments() {
    let recording = read("# of last Tuesday\n\n200ms\n  1.5s  # a long one\r\n7ns\n3ms").unwrap();
    assert_eq!(recording.format, Format::Spans);
    // Nothing shorter than a microsecond is ever drawn.
    assert_eq!(nanos(&recording.lengths), [200_000_000, 1_500_000_000, 1_000, 3_000_000]);
    assert_eq!(nanos(&recording.into_gaps(Path::new("x")).unwrap()).len(), 4);
}

#[test]
fn of_a_log_of_collections_each_pause_counts_once() {
    let recording = read(GC_LOG).unwrap();
    assert_eq!(recording.format, Format::JvmCollections);
    // Concurrent work and phases are no pauses.
    assert_eq!(nanos(&recording.lengths), [2_514_000, 303_000, 3_672_000, 2_716_000, 554_000, 75_000]);
    // 0.081 s - 0.303 ms - 0.030 s, and so on.
    let gaps = recording.gaps.clone().unwrap();
    assert_eq!(nanos(&gaps), [50_697_000, 1_284_000, 4_446_000, 925_000]);
}

#[test]
fn of_a_log_with_safepoints_those_alone_count() {
    let recording = read(SAFEPOINTS).unwrap();
    assert_eq!(recording.format, Format::JvmSafepoints);
    assert_eq!(nanos(&recording.lengths), [4_076_790, 1_323_224, 4_977_506, 3_317_143, 990_339, 170_343]);
    // The log says them itself.
    let gaps = recording.gaps.unwrap();
    assert_eq!(nanos(&gaps), [897_331, 499_050, 1_209_635, 65_758, 970_881]);
}

#[test]
fn lines_of_other_collectors_and_versions_are_known() {
    for (line, expected) in [
        ("[0.444s][info][gc] GC(0) Pause Init Mark (unload classes) 0.024ms", 24_000),
        ("[0.263s][info][gc,phases   ] GC(0) Pause Mark Start 0.005ms", 5_000),
        ("[0.263s][info][gc,phases   ] GC(3) Y: Pause Mark Start (Major) 0.006ms", 6_000),
        (
            "[2026-11-23T18:22:33.123+0000][0.590s][info][gc] GC(0) Pause Young (Allocation Failure) 24M->6M(92M) 14.162ms",
            14_162_000,
        ),
        ("[12ms] GC(0) Pause Full (System.gc()) 24M->6M(92M) 1,5ms", 1_500_000),
        (
            "[0.1s][info][safepoint] Total time for which application threads were stopped: 0.0059788 seconds, Stopping threads took: 0.1 seconds",
            5_978_800,
        ),
        (
            "[0.1s][info][safepoint] Safepoint \"X\", Time since last: 1 ns, Reaching safepoint: 2 ns, At safepoint: 3 ns, Leaving safepoint: 9 ns, Total: 7000 ns",
            7_000,
        ),
        ("[0.1s][gc] GC(0) Pause Cleanup 0.000ms", 1_000),
    ] {
        let recording = read(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(nanos(&recording.lengths), [expected], "{line}");
    }
}

#[test]
fn logs_without_an_uptime_have_no_gaps() {
    let log = "[info][gc] GC(0) Pause Remark 1.0ms\n[info][gc] GC(1) Pause Remark 1.0ms\n";
    let recording = read(log).unwrap();
    assert_eq!(recording.gaps, None);
    let error = recording.into_gaps(Path::new("x")).unwrap_err();
    assert!(error.help().is_some_and(|help| help.contains("uptime")), "{error}");
    // Of two logs in one file, what lies between them is no gap.
    let log = "[9.0s][gc] GC(0) Pause Remark 1.0ms\n[0.1s][gc] GC(0) Pause Remark 1.0ms\n";
    assert_eq!(read(log).unwrap().gaps, None);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    refusal("", &["it is empty"]);
    refusal("\n# nothing\n", &["no span"]);
    refusal("200ms\n 300\n", &["line 2, character 2", "'300' is no span", "write 300s or 300ms"]);
    refusal("200ms 300ms\n", &["line 1", "no spaces"]);
    refusal("-5s\n", &["line 1", "not above 0s"]);
    refusal("0s\n", &["line 1", "not above 0s"]);
    refusal("25h\n", &["line 1", "at most 1d"]);
    refusal("200ms\n[0.1s][gc] GC(0) Pause Remark 1.0ms\n", &["line 2", "is no span"]);
    refusal("[0.003s][info][gc] Using G1\n", &["JVM log without a pause"]);
    refusal("[0.1s][gc] GC(0) Pause Remark 55M->32M(96M)\n", &["line 1, character 31", "'55M->32M(96M)'"]);
    refusal("[0.1s][gc] GC(0) Pause Remark 99999999999999999999ms\n", &["line 1, character 31"]);
    refusal("[0.1s][safepoint] Safepoint \"X\", Total: ? ns\n", &["line 1, character 41", "'?'"]);
    refusal("[0.1s][safepoint] Safepoint \"X\", nothing\n", &["line 1", "Total: ... ns"]);
    refusal(&"x".repeat(70_000), &["line 1", "longer than 64 KiB"]);
}

#[test]
fn a_log_that_is_being_written_may_break_off() {
    let whole = "[0.1s][gc] GC(0) Pause Remark 1.5ms\n";
    for end in 12..whole.len() {
        let recording = read(&format!("{whole}{}", &whole[..end])).unwrap();
        assert_eq!(recording.lengths[0].as_nanos(), 1_500_000);
    }
}

#[test]
fn files_that_cannot_be_read_are_bad_input() {
    for path in ["/nowhere/at/all", "/", "/dev/null", "/dev/zero", "/proc/self/exe"] {
        let error = Recording::read(Path::new(path)).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::BadInput, "{path}");
        assert!(error.attempted().contains(path) && error.help().is_some(), "{error}");
    }
}

proptest! {
    #[test]
    fn no_file_panics(text in "(\\[[0-9.s]{0,5}\\]|GC\\([0-9]?\\) |Pause |Safepoint \"|Total: |[0-9]{1,22}| ns|ms|\u{e9}|\n|.){0,12}") {
        if let Ok(recording) = read(&text) {
            prop_assert!(!recording.lengths.is_empty());
            for span in recording.lengths.into_iter().chain(recording.gaps.unwrap_or_default()) {
                prop_assert!(span >= SHORTEST && span <= LONGEST);
            }
        }
    }
}
