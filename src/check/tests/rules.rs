//! By hand: what holds, what is violated and by which operations, what cannot be told.

use super::*;
use crate::check::linearizable::Linearizable;
use crate::check::{RULES, Rule, With};

#[test]
fn without_the_operations_that_it_reads_every_rule_is_unknown() {
    let other = history(&["c1 sing 1 1..2"]);
    for rule in RULES.iter().filter(|rule| !["recovers-within", "progress"].contains(&rule.name())) {
        assert_eq!(one(&other, rule.name()).verdict, Verdict::Unknown, "{}", rule.name());
    }
    let empty = history(&[]);
    for rule in RULES {
        let needs = rule.needs().shown().replace("[=SPAN]", "").replace("SPAN", "1s").replace('N', "1");
        let check = one(&empty, &format!("{}{needs}", rule.name()));
        assert_eq!(check.verdict, Verdict::Unknown, "{check:?}");
    }
}

#[test]
fn mutual_exclusion() {
    let rule = "mutual-exclusion";
    holds(rule, &["c1 acquire 1 1..2", "c1 release 1 3..4", "c2 acquire 2 5..6", "c2 hold 2 7"]);
    holds(rule, &["c1 acquire 1 1..2 lease=x", "c2 acquire 1 1..2 lease=y", "c1 hold 1 9 lease=x"]);
    holds(rule, &["c1 acquire 1 1..2", "!c2 acquire - 1..5", "c1 hold 1 9"]);
    // The pause: c1 says on waking that it holds the lease, which c2 has had for long.
    violated(rule, &["c1 acquire 1 1..2", "c2 acquire 2 5..6", "c1 hold 1 8", "c2 hold 2 9"], &[0, 1, 2, 3]);
    violated(
        rule,
        &["c1 acquire 1 1..2", "c1 release 1 8..9", "c2 acquire 2 5..6", "c2 hold 2 7"],
        &[0, 2, 3, 1],
    );
    // c1 never says that its lease ran out.
    unknown(rule, &["c1 acquire 1 1..2", "c2 acquire 2 5..6", "c2 hold 2 9"]);
    // Whether c1 has it at all nobody knows.
    unknown(rule, &["?c1 acquire 1 1..2", "c2 acquire 2 5..6", "c2 hold 2 9"]);
    unknown(rule, &["c1 acquire 1 1..2", "?c1 release 1 3..4", "c2 acquire 2 5..6"]);
    let again = ["c2 acquire 2 5..6", "c2 release 2 7..8", "c1 acquire 3 9..10", "c1 hold 3 11"];
    unknown(rule, &[&["c1 acquire 1 1..2", "?c1 release 1 3..4"], &again[..]].concat());
    holds(rule, &[&["c1 acquire 1 1..2", "c1 release 1 3..4"], &again[..]].concat());
    unknown(rule, &["c1 acquire 1 1..2", "c1 release 1 5~8", "c2 acquire 2 6..7"]);
    unknown(rule, &["c1 acquire 1 1..2~7", "c1 release 1 8", "c2 acquire 2 3..4", "c2 release 2 5..6"]);
    holds(
        rule,
        &["c1 acquire 1 1..2", "c1 release 1 3", "c2 acquire 2 4..5", "c1 acquire - 4..", "c2 hold 2 9"],
    );
    // Who waits holds nothing: neither for the lease, nor for the answer that it is given back.
    holds(rule, &["c1 acquire 1 1..2", "c2 acquire 2 1..6", "c1 release 1 5..9", "c2 hold 2 7"]);
}

#[test]
fn a_holder_whose_node_is_dead_holds_nothing() {
    let before = "{\"at_ns\":3,\"wall_ns\":0,\"event\":\"killed\",\"id\":1,\"node\":\"n-c1\",\"pids\":[1]}\n";
    let past = parse(&["c1 acquire 1 1..2", "c2 acquire 2 5..6"], before);
    assert_eq!(one(&past, "mutual-exclusion").verdict, Verdict::Holds);
}

#[test]
fn fencing() {
    let rule = "fencing";
    holds(rule, &["s write 1 1 token=1", "s write 2 2 token=1", "s write 3 3 token=2"]);
    holds(rule, &["s write 1 1 token=2 key=x", "s write 2 2 token=1 key=y"]);
    holds(rule, &["s write 1 1 token=2", "!s write 2 2 token=1"]);
    violated(rule, &["s write 1 1 token=1", "s write 2 2 token=2", "s write 3 3 token=1"], &[1, 2]);
    violated(rule, &["a write 1 1..2 token=2", "b write 2 3..4 token=1"], &[0, 1]);
    // One storage's lines have an order although their instants have none.
    violated(rule, &["s write 1 1~8 token=2", "s write 2 2~9 token=1"], &[0, 1]);
    unknown(rule, &["a write 1 1~8 token=2", "b write 2 2~9 token=1"]);
    unknown(rule, &["a write 1 1..5 token=2", "b write 2 3..8 token=1"]);
    unknown(rule, &["a write 1 1..2 token=2", "?b write 2 3..4 token=1"]);
    unknown(rule, &["?a write 1 1..2 token=2", "b write 2 3..4 token=1"]);
    unknown(rule, &["s write 1 1", "!s write 2 2 token=1"]);
}

