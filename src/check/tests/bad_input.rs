//! Histories that cannot be judged, each by its line; and those of Jepsen.

use super::*;
use crate::check::Chosen;

fn refused(text: &str) -> String {
    Past::read(text.as_bytes(), "h").expect_err(text).to_string()
}

fn op(phase: &str, at: i64, more: &str) -> String {
    format!(
        r#"{{"at_ns":{at},"wall_ns":0,"event":"op","node":"a","op":"x","phase":"{phase}","process":1,"from_ns":{at},"until_ns":{at},"by":"mono"{more}}}"#
    ) + "\n"
}

#[test]
fn what_cannot_be_judged_is_refused_by_its_line() {
    let twice = op("invoke", 1, "") + &op("ok", 2, "") + &op("ok", 3, "");
    for (lines, why) in [
        (
            op("invoke", 1, "") + &op("invoke", 2, ""),
            "line 3: process 1 begins 'x', and has one open since line 2",
        ),
        (twice, "line 4: 'x' of process 1 ends without a beginning, or twice"),
        (op("invoke", 5, "") + &op("ok", 3, ""), "line 3: it ends before it begins, which is line 2"),
        (op("ok", 5, "").replace("\"until_ns\":5", "\"until_ns\":4"), "line 2: its instant lies after"),
        (
            op("ok", 5, "").replace("\"by\":\"mono\"", "\"by\":\"tai\""),
            "line 2: it is known by a clock 'tai'",
        ),
        ("{}\n".to_owned(), "line 2: "),
    ] {
        let error = refused(&format!("{HEADER}{lines}"));
        assert!(error.contains(why), "{why}: {error}");
    }
    assert!(refused("").contains("it is empty"));
    assert!(refused(&HEADER.replace("\"version\":1", "\"version\":2")).contains("it is of version 2"));
    assert!(
        refused(&HEADER.replace("[\"mono\",\"wall\"]", "[\"wall\"]")).contains("line 1: its instants are in")
    );
}

#[test]
fn operations_that_never_end_and_a_line_that_is_cut_off_are_told() {
    let past = Past::read(format!("{HEADER}{}{{\"at_", op("invoke", 1, "")).as_bytes(), "h").unwrap();
    assert!(past.notes[0].contains("line 2: 'x' never ends"), "{:?}", past.notes);
    assert!(past.notes[1].contains("cut off"), "{:?}", past.notes);
}

const EDN: &str = "\
; a register
#jepsen.history.Op{:index 0, :type :invoke, :f :write, :value 1, :process 0, :time 1}
{:index 1, :type :info, :f :start, :process :nemesis, :value \"x\", :time 2}
{:index 2, :type :ok, :f :write, :value 1, :process 0, :time 3}
{:index 3, :type :invoke, :f :cas, :value [1 2], :process 0, :time 4}
{:index 4, :type :info, :f :cas, :value [1 2], :process 0, :error :timeout, :time 5}
{:index 5, :type :invoke, :f :read, :value nil, :process 1, :time 6}
{:index 6, :type :ok, :f :read, :value 2, :process 1, :time 7}
";

#[test]
fn jepsens_histories_are_judged() {
    let past = Past::read(EDN.as_bytes(), "h").unwrap();
    assert_eq!(past.ops.len(), 3);
    assert_eq!(one(&past, "linearizable").verdict, Verdict::Holds);
    let stale =
        Past::read(EDN.replace(":value 2, :process 1", ":value nil, :process 1").as_bytes(), "h").unwrap();
    assert_eq!(one(&stale, "linearizable").verdict, Verdict::Violated);
    let json = "{\"type\":\"invoke\",\"f\":\"write\",\"process\":0,\"value\":1}\n\
                {\"type\":\"ok\",\"f\":\"write\",\"process\":0,\"value\":1}\n\
                {\"type\":\"invoke\",\"f\":\"read\",\"process\":1}\n\
                {\"type\":\"ok\",\"f\":\"read\",\"process\":1,\"value\":null}\n";
    // Without times the order of the lines decides.
    let past = Past::read(json.as_bytes(), "h").unwrap();
    assert_eq!(one(&past, "linearizable").verdict, Verdict::Violated);
    assert_eq!(one(&past, "progress=1/1s").verdict, Verdict::Unknown);
}

#[test]
fn jepsens_histories_are_refused_by_their_lines() {
    let replaced = |old: &str, new: &str| refused(&EDN.replacen(old, new, 1));
    for (old, new, why) in [
        (":type :ok", ":type :done", "line 4: its type is \"done\""),
        (":time 3", ":time 0", "line 4: its time is before that of the line before"),
        (":time 3", ":time \"x\"", "line 4: its time is no number"),
        (", :time 3", "", "line 4: some operations have a time, and some have none"),
        (":f :cas, :value [1 2], :process 0, :time 4", ":process 0", "line 5: it has no f"),
        ("[1 2], :process 0, :time 4}", "[1 2", "line 5: it is no EDN"),
        (
            ":type :invoke, :f :read",
            ":type :ok, :f :read",
            "line 7: 'read' of process 1 ends without a beginning",
        ),
        (
            ":type :info, :f :cas",
            ":type :invoke, :f :cas",
            "line 6: process 0 begins 'cas', and has one open since line 5",
        ),
    ] {
        let error = replaced(old, new);
        assert!(error.contains(why), "{why}: {error}");
    }
    assert!(refused("; nothing\n").contains("it is empty"));
    let deep = format!("{{:f :x, :type :ok, :process 0, :value {}1{}}}\n", "[".repeat(99), "]".repeat(99));
    assert!(refused(&deep).contains("nested"));
}

#[test]
fn a_rule_is_what_it_is_written_as() {
    for text in ["fencing", "recovers-within=1m30s", "progress=10/1s", "no-cascade", "no-cascade=5s"] {
        assert_eq!(text.parse::<Chosen>().unwrap().to_string(), text);
    }
    for (text, why) in [
        ("fence", "there is none of that name"),
        ("fencing=1s", "nothing is written after its name"),
        ("recovers-within", "it does not say how long"),
        ("recovers-within=5", "5"),
        ("recovers-within=-5s", "it is not longer than nothing"),
        ("progress=1s", "it is no number and a span"),
        ("progress=0/1s", "its number is none of 1 or more"),
    ] {
        let error = text.parse::<Chosen>().unwrap_err();
        assert!(error.to_string().contains(why) && error.help().is_some(), "{text}: {error}");
    }
}
