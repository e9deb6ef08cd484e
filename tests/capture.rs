//! `run --capture`: the program's output comes through as it was written, whatever listens and whatever dies.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Lab, Live, alive, binary, eventually, spec, state_of};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("capture: {sentence}"));
    vec![
        of("streams are passed on byte for byte, each to where it belongs").shown_by(bytes),
        of("what goes to one place keeps its order").shown_by(order),
        of("exit codes, signals and standard input are the program's own").shown_by(codes),
        of("the program's surroundings are as bare").shown_by(surroundings),
        of("a program on a terminal keeps one: size, modes, foreground, and no byte is added")
            .needs("script", "bsdutils")
            .shown_by(terminal),
        of("modes that a program sets through its standard output are the real terminal's")
            .needs("script", "bsdutils")
            .shown_by(modes),
        of("a change of the terminal's size reaches the program")
            .needs("script", "bsdutils")
            .shown_by(resized),
        of("a program whose reader has gone gets SIGPIPE").shown_by(reader_gone),
        of("run ends when all that its program wrote is passed on, whoever else has the stream open")
            .shown_by(left_behind),
        of("run ends though what its program left behind writes for ever").shown_by(chatterbox_left),
        of("if run is killed the program lives, and its output arrives").shown_by(run_killed),
        of("if what passes the output on is killed, another does, and who listens goes on to")
            .shown_by(pump_killed),
        of("if the keeper is killed the output arrives all the same").shown_by(keeper_killed),
        of("a freeze of the node does not stop what passes its output on").shown_by(frozen),
        of("a listener that stands still does not hold the program up").shown_by(slow_listener),
        of("a reader that stands still holds the program up, and a signal ends the wait for it")
            .shown_by(slow_reader),
    ]
}

/// A shell command in which `$F` is the tool.
fn shell(lab: &Lab, script: &str) -> crate::harness::Command {
    lab.command("bash", ["-c", script]).env("F", binary()).env("T", lab.path(""))
}

fn bytes(lab: &Lab) {
    shell(
        lab,
        "cd $T; head -c 3000000 /dev/urandom > one; head -c 1500000 /dev/urandom > two;
        $F run --capture -- bash -c 'cat one & cat two >&2; wait' > out 2> err; cmp one out && cmp two err || exit 1
        $F run --capture -- cat one | cmp - one || exit 2
        $F run --capture -- cat one 2> /dev/null >> out; cat one one | cmp - out || exit 3
        $F run --capture -- true > out; test ! -s out || exit 4",
    )
    .done()
    .expect_code(0);
}

fn order(lab: &Lab) {
    let script = "for i in {1..1000}; do echo $i; echo $i >&2; done";
    let expected: String = (1..=1000).map(|i| format!("{i}\n{i}\n")).collect();
    for redirection in ["2>&1 | cat", "> $T/all 2>&1; cat $T/all", ">> $T/more 2>> $T/more; cat $T/more"] {
        let done = shell(lab, &format!("$F run --capture -- bash -c '{script}' {redirection}")).done();
        // Two openings of one file keep the places of two: there is no order between them to be kept.
        if redirection.contains("2>>") {
            assert_eq!(done.stdout.lines().count(), 2000);
        } else {
            assert!(done.stdout == expected, "{redirection}: {}", done.report());
        }
    }
}

fn codes(lab: &Lab) {
    for code in [0, 3, 125, 255] {
        lab.run("a", &["--capture"], ["sh", "-c", &format!("exit {code}")]).done().expect_code(code);
    }
    for signal in [Signal::SIGTERM, Signal::SIGKILL, Signal::SIGINT] {
        let kill = format!("kill -{} $$", signal as i32);
        lab.run("a", &["--capture"], ["sh", "-c", &kill]).done().expect_code(128 + signal as i32);
    }
    lab.run("a", &["--capture"], ["no-such-command-at-all"]).done().expect_code(127);
    let done = lab.run("a", &["--capture"], ["sh", "-c", "cat; echo err >&2"]).input("one\n").done();
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("one\n", "err\n"));
    let script = "trap 'echo got; exit 7' USR1; echo up; while :; do read -t 0.05 x; done";
    let mut live = lab.run("a", &["--capture"], ["bash", "-c", script]).live();
    live.line_where(|line| line == "up");
    live.signal(Signal::SIGUSR1);
    assert_eq!((live.line().as_str(), live.end()), ("got", 7));
}

fn surroundings(lab: &Lab) {
    let script =
        "ls -1 /proc/self/fd | wc -l; grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; umask; test -t 1";
    let bare = lab.bare(["sh", "-c", script]);
    let under = lab.run("a", &["--capture"], ["sh", "-c", script]).done();
    assert_eq!((bare.stdout, bare.code), (under.stdout, under.code));
}

fn on_terminal(lab: &Lab, command: &str) -> Live {
    lab.command("script", ["-qec", command, "/dev/null"]).live()
}

