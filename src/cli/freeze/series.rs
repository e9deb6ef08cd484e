//! Pauses one after the other, in the foreground.
//!
//! What must hold: each pause is frozen as a single one is, with guards of its own, so that whatever happens to this
//! command the node runs; what was done is told, however the series ends. Signals that come while a pause is being
//! begun wait until it has: then they end it.

use std::os::fd::AsFd;

use falseticker::freeze::series::{Done, Pause, Pauses, Series, Summary};
use falseticker::freeze::{End, Ended, Frozen, Plan};
use falseticker::process::PidFd;
use falseticker::{Error, ErrorKind, HostInstant, Node, Result, Span, host_clock};
use serde_json::{Value, json};

use super::super::exit;
use super::super::output::{Output, Reply, complain, error_json};
use super::super::signals::{Signals, Woken};
use super::super::table::{count, near, short};
use super::shape::{Again, found, headline};

/// From this gap on the end of a node is noticed while one waits for the next pause; in a shorter one that itself notices
/// it, and looking for processes would take too much of the gap.
const WATCHED_GAP: Span = Span::from_millis(100);

/// For how long a pause is tried to begin, and how often.
const TRY_FOR: Span = Span::from_secs(1);
const TRY_AGAIN: Span = Span::from_millis(5);

/// Why a series is over.
enum Over {
    /// As many pauses as were asked for, or all the time.
    Complete,
    /// A signal to this command.
    Interrupted,
    /// None of the node's processes runs any more.
    NodeEnded,
    /// The node could not be frozen again.
    Failed(Error),
}

/// A series under way.
struct Run<'a> {
    node: &'a Node,
    series: &'a Series,
    is_random: bool,
    plan: &'a Plan,
    output: &'a Output,
    signals: Signals,
    done: Vec<Done>,
}

/// Freezes and thaws a node as often as asked.
pub fn run(node: &Node, again: Again, plan: &Plan, output: &Output) -> Result<Reply> {
    let pauses = again.series.pauses()?;
    let signals = Signals::hold()?;
    let is_random = pauses.lengths().is_random() || pauses.gaps().is_random();
    output.say(&format!("node {}: {}", node.name(), headline(&again, is_random)))?;
    for (what, sampler) in [("lengths", pauses.lengths()), ("gaps", pauses.gaps())] {
        if let Some(found) = found(sampler) {
            output.say(&format!("  {what} from {found}"))?;
        }
    }
    let mut run = Run { node, series: &again.series, is_random, plan, output, signals, done: Vec::new() };
    let over = run.all(pauses)?;
    match over {
        // Nothing was done that there would be to tell.
        Over::Failed(error) if run.done.is_empty() => Err(error),
        over => Ok(reply(&run, &again, over)),
    }
}

