//! Who cannot be attached to: refused with the reason, untouched, and running; and no node is left for it.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{HOUR, attach, bare_probe, sweep, vdso_of};
use crate::harness::{Lab, alive, eventually, spec, state_of};

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("attach: refuses {sentence}")).needs("cc", "gcc");
    vec![
        of("pids that are nobody's, the kernel's or its own").shown_by(nobodys),
        of("a thread that is not its process's first, and names that one").shown_by(thread),
        of("one that has ended, and one that ends meanwhile").shown_by(ended),
        of("one that somebody traces, and takes it when that is over")
            .needs("strace", "strace")
            .shown_by(traced),
        of("one that the shim is in, also after another exec").shown_by(started),
        of("what another user may not trace, and says who may").where_possible(root).shown_by(anothers),
        of("one in another time namespace").where_possible(time_namespaces).shown_by(other_time),
        of("a program of 32 bits").where_possible(builds_32_bit).shown_by(of_32_bits),
        of("some, and takes the others, with the exit code of the worst").shown_by(some),
        of("to detach whom nobody has attached").shown_by(not_attached),
    ]
}

fn root() -> Result<(), String> {
    if nix::unistd::geteuid().is_root() {
        Ok(())
    } else {
        Err("only root can become another user".to_owned())
    }
}

fn builds_32_bit() -> Result<(), String> {
    let mut build = std::process::Command::new("cc");
    build.args(["-m32", "-nostdlib", "-static", "-x", "c", "-", "-o", "/dev/null"]);
    match built_from(build, "void _start(void) { for (;;) ; }") {
        Some(true) => Ok(()),
        _ => Err("cc -m32 builds nothing here".to_owned()),
    }
}

fn time_namespaces() -> Result<(), String> {
    let made = std::process::Command::new("unshare").args(["-T", "true"]).output();
    if made.is_ok_and(|output| output.status.success()) {
        Ok(())
    } else {
        Err("unshare -T makes none here".to_owned())
    }
}

fn other_time(lab: &Lab) {
    let words = ["-T", "--monotonic", "1000000", lab.target("probe").path().to_str().expect("a path")]
        .map(str::to_owned);
    let mut live = lab.bare_live("unshare", words);
    live.line_where(|line| line.starts_with("ready"));
    let refused = lab.falseticker(["attach", "--pid", &live.pid().to_string()]).expect_code(3);
    refused.expect_error("another time namespace").expect_error("nsenter --time");
    assert_eq!(live.finish(), 0);
}

fn nobodys(lab: &Lab) {
    for pid in ["0", "-1", "999999999"] {
        lab.falseticker(["attach", "--pid", pid]).expect_code(2).expect_error("no such process");
        lab.falseticker(["detach", "--pid", pid]).expect_code(2).expect_error("no such process");
    }
    lab.falseticker(["attach", "--pid", "x"]).expect_code(2).expect_error("invalid value 'x'");
    lab.falseticker(["attach"]).expect_code(2).expect_error("--pid");
    lab.falseticker(["detach"]).expect_code(2).expect_error("--pid");
    lab.falseticker(["detach", "--node", "nobody"]).expect_code(2).expect_error("no such node");
    // Of falseticker itself: a shell becomes it.
    let itself = format!("exec {} attach --pid $$", crate::harness::binary());
    lab.command("sh", ["-c", &itself]).done().expect_code(2).expect_error("falseticker itself");
    if std::fs::read_to_string("/proc/2/comm").is_ok_and(|name| name.trim() == "kthreadd") {
        lab.falseticker(["attach", "--pid", "2"]).expect_code(2).expect_error("a thread of the kernel's");
    }
    assert!(lab.left_in_nodes().is_empty(), "{:?}", lab.left_in_nodes());
}

fn thread(lab: &Lab) {
    let mut live = lab.bare_live(lab.target("attached").path(), ["2"]);
    let pid = super::says_pid(&mut live, "ready");
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
    let mut tids = tasks.filter_map(|task| task.file_name().to_str()?.parse::<i32>().ok());
    let other = tids.find(|tid| *tid != pid).expect("it has threads").to_string();
    let refused = lab.falseticker(["attach", "--pid", &other]).expect_code(2);
    refused
        .expect_error(&format!("that is a thread of process {pid}"))
        .expect_error(&format!("give --pid {pid}"));
    assert_eq!(live.finish(), 0);
}

fn ended(lab: &Lab) {
    // A child that its parent does not collect.
    let mut live = lab.bare_live("sh", ["-c", "sleep 0 & echo child $!; exec sleep 60"]);
    let child = super::says_pid(&mut live, "child");
    eventually("it has ended", || (state_of(child) == Some('Z')).then_some(()));
    lab.falseticker(["attach", "--pid", &child.to_string()]).expect_code(2).expect_error("has ended");
    live.signal(Signal::SIGKILL);
    live.end();
    for microseconds in [0, 300, 600, 1000, 3000, 5000, 8000] {
        let mut victim = lab.bare_live(lab.target("attached").path(), ["4"]);
        let pid = super::says_pid(&mut victim, "ready");
        let killer = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_micros(microseconds));
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
        });
        let done = lab.falseticker(["attach", "--pid", &pid.to_string()]);
        killer.join().expect("it kills");
        assert!(matches!(done.code, 0 | 2 | 3), "{}", done.report());
        assert!(
            done.code == 0 || done.stderr.contains("ended") || done.stderr.contains("no such"),
            "{}",
            done.report()
        );
        assert_eq!(victim.end(), 128 + 9);
    }
    sweep(lab);
}