fn terminal(lab: &Lab) {
    let probe = "test -t 0 && test -t 1 && test -t 2 && stty size <&1 && ps -o stat= -p $$ && printf \"a\\r\\nb\\tc\\n\" && read line && echo got $line; exit 3";
    let command = format!("stty rows 33 cols 77; {} run --node a --capture -- sh -c '{probe}'", binary());
    let mut live = on_terminal(lab, &command);
    live.line_where(|line| line == "33 77\r");
    let state = live.line();
    assert!(state.contains('+'), "not in the terminal's foreground: {state:?}");
    // What the one real terminal makes of a line's end, and no more.
    assert_eq!((live.line().as_str(), live.line().as_str()), ("a\r\r", "b\tc\r"));
    live.say("words");
    live.line_where(|line| line == "got words\r");
    assert_eq!(live.end(), 3);
    let settings = "stty -a <&1 | tr -d '\\n' | tr ';' '\\n' | grep -v -e opost -e speed";
    let one = on_terminal(lab, &format!("sh -c \"{settings}\"")).line();
    let two = on_terminal(lab, &format!("{} run --capture -- sh -c \"{settings}\"", binary())).line();
    assert_eq!(one, two);
    // One stream of two is redirected: the other one keeps its terminal.
    let inner = "{ test ! -t 1 && test -t 2; } && echo well >&2";
    let command = format!("{} run --capture -- sh -c '{inner}' > /dev/null", binary());
    assert_eq!(on_terminal(lab, &command).line(), "well\r");
}

fn modes(lab: &Lab) {
    let until = |mode: &str| {
        format!("until stty -a <&0 | tr \" ;\" \"\\\\n\\\\n\" | grep -qx -- {mode}; do sleep 0.01; done")
    };
    let inner = format!(
        "stty -icanon -echo <&1; echo set; {}; echo followed; stty icanon echo <&1; echo set; {}; echo back",
        until("-icanon"),
        until("icanon")
    );
    let command = format!("{} run --capture -- sh -c '{inner}'; stty -a", binary());
    let mut live = on_terminal(lab, &command);
    for word in ["set", "followed", "set", "back"] {
        assert_eq!(live.line().trim(), word);
    }
    // The last change of all comes with the program's end.
    let command =
        format!("{} run --capture -- sh -c 'echo; exec stty -echo <&1'; stty -a; stty echo", binary());
    let after = on_terminal(lab, &command).line_where(|line| line.contains(" echoe"));
    assert!(after.contains("-echo ") && after.contains(" icanon"), "{after}");
}

fn resized(lab: &Lab) {
    let program = lab.path("sized.pl");
    let text = r#"$| = 1; print `tty`; $SIG{WINCH} = sub { $_ = `stty size <&2`; print; exit 5 if $_ eq "44 99\n" };
        print "up\n"; select undef, undef, undef, 0.05 for 1..400"#;
    std::fs::write(&program, text).expect("a file");
    let run = format!("{} run --node a --capture -- perl {}", binary(), program.display());
    let mut live = on_terminal(lab, &format!("stty rows 33 cols 77; {run}"));
    let real = live.line_where(|line| line.starts_with("/dev/"));
    live.line_where(|line| line == "up\r");
    lab.bare(["stty", "-F", real.trim(), "rows", "44", "cols", "99"]).expect_code(0);
    live.line_where(|line| line == "44 99\r");
    assert_eq!(live.end(), 5);
}

fn reader_gone(lab: &Lab) {
    shell(lab, "$F run --node a --capture -- yes | head -1 > /dev/null; test ${PIPESTATUS[0]} = 141")
        .done()
        .expect_code(0);
    // Also if it says something now and then only.
    shell(
        lab,
        "$F run --node a --capture -- sh -c 'while echo x; do sleep 0.01; done' | true; test ${PIPESTATUS[0]} = 141",
    )
    .done()
    .expect_code(0);
}

fn left_behind(lab: &Lab) {
    let mut live =
        lab.run("a", &["--capture"], ["sh", "-c", "sleep 1000 & seq 100000; echo $! >&2; echo end"]).live();
    // The stream stays open, as bare; so its end cannot be what is waited for.
    live.line_where(|line| line == "end");
    assert_eq!(live.end(), 0);
    let sleeper = lab.processes().into_iter().find(|process| process.command.starts_with("sleep"));
    kill(Pid::from_raw(sleeper.expect("it sleeps").pid), Signal::SIGKILL).expect("it can be killed");
}

fn chatterbox_left(lab: &Lab) {
    let script = "$F run --node a --capture -- sh -c 'yes & echo $! > $T/pid; exit 4' > /dev/null; code=$?; kill $(cat $T/pid); exit $code";
    shell(lab, script).done().expect_code(4);
}

/// A program that says what it is told, and its pid.
fn echo(lab: &Lab) -> (Live, i32) {
    let script = "echo $$; while read -r line; do echo \"said $line\"; done; echo over";
    let mut live = lab.run("a", &["--capture"], ["bash", "-c", script]).live();
    let pid = live.line().parse().expect("a pid");
    (live, pid)
}

/// The processes below this lab that bear a name of the tool's own.
fn helpers(lab: &Lab, name: &str) -> Vec<i32> {
    let comm = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let all = lab.processes().into_iter().map(|process| process.pid);
    all.filter(|pid| comm(*pid).trim() == name).collect()
}

