//! Bad input: a clear error, its exit code, nothing changed and nothing left behind.

use libtest_mimic::Trial;

use crate::harness::{Lab, spec};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("bad input: {sentence}"));
    vec![
        of("every bad word of a command is refused, says why, and changes nothing").shown_by(table),
        of("run refuses the same words with 125, and makes no node").shown_by(run_table),
        of("every command explains itself, with examples").shown_by(help),
        of("no command, an unknown one and a missing argument are usage errors").shown_by(usage),
    ]
}

/// What is refused, by which exit code, with what in the message.
const TABLE: &[(&[&str], i32, &str)] = &[
    (&["jump", "nobody", "-1h"], 2, "no such node"),
    (&["jump", "a/b", "-1h"], 2, "'/'"),
    (&["jump", "../a", "-1h"], 2, "'/'"),
    (&["create", "a/b"], 2, "'/'"),
    (&["create", ""], 2, "empty"),
    (&["create", "all"], 2, "scenarios"),
    (&["create", ".hidden"], 2, "begins with"),
    (&["jump", "a", "100"], 2, "write 100s or 100ms"),
    (&["jump", "a", "0s"], 2, "no fault"),
    (&["jump", "a", "1w"], 2, "7d"),
    (&["jump", "a", "1h-30m"], 2, "one sign"),
    (&["jump", "a", "300000d"], 2, "292 years"),
    (&["jump", "a", "1,5s"], 2, "1.5"),
    (&["jump", "a", ""], 2, "empty"),
    (&["jump", "a", "-1h", "--for", "-1s"], 2, ""),
    (&["jump", "a", "-1h", "--for", "0s"], 2, ""),
    (&["jump", "a", "-1h", "--wait", "soon"], 2, "soon"),
    (&["jump", "a", "-1h", "--clock", "boot"], 2, "boot"),
    (&["set", "a", "noon"], 2, "noon"),
    (&["set", "a", "2300-01-01T00:00:00Z"], 2, "2262"),
    (&["set", "a", "@9223372036.9"], 2, "1677"),
    (&["set", "a", "2026-02-30 12:00:00"], 2, "2026-02-30"),
    (&["drift", "a", "200"], 2, "200ppm"),
    (&["drift", "a", "-1x"], 2, "never runs backward"),
    (&["drift", "a", "-150%"], 2, "never runs backward"),
    (&["drift", "a", "2000x"], 2, "1000x"),
    (&["drift", "a", "50ppb"], 2, "not a unit"),
    (&["slew", "a", "1s"], 2, "--rate"),
    (&["slew", "a", "1s", "--rate", "1x"], 2, "true rate"),
    (&["slew", "a", "-1s", "--rate", "100%"], 2, "below 100%"),
    (&["slew", "a", "0s", "--rate", "1%"], 2, "no fault"),
    (&["strobe", "a", "--amplitude", "1s"], 2, "--period"),
    (&["strobe", "a", "--amplitude", "0s", "--period", "1s"], 2, "no fault"),
    (&["strobe", "a", "--amplitude", "1s", "--period", "0s"], 2, "period"),
    (&["strobe", "a", "--amplitude", "1s", "--period", "-1s"], 2, "period"),
    (&["jump", "a", "+1h", "--clock", "all"], 2, "--monotonic"),
    (&["drift", "a", "2x", "--clock", "all"], 2, "--monotonic"),
    (&["stall", "a", "--clock", "all"], 2, "--monotonic"),
    (&["jump", "m", "-1h", "--clock", "all"], 2, "never run backward"),
    (&["jump", "m", "+1h", "--for", "1m", "--clock", "all"], 2, "never run backward"),
    (&["set", "m", "@0", "--clock", "all"], 2, "never run backward"),
    (&["strobe", "m", "--amplitude", "1s", "--period", "1s", "--clock", "all"], 2, "never run backward"),
    (&["freeze", "nobody"], 2, "no such node"),
    (&["freeze", "a", "--for", "nonsense"], 2, "nonsense"),
    (&["thaw", "nobody"], 2, "no such node"),
    (&["heal", "nobody"], 2, "no such node"),
    (&["heal", "a", "nobody"], 2, "no such node"),
    (&["heal", "a", "--slew", "0ppm"], 2, ""),
    (&["heal", "a", "--slew", "fast"], 2, "fast"),
    (&["status", "nobody"], 2, "no such node"),
    (&["remove", "nobody"], 2, "no such node"),
    (&["env", "nobody"], 2, "no such node"),
];

