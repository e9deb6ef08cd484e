//! What a wait is, apart from when it ends, is the same in a node: results, errno, cancellation, signals, masks, mutexes of
//! every kind. Each target program says the same thing bare, in an idle node, and with a jump in force.

use libtest_mimic::Trial;

use crate::harness::{Lab, Target, mono, spec};

/// What is said of which call of a target program.
const SAME: [(&str, &str, &str); 10] = [
    ("results and errno are those of the bare calls", "wait_results", "results"),
    ("a handler interrupts what it interrupts bare", "wait_results", "interrupted"),
    ("a handler with SA_RESTART restarts what it restarts bare", "wait_results", "restarted"),
    ("a blocked signal stays blocked, and masks are left alone", "wait_results", "masked"),
    ("a signal for the process is taken by a thread of the program's own", "wait_results", "process-signal"),
    ("a stopped process waits on, or times out, when it is continued", "wait_results", "stopped"),
    ("whoever is cancelled in a cancellation point runs its handlers, locks held", "wait_cancel", "enabled"),
    ("whoever has cancellation disabled waits on", "wait_cancel", "disabled"),
    ("whoever may be cancelled at any time is, in any wait", "wait_cancel", "asynchronous"),
    (
        "a cancellation that was asked for before is acted upon at a cancellation point",
        "wait_cancel",
        "pending",
    ),
];

/// The hour by which the clock is behind, in seconds.
const HOUR: i64 = 3600;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for libc in ["glibc", "musl"] {
        let of = |sentence: &str| {
            let spec = spec(format!("wait semantics: {sentence} ({libc})"));
            if libc == "musl" { spec.needs("musl-gcc", "musl-tools") } else { spec.needs("cc", "gcc") }
        };
        for (sentence, program, what) in SAME {
            trials.push(of(sentence).shown_by(move |lab| same(lab, &lab.target(program).of(libc), &[what])));
        }
        trials.push(
            of("robust, PI, error-checking and recursive mutexes are told of as bare")
                .shown_by(move |lab| same(lab, &lab.target("wait_locks").of(libc), &[])),
        );
        trials.push(
            of("a handler that interrupts a wait reads the false clock")
                .shown_by(move |lab| handler(lab, libc)),
        );
        for (sentence, what) in [("are cancelled in", "crowd"), ("leave by longjmp", "longjmp")] {
            let sentence =
                format!("after thousands of threads that {sentence} a wait, one still follows a jump");
            trials.push(of(&sentence).shown_by(move |lab| nothing_left(lab, libc, what)));
        }
    }
    let unwound =
        spec("wait semantics: destructors run when a C++ thread is cancelled in a wait").needs("g++", "g++");
    trials.push(unwound.shown_by(|lab| same(lab, &lab.target("wait_unwound").cplusplus(), &[])));
    trials
}

/// The same is said bare, in an idle node, and in one whose clock is an hour behind. What differs is asked once more, of all
/// anew: a futex may wake for nothing, bare as well (futex(2)).
fn same(lab: &Lab, target: &Target, arguments: &[&str]) {
    let program = target.path();
    let words: Vec<_> =
        std::iter::once(program.as_os_str()).chain(arguments.iter().map(|word| word.as_ref())).collect();
    for (kind, flags) in [("idle", &[][..]), ("jumped", &["--jump", "-1h"][..])] {
        let differ = || {
            let bare = lab.bare(&words).expect_code(0).stdout;
            assert!(!bare.is_empty() && !bare.contains("did not wait"), "bare:\n{bare}");
            let under = lab.run(kind, flags, &words).done().expect_code(0).stdout;
            assert_eq!(bare.lines().count(), under.lines().count(), "{kind}:\n{under}");
            let pairs = bare.lines().zip(under.lines()).filter(|(bare, under)| bare != under);
            pairs.map(|(bare, under)| format!("bare  {bare}\nunder {under}\n")).collect::<String>()
        };
        let first = differ();
        let again = if first.is_empty() { String::new() } else { differ() };
        assert!(again.is_empty(), "{kind}:\n{first}and again:\n{again}");
    }
}

fn handler(lab: &Lab, libc: &str) {
    let program = lab.target("wait_results").of(libc).path();
    let words = [program.as_os_str(), "handler-clock".as_ref()];
    for (kind, flags, expected) in [
        ("idle", &[][..], 0),
        ("behind", &["--jump", "-1h"][..], -HOUR),
        ("ahead", &["--jump", "+1h"][..], HOUR),
    ] {
        let done = lab.run(kind, flags, words).done().expect_code(0);
        assert!(done.stdout.lines().count() >= 15, "{}", done.report());
        for line in done.stdout.lines() {
            let skew = line.rsplit_once(": ").and_then(|(_, skew)| skew.parse().ok());
            assert_eq!(skew, Some(expected), "{kind}: {line}");
        }
    }
}

/// The count is of waits that were left without returning.
fn nothing_left(lab: &Lab, libc: &str, what: &str) {
    let count = crate::harness::count_of("FALSETICKER_LEFT_WAITS", 20_000).to_string();
    let program = lab.target("wait_cancel").of(libc).path();
    let mut live = lab.run("a", &[], [program.as_os_str(), what.as_ref(), count.as_ref()]).live();
    // A line at a time, each within the time that any may take.
    while live.line() != "ready" {}
    let at = lab.fault(&["jump", "a", "+2h"]);
    let ended = live.line();
    let instant = ended.split(' ').nth(1).and_then(|word| word.parse::<i64>().ok());
    let late = instant.unwrap_or_else(|| panic!("it says {ended:?}")) - at;
    assert!(ended.ends_with("ETIMEDOUT") && late >= 0, "{ended}, {late} ns after the jump");
    assert!(late < crate::harness::SECOND, "{late} ns late; now {}", mono());
    assert_eq!(live.finish(), 0);
}
