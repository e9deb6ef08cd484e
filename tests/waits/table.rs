//! One cell of the table: what was expected, what was measured, what the bare program did, and what is thought of it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use super::columns::COLUMNS;
use super::starved::Starved;
use super::waiter::{Kind, Row};
use crate::harness::MILLISECOND;
use falseticker::{HostInstant, Span};

/// How much later than bare a wait may come back, after a change too.
const ALLOWED: i64 = 20 * MILLISECOND;
/// What clocks are rounded by where schedules are read by different ways.
const ROUNDING: i64 = 1_000;
/// Spurious wake-ups that POSIX allows are still few: a change may wake a loop at once, and again while someone may have
/// missed it, less and less often.
const WAKES_PER_CHANGE: i64 = 10;
/// A wait sleeps: what it may use of the CPU more than bare, for its wake-ups, and for its slices as a part of its length. Who spins
/// uses all of it; a look every 10 ms takes some 0.1 ms where the machine is busy elsewhere.
const USED: i64 = 20 * MILLISECOND;
const USED_OF_LENGTH: i64 = 10;
/// A wait that begins while the process's first one makes the helper is begun again after a slice.
const WAKES_AT_FIRST: i64 = 2;
/// What nobody can wake without taking part in it looks again, some 10 ms later at the soonest.
const SLICED: &str = "FUTEX_WAIT_REQUEUE_PI";
const SLICE: i64 = 10 * MILLISECOND;

/// See the head of this file.
#[derive(Clone, Debug)]
pub struct Cell {
    pub row: Row,
    pub bare: Row,
    /// When the wait should end.
    pub expected: HostInstant,
    /// When the bare one should have.
    pub bare_expected: HostInstant,
    /// Whether faults of this column move its deadline.
    pub follows: bool,
}

/// What is thought of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Right,
    Wrong(String),
    /// It was late no further than the machine was, and has to be measured again.
    Unsure(String),
}

impl Cell {
    /// How late it came back; before its time if negative.
    pub fn late(&self) -> Option<i64> {
        Some(self.row.after? - self.expected.as_nanos().max(self.row.before))
    }

    /// The same of the bare one.
    pub fn bare_late(&self) -> Option<i64> {
        Some(self.bare.after? - self.bare_expected.as_nanos().max(self.bare.before))
    }

    /// Judges it. `published_late` is by how much later than planned the changes were published.
    pub fn judge(&self, changes: usize, published_late: i64, starved: &Starved) -> Verdict {
        let (Some(late), Some(bare_late), Some(after)) = (self.late(), self.bare_late(), self.row.after)
        else {
            return Verdict::Wrong("it still waits".to_owned());
        };
        if bare_late < -ROUNDING {
            return Verdict::Wrong("the bare call itself is early: the target is wrong".to_owned());
        }
        if self.row.result != self.bare.result {
            return Verdict::Wrong(format!("result {}, bare {}", self.row.result, self.bare.result));
        }
        if late < -ROUNDING {
            return Verdict::Wrong("early".to_owned());
        }
        if self.row.shown < self.row.deadline {
            return Verdict::Wrong("its clock shows less than its deadline".to_owned());
        }
        if self.row.kind == Kind::Loop && self.row.spurious > self.bare.spurious + self.wakes(changes) {
            return Verdict::Wrong(format!("{} spurious wake-ups", self.row.spurious));
        }
        let expiries = if self.row.every > 0 { self.row.expiries() } else { i64::MAX };
        if self.row.count > expiries {
            return Verdict::Wrong(format!("{} expiries, where there were {expiries}", self.row.count));
        }
        if self.row.used > self.bare.used + USED + (after - self.row.before) / USED_OF_LENGTH {
            return Verdict::Wrong(format!("it used {} ms of the CPU", ms(self.row.used)));
        }
        let excess = late - bare_late - ALLOWED;
        if excess <= 0 {
            return Verdict::Right;
        }
        // Who wakes through others waits for the processor more than once.
        let machine = 2 * starved.between(self.expected, HostInstant::from_nanos(after)) + published_late;
        let why = format!("late by {} more than bare, the machine by {}", ms(late - bare_late), ms(machine));
        if excess <= machine { Verdict::Unsure(why) } else { Verdict::Wrong(why) }
    }

    /// How often it may wake without reason.
    fn wakes(&self, changes: usize) -> i64 {
        if !self.follows {
            return 0;
        }
        let took = self.row.after.map_or(0, |after| after - self.row.before);
        let slices = if self.row.name == SLICED { took / SLICE } else { 0 };
        WAKES_AT_FIRST + WAKES_PER_CHANGE * i64::try_from(changes).unwrap_or(0) + slices
    }

    /// Its text: after how long it should have ended, how late it did, how late bare.
    fn text(&self) -> String {
        let since = self.expected.saturating_since(HostInstant::from_nanos(self.row.before));
        let late = |late: Option<i64>| late.map_or("never".to_owned(), signed);
        format!("{} {} ({})", ms(since.as_nanos()), late(self.late()), late(self.bare_late()))
    }

    /// A line of a report.
    pub fn line(&self, verdict: &Verdict) -> String {
        let what = match verdict {
            Verdict::Right => String::new(),
            Verdict::Wrong(why) => format!("  WRONG: {why}"),
            Verdict::Unsure(why) => format!("  unsure: {why}"),
        };
        let spurious = if self.row.spurious > 0 { format!(" {}x", self.row.spurious) } else { String::new() };
        let line = format!("{:40} {:24}{spurious}{what}", self.row.name, self.text());
        format!("{}\n", line.trim_end())
    }
}

/// What the text of a report's lines means.
pub const LEGEND: &str =
    "(of each call: after how many ms it should end, how late it did, how late bare; spurious wake-ups)\n";

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn ms(nanos: i64) -> String {
    format!("{:.1}", nanos as f64 / 1e6)
}

fn signed(nanos: i64) -> String {
    format!("{}{}", if nanos < 0 { "" } else { "+" }, ms(nanos))
}

/// When a true clock that is so far ahead of CLOCK_MONOTONIC shows an instant.
pub fn on_true_clock(shows: i64, ahead: i64) -> HostInstant {
    HostInstant::from_nanos(shows).saturating_add(Span::from_nanos(-ahead))
}

/// Calls in the list's order, and of each the texts of its cells by column.
type Rows = Vec<(String, BTreeMap<&'static str, String>)>;
static TABLES: Mutex<BTreeMap<&'static str, Rows>> = Mutex::new(BTreeMap::new());

/// Keeps cells for [`all`].
pub fn keep(libc: &'static str, column: &'static str, cells: &[Cell]) {
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    let rows = tables.entry(libc).or_default();
    for cell in cells {
        let at = rows.iter().position(|(name, _)| *name == cell.row.name).unwrap_or(rows.len());
        if at == rows.len() {
            rows.push((cell.row.name.clone(), BTreeMap::new()));
        }
        if let Some((_, texts)) = rows.get_mut(at) {
            texts.insert(column, cell.text());
        }
    }
}

/// The whole table, as Markdown: what was shown in this run.
pub fn all() -> String {
    let tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = String::new();
    for (libc, rows) in tables.iter() {
        let heads: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        let rule = "| --- ".repeat(heads.len() + 1);
        let _ =
            writeln!(text, "\n| {libc}: ms until the end, late (bare) | {} |\n{rule}|", heads.join(" | "));
        for (name, texts) in rows {
            let cells: Vec<&str> =
                heads.iter().map(|head| texts.get(head).map_or("", String::as_str)).collect();
            let _ = writeln!(text, "| `{name}` | {} |", cells.join(" | "));
        }
    }
    text
}