fn table(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    lab.falseticker(["create", "m", "--monotonic"]).expect_code(0);
    lab.falseticker(["jump", "a", "-1h"]).expect_code(0);
    let page = |node: &str| std::fs::read(lab.nodes().join(node).join("page")).expect("there is a page");
    let before = (page("a"), page("m"));
    let mut wrong = Vec::new();
    for (words, code, fragment) in TABLE {
        let done = lab.falseticker(*words);
        let has_help =
            done.stderr.contains("help") || done.stderr.contains("Usage") || done.stderr.contains("--help");
        let said = done.stderr.contains(fragment) && has_help && done.stdout.is_empty();
        let unchanged = (page("a"), page("m")) == before;
        if done.code != *code || !said || !unchanged {
            let what = if unchanged { "" } else { "  THE PAGE CHANGED\n" };
            wrong.push(format!("{}  expected {code} and {fragment:?}\n{what}", done.report()));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), TABLE.len(), wrong.concat());
    for node in ["a", "m"] {
        lab.falseticker(["remove", node]).expect_code(0);
    }
}

fn run_table(lab: &Lab) {
    for (flags, fragment) in [
        (vec!["--node", "a/b"], "'/'"),
        (vec!["--jump", "100"], "100s"),
        (vec!["--jump", "0s"], "no fault"),
        (vec!["--drift", "2"], "2x"),
        (vec!["--set", "noon"], "noon"),
        (vec!["--jump", "+1h", "--clock", "all"], "--monotonic"),
        (vec!["--monotonic", "--jump", "-1h", "--clock", "all"], "never run backward"),
        (vec!["--faketime", "-1h30m"], "-1h30m"),
        (vec!["--report", "/nowhere/at/all/report"], "/nowhere/at/all"),
    ] {
        let done = lab
            .command(crate::harness::binary(), ["run"])
            .args(&flags)
            .args(["--", "sh", "-c", "echo ran"])
            .done();
        let done = done.expect_code(125).expect_error(fragment);
        assert_eq!(done.stdout, "", "it ran all the same");
        assert_eq!(lab.left_in_nodes(), Vec::<String>::new(), "{flags:?}");
    }
}

const COMMANDS: [&str; 13] = [
    "run", "create", "env", "jump", "set", "drift", "slew", "stall", "strobe", "freeze", "thaw", "heal",
    "status",
];

fn help(lab: &Lab) {
    let all = lab.falseticker(["--help"]).expect_code(0);
    for command in COMMANDS.into_iter().chain(["remove"]) {
        assert!(all.stdout.contains(command), "--help does not name {command}");
        let help = lab.falseticker([command, "--help"]).expect_code(0);
        assert!(
            help.stdout.contains(&format!("falseticker {command}")),
            "no example of {command}:\n{}",
            help.stdout
        );
        assert!(
            help.stdout.to_lowercase().contains("example"),
            "no examples in {command} --help:\n{}",
            help.stdout
        );
    }
    assert!(lab.falseticker(["--version"]).expect_code(0).stdout.contains(env!("CARGO_PKG_VERSION")));
}

fn usage(lab: &Lab) {
    for words in
        [vec![], vec!["no-such-command"], vec!["jump"], vec!["jump", "a"], vec!["status", "--no-such-flag"]]
    {
        lab.falseticker(&words).expect_code(2);
    }
    lab.falseticker(["run"]).expect_code(125);
    lab.falseticker(["run", "--"]).expect_code(125);
    let done = lab.falseticker(["jump", "nobody", "-1h", "--json"]).expect_code(2);
    assert!(done.stdout.is_empty() || done.json().is_object(), "{}", done.report());
}
