//! `falseticker watch`, by what a terminal shows of it.

use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Beats, Lab, SECOND, binary, eventually, spec};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("watch: {sentence}")).needs("tmux", "tmux");
    vec![
        of("a key jumps a clock, and the screen shows its offset and who has read it")
            .needs("cc", "gcc")
            .shown_by(jumps),
        of("keys freeze a node, for a length or until one thaws it").needs("cc", "gcc").shown_by(freezes),
        of("a key heals the chosen node, and another all of them").shown_by(heals),
        of("nodes are followed as they come and go").shown_by(comes_and_goes),
        of("what cannot be done is told, and nothing else is lost by it").shown_by(fails),
        of("the terminal is as it was after q, Esc, Ctrl-C, SIGTERM, SIGINT, SIGHUP and an error")
            .shown_by(leaves),
        of("Ctrl-Z gives the terminal back, and fg goes on").shown_by(stops),
        of("a terminal that goes away ends it").shown_by(hung_up),
        of("keys that come together with a change of the window's size are heard").shown_by(resized),
        of("colours are left out by --no-color and NO_COLOR").shown_by(colours),
        of("without a terminal that can be drawn on it is refused, and status is named").shown_by(refused),
    ]
}

/// A shell in a terminal of so many columns and lines.
struct Screen<'a> {
    lab: &'a Lab,
    socket: PathBuf,
}

/// What the shell says when it waits for a command.
const READY: &str = "ready>";

/// What the footer ends with: the whole of the picture is there.
const FOOTER: &str = "? help  q quit";

impl<'a> Screen<'a> {
    fn open(lab: &'a Lab) -> Self {
        let screen = Screen { lab, socket: lab.path("tmux") };
        let shell = format!("env 'PS1={READY} ' F={} bash --norc --noprofile", binary());
        let mut command =
            screen.command(["-u", "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24"]);
        for variable in ["TMUX", "NO_COLOR", "HISTFILE"] {
            command = command.env_remove(variable);
        }
        command.env("LC_ALL", "C.UTF-8").arg(shell).done().expect_code(0);
        screen.expect(READY);
        screen
    }

    fn command<const N: usize>(&self, words: [&str; N]) -> crate::harness::Command {
        self.lab
            .command("tmux", [&["-S", self.socket.to_str().expect("a path in text")], &words[..]].concat())
    }

    /// Types a text as it stands.
    fn types(&self, text: &str) {
        self.command(["send-keys", "-l", "--", text]).done().expect_code(0);
    }

    /// Presses a key by its name: Enter, Escape, C-c.
    fn presses(&self, key: &str) {
        self.command(["send-keys", key]).done().expect_code(0);
    }

    /// Gives the shell a command.
    fn runs(&self, line: &str) {
        self.types(line);
        self.presses("Enter");
    }

    /// What is seen now.
    fn text(&self) -> String {
        self.command(["capture-pane", "-p"]).done().expect_code(0).stdout
    }

    /// What tmux knows of the terminal.
    fn knows(&self, variable: &str) -> String {
        let format = format!("#{{{variable}}}");
        self.command(["display-message", "-p", &format]).done().expect_code(0).stdout.trim().to_owned()
    }

    #[track_caller]
    fn until<T>(&self, what: &str, is_so: impl Fn(&str) -> Option<T>) -> T {
        eventually(what, || is_so(&self.text()))
    }

    /// Waits until something is seen.
    #[track_caller]
    fn expect(&self, fragment: &str) -> String {
        self.until(&format!("{fragment:?} is seen"), |text| text.contains(fragment).then(|| text.to_owned()))
    }

    /// Waits until all of these are seen in one line.
    #[track_caller]
    fn expect_line(&self, fragments: &[&str]) {
        let is_it = |line: &str| fragments.iter().all(|fragment| line.contains(fragment));
        self.until(&format!("a line with {fragments:?}"), |text| text.lines().any(is_it).then_some(()));
    }

    /// Begins to watch.
    fn watch(&self, flags: &str) {
        self.runs(&format!("\"$F\" watch {flags}"));
        self.expect(FOOTER);
    }

    /// The process that watches.
    fn watcher(&self) -> Pid {
        let is_it = |command: &str| command.starts_with(&format!("{} watch", binary()));
        let all = self.lab.processes();
        Pid::from_raw(all.iter().find(|process| is_it(&process.command)).expect("it runs").pid)
    }

    /// Waits until the shell has the terminal, and has said with which code the last command ended.
    #[track_caller]
    fn expect_shell(&self, code: i32) {
        eventually("the picture is gone", || (self.knows("alternate_on") == "0").then_some(()));
        self.runs("echo code=$?.");
        self.expect(&format!("code={code}."));
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        let _ = self.command(["kill-server"]).done();
    }
}

