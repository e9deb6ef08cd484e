//! Programs whose monotonic clock runs twice or half as fast: they tick by it, beside themselves bare. Their waits last as long
//! as the node's clock takes to show them, and they use about as much of the processor as bare, tick for tick.

use libtest_mimic::Trial;

use super::Program;
use super::ticker::{PERIOD, Ticker, between, load, seconds};
use crate::harness::{Lab, spec};

/// How long ticks are counted.
const SPAN: std::time::Duration = std::time::Duration::from_millis(2000);
/// By how many ticks counts differ that begin and end anywhere between two of them, and of one that catches up.
const EDGES: f64 = 3.0;
/// More than any of them has, in seconds a second; a core that spins would show as nearly 1.
const SPARE: f64 = 0.15;
/// Of the ticks that are expected, by what waits are late bare, so many are there at least on a busy machine. A clock that
/// nobody follows would give half of them, or twice.
const MOST: f64 = 0.75;

/// A node, how it is made, and how fast its clocks run.
const NODES: [(&str, &str, f64); 2] = [("fast", "2x", 2.0), ("slow", "0.5x", 0.5)];

pub fn trials(programs: impl Iterator<Item = Program>) -> Vec<Trial> {
    let trial = |program: Program| {
        let sentence = format!("rates: {} ticks by its node's clock, at 2x and 0.5x", program.name);
        let spec =
            program.needs.iter().fold(spec(sentence), |spec, (path, package)| spec.needs(path, package));
        spec.shown_by(move |lab| ticks_by_its_clock(lab, &(program.words)(lab)))
    };
    programs.map(trial).collect()
}

/// Shows that a program ticks as fast as its clock runs.
fn ticks_by_its_clock(lab: &Lab, program: &[String]) {
    let mut all = vec![(1.0, Ticker::new(lab.bare_live(&program[0], &program[1..])))];
    for (node, drift, rate) in NODES {
        let flags = ["--monotonic", "--clock", "all", "--drift", drift];
        all.push((rate, Ticker::new(lab.run(node, &flags, program).live())));
    }
    // What a program does at its start is over when it has ticked.
    std::thread::sleep(SPAN / 4);
    let begin: Vec<_> = all.iter_mut().map(|(_, ticker)| ticker.look()).collect();
    std::thread::sleep(SPAN);
    let end: Vec<_> = all.iter_mut().map(|(_, ticker)| ticker.look()).collect();
    let mut report = String::new();
    for way in begin[0].ways.keys() {
        let counted = |which: usize| {
            let (ticks, early) = between(&begin[which], &end[which], way);
            (ticks, early, seconds(begin[which].at, end[which].at))
        };
        let (bare, _, span) = counted(0);
        // What each tick takes beyond its period: the machine's, and the program's own.
        let beyond = (span / bare.max(1.0) - PERIOD.as_secs_f64()).max(0.0);
        report += &format!("\n  {way}: bare {bare}");
        for (which, (rate, _)) in all.iter().enumerate().skip(1) {
            let (ticks, early, span) = counted(which);
            let most = span * rate / PERIOD.as_secs_f64() + EDGES;
            let expected = span / (PERIOD.as_secs_f64() / rate + beyond);
            report += &format!(", {rate}x {ticks}");
            let what = format!("{way} at {rate}x: {ticks} ticks in {span:.2} s, bare {bare}");
            assert!(ticks <= most, "it ticks too fast: {what}, and {most:.0} at most");
            assert!(ticks >= expected * MOST - EDGES, "it ticks too slowly: {what}, expected {expected:.0}");
            assert_eq!(early, 0, "waits return before their time: {what}");
        }
    }
    let loads: Vec<f64> = begin.iter().zip(&end).map(|(from, to)| load(from, to)).collect();
    eprintln!(
        "{}: {:.1} % of a core bare, {:.1} % at 2x, {:.1} % at 0.5x; ticks in {SPAN:?}:{report}",
        program[0].rsplit('/').next().unwrap_or_default(),
        loads[0] * 100.0,
        loads[1] * 100.0,
        loads[2] * 100.0
    );
    for ((rate, ticker), under) in all.iter_mut().zip(&loads).skip(1) {
        let bare = loads[0] * rate.max(1.0);
        assert!(*under <= bare * 1.5 + SPARE, "at {rate}x it takes {under:.3} of a core, bare {bare:.3}");
        assert_eq!(ticker.live.finish(), 0);
    }
}
