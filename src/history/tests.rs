//! The format, written and read back; and what a reader makes of files that are damaged or of another version.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scenario::action::{Action, Jump};
use crate::{HostInstant, Span};

fn header() -> Header {
    Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        tool: "0.1.0".to_owned(),
        scenario: "x".to_owned(),
        seed: 7,
        started: "2026-11-26T00:00:00Z".to_owned(),
        duration_ns: 1,
        recovery_ns: 1,
        clocks: vec!["mono".to_owned()],
        nodes: vec![Node { name: "a".to_owned(), command: vec!["date".to_owned()], monotonic: false }],
    }
}

fn events() -> Vec<Event> {
    let (operation, mono) =
        operation::read(r#"{"op":"cas","type":"invoke","process":3,"value":[1,2],"mono_ns":5,"k":"x"}"#)
            .unwrap();
    assert_eq!((operation.phase, mono), (Phase::Invoke, Some(5)));
    assert_eq!(operation.fields.get("k"), Some(&json!("x")));
    vec![
        Event::Planned {
            id: 1,
            entry: 0,
            node: Some("a".to_owned()),
            fault: Action::Jump(Jump { by: Span::from_secs(-5), ..Jump::default() }),
            due: Some(12),
            after: None,
            change: Some(3),
            optional: false,
        },
        Event::Op { node: "a".to_owned(), operation },
        Event::Exited { node: "a".to_owned(), pid: 5, code: None, signal: Some(9), expected: true },
        Event::Verdict(Check {
            check: "arrived".to_owned(),
            verdict: Verdict::Unknown,
            why: vec!["x".to_owned()],
            witness: vec![Seen { from_ns: 1, until_ns: 2, line: 3, what: "a: write 1".to_owned() }],
        }),
        Event::End { reason: "complete".to_owned(), why: None },
    ]
}

fn written() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h");
    let mut writer = Writer::create(Some(&path), false, None).unwrap();
    writer.begin(&header());
    for event in events() {
        writer.at(HostInstant::from_nanos(40), event);
    }
    assert!(writer.failure().is_none());
    std::fs::read(path).unwrap()
}

fn read(bytes: &[u8]) -> crate::Result<(Vec<Event>, bool)> {
    let mut reader = Reader::new(bytes, "h")?;
    let mut all = Vec::new();
    while let Some(line) = reader.next_line()? {
        all.push(line.event);
    }
    Ok((all, reader.is_cut_off()))
}

#[test]
fn what_is_written_reads_back() {
    assert_eq!(read(&written()).unwrap(), (events(), false));
    let line = String::from_utf8(written()).unwrap();
    let planned = line.lines().nth(1).unwrap();
    assert!(planned.contains(r#""at_ns":40"#) && planned.contains(r#""event":"planned""#), "{planned}");
    assert!(planned.contains(r#""fault":{"jump":{"by":"-5s"}}"#), "{planned}");
}

#[test]
fn a_file_that_is_there_is_kept_unless_it_is_to_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h");
    std::fs::write(&path, "mine").unwrap();
    let refused = Writer::create(Some(&path), false, None).unwrap_err();
    assert!(refused.help().is_some_and(|help| help.contains("--overwrite")));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    Writer::create(Some(&path), true, None).unwrap().begin(&header());
    assert!(!std::fs::read_to_string(&path).unwrap().contains("mine"));
}

#[test]
fn a_full_disk_is_said_once_and_nothing_is_written_after_it() {
    let mut writer = Writer::create(Some("/dev/full".as_ref()), true, None).unwrap();
    writer.begin(&header());
    let failure = writer.failure().unwrap().to_string();
    assert!(failure.contains("No space left"), "{failure}");
    writer.now(Event::End { reason: "complete".to_owned(), why: None });
    assert_eq!(writer.failure().unwrap().to_string(), failure);
}

#[test]
fn what_is_no_history_or_a_newer_one_is_refused() {
    let replaced = |old: &str, new: &str| String::from_utf8(written()).unwrap().replacen(old, new, 1);
    for (text, why) in [
        (String::new(), "it is empty"),
        ("{}\n".to_owned(), "line 1 is no header"),
        ("hello\n".to_owned(), "line 1 is no header"),
        (replaced(FORMAT, "other"), "line 1 says that it is 'other'"),
        (replaced("\"version\":1", "\"version\":2"), "it is of version 2"),
        (replaced("\"version\":1", "\"version\":0"), "it is of version 0"),
        (replaced("\"seed\":7", "\"seed\":\"x\""), "line 1: "),
        (replaced("\"event\":\"op\"", "\"event\":\"opp\""), "line 3: "),
        (replaced("\"pid\":5", "\"pid\":x"), "line 4: "),
    ] {
        let error = read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
}

proptest! {
    #[test]
    fn wherever_it_is_cut_off_all_before_is_read(cut in 0_usize..2_000) {
        let whole = written();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap();
        let cut = cut.clamp(first + 1, whole.len());
        let (events, cut_off) = read(&whole[..cut]).unwrap();
        let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        prop_assert_eq!(events.len(), lines - 1);
        prop_assert_eq!(cut_off, whole[cut - 1] != b'\n');
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..2_000, with in any::<u8>()) {
        let _ = read(&bytes);
        let mut whole = written();
        let at = at % whole.len();
        whole[at] = with;
        if let Ok((events, _)) = read(&whole) {
            for event in events {
                describe(&Line { at_ns: 1, wall_ns: 1, event });
            }
        }
        let _ = operation::read(&String::from_utf8_lossy(&whole));
    }
}