fn jumps(lab: &Lab) {
    let mut probe = lab.probe("a", &[], &lab.target("probe"));
    let screen = Screen::open(lab);
    screen.watch("");
    screen.expect_line(&["> a ", "true", "1 process running"]);
    screen.types("j");
    screen.expect("jump a by:");
    screen.types("-1h");
    screen.presses("Enter");
    screen.expect("node a: jump -1h in force (change 1, wall)");
    screen.expect_line(&["> a ", "-1h"]);
    screen.expect_line(&["jump -1h", "read by nobody"]);
    probe.wall().expect_skew(-3_600 * SECOND);
    screen.expect_line(&["jump -1h", "read by 1 of 1, last after"]);
    screen.expect_line(&["preload", "1 after"]);
    screen.types("q");
    screen.expect_shell(0);
    // What was done by a key stays.
    probe.wall().expect_skew(-3_600 * SECOND);
    assert_eq!(probe.quit(), 0);
}

fn freezes(lab: &Lab) {
    let beats = Beats::start(lab, "a", 2);
    let screen = Screen::open(lab);
    screen.watch("a");
    screen.types("f");
    screen.expect("freeze a for:");
    screen.presses("Enter");
    screen.expect("node a: 1 process frozen within");
    beats.expect_still();
    screen.expect_line(&["> a ", "frozen until thawed"]);
    screen.types("t");
    screen.expect("node a: thawed, 1 process");
    beats.expect_running();
    screen.expect_line(&["> a ", "1 process running"]);
    screen.expect_line(&["paused for", "ago"]);

    screen.types("f");
    screen.types("1s");
    screen.presses("Enter");
    screen.expect_line(&["> a ", "frozen,", "more"]);
    // It ends as planned, though nobody watches any more.
    screen.types("q");
    screen.expect_shell(0);
    beats.expect_running();
    let last = lab.status_until("a", "the pause is over", |status| {
        status["frozen"].is_null().then(|| status["last_pause"].clone())
    });
    assert_eq!(last["requested_ns"], SECOND, "{last}");
    let actual = last["actual_ns"].as_i64().expect("it is over");
    assert!(actual >= SECOND, "{last}");
    beats.end();
}

fn heals(lab: &Lab) {
    for node in ["a", "b", "c"] {
        lab.falseticker(["create", node]).expect_code(0);
        lab.fault(&["jump", node, "30s"]);
    }
    let screen = Screen::open(lab);
    screen.watch("");
    screen.expect("3 nodes, 3 faulted");
    screen.presses("Down");
    screen.expect("> b ");
    screen.types("h");
    screen.expect("node b: healed");
    screen.expect_line(&["> b ", "true"]);
    screen.expect("3 nodes, 2 faulted");
    screen.types("H");
    screen.expect("heal 3 nodes?");
    screen.types("n");
    screen.presses("Enter");
    screen.expect(FOOTER);
    for node in ["a", "c"] {
        assert_eq!(lab.status(node)["clocks"]["wall"]["state"], "faulted");
    }
    screen.types("Hy");
    screen.presses("Enter");
    screen.expect("node b: nothing to heal");
    screen.until("nothing is faulted", |text| (!text.contains("faulted")).then_some(()));
    for node in ["a", "b", "c"] {
        assert_eq!(lab.status(node)["clocks"]["wall"]["state"], "true");
        lab.falseticker(["remove", node]).expect_code(0);
    }
}