impl Run<'_> {
    fn all(&mut self, pauses: Pauses) -> Result<Over> {
        for pause in pauses {
            match self.wait(pause.after)? {
                None => {}
                Some(over) => return Ok(over),
            }
            if let Some(over) = self.one(pause)? {
                return Ok(over);
            }
        }
        Ok(Over::Complete)
    }

    /// Waits for the next pause, or for the end of the series; says so if it is over before.
    fn wait(&self, gap: Span) -> Result<Option<Over>> {
        let (Some(first), Some(last)) = (self.done.first(), self.done.last()) else { return Ok(None) };
        let end = self.series.until.map_or(HostInstant::MAX, |until| first.first_stop.saturating_add(until));
        let begin = last.confirmed.saturating_add(gap).min(end);
        loop {
            let anyone = if gap >= WATCHED_GAP { self.anyone()? } else { None };
            if gap >= WATCHED_GAP && anyone.is_none() && self.is_over() {
                return Ok(Some(Over::NodeEnded));
            }
            let woken = self.signals.wait_until(begin, anyone.as_ref().map(|process| process.as_fd()))?;
            if woken == Woken::Signal {
                return Ok(Some(Over::Interrupted));
            }
            if host_clock::monotonic() >= begin {
                return Ok(None);
            }
            // Whom we watched has ended; is there anybody else?
        }
    }

    /// One of the node's processes, to be told of its end.
    fn anyone(&self) -> Result<Option<PidFd>> {
        let members = self.node.members().unwrap_or_default();
        let alive = members.into_iter().filter(|id| id.is_alive());
        alive.filter_map(|id| PidFd::open(id).transpose()).next().transpose()
    }

    /// Whether the node has no processes any more; it may be gone itself.
    fn is_over(&self) -> bool {
        match self.node.members() {
            Ok(members) => !members.into_iter().any(|id| id.is_alive()),
            Err(_) => !self.node.dir().path().exists(),
        }
    }

    /// Begins a pause. What calls it off is tried again for a while: a thaw that was meant for the last one, say. Not
    /// so the first one's, which is told at once.
    fn begin(&self, pause: Pause) -> Result<std::result::Result<(Frozen, Span), Over>> {
        let give_up = host_clock::monotonic().saturating_add(TRY_FOR);
        loop {
            let now = host_clock::monotonic();
            let first = self.done.first().map_or(now, |first| first.first_stop);
            let Some(planned) = self.series.end_of(pause.length, now, first) else {
                return Ok(Err(Over::Complete));
            };
            match self.node.freeze(&Plan { end: End::After(planned), ..self.plan.clone() }) {
                Ok(frozen) => return Ok(Ok((frozen, planned))),
                Err(error) if self.done.is_empty() => return Ok(Err(Over::Failed(error))),
                Err(_) if self.is_over() => return Ok(Err(Over::NodeEnded)),
                Err(error) if host_clock::monotonic() >= give_up => return Ok(Err(Over::Failed(error))),
                Err(error) => tracing::info!(%error, "pause {} is tried again", pause.number),
            }
            if self.signals.wait_until(now.saturating_add(TRY_AGAIN), None)? == Woken::Signal {
                return Ok(Err(Over::Interrupted));
            }
        }
    }

    fn one(&mut self, pause: Pause) -> Result<Option<Over>> {
        let (frozen, planned) = match self.begin(pause)? {
            Ok(begun) => begun,
            Err(over) => return Ok(Some(over)),
        };
        let begun = frozen.report().clone();
        let woken = self.signals.wait(&frozen)?;
        let thawed = match woken {
            Woken::Signal => frozen.thaw()?,
            Woken::Ended => frozen.wait_and_thaw()?,
        };
        let mut done = Done::new(pause, planned, &begun, &thawed);
        if woken == Woken::Signal {
            done.ended = None;
        }
        self.output.say(&line(&done))?;
        self.done.push(done);
        Ok((woken == Woken::Signal).then_some(Over::Interrupted))
    }
}

/// "  3: 312ms asked, 312.084ms held, 3 processes".
fn line(done: &Done) -> String {
    let mut line = format!("  {}: {} asked", done.pause.number, near(done.pause.length));
    if done.planned < done.pause.length {
        line.push_str(&format!(", cut to {}", near(done.planned)));
    }
    let held = near(done.actual());
    line.push_str(&format!(", {held} held, {}", count(done.processes, "process", "processes")));
    line.push_str(match done.ended {
        Some(Ended::AsPlanned) => "",
        Some(Ended::ByRequest) => "; thawed by another command",
        Some(Ended::GuardsLost) => "; thawed already, since its guards were killed",
        None => "; interrupted",
    });
    line
}

fn reply(run: &Run<'_>, again: &Again, over: Over) -> Reply {
    let summary = Summary::of(&run.done);
    let lost = run.done.iter().any(|done| done.ended == Some(Ended::GuardsLost));
    let unmet = run.series.count.is_some() || run.series.until.is_some();
    let (how, code) = match &over {
        Over::Interrupted => ("interrupted", ErrorKind::Interrupted.exit_code()),
        Over::Failed(error) => ("failed", error.kind().exit_code()),
        Over::NodeEnded if unmet => ("node-ended", ErrorKind::NotApplied.exit_code()),
        Over::NodeEnded => ("node-ended", exit::DONE),
        Over::Complete => ("complete", exit::DONE),
    };
    let mut words = summary_line(&summary);
    let mut json = to_json(run, again, &summary, how);
    match over {
        Over::Complete | Over::Failed(_) => {}
        Over::Interrupted => words.push_str("; interrupted"),
        Over::NodeEnded => words.push_str("; then the node's processes ended"),
    }
    if let Over::Failed(error) = &over {
        complain(error);
        json["error"] = error_json(error);
    }
    let code = if lost { code.max(ErrorKind::NotApplied.exit_code()) } else { code };
    Reply::done(format!("node {}: {words}", run.node.name()), json).with_code(code)
}

/// "10 pauses, 3.12s in all; longer than planned by 84us (median), 1.2ms (p99), 1.3ms (at most)".
fn summary_line(summary: &Summary) -> String {
    let mut line = format!("{}, {} in all", count(summary.count, "pause", "pauses"), short(summary.total));
    if let Some(excess) = summary.excess {
        let (median, p99, longest) = (short(excess.median), short(excess.p99), short(excess.longest));
        line.push_str(&format!(
            "; longer than planned by {median} (median), {p99} (p99), {longest} (at most)"
        ));
    }
    line
}

