//! From command lines to requests, without touching the system.

use std::ffi::OsString;

use clap::CommandFactory;
use falseticker::fault::{Clocks, Fault, Jump, Set};
use falseticker::units::{format_rate, format_span};
use falseticker::{NodeInstant, Rate, Span};

use super::args::{Cli, Command};
use super::exit;
use super::usage::{Stop, parse};

/// Cuts a line as a shell does; single quotes alone are known.
fn words(line: &str) -> Vec<OsString> {
    let mut words = vec![OsString::from("falseticker")];
    for (index, part) in line.split('\'').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(OsString::from)),
            _ => words.push(part.into()),
        }
    }
    words
}

fn parsed(line: &str) -> Cli {
    match parse(&words(line)) {
        Ok(cli) => cli,
        Err(Stop::Printed(code)) => panic!("{line}: only printed, {code}"),
        Err(Stop::Refused { error, .. }) => panic!("{line}: {error}"),
    }
}

/// The exit code and the message of a line that is refused.
fn refused(line: &str) -> (u8, String) {
    match parse(&words(line)) {
        Err(Stop::Refused { error, run, .. }) => (exit::code(&error, run), error.to_string()),
        other => panic!("{line}: {other:?}"),
    }
}

fn run(line: &str) -> falseticker::run::Request {
    match parsed(line).command {
        Command::Run(args) => args.request(),
        other => panic!("{line}: {other:?}"),
    }
}