fn traced(lab: &Lab) {
    let mut probe = bare_probe(lab);
    let pid = probe.live.pid();
    let mut strace = lab.bare_live("strace", ["-o", "/dev/null", "-p", &pid.to_string()]);
    let tracer = |pid: i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() != "0"))
    };
    eventually("strace is attached", || tracer(pid).then_some(()));
    let own = vdso_of(pid);
    let refused = lab.falseticker(["attach", "--pid", &pid.to_string()]).expect_code(3);
    refused.expect_error("(strace) traces it").expect_error("detach first");
    assert_eq!(vdso_of(pid), own);
    probe.wall().expect_skew(0);
    strace.signal(Signal::SIGINT);
    strace.end();
    eventually("strace is gone", || (!tracer(pid)).then_some(()));
    attach(lab, "a", pid);
    let at = lab.fault(&["jump", "a", "-1h"]);
    probe.wall_after(at).expect_skew(-HOUR);
    assert_eq!(probe.quit(), 0);
    sweep(lab);
}

fn started(lab: &Lab) {
    let mut probe = lab.probe("a", &["--jump", "-1h"], &lab.target("probe"));
    let pid = lab.status("a")["processes"][0]["pid"].as_i64().expect("it is listed").to_string();
    let refused = lab.falseticker(["attach", "--pid", &pid, "--node", "b"]).expect_code(3);
    refused.expect_error("it is in node a already").expect_error("until it ends");
    let said = lab.falseticker(["attach", "--pid", &pid, "--node", "a", "--json"]).expect_code(0).json();
    assert_eq!(said["attached"][0]["already"], true, "{said}");
    lab.falseticker(["detach", "--pid", &pid]).expect_code(2).expect_error("not attached");
    lab.falseticker(["detach", "--pid", &pid, "--node", "a"])
        .expect_code(2)
        .expect_error("it was started in that node");
    probe.wall().expect_skew(-HOUR);
    assert_eq!(probe.quit(), 0);
}

fn anothers(lab: &Lab) {
    let mut probe = bare_probe(lab);
    let pid = probe.live.pid().to_string();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", crate::harness::binary()];
    let refused =
        lab.command("setpriv", nobody).args(["attach", "--pid", &pid]).env_remove("FALSETICKER_DIR").done();
    refused.expect_code(3).expect_error("it is another user's (0)").expect_error("or as root");
    probe.wall().expect_skew(0);
    assert_eq!(probe.quit(), 0);
}

fn of_32_bits(lab: &Lab) {
    let program = lab.path("small");
    let mut build = std::process::Command::new("cc");
    build.args(["-m32", "-nostdlib", "-static", "-x", "c", "-", "-o"]).arg(&program);
    assert_eq!(built_from(build, "void _start(void) { for (;;) __asm__ volatile(\"pause\"); }"), Some(true));
    let live = lab.bare_live(&program, [""; 0]);
    eventually("it runs its own program", || {
        let path = std::fs::read_link(format!("/proc/{}/exe", live.pid())).ok()?;
        (path == program).then_some(())
    });
    let refused = lab.falseticker(["attach", "--pid", &live.pid().to_string()]).expect_code(3);
    refused.expect_error("32 bits");
    assert!(alive(live.pid()));
    live.signal(Signal::SIGKILL);
}

fn some(lab: &Lab) {
    let mut probe = bare_probe(lab);
    let pid = probe.live.pid().to_string();
    let done =
        lab.falseticker(["attach", "--pid", "999999999", &pid, "--node", "a", "--json"]).expect_code(2);
    let said = done.json();
    assert_eq!(said["attached"][0]["pid"], probe.live.pid(), "{said}");
    assert_eq!(
        (&said["failed"][0]["pid"], &said["failed"][0]["error"]["kind"]),
        (&999_999_999.into(), &"bad-input".into())
    );
    let at = lab.fault(&["jump", "a", "-1h"]);
    probe.wall_after(at).expect_skew(-HOUR);
    assert_eq!(probe.quit(), 0);
    sweep(lab);
}

fn not_attached(lab: &Lab) {
    let probe = bare_probe(lab);
    let pid = probe.live.pid().to_string();
    lab.falseticker(["create", "a"]).expect_code(0);
    lab.falseticker(["detach", "--pid", &pid]).expect_code(2).expect_error("not attached to any node");
    lab.falseticker(["detach", "--pid", &pid, "--node", "a"])
        .expect_code(2)
        .expect_error("not attached to that node");
    let none = lab.falseticker(["detach", "--node", "a"]).expect_code(0);
    assert!(none.stdout.contains("nobody is attached"), "{}", none.report());
    lab.falseticker(["remove", "a"]).expect_code(0);
    assert_eq!(probe.quit(), 0);
}

/// Compiles a program that is given as text; whether that worked.
fn built_from(mut compiler: std::process::Command, source: &str) -> Option<bool> {
    use std::io::Write;
    use std::process::Stdio;
    let mut child = compiler.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    child.stdin.take()?.write_all(source.as_bytes()).ok()?;
    child.wait().ok().map(|status| status.success())
}