fn to_json(run: &Run<'_>, again: &Again, summary: &Summary, how: &str) -> Value {
    let Series { length, gap, count, until, seed } = run.series;
    let before = std::iter::once(None).chain(run.done.iter().map(Some));
    let pauses = run.done.iter().zip(before).map(|(done, before)| done_json(done, before));
    json!({
        "node": run.node.name(),
        "preset": again.preset.map(|preset| preset.name()),
        "length": length.to_string(),
        "gap": gap.to_string(),
        "count": count,
        "until_ns": until.map(Span::as_nanos),
        "seed": run.is_random.then_some(seed.0),
        "pauses": pauses.collect::<Vec<_>>(),
        "ended": how,
        "summary": {
            "count": summary.count,
            "total_ns": summary.total.as_nanos(),
            "excess_ns": summary.excess.map(|excess| json!({
                "median": excess.median.as_nanos(),
                "p99": excess.p99.as_nanos(),
                "longest": excess.longest.as_nanos(),
            })),
        },
    })
}

fn done_json(done: &Done, before: Option<&Done>) -> Value {
    json!({
        "number": done.pause.number,
        "gap_asked_ns": done.pause.after.as_nanos(),
        "gap_ns": before.map(|before| done.first_stop.saturating_since(before.confirmed).as_nanos()),
        "asked_ns": done.pause.length.as_nanos(),
        "planned_ns": done.planned.as_nanos(),
        "actual_ns": done.actual().as_nanos(),
        "processes": done.processes,
        "first_stop_ns": done.first_stop.as_nanos(),
        "last_confirmed_ns": done.last_confirmed.as_nanos(),
        "first_resumed_ns": done.first_resumed.as_nanos(),
        "confirmed_ns": done.confirmed.as_nanos(),
        "ended": match done.ended {
            Some(Ended::AsPlanned) => "as-planned",
            Some(Ended::ByRequest) => "by-request",
            Some(Ended::GuardsLost) => "guards-lost",
            None => "interrupted",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(planned: i64, actual: i64, ended: Option<Ended>) -> Done {
        let at = HostInstant::from_nanos;
        Done {
            pause: Pause { number: 3, after: Span::from_millis(5), length: Span::from_millis(312) },
            planned: Span::from_millis(planned),
            processes: 2,
            first_stop: at(1_000),
            last_confirmed: at(2_000),
            first_resumed: at(2_000 + actual),
            confirmed: at(3_000 + actual),
            ended,
        }
    }

    #[test]
    fn a_pause_is_told_in_a_line() {
        for (done, expected) in [
            (done(312, 312_084_000, Some(Ended::AsPlanned)), "  3: 312ms asked, 312.084ms held, 2 processes"),
            (
                done(80, 80_100_000, Some(Ended::AsPlanned)),
                "  3: 312ms asked, cut to 80ms, 80.1ms held, 2 processes",
            ),
            (
                done(312, 7_000, Some(Ended::ByRequest)),
                "  3: 312ms asked, 7us held, 2 processes; thawed by another command",
            ),
            (done(312, 7_000, None), "  3: 312ms asked, 7us held, 2 processes; interrupted"),
        ] {
            assert_eq!(line(&done), expected);
        }
    }

    #[test]
    fn a_series_is_told_by_its_excess() {
        let planned = |actual| done(312, actual, Some(Ended::AsPlanned));
        let summary = Summary::of(&[planned(312_100_000), planned(312_200_000), planned(313_000_000)]);
        assert_eq!(
            summary_line(&summary),
            "3 pauses, 937ms in all; longer than planned by 200us (median), 1ms (p99), 1ms (at most)"
        );
        assert_eq!(summary_line(&Summary::of(&[done(312, 7_000, None)])), "1 pause, 7us in all");
    }

    #[test]
    fn a_pause_is_an_object_of_these_fields() {
        let expected = json!({
            "number": 3, "processes": 2, "ended": "as-planned",
            "gap_asked_ns": 5_000_000, "gap_ns": null,
            "asked_ns": 312_000_000, "planned_ns": 312_000_000, "actual_ns": 312_000_000,
            "first_stop_ns": 1_000, "last_confirmed_ns": 2_000,
            "first_resumed_ns": 312_002_000, "confirmed_ns": 312_003_000,
        });
        let first = done(312, 312_000_000, Some(Ended::AsPlanned));
        assert_eq!(done_json(&first, None), expected);
        let next = Done { first_stop: first.confirmed.saturating_add(Span::from_millis(6)), ..first };
        assert_eq!(done_json(&next, Some(&first))["gap_ns"], 6_000_000);
    }
}