fn run_killed(lab: &Lab) {
    let (mut live, pid) = echo(lab);
    live.signal(Signal::SIGKILL);
    live.end();
    for word in ["one", "two"] {
        live.say(word);
        assert_eq!(live.line(), format!("said {word}"));
    }
    assert!(alive(pid));
    let listener = lab.command(binary(), ["jump", "a", "-1h", "--on-output", "three"]);
    let mut listener = listener.live();
    assert!(listener.line().contains("waiting for"));
    live.say("three");
    listener.line_where(|line| line.contains("in force"));
    assert_eq!(listener.end(), 0);
    live.close();
    live.line_where(|line| line == "over");
    eventually("the end of the program", || (!alive(pid)).then_some(()));
    eventually("the end of what passed its output on", || helpers(lab, "ft-output").is_empty().then_some(()));
}

fn pump_killed(lab: &Lab) {
    let (mut live, _) = echo(lab);
    let mut listener = lab.command(binary(), ["jump", "a", "-1h", "--on-output", "said 5"]).live();
    assert!(listener.line().contains("waiting for"));
    for round in 0..5 {
        let pumps = helpers(lab, "ft-output");
        assert_eq!(pumps.len(), 2, "standard output's and standard error's");
        for pump in &pumps {
            kill(Pid::from_raw(*pump), Signal::SIGKILL).expect("it can be killed");
        }
        eventually("another one", || {
            let new = helpers(lab, "ft-output");
            (new.len() == 2 && new.iter().all(|pump| !pumps.contains(pump))).then_some(())
        });
        live.say(&round.to_string());
        assert_eq!(live.line(), format!("said {round}"));
    }
    // Until the listener has come back to the last one.
    eventually("the line is heard", || {
        live.say("5");
        live.line();
        listener.line_within(Duration::from_millis(50)).filter(|line| line.contains("in force"))
    });
    assert_eq!(listener.end(), 0);
    assert_eq!(live.finish(), 0);
}

fn keeper_killed(lab: &Lab) {
    let (mut live, _) = echo(lab);
    // A pump that was just forked still has its keeper's name.
    let keepers = eventually("a keeper, and pumps of their own name", || {
        Some(helpers(lab, "ft-keeper")).filter(|keepers| keepers.len() == 1)
    });
    kill(Pid::from_raw(keepers[0]), Signal::SIGKILL).expect("it can be killed");
    live.say("one");
    assert_eq!(live.line(), "said one");
    live.close();
    live.line_where(|line| line == "over");
    assert_eq!(live.end(), 0);
}

fn frozen(lab: &Lab) {
    let (mut live, pid) = echo(lab);
    let pumps = helpers(lab, "ft-output");
    lab.falseticker(["freeze", "a"]).expect_code(0);
    assert_eq!(state_of(pid), Some('T'));
    for pump in &pumps {
        assert_eq!(state_of(*pump), Some('S'));
    }
    let status = lab.status("a");
    assert_eq!(status["processes"].as_array().map(Vec::len), Some(1), "{status}");
    lab.falseticker(["thaw", "a"]).expect_code(0);
    live.say("on");
    assert_eq!(live.line(), "said on");
    assert_eq!(live.finish(), 0);
}

fn slow_listener(lab: &Lab) {
    let script = "echo up; read line; yes $(printf %01000d 0) | head -c 30030000; echo over";
    let mut live = lab.run("a", &["--capture"], ["bash", "-c", script]).live();
    live.line_where(|line| line == "up");
    let mut listener = lab.command(binary(), ["jump", "a", "-1h", "--on-output", "never"]).live();
    assert!(listener.line().contains("waiting for"));
    listener.signal(Signal::SIGSTOP);
    eventually("the listener stands still", || (state_of(listener.pid()) == Some('T')).then_some(()));
    live.say("go");
    live.line_where(|line| line == "over");
    let over = std::time::Instant::now();
    assert_eq!(live.end(), 0);
    assert!(over.elapsed() < Duration::from_secs(8), "it waited for its listener, who has 10 s");
    listener.signal(Signal::SIGCONT);
    assert_eq!(listener.end(), 3);
    listener.expect_said("has ended");
}

fn slow_reader(lab: &Lab) {
    // `run` has nothing left to do but to wait for a reader that never reads.
    let fifo = lab.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a pipe with a name");
    let written = lab.path("written");
    let script = format!(
        "exec 7<> {}; exec \"$F\" run --node a --capture -- bash -c 'head -c 100000 /dev/zero; echo > {}' >&7",
        fifo.display(),
        written.display()
    );
    let mut live = shell(lab, &script).live();
    eventually("the program has written all, into two pipes", || Path::new(&written).exists().then_some(()));
    std::thread::sleep(Duration::from_millis(200));
    assert!(!live.has_ended(), "the rest of its output is lost");
    live.signal(Signal::SIGTERM);
    assert_eq!(live.end(), 0, "the program's own exit code");
    lab.clear();
    lab.falseticker(["status"]).expect_code(0);
}