#[test]
fn lost_update() {
    let rule = "lost-update";
    holds(rule, &["a read 0 1", "a write 1 2", "b read 1 3", "b write 2 4"]);
    holds(rule, &["a read 0 1", "b read 0 2", "b write 1 3", "!a write 1 4"]);
    // It writes blindly, and nobody's read is older.
    holds(rule, &["a read 0 1", "a write 1 2", "b write 7 3", "a read 7 4", "a write 8 5"]);
    violated(rule, &["a read 0 1", "b read 0 2", "b write 1 3", "a write 1 4"], &[0, 2, 3]);
    // Whichever was first, the other one had not read it.
    violated(rule, &["a read 0 1..2", "b read 0 1..2", "a write 1 3..9", "b write 2 3..9"], &[0, 1, 2, 3]);
    unknown(rule, &["a read 0 1", "b read 0 2", "?b write 1 3..4", "a write 1 5"]);
    unknown(rule, &["a read 0 1", "b write 1 2..6", "a write 1 3..5"]);
    unknown(rule, &["a write 1 2"]);
}

#[test]
fn timestamps_ids_and_durations() {
    holds("monotonic-timestamps", &["a timestamp 5 1", "b timestamp 3 2", "a timestamp 5 3"]);
    violated("monotonic-timestamps", &["a timestamp 5 1", "a timestamp 6 2", "a timestamp 4 3"], &[1, 2]);
    violated("monotonic-timestamps", &["a timestamp 5 1 key=k", "b timestamp 3 2 key=k"], &[0, 1]);
    unknown("monotonic-timestamps", &["a timestamp 5 1~4 key=k", "b timestamp 3 2~3 key=k"]);
    holds("unique-ids", &["a generate 5 1", "b generate 6 2", "?c generate 5 3"]);
    violated("unique-ids", &["a generate 5 1", "b generate 6 2", "c generate 5 3"], &[0, 2]);
    unknown("unique-ids", &["?a generate 5 1"]);
    holds("no-negative-durations", &["a duration 0 1", "a duration 0.5 2"]);
    violated("no-negative-durations", &["a duration 5 1", "a duration -0.5 2"], &[1]);
    unknown("no-negative-durations", &["!a duration -5 1"]);
}

#[test]
fn stale_read() {
    let rule = "stale-read";
    holds(rule, &["a write 1 1..2", "a write 2 3..4", "b read 2 5..6"]);
    // A read that overlaps a write may come before it.
    holds(rule, &["a write 1 1..2", "a write 2 3..6", "b read 1 5..7"]);
    holds(rule, &["a write 1 1..2", "a write 2 3..4", "?c write 1 1..2", "b read 1 5..6"]);
    holds(rule, &["a write 1 5..6", "b read - 1..2"]);
    violated(rule, &["a write 1 1..2", "a write 2 3..4", "b read 1 5..6"], &[0, 1, 2]);
    violated(rule, &["a write 1 1..2", "b read - 5..6"], &[0, 1]);
    unknown(rule, &["a write 1 1..2", "a write 2 3..4~8", "b read 1 6~7..9"]);
    unknown(rule, &["a write 1 1..2", "b write 2 3~6..9"]);
}

#[test]
fn linearizable() {
    let rule = "linearizable";
    holds(rule, &["a write 1 1..9", "b read - 2..3", "c read 1 4..5"]);
    holds(rule, &["a cas [null,1] 1..4", "b cas [1,2] 2..6", "!c cas [1,9] 3..5", "c read 2 7..8"]);
    // A write that timed out may be done much later, or never.
    holds(rule, &["?a write 1 1..2", "b read - 3..4", "c read 1 5..6"]);
    holds(rule, &["a write 1 1..2 key=x", "b read - 3..4 key=y"]);
    violated(rule, &["a write 1 1..9", "b read 1 2..3", "c read - 4..5"], &[0, 1, 2]);
    violated(rule, &["?a write 1 1..2", "b read 1 3..4", "c read - 5..6"], &[0, 1, 2]);
    violated(rule, &["a cas [null,1] 1..2", "b cas [null,2] 3..4"], &[0, 1]);
    // What it held before the first write nobody says.
    holds(rule, &["b read 0 1..2", "a write 1 3..4", "b read 1 5..6"]);
    violated(rule, &["b read 0 1..2", "c read 5 3..4"], &[0, 1]);
    unknown(rule, &["a write 1 1..4~8", "b read - 6~7..9"]);
    unknown(rule, &["a cas 5 1..2"]);
    unknown(rule, &["?a write 1 1..2"]);
}

