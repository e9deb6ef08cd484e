//! A program that ticks: bare and under the tool at once, so that whatever else the machine does meets both.
//!
//! It says `ready PID` and begins: in each of its ways it waits for [`PERIOD`], counts, and waits again. To `ticks` it answers
//! `WAY:COUNT:EARLY` for each way; a way whose name begins with `wall-` waits for an instant of the wall clock, and counts as
//! early what returned before it without having been woken. To `wake` it wakes whoever waits so, and answers `woken`: they
//! begin anew. To `pend`, if it has any such way, it answers `pending`, waits for an instant an hour ahead, and says `fired`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::harness::{Lab, Live, SECOND, mono};

/// How long each wait is, in all of these programs.
pub const PERIOD: Duration = Duration::from_millis(50);
/// For how long ticks are counted after each jump.
const SPAN: Duration = Duration::from_millis(1000);
/// For how long nobody is woken who waits for an hour more.
const HOLD: Duration = Duration::from_millis(400);
/// More than any of them has in a second, in seconds a second; a core that spins would show as nearly 1.
const SPARE: f64 = 0.1;

/// One way's count so far.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    count: u64,
    early: u64,
}

/// What was to be seen at an instant.
pub struct Look {
    pub at: i64,
    /// The processor's time so far, in seconds.
    cpu: f64,
    pub ways: BTreeMap<String, Ticks>,
}

/// A program that ticks.
pub struct Ticker {
    pub live: Live,
    pid: i32,
}

impl Ticker {
    #[track_caller]
    pub fn new(mut live: Live) -> Self {
        let line = live.line();
        let pid = line.strip_prefix("ready ").and_then(|pid| pid.parse().ok());
        Ticker { pid: pid.unwrap_or_else(|| panic!("it says {line:?}")), live }
    }

    #[track_caller]
    pub fn look(&mut self) -> Look {
        let at = mono();
        self.live.say("ticks");
        let line = self.live.line();
        let way = |word: &str| {
            let (rest, early) = word.rsplit_once(':')?;
            let (name, count) = rest.rsplit_once(':')?;
            Some((name.to_owned(), Ticks { count: count.parse().ok()?, early: early.parse().ok()? }))
        };
        let ways = line.split_whitespace().map(way).collect::<Option<_>>();
        Look { at, cpu: cpu_of(self.pid), ways: ways.unwrap_or_else(|| panic!("it says {line:?}")) }
    }

    #[track_caller]
    fn tell(&mut self, word: &str, answer: &str) {
        self.live.say(word);
        assert_eq!(self.live.line(), answer, "to {word}");
    }
}

/// The processor's time of a process and all its threads so far, in seconds.
pub fn cpu_of(pid: i32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    cpu_in(&stat)
}

/// The processor's time in a line of /proc/PID/stat or of a task's.
pub fn cpu_in(stat: &str) -> f64 {
    let after = stat.rsplit_once(") ").expect("a name ends there").1;
    let ticks: u32 = after.split(' ').skip(11).take(2).filter_map(|word| word.parse::<u32>().ok()).sum();
    // USER_HZ, which is 100 in all of Linux's user space.
    f64::from(ticks) / 100.0
}

/// A span, in seconds.
#[expect(clippy::cast_precision_loss, reason = "spans of a test")]
pub fn seconds(from: i64, to: i64) -> f64 {
    (to - from) as f64 / SECOND as f64
}

/// How often a way ticked between two looks, and how often too early.
#[expect(clippy::cast_precision_loss, reason = "ticks of a test")]
pub fn between(from: &Look, to: &Look, way: &str) -> (f64, u64) {
    let (from, to) = (from.ways[way], to.ways[way]);
    ((to.count - from.count) as f64, to.early - from.early)
}

/// How many cores it took between two looks.
pub fn load(from: &Look, to: &Look) -> f64 {
    (to.cpu - from.cpu) / seconds(from.at, to.at)
}

/// The two of them, and what they took so far.
struct Pair {
    bare: Ticker,
    under: Ticker,
    report: String,
}

