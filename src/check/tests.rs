//! Each rule by histories that are written by hand, one for each answer; what a history is refused for; and valid histories that are
//! broken, each in the way that a rule must see.

mod bad_input;
mod mutated;
mod rules;

use super::{Past, judge};
use crate::history::{Check, Verdict};

/// An operation in short: `c1 write 5 from..until key=x`; `?` in front is one that nobody knows of, `!` one that failed;
/// `4..` one that never ends.
///
/// Instants are exact; `10~14` is one that lies between the two.
fn history(lines: &[&str]) -> Past {
    parse(lines, "")
}

/// The same, with lines of the scenario's own in front of them.
fn parse(lines: &[&str], before: &str) -> Past {
    let mut text = String::from(HEADER);
    text.push_str(before);
    let mut events: Vec<(i64, String)> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let mut words = line.split_whitespace();
        let mut word = || words.next().unwrap_or_else(|| panic!("{line}"));
        let (who, op, value, at) = (word(), word(), word(), word());
        let (phase, who) = match who.strip_prefix('?') {
            Some(who) => ("info", who),
            None => who.strip_prefix('!').map_or(("ok", who), |who| ("fail", who)),
        };
        let fields: String = words.map(|word| word.split_once('=').unwrap()).map(field).collect();
        let value = if value == "-" { "null" } else { value };
        let event = |phase: &str, at: &str| {
            let (from, until) = at.split_once('~').unwrap_or((at, at));
            let (from, until): (i64, i64) = (from.parse().unwrap(), until.parse().unwrap());
            let line = format!(
                r#"{{"at_ns":{until},"wall_ns":0,"event":"op","node":"n-{who}","op":"{op}","phase":"{phase}","process":"{who}","value":{value},"fields":{{{}"n":{number}}},"from_ns":{from},"until_ns":{until},"by":"bounds"}}"#,
                fields
            );
            (until, line)
        };
        match at.split_once("..") {
            Some((from, "")) => events.push(event("invoke", from)),
            Some((from, until)) => events.extend([event("invoke", from), event(phase, until)]),
            None => events.push(event(phase, at)),
        }
    }
    events.sort_by_key(|(at, _)| *at);
    for (_, line) in &events {
        text.push_str(line);
        text.push('\n');
    }
    let last = events.last().map_or(0, |(at, _)| *at);
    text.push_str(&format!("{{\"at_ns\":{last},\"wall_ns\":0,\"event\":\"end\",\"reason\":\"complete\"}}\n"));
    Past::read(text.as_bytes(), "h").unwrap_or_else(|why| panic!("{why}\n{text}"))
}

fn field((name, value): (&str, &str)) -> String {
    let is_number = value.parse::<i64>().is_ok();
    if is_number { format!("\"{name}\":{value},") } else { format!("\"{name}\":\"{value}\",") }
}

const HEADER: &str = concat!(
    r#"{"format":"falseticker-history","version":1,"tool":"0","scenario":"x","seed":1,"started":"","duration_ns":1,"#,
    r#""recovery_ns":1,"clocks":["mono","wall"],"nodes":[{"name":"a","command":["x"],"monotonic":false},"#,
    r#"{"name":"b","command":["x"],"monotonic":false}]}"#,
    "\n"
);

#[track_caller]
fn one(past: &Past, rule: &str) -> Check {
    judge(past, &[rule.parse().unwrap()]).remove(0)
}

#[track_caller]
fn expect(rule: &str, verdict: Verdict, lines: &[&str]) -> Check {
    let check = one(&history(lines), rule);
    assert_eq!(check.verdict, verdict, "{rule} over {lines:?}: {check:?}");
    check
}

#[track_caller]
fn holds(rule: &str, lines: &[&str]) {
    let check = expect(rule, Verdict::Holds, lines);
    assert!(check.why.is_empty() && check.witness.is_empty(), "{check:?}");
}

#[track_caller]
fn unknown(rule: &str, lines: &[&str]) {
    let check = expect(rule, Verdict::Unknown, lines);
    assert!(!check.why.is_empty() && check.witness.is_empty(), "{check:?}");
}

/// It is, and these are the operations that show it, by their place in the list.
#[track_caller]
fn violated(rule: &str, lines: &[&str], witness: &[usize]) {
    let check = expect(rule, Verdict::Violated, lines);
    let numbers: Vec<usize> = check.witness.iter().map(|seen| number(&seen.what)).collect();
    assert_eq!(numbers, witness, "{rule} over {lines:?}: {check:?}");
}

/// Which of the list it is: the field `n` that [`parse`] has added.
fn number(what: &str) -> usize {
    let number = what.split_whitespace().find_map(|word| word.strip_prefix("n=")).unwrap();
    number.trim_end_matches(',').parse().unwrap()
}

/// A line of each phase.
fn sample() -> String {
    let line = |phase: &str, at: i64| {
        format!(
            r#"{{"at_ns":{at},"wall_ns":0,"event":"op","node":"a","op":"write","phase":"{phase}","process":1,"value":{at},"from_ns":{at},"until_ns":{at},"by":"mono"}}"#
        ) + "\n"
    };
    line("invoke", 1) + &line("ok", 2) + &line("invoke", 3) + &line("info", 4)
}