fn described(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(Fault::describe).collect()
}

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn negative_values_are_values_and_flags_stay_flags() {
    for line in [
        "jump a -1h --for 5s --wait 2s",
        "jump a --for 5s -1h --wait=2s",
        "jump --for=5s --wait 2s a -1h",
        "jump --wait 2s a --for 5s -1h",
        "jump a --for 5s --wait 2s -- -1h",
        "jump -v a --for 5s --wait 2s -1h",
        "jump a -1h --for 5s --wait 2s -v",
        "--json jump a --for 5s --wait 2s -60m",
    ] {
        match parsed(line).command {
            Command::Jump(args) => {
                assert_eq!(args.by, Span::from_secs(-3600), "{line}");
                assert_eq!(args.options.lasts, Some(Span::from_secs(5)), "{line}");
                assert_eq!(args.options.wait, Some(Span::from_secs(2)), "{line}");
                assert_eq!(args.options.clocks, Clocks::Wall, "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn every_fault_has_its_command() {
    let of = |line: &str| match parsed(line).command {
        Command::Jump(args) => format!("{} {} {:?}", args.node, format_span(args.by), args.options.clocks),
        Command::Set(args) => format!("{} {}", args.node, args.to.as_nanos()),
        Command::Drift(args) => format!("{} {}", args.node, format_rate(args.rate)),
        Command::Slew(args) => format!("{} {} {}", args.node, format_span(args.by), format_rate(args.rate)),
        Command::Stall(args) => format!("{} {:?}", args.node, args.options.lasts.map(format_span)),
        Command::Strobe(args) => {
            format!("{} {} {}", args.node, format_span(args.amplitude), format_span(args.period))
        }
        Command::Freeze(args) => {
            format!("{} {:?}", args.node, args.shape.lasts.map(|lasts| lasts.to_string()))
        }
        Command::Suspend(args) => {
            let (lasts, after) = (format_span(args.lasts), args.after.map(format_span));
            format!("{} {lasts} {:?} {after:?} {:?}", args.node, args.wall, args.slew.map(format_rate))
        }
        other => panic!("{line}: {other:?}"),
    };
    for (line, expected) in [
        ("jump a +250ms --clock all", "a 250ms All"),
        ("jump a 1.5s --clock=wall", "a 1.5s Wall"),
        ("set a @1700000000", "a 1700000000000000000"),
        ("set a 1970-01-01T00:00:01Z", "a 1000000000"),
        ("set a @-1", "a -1000000000"),
        ("drift a -5%", "a 0.95x"),
        ("drift a 200ppm --for 10m", "a 200ppm"),
        ("slew a -200ms --rate 10%", "a -200ms 1.1x"),
        ("slew a --rate -500ppm -1s", "a -1s -500ppm"),
        ("stall a --for 2s", "a Some(\"2s\")"),
        ("strobe a --amplitude -5s --period 10ms", "a -5s 10ms"),
        ("freeze a", "a None"),
        ("freeze a --for 1m30s", "a Some(\"1m30s\")"),
        ("suspend a --for 5s", "a 5s None None None"),
        ("suspend a --for 5s --wall stale", "a 5s Some(Stale) None None"),
        ("suspend --for 5s a --after 0s --slew 5%", "a 5s None Some(\"0s\") Some(\"1.05x\")"),
    ] {
        assert_eq!(of(line), expected, "{line}");
    }
}

#[test]
fn heal_takes_any_number_of_nodes() {
    for (line, nodes, slew) in [
        ("heal", 0, None),
        ("heal a b c", 3, None),
        ("heal a --slew 500ppm b", 2, Some("500ppm")),
        ("heal --slew -5% --wait 1s", 0, Some("0.95x")),
    ] {
        match parsed(line).command {
            Command::Heal(args) => {
                assert_eq!(args.nodes.len(), nodes, "{line}");
                assert_eq!(args.slew.map(format_rate).as_deref(), slew, "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn what_run_is_asked_becomes_a_request() {
    let request = run(
        "run --node a --jump -1h --drift=-5% --clock all --monotonic --share --allow-settime --report r -- date -u --x",
    );
    assert_eq!(request.command, ["date", "-u", "--x"]);
    assert_eq!(request.node.as_ref().map(falseticker::node::NodeName::as_str), Some("a"));
    assert_eq!(request.faults[0], Jump { by: Span::from_secs(-3600) }.into());
    assert_eq!(described(&request.faults), ["jump -1h", "drift 0.95x"]);
    assert_eq!(request.clocks, Clocks::All);
    assert!(request.monotonic && request.share && request.allow_settime);
    assert_eq!(request.report.as_deref(), Some("r".as_ref()));

    let plain = run("run -- date");
    assert!(plain.node.is_none() && plain.faults.is_empty() && plain.report.is_none());
    assert!(!plain.monotonic && !plain.share && !plain.allow_settime && plain.clocks == Clocks::Wall);
}

#[test]
fn the_command_begins_where_the_flags_end() {
    for (line, command) in [
        ("run -- -strange --node b", ["-strange", "--node", "b"].as_slice()),
        ("run date -u --node b", &["date", "-u", "--node", "b"]),
        ("run --jump=-1h sh -c 'exit 3' -- x", &["sh", "-c", "exit 3", "--", "x"]),
        ("-v run --jump -1h -- run --json", &["run", "--json"]),
        ("run -- help", &["help"]),
    ] {
        assert_eq!(run(line).command, command, "{line}");
    }
}

#[test]
fn a_faketime_becomes_faults() {
    for (spec, expected) in [
        ("-15d", ["jump -15d"].as_slice()),
        ("+1y x2", &["jump +365d", "drift 2x"]),
        ("x0.5", &["drift 0.5x"]),
        ("+0", &[]),
        ("+0 x1", &[]),
        ("+120", &["jump +2m"]),
    ] {
        assert_eq!(described(&run(&format!("run --faketime '{spec}' -- date")).faults), expected, "{spec}");
    }
    let to = NodeInstant::from_nanos(0);
    let stopped = run("run --faketime '2020-12-24 20:30:00' -- date").faults;
    assert!(
        matches!(stopped.as_slice(), [Fault::Stall(_), Fault::Set(Set { to: at })] if *at > to),
        "{stopped:?}"
    );
    let running = run("run --faketime '@2020-12-24 20:30:00 x3' -- date").faults;
    assert!(matches!(running.as_slice(), [Fault::Set(_), Fault::Drift(drift)] if drift.rate > Rate::TRUE));
}

#[test]
fn bad_lines_say_what_to_write_instead() {
    for (line, code, fragments) in [
        ("jump a 100", 2, ["cannot read the span '100': '100' has no unit", "help: write 100s or 100ms"]),
        ("jump a 1s --for 5", 2, ["read the span '5' (--for)", "write 5s or 5ms"]),
        ("jump a 1s --for -5s", 2, ["take -5s as a length of time (--for)", "help: "]),
        ("jump a 1s --wait -5s", 2, ["wait for -5s (--wait)", "help: "]),
        ("jump a", 2, ["required arguments were not provided: <SPAN>", "usage: falseticker jump"]),
        ("jump a/b 1s", 2, ["use \"a/b\" as the name of a node", "help: "]),
        ("jump a --frob -1h", 2, ["unexpected argument '--frob'", "help: "]),
        ("jump a -1h --fro 1s", 2, ["unexpected argument '--fro'", "usage: falseticker jump"]),
        ("jump a 1s --wiat 1s", 2, ["unexpected argument '--wiat'", "'--wait'"]),
        ("jmp a 1s", 2, ["unrecognized subcommand 'jmp'", "'jump'"]),
        (
            "jump a 1s --clock mono",
            2,
            ["invalid value 'mono' for '--clock <CLOCKS>'", "possible values: wall, all"],
        ),
        ("set a yesterday", 2, ["read the instant 'yesterday'", "help: "]),
        ("set a @99999999999", 2, ["1677-09-21T00:12:43Z .. 2262-04-11T23:47:16Z", "help: "]),
        ("drift a 200", 2, ["'200' has no unit", "help: write 200ppm"]),
        ("drift a -200%", 2, ["a clock never runs backward", "help: "]),
        ("slew a 1s", 2, ["required arguments were not provided: --rate <RATE>", "usage: "]),
        ("strobe a --amplitude 1s --period 0s", 2, ["(--period)", "help: "]),
        ("heal --slew 1x", 2, ["lead a clock back at 1x (--slew)", "help: "]),
        ("completions korn", 2, ["invalid value 'korn'", "help: "]),
        ("run --jump 5 -- date", 125, ["read the span '5' (--jump)", "write 5s or 5ms"]),
        ("run", 125, ["required arguments were not provided", "usage: falseticker run [OPTIONS] -- COMMAND"]),
        ("run --bogus -- date", 125, ["unexpected argument '--bogus'", "help: "]),
        (
            "run --jump 1s --set @1 -- date",
            125,
            ["'--jump <SPAN>' cannot be used with '--set <INSTANT>'", "usage: "],
        ),
        (
            "run --faketime x2 --drift 2x -- date",
            125,
            ["'--faketime <SPEC>' cannot be used with '--drift", "usage: "],
        ),
        ("run --faketime -1h30m -- date", 125, ["read the FAKETIME '-1h30m' (--faketime)", "help: "]),
        ("run --faketime '%' -- date", 125, ["'%', a clock that follows a file's timestamp", "help: "]),
        ("run --json -- date", 125, ["cannot print JSON", "--report FILE"]),
        ("--json run -- date", 125, ["cannot print JSON", "--report FILE"]),
        ("-v --json run --node all -- date", 125, ["use \"all\" as the name of a node (--node)", "help: "]),
    ] {
        let (found, message) = refused(line);
        assert_eq!(found, code, "{line}: {message}");
        for fragment in fragments {
            assert!(message.contains(fragment), "{line}: {fragment:?} is not in {message}");
        }
        assert!(message.starts_with("cannot "), "{line}: {message}");
        assert!(
            !message.contains("error:") && !message.contains("For more information"),
            "{line}: {message}"
        );
    }
}

#[test]
fn a_refused_line_knows_whether_json_was_wanted() {
    let json = |line: &str| matches!(parse(&words(line)), Err(Stop::Refused { json: true, .. }));
    assert!(json("jump a 5 --json"));
    assert!(json("--json frob"));
    assert!(!json("jump a 5"));
    assert!(!json("run --jump 5 -- date --json"));
    assert!(!json("run --json --jump 5 -- date"));
}

#[test]
fn every_command_has_examples_that_can_be_parsed() {
    let mut examples = 0;
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.starts_with("Examples:\n"), "{}", command.get_name());
        let lines = help.lines().skip(1).take_while(|line| line.starts_with("  "));
        for line in lines.clone() {
            assert!(line.len() <= 80, "too wide: {line}");
        }
        for line in lines.filter_map(|line| line.trim().strip_prefix("falseticker ")) {
            let line = line.split("  ").next().unwrap_or(line).split(['|', '>']).next().unwrap_or(line);
            parsed(line);
            examples += 1;
        }
    }
    assert!(examples > 28, "{examples}");
}

#[test]
fn generated_texts_know_every_command() {
    let text = |args: &str| match parsed(args).command {
        Command::Man(args) => super::man::man(&args),
        Command::Completions(args) => super::completions::completions(&args),
        other => panic!("{other:?}"),
    };
    let text = |args: &str| String::from_utf8(text(args).unwrap().text().to_vec()).unwrap();
    let (page, script) = (text("man"), text("completions bash"));
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        assert!(page.contains(&format!("falseticker\\-{name}(1)")), "{name}");
        assert!(script.contains(name), "{name}");
        assert!(text(&format!("man {name}")).contains(".SH EXAMPLES\n"), "{name}");
    }
    let page = page.replace("\\(aq", "'").replace("\\-", "-");
    for row in exit::TABLE {
        assert!(page.contains(row.code) && page.contains(row.run), "{row:?}");
    }
}