impl Pair {
    fn look(&mut self) -> [Look; 2] {
        [self.bare.look(), self.under.look()]
    }

    /// Counts ticks in a span that begins now; `since` is when there was last a jump.
    fn count(&mut self, phase: &str, since: &[Look; 2], early: u64) {
        let begin = self.look();
        std::thread::sleep(SPAN);
        let end = self.look();
        self.report += &format!("\n  {phase}:");
        for way in begin[1].ways.keys() {
            let [bare, under] = [0, 1].map(|which| between(&begin[which], &end[which], way).0);
            self.report += &format!(" {way} {under} ({bare})");
            let (all, too_early) = between(&since[1], &end[1], way);
            let most = seconds(since[1].at, end[1].at) / PERIOD.as_secs_f64();
            let what = format!(
                "{way}, {phase}: {under} ticks, bare {bare}; {all} since the jump, {too_early} early"
            );
            assert!(under >= bare / 2.0 - 2.0, "it hardly ticks: {what}");
            assert!(all <= most * 1.25 + 5.0, "it bursts: {what}, of at most {most}");
            // One that had timed out when the clock was stepped back may not have looked yet.
            assert!(too_early <= early, "waits return before their time: {what}");
        }
    }
}

/// Shows that a program ticks on.
pub fn ticks_on(lab: &Lab, program: &[String]) {
    let bare = Ticker::new(lab.bare_live(&program[0], &program[1..]));
    let under = Ticker::new(lab.run("a", &[], program).live());
    let mut pair = Pair { bare, under, report: String::new() };
    std::thread::sleep(HOLD);
    let first = pair.look();
    pair.count("no fault", &first, 0);
    back(lab, &mut pair, "an hour back");
    forward(lab, &mut pair);
    back(lab, &mut pair, "back to the truth");
    let last = pair.look();
    let (bare, under) = (load(&first[0], &last[0]), load(&first[1], &last[1]));
    eprintln!(
        "{}: {:.1} % of a core, bare {:.1} %; ticks in {SPAN:?} (bare):{}",
        program[0].rsplit('/').next().unwrap_or_default(),
        under * 100.0,
        bare * 100.0,
        pair.report
    );
    assert!(under <= bare * 1.5 + SPARE, "it takes {under:.3} of a core, and bare {bare:.3}");
    assert_eq!([pair.bare.live.finish(), pair.under.live.finish()], [0, 0]);
}

/// A jump back by an hour, in the middle of their waits.
fn back(lab: &Lab, pair: &mut Pair, phase: &str) {
    let since = pair.look();
    let at = lab.fault(&["jump", "a", "-1h"]);
    while mono() < at {
        std::thread::yield_now();
    }
    let jumped = pair.under.look();
    std::thread::sleep(HOLD);
    let held = pair.under.look();
    let walls: Vec<_> = held.ways.keys().filter(|way| way.starts_with("wall-")).collect();
    let holds = |way: &str| between(&jumped, &held, way).0 == 0.0;
    let holding = walls.iter().filter(|way| holds(way)).count();
    if !walls.is_empty() {
        pair.report += &format!("\n  stepped back: {holding} of {} hold", walls.len());
        assert_ne!(holding, 0, "nobody waits for an hour more, of {walls:?}");
    }
    pair.bare.tell("wake", "woken");
    pair.under.tell("wake", "woken");
    pair.count(phase, &since, 1);
}

/// A jump forward, past what they wait for.
fn forward(lab: &Lab, pair: &mut Pair) {
    let waits_by_wall = pair.under.look().ways.keys().any(|way| way.starts_with("wall-"));
    if waits_by_wall {
        pair.under.tell("pend", "pending");
    }
    let since = pair.look();
    let at = lab.fault(&["jump", "a", "+2h"]);
    if waits_by_wall {
        pair.under.live.line_where(|line| line == "fired");
        let late = seconds(at, mono());
        pair.report +=
            &format!("\n  a deadline an hour ahead that is jumped past fires {:.0} ms later", late * 1e3);
        assert!(late < 1.0, "a deadline that was jumped past is noticed {late} s later");
    }
    pair.count("an hour ahead", &since, 0);
}
