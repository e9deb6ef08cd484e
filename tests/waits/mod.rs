//! Waits: every call that waits until an instant ends when the node's clock reaches it, and everything else is left alone.
//!
//! The table of calls by faults comes from two lists: the calls from `tests/targets/wait_calls.h`, the faults from
//! [`columns`]. Each of its cells is expected from the node's own schedule and measured beside the same call of a bare
//! program that runs at the same time. With `--nocapture` the whole table is printed.

mod bad_input;
mod columns;
mod left;
pub mod starved;
mod table;
pub mod waiter;
mod woken;

use falseticker::{Clock, HostInstant, Node, NodeInstant, Span, host_clock};
use libtest_mimic::Trial;

use crate::harness::{Lab, MILLISECOND, SECOND, mono, spec};
use columns::{COLUMNS, Column};
use starved::Sentinels;
use table::{Cell, LEGEND, Verdict, on_true_clock};
use waiter::{BOOTTIME, MONOTONIC, REALTIME, Row, TAI, Waiter};

/// How often a column is measured on a machine that is late itself.
const ATTEMPTS: usize = 6;
/// Within which every cell ends.
const WITHIN: i64 = 3 * SECOND;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for libc in ["glibc", "musl"] {
        let of = |sentence: &str| {
            let spec = spec(format!("waits: {sentence} ({libc})"));
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") }
        };
        trials.push(
            of("bare, every call of the list ends at its deadline").shown_by(move |lab| bare(lab, libc)),
        );
        trials.extend(bad_input::trials(libc, of));
        trials.push(
            of("what is left of waits and timers is in the node's time")
                .shown_by(move |lab| left::show(lab, libc)),
        );
        trials.push(
            of("who is woken from a wait for a length of time sees the change")
                .shown_by(move |lab| woken::show(lab, libc)),
        );
        for column in &COLUMNS {
            let sentence = format!("every call ends when the node's clock is there: {}", column.name);
            trials.push(of(&sentence).shown_by(move |lab| show(lab, libc, column)));
        }
    }
    trials
}

/// Prints the table, as far as it was made.
pub fn tell() {
    print!("{}", table::all());
}

/// The target is right: no call ends early or without its usual result, and none is forgotten.
fn bare(lab: &Lab, libc: &str) {
    let mut waiter = Waiter::new(lab.bare_live(lab.target("waits").of(libc).path(), [""; 0]));
    waiter.go(300 * MILLISECOND);
    let rows = waiter.rows();
    for row in &rows {
        let late = row.after.map(|after| after - true_end(row, wall_ahead()).as_nanos());
        assert!(late.is_some_and(|late| late > -1000), "{row:?} is late by {late:?}");
        assert!([0, i64::from(nix::libc::ETIMEDOUT)].contains(&row.result) && row.spurious == 0, "{row:?}");
    }
    assert!(rows.len() >= if libc == "musl" { 89 } else { 107 }, "only {} calls", rows.len());
    waiter.quit();
}

/// Measures a column until every cell of it was right once; what is wrong is wrong at once.
fn show(lab: &Lab, libc: &'static str, column: &'static Column) {
    let mut unsure: Vec<String> = Vec::new();
    for attempt in 0..ATTEMPTS {
        let node = format!("a{attempt}");
        let judged = measure(lab, libc, column, &node);
        let report: String = judged.iter().map(|(cell, verdict)| cell.line(verdict)).collect();
        let wrong = judged.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Wrong(_))).count();
        assert!(wrong == 0, "{wrong} of {} cells are wrong: {}\n{LEGEND}{report}", judged.len(), column.name);
        let is_unsure = |cell: &Cell, verdict: &Verdict| {
            *verdict != Verdict::Right && (attempt == 0 || unsure.contains(&cell.row.name))
        };
        let still = judged.iter().filter(|(cell, verdict)| is_unsure(cell, verdict));
        unsure = still.map(|(cell, _)| cell.row.name.clone()).collect();
        let right: Vec<Cell> = judged
            .iter()
            .filter(|(_, verdict)| *verdict == Verdict::Right)
            .map(|(cell, _)| cell.clone())
            .collect();
        table::keep(libc, column.name, &right);
        if unsure.is_empty() {
            return;
        }
        eprintln!("{} ({libc}): the machine was late, again: {}", column.name, unsure.join(", "));
    }
    panic!("in {ATTEMPTS} attempts the machine was too late to tell of: {}", unsure.join(", "));
}