#[test]
fn a_witness_is_as_short_as_can_be() {
    let mut lines = Vec::new();
    for number in 0..40 {
        lines.push(format!("a write {number} {}..{}", number * 10, number * 10 + 4));
        let read = if number == 30 { 7 } else { number };
        lines.push(format!("b read {read} {}..{}", number * 10 + 5, number * 10 + 9));
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    // The write of 7, one after it, and the read.
    let check = expect("linearizable", Verdict::Violated, &lines);
    let numbers: Vec<usize> = check.witness.iter().map(|seen| number(&seen.what)).collect();
    assert!(numbers.len() == 3 && numbers[0] == 14 && numbers[2] == 61, "{check:?}");
}

#[test]
fn a_search_that_is_too_long_gives_up_and_says_so() {
    // Writes that all overlap, and a read of what nobody has written: every subset is looked at.
    let mut lines: Vec<String> = (0..40).map(|number| format!("w{number} write {number} 1..100")).collect();
    lines.push("r read 99 1..100".to_owned());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let found = Linearizable { budget: 1 << 14 }.judge(&history(&lines), &With::default());
    assert!(found.verdict == Verdict::Unknown && found.why.contains("gave up"), "{found:?}");
}

const START: &str = "{\"at_ns\":0,\"wall_ns\":0,\"event\":\"start\",\"heal_ns\":100,\"end_ns\":200}\n";

#[test]
fn recovers_within() {
    let verdict = |lines: &[&str]| one(&parse(lines, START), "recovers-within=50ns").verdict;
    assert_eq!(verdict(&["a write 1 1..2", "a write 2 110..120"]), Verdict::Holds);
    assert_eq!(verdict(&["a write 1 1..2", "a write 2 90..120", "a write 3 160..170"]), Verdict::Violated);
    assert_eq!(verdict(&["!a write 1 110..120", "a write 2 151..180"]), Verdict::Violated);
    // It breaks off before the time is up.
    assert_eq!(verdict(&["a write 1 1..2", "a write 2 90..120"]), Verdict::Unknown);
    assert_eq!(verdict(&["a write 1 95~105..120", "!a write 2 160..170"]), Verdict::Unknown);
    assert_eq!(one(&history(&["a write 1 1..2"]), "recovers-within=1s").verdict, Verdict::Unknown);
}

#[test]
fn progress() {
    let verdict = |lines: &[&str]| one(&parse(lines, START), "progress=1/50ns").verdict;
    assert_eq!(verdict(&["a x 1 40", "a x 2 80", "a x 3 120"]), Verdict::Holds);
    assert_eq!(verdict(&["a x 1 60", "a x 2 100"]), Verdict::Violated);
    assert_eq!(verdict(&["a x 1 40", "a x 2 95"]), Verdict::Violated);
    assert_eq!(verdict(&["a x 1 40", "!a x 2 80", "a x 3 120"]), Verdict::Violated);
    assert_eq!(verdict(&["a x 1 40", "a x 2 85~95", "a x 3 120"]), Verdict::Unknown);
    assert_eq!(verdict(&["a x 1 40"]), Verdict::Unknown);
}

#[test]
fn no_cascade() {
    let frozen = "{\"at_ns\":10,\"wall_ns\":0,\"event\":\"frozen\",\"id\":1,\"node\":\"b\",\"means\":\"signal\",\
                  \"first-stop-ns\":10,\"first_stop_ns\":10,\"confirmed_ns\":11,\"processes\":[]}\n\
                  {\"at_ns\":20,\"wall_ns\":0,\"event\":\"resumed\",\"id\":1,\"node\":\"b\",\"first_resumed_ns\":19,\
                  \"confirmed_ns\":20,\"ended\":\"as-planned\"}\n";
    let verdict = |rule: &str, lines: &[&str]| one(&parse(lines, frozen), rule).verdict;
    assert_eq!(verdict("no-cascade", &["d dead \"b\" 15"]), Verdict::Holds);
    assert_eq!(verdict("no-cascade", &["d alive \"a\" 15"]), Verdict::Holds);
    assert_eq!(verdict("no-cascade", &["d dead \"b\" 15", "d dead \"a\" 30"]), Verdict::Violated);
    assert_eq!(verdict("no-cascade", &["d dead \"b\" 5"]), Verdict::Violated);
    assert_eq!(verdict("no-cascade", &["d dead \"b\" 30"]), Verdict::Unknown);
    assert_eq!(verdict("no-cascade=15ns", &["d dead \"b\" 30"]), Verdict::Holds);
    assert_eq!(verdict("no-cascade=5ns", &["d dead \"b\" 30"]), Verdict::Violated);
    assert_eq!(verdict("no-cascade", &["d dead \"somebody\" 30"]), Verdict::Unknown);
}
