//! `falseticker suspend NODE --for SPAN`.
//!
//! What must hold: it is over when the processes run again, however that came about; a signal that ends this command
//! wakes the node first, and SIGKILL leaves the suspend to its plan and its guards.

use falseticker::fault::{Suspend, WallAfter};
use falseticker::freeze::{Ended, Thawed};
use falseticker::node::NodeName;
use falseticker::suspend::{Correction, Report};
use falseticker::units::{format_rate, format_span};
use falseticker::{Error, ErrorKind, HostInstant, Node, Rate, Result, Span};
use serde_json::{Value, json};

use super::freeze::{add_end, to_json as freeze_json};
use super::output::{Output, Reply};
use super::signals::{Signals, Woken};
use super::table::{count, cut, short};
use super::{exit, trigger, values};

const EXAMPLES: &str = "\
Examples:
  falseticker suspend a --for 5s            the wall clock wakes stale
  falseticker suspend a --for 5s --wall corrected
                                            stepped when the programs wake
  falseticker suspend a --for 5s --after 2s
                                            stepped 2 s after that
  falseticker suspend a --for 5s --after 2s --slew 500ppm
                                            led back, as by ntpd

The node must have been made with --monotonic: its CLOCK_MONOTONIC does not count the pause, CLOCK_BOOTTIME does. What was \
left of a timer or of a wait is what is left of it after the pause. Ctrl-C, thaw and heal wake the node: its clocks run on \
then, and a correction becomes as much smaller. If this command is killed by SIGKILL, all goes on as planned.";

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: NodeName,

    /// How long it is suspended; the command stays in the foreground until then
    #[arg(long = "for", value_name = "SPAN", allow_hyphen_values = true, value_parser = values::length)]
    pub lasts: Span,

    /// What becomes of the wall clock, which stands still too: it stays behind, or is brought to where it would stand
    /// without the suspend [default: stale, or corrected where --after or --slew is given]
    #[arg(long, value_name = "HOW", value_enum)]
    pub wall: Option<Wall>,

    /// Correct it SPAN after the programs wake; 0s unless given
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true, value_parser = values::limit)]
    pub after: Option<Span>,

    /// Correct it at RATE, a deviation such as 500ppm, instead of by a step
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, value_parser = values::rate)]
    pub slew: Option<Rate>,

    #[command(flatten)]
    pub trigger: trigger::Options,
}

/// What becomes of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Wall {
    /// It stays behind.
    Stale,
    /// It is brought back.
    Corrected,
}

/// Suspends a node.
pub fn suspend(args: &Args, output: &Output) -> Result<Reply> {
    let asked = Suspend { length: args.lasts, wall: wall(args)? };
    let node = Node::open(args.node.as_str())?;
    node.check_suspend(&asked)?;
    let come = args.trigger.wait(&node, output)?;
    // From here on a signal waits until all stand still, so that nothing is left half done.
    let signals = Signals::hold()?;
    let suspended = node.suspend(&asked)?;
    let fired = come.let_go();
    let Some(frozen) = suspended.frozen() else { return Ok(Reply::silent(exit::DONE)) };
    let processes = frozen.report().processes.len();
    let mut json = to_json(suspended.report());
    json["node"] = json!(args.node);
    json["trigger"] = trigger::to_json(fired.as_ref());
    json["freeze"] = freeze_json(&args.node, frozen.report(), frozen.until());
    output.say(&line(&args.node, processes, suspended.report()))?;
    let (at, since) = (suspended.report().at, frozen.report().last_confirmed);
    let woken = signals.wait(frozen)?;
    let (thawed, interrupted) = match woken {
        Woken::Signal => (suspended.wake()?, true),
        Woken::Ended => (suspended.wait()?, false),
    };
    let Some(thawed) = thawed else { return Ok(Reply::silent(exit::DONE)) };
    let (how, words, code) = end(&thawed, at, interrupted);
    add_end(&mut json["freeze"], how, since, &thawed);
    Ok(Reply::done(format!("node {}: {words}", args.node), json).with_code(code))
}