/// One attempt at a column: bare and in a node side by side, what was done, and a verdict for each call.
fn measure(lab: &Lab, libc: &str, column: &Column, name: &str) -> Vec<(Cell, Verdict)> {
    let target = lab.target("waits").of(libc);
    let mut bare = Waiter::new(lab.bare_live(target.path(), [""; 0]));
    let mut shimmed = Waiter::new(lab.run(name, column.before, [target.path()]).live());
    let node = lab.node(name);
    let sentinels = Sentinels::post();
    let begun = mono();
    bare.go(column.ahead);
    shimmed.go(column.ahead);
    let mut deeds = Vec::new();
    if !column.during.is_empty() {
        shimmed.all_wait();
        let all_wait = host_clock::monotonic();
        for (after, deed) in column.during {
            host_clock::sleep_until(all_wait.saturating_add(Span::from_nanos(*after)));
            deeds.push(deed.apply(&node).expect("it is applied"));
        }
    }
    let late: i64 = deeds.iter().map(|deed| deed.late_by.as_nanos()).sum();
    let (rows, bare_rows) = (shimmed.rows(), bare.rows());
    let starved = sentinels.withdraw();
    let cells = pair(&node, column, rows, &bare_rows);
    shimmed.quit();
    bare.quit();
    let judge = |cell: Cell| {
        let mut verdict = cell.judge(deeds.len(), late, &starved);
        let first = deeds.first().map(|deed| deed.at);
        if first.is_some_and(|at| at >= true_end(&cell.row, wall_ahead())) && cell.follows {
            verdict = Verdict::Unsure("the fault came after the deadline".to_owned());
        }
        let ended = cell.row.after.unwrap_or(i64::MAX);
        if verdict == Verdict::Right && ended - begun > WITHIN {
            verdict = Verdict::Unsure("it took more than three seconds".to_owned());
        }
        (cell, verdict)
    };
    cells.into_iter().map(judge).collect()
}

/// Cells of what the two programs say of the same calls.
fn pair(node: &Node, column: &Column, rows: Vec<Row>, bare: &[Row]) -> Vec<Cell> {
    let names = |rows: &[Row]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&rows), names(bare), "both know the same calls");
    let ahead = wall_ahead();
    let cell = |(row, bare): (Row, &Row)| Cell {
        expected: end(node, &row),
        follows: row.follows(column.all_clocks()),
        bare_expected: true_end(bare, ahead),
        bare: bare.clone(),
        row,
    };
    rows.into_iter().zip(bare).map(cell).collect()
}

/// When a wait should end, by the node's schedules. Lengths of time are the monotonic clock's.
pub fn end(node: &Node, row: &Row) -> HostInstant {
    let (clock, tai) = match row.clock {
        REALTIME => (Clock::Wall, 0),
        TAI => (Clock::Wall, tai_ahead()),
        MONOTONIC => (Clock::Mono, 0),
        BOOTTIME => (Clock::Boot, 0),
        other => panic!("which schedule has clock {other}?"),
    };
    let shows = NodeInstant::from_nanos(row.deadline - tai);
    let reached = node.reaches(clock, shows, HostInstant::from_nanos(row.before));
    reached.expect("the schedule can be read").expect("the clock gets there")
}

/// When it should end on true clocks.
fn true_end(row: &Row, wall_ahead: i64) -> HostInstant {
    match row.clock {
        REALTIME => on_true_clock(row.deadline, wall_ahead),
        TAI => on_true_clock(row.deadline, wall_ahead + tai_ahead()),
        BOOTTIME => on_true_clock(row.deadline, boot_ahead()),
        _ => on_true_clock(row.deadline, 0),
    }
}

/// How far the host's CLOCK_REALTIME is ahead of its CLOCK_MONOTONIC.
fn wall_ahead() -> i64 {
    ahead_of_mono(host_clock::realtime)
}

/// The same of CLOCK_BOOTTIME.
fn boot_ahead() -> i64 {
    ahead_of_mono(|| host_clock::read(7))
}

/// The narrowest of a few readings, and too much by its width rather than too little.
fn ahead_of_mono(clock: impl Fn() -> i64) -> i64 {
    let read = |_| {
        let before = mono();
        let shown = clock();
        (mono() - before, shown - before)
    };
    (0..20).map(read).min().map_or(0, |(_, ahead)| ahead)
}

/// How far the host's CLOCK_TAI is ahead of its CLOCK_REALTIME: whole seconds.
fn tai_ahead() -> i64 {
    let ahead = host_clock::read(11) - host_clock::realtime();
    (ahead + SECOND / 2).div_euclid(SECOND) * SECOND
}
