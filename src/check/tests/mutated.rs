//! Valid histories of systems that keep a rule, and the same broken in one place: the rule must see it.

use proptest::prelude::*;

use super::*;

/// A history whose operations follow from one another: each takes effect in the middle of its span.
fn register(values: &[u8], widths: &[u8]) -> Vec<String> {
    let mut lines = vec!["first write 500 1..2".to_owned()];
    for (index, value) in values.iter().enumerate() {
        let (middle, index) = (1_000 + 20 * i64::try_from(index).unwrap(), i64::try_from(index).unwrap());
        let width = i64::from(widths[usize::try_from(index).unwrap() % widths.len()] % 60) + 1;
        let (from, until) = (middle - width, middle + width);
        // Whoever overlaps is somebody else.
        match value % 3 {
            0 => lines.push(format!("p{index} write {index} {from}..{until}")),
            _ => {
                let last = lines.iter().rev().find(|line| line.contains("write"));
                let shown = last.and_then(|line| line.split(' ').nth(2)).unwrap_or("null").to_owned();
                lines.push(format!("p{index} read {shown} {from}..{until}"));
            }
        }
    }
    lines
}

fn verdict(rule: &str, lines: &[String]) -> Check {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    one(&history(&lines), rule)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_register_is_linearizable_until_a_read_is_changed(
        values in prop::collection::vec(any::<u8>(), 1..30),
        widths in prop::collection::vec(any::<u8>(), 1..9),
        at in any::<prop::sample::Index>(),
    ) {
        let lines = register(&values, &widths);
        prop_assert_eq!(verdict("linearizable", &lines).verdict, Verdict::Holds);
        let stale = verdict("stale-read", &lines).verdict;
        prop_assert!(stale != Verdict::Violated);
        let reads: Vec<usize> = (0..lines.len()).filter(|index| lines[*index].contains("read")).collect();
        if !reads.is_empty() {
            let mut broken = lines.clone();
            let index = *at.get(&reads);
            let (who, rest) = broken[index].split_once(' ').unwrap();
            let at = rest.split(' ').nth(2).unwrap();
            broken[index] = format!("{who} read 777 {at}");
            let check = verdict("linearizable", &broken);
            prop_assert_eq!(check.verdict, Verdict::Violated);
            // Nobody has written it: that read shows it, and any write before.
            prop_assert_eq!(check.witness.len(), 2);
        }
    }

    #[test]
    fn whoever_reads_what_was_replaced_is_seen(count in 2_usize..20, back in 1_usize..19) {
        let mut lines = Vec::new();
        for index in 0..count {
            lines.push(format!("a write {index} {}..{}", 10 * index, 10 * index + 5));
        }
        let fresh = count - 1;
        let stale = fresh.saturating_sub(back);
        lines.push(format!("b read {fresh} {}..{}", 10 * count, 10 * count + 5));
        for rule in ["stale-read", "linearizable"] {
            prop_assert_eq!(verdict(rule, &lines).verdict, Verdict::Holds);
        }
        lines.push(format!("b read {stale} {}..{}", 10 * count + 6, 10 * count + 9));
        for rule in ["stale-read", "linearizable"] {
            let check = verdict(rule, &lines);
            prop_assert_eq!(check.verdict, Verdict::Violated);
            // What it reads, what had replaced it (for one of the two also by a read of that), and the read.
            prop_assert!(check.witness.len() == 3, "{:?}", check);
        }
    }

    #[test]
    fn clients_that_take_turns_lose_nothing_until_two_of_them_change_places(count in 2_usize..20, swap in 0_usize..18) {
        let lines = |swapped: Option<usize>| -> Vec<String> {
            let mut lines = Vec::new();
            for turn in 0..count {
                let at = 100 * turn;
                // The write of a turn that is swapped comes after the next one's.
                let write_at = if swapped == Some(turn) { at + 180 } else { at + 20 };
                lines.push(format!("c{turn} read {turn} {}", at + 10));
                lines.push(format!("c{turn} write {} {write_at} token={turn}", turn + 1));
            }
            lines
        };
        let swap = swap % (count - 1);
        for rule in ["lost-update", "fencing"] {
            prop_assert_eq!(verdict(rule, &lines(None)).verdict, Verdict::Holds);
            let check = verdict(rule, &lines(Some(swap)));
            prop_assert_eq!(check.verdict, Verdict::Violated, "{:?}", check);
        }
    }

    #[test]
    fn holders_that_take_turns_exclude_one_another_until_one_of_them_stays(count in 2_usize..20, stays in 0_usize..18) {
        let lines = |stays: Option<usize>| -> Vec<String> {
            let mut lines = Vec::new();
            for turn in 0..count {
                let at = 100 * turn;
                let gone = if stays == Some(turn) { at + 160 } else { at + 90 };
                lines.push(format!("c{turn} acquire {turn} {at}..{}", at + 10));
                lines.push(format!("c{turn} release {turn} {gone}..{}", gone + 5));
            }
            lines
        };
        prop_assert_eq!(verdict("mutual-exclusion", &lines(None)).verdict, Verdict::Holds);
        let check = verdict("mutual-exclusion", &lines(Some(stays % (count - 1))));
        prop_assert_eq!(check.verdict, Verdict::Violated);
        prop_assert_eq!(check.witness.len(), 4);
    }

    #[test]
    fn what_is_given_out_in_order_and_once_is_seen_to_be_given_out_otherwise(
        count in 2_usize..30, from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(),
    ) {
        let numbers: Vec<usize> = (0..count).collect();
        let (from, to) = (from.index(count), to.index(count));
        let told = |numbers: &[usize], op: &str| -> Vec<String> {
            numbers.iter().enumerate().map(|(at, number)| format!("c {op} {number} {at}")).collect()
        };
        for (op, rule) in [("timestamp", "monotonic-timestamps"), ("generate", "unique-ids"), ("duration", "no-negative-durations")] {
            prop_assert_eq!(verdict(rule, &told(&numbers, op)).verdict, Verdict::Holds);
        }
        if from != to {
            let mut swapped = numbers.clone();
            swapped.swap(from, to);
            prop_assert_eq!(verdict("monotonic-timestamps", &told(&swapped, "timestamp")).verdict, Verdict::Violated);
            let mut again = numbers.clone();
            again[to] = again[from];
            prop_assert_eq!(verdict("unique-ids", &told(&again, "generate")).verdict, Verdict::Violated);
        }
        let mut negative = told(&numbers, "duration");
        negative[from] = format!("c duration -1 {from}");
        prop_assert_eq!(verdict("no-negative-durations", &negative).verdict, Verdict::Violated);
    }

    #[test]
    fn no_text_panics(text in "[{}:\\[\\]a-z0-9\" #;.]{0,80}", at in 0_usize..600, new in "[{}:,\"0-9a-z-]{0,3}") {
        let _ = Past::read(text.as_bytes(), "h");
        let mut whole = format!("{HEADER}{}", sample());
        let at = at % whole.len();
        whole.replace_range(at..(at + 1).min(whole.len()), &new);
        if let Ok(past) = Past::read(whole.as_bytes(), "h") {
            for rule in crate::check::RULES.iter().filter(|rule| rule.needs().shown().is_empty()) {
                one(&past, rule.name());
            }
        }
    }
}