/// What is asked for the wall clock.
fn wall(args: &Args) -> Result<WallAfter> {
    let is_described = args.after.is_some() || args.slew.is_some();
    match args.wall {
        Some(Wall::Stale) if is_described => {
            Err(Error::bad_input("leave the wall clock stale", "--after and --slew say how it is corrected")
                .remedy("leave them away, or ask for --wall corrected"))
        }
        None if !is_described => Ok(WallAfter::Stale),
        Some(Wall::Stale) => Ok(WallAfter::Stale),
        _ => Ok(WallAfter::Corrected { after: args.after.unwrap_or(Span::ZERO), slew: args.slew }),
    }
}

/// "node a: 3 processes suspended for 5s (change 3, wall mono)", and what else there is to say.
fn line(node: &NodeName, processes: usize, report: &Report) -> String {
    let stopped = count(processes, "process", "processes");
    let mut line = format!(
        "node {node}: {stopped} suspended for {} (change {}, wall mono); {}",
        format_span(report.until.saturating_since(report.at)),
        report.change,
        correction_in_words(report),
    );
    if report.ran_on != Span::ZERO {
        let ran_on = short(report.ran_on);
        line.push_str(&format!("\n  clocks stood still for {ran_on} before the last of them did"));
    }
    if report.late_by != Span::ZERO {
        let late = short(report.late_by);
        line.push_str(&format!(
            "\n  late by {late}: a process may have read true time after the clocks were to stand still"
        ));
    }
    for one in &report.unfollowed {
        line.push_str(&format!("\n  timers of {} may count it: {}", one.pid, cut(one.why, 90)));
    }
    line
}

fn correction_in_words(report: &Report) -> String {
    let Some(correction) = report.correction else { return "the wall clock wakes stale".to_owned() };
    let after = correction.at.saturating_since(report.until);
    let when =
        if after == Span::ZERO { "then".to_owned() } else { format!("{} after that", format_span(after)) };
    match (correction.rate, correction.until) {
        (Some(rate), Some(until)) => format!(
            "the wall clock is led back from {when} on at {}, in {}",
            format_rate(rate),
            short(until.saturating_since(correction.at))
        ),
        _ => format!("the wall clock is stepped by +{} {when}", short(correction.by)),
    }
}

/// A suspend as an object.
fn to_json(report: &Report) -> Value {
    let correction = |correction: Correction| {
        json!({
            "change": correction.change,
            "at_ns": correction.at.as_nanos(),
            "by_ns": correction.by.as_nanos(),
            "rate_ppm": correction.rate.map(Rate::as_ppm),
            "until_ns": correction.until.map(HostInstant::as_nanos),
        })
    };
    let unfollowed = report.unfollowed.iter().map(|one| json!({ "pid": one.pid, "why": one.why }));
    json!({
        "node": null,
        "change": report.change,
        "fault": report.what,
        "clocks": ["wall", "mono"],
        "at_ns": report.at.as_nanos(),
        "until_ns": report.until.as_nanos(),
        "late_by_ns": report.late_by.as_nanos(),
        "followed_ns": report.followed.as_nanos(),
        "ran_on_ns": report.ran_on.as_nanos(),
        "counted_ns": report.counted.as_nanos(),
        "correction": report.correction.map(correction),
        "unfollowed": unfollowed.collect::<Vec<_>>(),
        "freeze": null,
    })
}

