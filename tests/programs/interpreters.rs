//! Programs that answer a line with their wall clock, their monotonic clock, and what a relative sleep of 30 ms took.

use libtest_mimic::Trial;

use super::{SLACK, expect_off, host_now, jumped_while_running};
use crate::harness::{Lab, Live, SECOND, mono, spec};

const BASH: &str = r#"while read x; do printf '%s %(%s)T\n' "$EPOCHSECONDS" -1; done"#;
const DATE: &str = "while read x; do date +%s; done";
const PERL: &str = r#"use Time::HiRes qw(time clock_gettime CLOCK_MONOTONIC sleep); $| = 1;
while (<STDIN>) { my ($w, $m) = (time, clock_gettime(CLOCK_MONOTONIC)); sleep 0.03;
printf "%f %f %f\n", $w, $m, clock_gettime(CLOCK_MONOTONIC) - $m }"#;
const PYTHON: &str = r#"
import sys, time, threading
for line in sys.stdin:
    w, m = time.time(), time.monotonic()
    threading.Event().wait(0.015); time.sleep(0.015)
    print(w, m, time.monotonic() - m, flush=True)
"#;
const NODE: &str = r#"
const lines = require('readline').createInterface({ input: process.stdin });
let ticks = 0; const ticker = setInterval(() => ticks++, 5);
lines.on('line', () => { const w = Date.now() / 1e3, m = process.hrtime.bigint(), before = ticks;
  setTimeout(() => { const took = Number(process.hrtime.bigint() - m) / 1e9;
    console.log(`${w} ${Number(m) / 1e9} ${ticks > before ? took : -1}`) }, 30) });
lines.on('close', () => clearInterval(ticker));
"#;
const JAVA: &str = r#"
import java.util.concurrent.*; import java.util.concurrent.atomic.*;
public class Ticker { public static void main(String[] a) throws Exception {
  var in = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
  var ticks = new AtomicLong(); var pool = Executors.newScheduledThreadPool(1);
  pool.scheduleAtFixedRate(ticks::incrementAndGet, 0, 5, TimeUnit.MILLISECONDS);
  while (in.readLine() != null) {
    long w = System.currentTimeMillis(), m = System.nanoTime(), before = ticks.get();
    Thread.sleep(15); new Semaphore(0).tryAcquire(15, TimeUnit.MILLISECONDS);
    double took = (System.nanoTime() - m) / 1e9;
    System.out.println(w / 1e3 + " " + m / 1e9 + " " + (ticks.get() > before ? took : -1)); }
  pool.shutdownNow(); } }
"#;
pub const OPENJDK_17: &str = "/usr/lib/jvm/java-17-openjdk-amd64/bin/java";

pub fn trials() -> Vec<Trial> {
    let of = |name: &str| spec(format!("programs: {name} is jumped back and forward while it runs"));
    vec![
        of("date").shown_by(|lab| conversation(lab, &["sh", "-c", DATE])),
        of("bash ($EPOCHSECONDS, printf %(%s)T)").needs("bash", "bash").shown_by(bash),
        of("perl").needs("perl", "perl").shown_by(|lab| conversation(lab, &["perl", "-e", PERL])),
        of("python3").needs("/usr/bin/python3", "python3").shown_by(|lab| {
            conversation(lab, &["/usr/bin/python3", "-c", PYTHON]);
        }),
        of("node").needs("node", "nodejs").shown_by(|lab| conversation(lab, &["node", "-e", NODE])),
        of("java 17").needs(OPENJDK_17, "openjdk-17-jdk-headless").shown_by(java),
        of("a C program built with musl-gcc").needs("musl-gcc", "musl-tools").shown_by(musl),
        spec("programs: GNU time, find -newermt and touch agree with a false clock as with a true one")
            .shown_by(coreutils),
    ]
}

/// One answer: wall, and where the program tells them, monotonic and how long the sleep took.
fn ask(live: &mut Live) -> Vec<f64> {
    live.say("now");
    let line = live.line();
    line.split_whitespace()
        .map(|word| word.parse().unwrap_or_else(|_| panic!("it answers {line:?}")))
        .collect()
}

#[track_caller]
fn check_undisturbed(answer: &[f64]) {
    let [_, shown, slept] = *answer else { return };
    #[expect(clippy::cast_precision_loss, reason = "seconds since boot")]
    let host = mono() as f64 / SECOND as f64;
    assert!((shown - host).abs() < SLACK, "its monotonic clock is off by {} s", shown - host);
    assert!((0.029..SLACK).contains(&slept), "a sleep of 30 ms took {slept} s");
}

fn conversation(lab: &Lab, program: &[&str]) {
    let (name, rest) = program.split_first().expect("a program has a name");
    let mut bare = lab.bare_live(name, rest);
    let answer = ask(&mut bare);
    check_undisturbed(&answer);
    expect_off("bare", answer[0], 0.0);
    assert_eq!(bare.finish(), 0);
    let mut live = lab.run("a", &[], program).live();
    jumped_while_running(lab, || {
        let answer = ask(&mut live);
        check_undisturbed(&answer);
        answer[0]
    });
    assert_eq!(live.finish(), 0);
    let mut live = lab.run("a", &["--jump", "-1d"], program).live();
    expect_off("from its first read on", ask(&mut live)[0], -86_400.0);
    assert_eq!(live.finish(), 0);
}

fn bash(lab: &Lab) {
    conversation(lab, &["bash", "-c", BASH]);
    let mut live = lab.run("a", &["--jump", "-1h"], ["bash", "-c", BASH]).live();
    let answer = ask(&mut live);
    assert!((answer[0] - answer[1]).abs() <= 1.0, "EPOCHSECONDS and printf differ: {answer:?}");
    live.finish();
}

fn java(lab: &Lab) {
    let source = lab.path("Ticker.java");
    std::fs::write(&source, JAVA).expect("a file can be written");
    conversation(lab, &[OPENJDK_17, "-XX:TieredStopAtLevel=1", source.to_str().expect("a path")]);
}

fn musl(lab: &Lab) {
    let hour = 3600 * SECOND;
    let target = lab.target("probe").musl();
    let mut bare = crate::harness::Probe::new(lab.bare_live(target.path(), [""; 0]));
    bare.wall().expect_skew(0);
    bare.quit();
    let mut probe = lab.probe("a", &[], &target);
    for (by, expected) in [("-1h", -hour), ("+2h", hour)] {
        let at = lab.fault(&["jump", "a", by]);
        probe.wall_after(at).expect_skew(expected);
    }
    probe.quit();
}

fn coreutils(lab: &Lab) {
    let script = "date +%s; perl -e 'print time, qq(\\n)'; printf '%(%s)T\\n' -1; stat -c %Y /proc/self; awk 'BEGIN { srand(); print srand() }'";
    let bare = lab.bare(["bash", "-c", script]).expect_code(0);
    let under = lab.run("a", &["--jump", "-1d"], ["bash", "-c", script]).done().expect_code(0);
    let seconds = |text: &str| -> Vec<f64> { text.lines().filter_map(|line| line.parse().ok()).collect() };
    let (bare, under) = (seconds(&bare.stdout), seconds(&under.stdout));
    assert_eq!(bare.len(), under.len());
    for index in [0, 1, 2] {
        assert!((under[index] - bare[index] + 86_400.0).abs() < SLACK, "{bare:?} {under:?}");
    }
    assert!((bare[0] - host_now()).abs() < SLACK);
}