fn comes_and_goes(lab: &Lab) {
    let screen = Screen::open(lab);
    screen.watch("");
    screen.expect("There are no nodes yet");
    lab.falseticker(["create", "b"]).expect_code(0);
    screen.expect_line(&["> b ", "no process"]);
    lab.falseticker(["create", "a"]).expect_code(0);
    screen.expect_line(&["  a ", "no process"]);
    screen.expect("> b ");
    lab.falseticker(["remove", "b"]).expect_code(0);
    screen.expect("> a ");
    screen.types("q");
    screen.expect_shell(0);
    // Those that are asked for by name are waited for.
    screen.watch("a");
    lab.falseticker(["remove", "a"]).expect_code(0);
    screen.expect_line(&["> a ", "gone"]);
    lab.falseticker(["create", "a"]).expect_code(0);
    screen.expect_line(&["> a ", "true", "no process"]);
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn fails(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let screen = Screen::open(lab);
    screen.watch("");
    screen.types("j");
    screen.types("100");
    screen.presses("Enter");
    screen.expect("cannot read the span '100': '100' has no unit");
    screen.expect("help: write 100s or 100ms");
    screen.types("s");
    screen.presses("Enter");
    screen.expect_line(&["> a ", "+1m40s"]);
    screen.types("f");
    screen.presses("Enter");
    screen.expect("cannot freeze node a: none of its processes runs");
    // A page that is corrupt spoils one node's line, and is told by the command of that name.
    lab.falseticker(["create", "b"]).expect_code(0);
    let page = std::fs::OpenOptions::new().write(true).open(lab.nodes().join("b/page")).expect("it is ours");
    page.write_all_at(b"nonsense", 0).expect("it can be written");
    screen.expect_line(&["  b ", "damaged"]);
    screen.expect_line(&["> a ", "+1m40s"]);
    screen.presses("Down");
    screen.types("h");
    screen.expect("cannot heal node b");
    for node in ["a", "b"] {
        lab.falseticker(["remove", node]);
    }
}

fn leaves(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let screen = Screen::open(lab);
    let modes = |screen: &Screen| {
        screen.runs("clear; echo modes=$(stty -g | cksum).");
        screen.until("the terminal's modes", |text| {
            let line = text.lines().find_map(|line| line.strip_prefix("modes="))?;
            line.strip_suffix('.').map(str::to_owned)
        })
    };
    let before = modes(&screen);
    let base = lab.nodes().to_owned();
    let others_may_write = |mode| {
        std::fs::set_permissions(&base, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    type End<'a> = (&'a str, i32, &'a dyn Fn(&Screen));
    let ends: [End; 7] = [
        ("q", 0, &|screen| screen.types("q")),
        ("Esc", 0, &|screen| screen.presses("Escape")),
        ("Ctrl-C", 130, &|screen| screen.presses("C-c")),
        ("SIGTERM", 130, &|screen| kill(screen.watcher(), Signal::SIGTERM).expect("it runs")),
        ("SIGINT", 130, &|screen| kill(screen.watcher(), Signal::SIGINT).expect("it runs")),
        ("SIGHUP", 130, &|screen| kill(screen.watcher(), Signal::SIGHUP).expect("it runs")),
        ("an error", 3, &|screen| {
            others_may_write(0o777);
            screen.expect("falseticker: cannot ");
            others_may_write(0o700);
        }),
    ];
    for (way, code, end) in ends {
        screen.runs(&format!("clear; echo before {way}"));
        screen.expect(&format!("before {way}"));
        screen.watch("");
        assert_eq!((screen.knows("alternate_on"), screen.knows("cursor_flag")), ("1".into(), "0".into()));
        end(&screen);
        screen.expect_shell(code);
        let text = screen.text();
        assert!(text.contains(&format!("before {way}")) && !text.contains(FOOTER), "{way}:\n{text}");
        let state = (screen.knows("alternate_on"), screen.knows("cursor_flag"));
        assert_eq!(state, ("0".into(), "1".into()), "{way}");
        assert_eq!(modes(&screen), before, "{way}");
    }
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn stops(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let screen = Screen::open(lab);
    screen.watch("");
    screen.presses("C-z");
    screen.expect("Stopped");
    assert_eq!(screen.knows("alternate_on"), "0");
    screen.runs("fg");
    screen.expect(FOOTER);
    screen.expect_line(&["> a ", "no process"]);
    // By a signal as well.
    kill(screen.watcher(), Signal::SIGTSTP).expect("it runs");
    screen.expect("Stopped");
    screen.runs("fg");
    screen.expect(FOOTER);
    screen.types("q");
    screen.expect_shell(0);
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn hung_up(lab: &Lab) {
    let screen = Screen::open(lab);
    screen.watch("");
    let watcher = screen.watcher().as_raw();
    screen.command(["kill-server"]).done();
    eventually("it ends", || (!crate::harness::alive(watcher)).then_some(()));
}

fn resized(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    let screen = Screen::open(lab);
    screen.watch("");
    for columns in ["120", "60", "100", "50", "80"] {
        screen
            .command(["resize-window", "-x", columns, "-y", "30", ";", "send-keys", "?"])
            .done()
            .expect_code(0);
        screen.expect("choose a node");
        screen.types("?");
        screen.until("the help is gone", |text| (!text.contains("choose a node")).then_some(()));
        let width: usize = columns.parse().expect("a number");
        screen.until("it is drawn anew", |text| {
            let rule = text.lines().find(|line| line.starts_with("──"))?;
            (rule.chars().count() == width).then_some(())
        });
    }
    screen.types("q");
    screen.expect_shell(0);
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn colours(lab: &Lab) {
    lab.falseticker(["create", "a"]).expect_code(0);
    lab.fault(&["jump", "a", "30s"]);
    let screen = Screen::open(lab);
    for (before, flags, coloured) in [("", "", true), ("", "--no-color", false), ("NO_COLOR=1 ", "", false)] {
        screen.runs(&format!("clear; {before}\"$F\" watch {flags}"));
        screen.expect(FOOTER);
        screen.expect_line(&["> a ", "+30s"]);
        let painted = screen.command(["capture-pane", "-p", "-e"]).done().expect_code(0).stdout;
        assert_eq!(painted.contains("\u{1b}[38;5;3m"), coloured, "{before}{flags}: {painted:?}");
        screen.types("q");
        screen.expect_shell(0);
    }
    lab.falseticker(["remove", "a"]).expect_code(0);
}

fn refused(lab: &Lab) {
    let told = lab.falseticker(["watch"]).expect_code(2);
    told.expect_error("standard output is no terminal").expect_error("falseticker status --json");
    lab.falseticker(["watch", "--json"]).expect_code(2).expect_error("no JSON");
    let screen = Screen::open(lab);
    screen.runs("TERM=dumb \"$F\" watch");
    screen.expect("cannot watch nodes: the terminal cannot be drawn on (TERM)");
    screen.expect("falseticker status");
    screen.expect_shell(2);
    screen.runs("clear; \"$F\" watch < /dev/null");
    screen.expect("standard input is no terminal");
    screen.runs("clear; \"$F\" watch nobody");
    screen.expect("cannot use node nobody");
    screen.expect_shell(2);
}