/// How it ended: for `--json`, in words, and as an exit code.
fn end(thawed: &Thawed, at: HostInstant, interrupted: bool) -> (&'static str, String, u8) {
    let after = short(thawed.first_resumed.saturating_since(at));
    if interrupted {
        return (
            "interrupted",
            format!("interrupted; woken after {after}"),
            ErrorKind::Interrupted.exit_code(),
        );
    }
    match thawed.ended {
        Ended::AsPlanned => ("as-planned", format!("woke after {after}"), exit::DONE),
        Ended::ByRequest => ("by-request", format!("woken by another command after {after}"), exit::DONE),
        Ended::GuardsLost => {
            let words = format!("woke after {after} already, since its guards were killed");
            ("guards-lost", words, ErrorKind::NotApplied.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let at = HostInstant::from_nanos;
        Report {
            change: 3,
            what: "suspend 5s".to_owned(),
            at: at(1_000),
            until: at(5_000_001_000),
            late_by: Span::ZERO,
            followed: at(2_000),
            ran_on: Span::from_nanos(1_500_000),
            counted: Span::ZERO,
            correction: None,
            unfollowed: Vec::new(),
        }
    }

    fn corrected(after: Span, slew: bool) -> Report {
        let at = report().until.saturating_add(after);
        let by = Span::from_secs(5);
        let correction = Correction {
            change: 5,
            at,
            by,
            rate: slew.then(|| Rate::from_parts(1 << 31)),
            until: slew.then(|| at.saturating_add(Span::from_secs(10))),
        };
        Report { correction: Some(correction), ..report() }
    }

    #[test]
    fn it_is_told_in_a_line_with_what_becomes_of_the_wall_clock() {
        let name: NodeName = "a".parse().unwrap();
        let said = line(&name, 2, &report());
        let begin =
            "node a: 2 processes suspended for 5s (change 3, wall mono); the wall clock wakes stale\n";
        assert!(said.starts_with(begin), "{said}");
        assert!(said.ends_with("clocks stood still for 1.5ms before the last of them did"), "{said}");
        let said = line(&name, 2, &corrected(Span::ZERO, false));
        assert!(said.contains("stepped by +5s then"), "{said}");
        let said = line(&name, 2, &corrected(Span::from_secs(2), true));
        assert!(said.contains("led back from 2s after that on at"), "{said}");
        assert!(said.contains("in 10s"), "{said}");
        let unfollowed = vec![falseticker::suspend::Unfollowed { pid: 12, why: "it is so" }];
        let said = line(&name, 2, &Report { unfollowed, late_by: Span::from_millis(2), ..report() });
        assert!(
            said.contains("late by 2ms") && said.ends_with("timers of 12 may count it: it is so"),
            "{said}"
        );
    }

    #[test]
    fn it_is_an_object_of_these_fields() {
        let expected = json!({
            "node": null, "change": 3, "fault": "suspend 5s", "clocks": ["wall", "mono"],
            "at_ns": 1_000, "until_ns": 5_000_001_000_i64, "late_by_ns": 0,
            "followed_ns": 2_000, "ran_on_ns": 1_500_000, "counted_ns": 0,
            "correction": {
                "change": 5, "at_ns": 7_000_001_000_i64, "by_ns": 5_000_000_000_i64, "rate_ppm": null, "until_ns": null,
            },
            "unfollowed": [], "freeze": null,
        });
        assert_eq!(to_json(&corrected(Span::from_secs(2), false)), expected);
    }

    #[test]
    fn a_stale_clock_is_not_corrected() {
        let args = |wall, after: Option<Span>, slew| Args {
            node: "a".parse().unwrap(),
            lasts: Span::from_secs(5),
            wall,
            after,
            slew,
            trigger: trigger::Options::default(),
        };
        assert_eq!(wall(&args(None, None, None)).unwrap(), WallAfter::Stale);
        assert!(wall(&args(Some(Wall::Stale), Some(Span::ZERO), None)).unwrap_err().help().is_some());
        let rate = Some(Rate::from_parts(5));
        let by_slew = WallAfter::Corrected { after: Span::ZERO, slew: rate };
        assert_eq!(wall(&args(None, None, rate)).unwrap(), by_slew);
        let by_step = WallAfter::Corrected { after: Span::ZERO, slew: None };
        assert_eq!(wall(&args(Some(Wall::Corrected), None, None)).unwrap(), by_step);
    }
}
