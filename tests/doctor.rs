//! `doctor` says beforehand what will be so: its answers are held against what `run` and `status` then do.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Command, Done, Lab, Live, Probe, SECOND, binary, spec};
use crate::reaches::programs::{ALL, Kind};

const HOUR: i64 = 3600 * SECOND;

/// Somebody without privileges.
const NOBODY: u32 = 65534;

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("doctor: {sentence}"));
    let by_kind = ALL.into_iter().map(|kind| {
        let (program, package) = kind.needs();
        of(&format!("{} is reached as was said, and status then says the same of it", kind.name))
            .needs(program, package)
            .shown_by(move |lab| as_said(lab, kind))
    });
    let others = [
        of("what the machine allows is said, and nothing is changed").shown_by(machine),
        of("a user without privileges is told what that takes away")
            .needs("setpriv", "util-linux")
            .where_possible(as_root)
            .shown_by(unprivileged),
        of("a directory where nodes cannot live stops every program").shown_by(no_nodes),
        of("a script is told of by its interpreter").needs("cc", "gcc").shown_by(script),
        of("a setuid program is reached by root alone")
            .needs("setpriv", "util-linux")
            .where_possible(as_root)
            .where_possible(with_setuid)
            .shown_by(setuid),
        of("of a sanitizer's build it names the order that lets the shim in, and that order does")
            .needs("cc", "gcc")
            .shown_by(sanitizer),
        of("a program of another machine is not reached, and exits 1").needs("cc", "gcc").shown_by(foreign),
        of("a process is told of as status does").needs("cc", "gcc").shown_by(reached_process),
        of("a process that escaped its node is told why, and how it can be reached")
            .shown_by(escaped_process),
        of("another user's process is out of reach of whoever has no privileges")
            .needs("setpriv", "util-linux")
            .where_possible(as_root)
            .shown_by(others_process),
        of("a process in another mount namespace can be attached to")
            .needs("unshare", "util-linux")
            .where_possible(as_root)
            .shown_by(other_mounts),
        of("a process in another time namespace is out of reach, and it is said what its clock is off by")
            .needs("unshare", "util-linux")
            .where_possible(as_root)
            .shown_by(other_time),
        of("under write-execute policies it is said whether the vDSO can be detoured")
            .needs("cc", "gcc")
            .shown_by(policies),
        of("of a sandboxed process it is said whether its filters are in the way")
            .needs("cc", "gcc")
            .needs("setpriv", "util-linux")
            .where_possible(as_root)
            .shown_by(sandboxed),
        of("what does not exist is bad input").shown_by(missing),
    ];
    by_kind.chain(others).collect()
}

fn as_root() -> Result<(), String> {
    if nix::unistd::geteuid().is_root() {
        Ok(())
    } else {
        Err("it takes root to become somebody else".to_owned())
    }
}

fn with_setuid() -> Result<(), String> {
    use nix::sys::statvfs::{FsFlags, statvfs};
    let heeds = |dir: &str| statvfs(dir).is_ok_and(|fs| !fs.flags().contains(FsFlags::ST_NOSUID));
    if heeds("/tmp") { Ok(()) } else { Err("/tmp is mounted nosuid".to_owned()) }
}

/// What is said, as an object.
#[track_caller]
fn doctor(lab: &Lab, arguments: &[&str], code: i32) -> Value {
    let words = ["doctor", "--json"].iter().chain(arguments);
    let done = lab.falseticker(words).expect_code(code);
    let json = done.json();
    assert_eq!(json["arrives"], code == 0, "{}", done.report());
    json
}

/// A program as somebody without privileges, who sees this copy of it alone.
fn by_nobody(lab: &Lab, program: &Path, arguments: &[&str]) -> Command {
    std::fs::set_permissions(lab.path(""), PermissionsExt::from_mode(0o755)).expect("it is the lab's own");
    let name = format!("nobodys-{}", program.file_name().unwrap_or_default().display());
    if !lab.path(&name).exists() {
        lab.copy_of(program, &name);
    }
    let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
    lab.command("setpriv", ids).arg(lab.path(&name)).args(arguments).current_dir("/")
}

/// A command of the tool as somebody without privileges, with nodes where theirs live.
fn as_nobody(lab: &Lab, arguments: &[&str]) -> Command {
    let command = by_nobody(lab, Path::new(binary()), arguments);
    command.env_remove("FALSETICKER_DIR").env_remove("XDG_RUNTIME_DIR")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// What was found by this check.
#[track_caller]
fn found<'a>(json: &'a Value, check: &str) -> &'a Value {
    let machine = json["machine"].as_array().expect("findings");
    machine.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("no {check} in {json}"))
}

/// Whether a part is told not to be covered.
fn is_gap(subject: &Value, part: &str) -> bool {
    let gaps = subject["not_covered"].as_array().expect("a list");
    gaps.iter().any(|gap| gap.as_str().is_some_and(|gap| gap.starts_with(part)))
}

fn machine(lab: &Lab) {
    let json = doctor(lab, &[], 0);
    let names: Vec<&str> = json["machine"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(|one| one["check"].as_str())
        .collect();
    let known =
        ["kernel", "proc", "nodes", "vdso", "tracing", "following", "cgroup", "priority", "time-namespace"];
    assert_eq!(names, known);
    assert_eq!(found(&json, "nodes")["state"], "good", "{json}");
    let shown = lab.falseticker(["doctor"]).expect_code(0);
    assert!(shown.stdout.starts_with("this machine\n"), "{}", shown.report());
    for line in shown.stdout.lines() {
        assert!(line.chars().count() <= 80 || !line.trim().contains(' '), "{line:?} is too wide");
    }
    lab.leaves_nothing();
}

fn unprivileged(lab: &Lab) {
    let json = as_nobody(lab, &["doctor", "--json"]).done().expect_code(0).json();
    for check in ["tracing", "following", "cgroup"] {
        let finding = found(&json, check);
        assert_ne!(finding["state"], "good", "{finding}");
        assert!(finding["consequence"].is_string() && finding["remedy"].is_string(), "{finding}");
    }
    let following = found(&json, "following")["found"].as_str().unwrap_or_default();
    assert!(following.contains("CAP_SYS_ADMIN"), "{following}");
    assert_ne!(found(&doctor(lab, &[], 0), "tracing"), found(&json, "tracing"));
}

fn no_nodes(lab: &Lab) {
    let done = lab.command(binary(), ["doctor", "--json", "date"]).env("FALSETICKER_DIR", "/proc").done();
    let json = done.expect_code(1).json();
    assert_eq!(json["program"]["stopped_by"], serde_json::json!(["nodes"]), "{json}");
    assert_eq!(found(&json, "nodes")["state"], "missing");
    let shown =
        lab.command(binary(), ["doctor", "date"]).env("FALSETICKER_DIR", "/proc").done().expect_code(1);
    assert!(
        shown.stdout.contains("nodes is in the way") && shown.stdout.contains("FALSETICKER_DIR"),
        "{}",
        shown.report()
    );
    let ran = lab.command(binary(), ["run", "--", "date"]).env("FALSETICKER_DIR", "/proc").done();
    ran.expect_code(125);
}

fn as_said(lab: &Lab, kind: Kind) {
    let program = kind.probe(lab);
    let said = doctor(lab, &[text(&program)], 0)["program"].clone();
    assert_eq!(said["reach"], if kind.loads_shim { "preload" } else { "vdso" }, "{said}");
    let probe = Probe::new(lab.run("a", &["--jump", "-1h"], [&program]).live());
    probe.first.expect_skew(-HOUR);
    let process = lab.status("a")["processes"][0].clone();
    assert_eq!(process["reach"], said["reach"], "{process}");
    for part in ["waits for an instant", "timers set to an instant", "calls that set", "--on-connect"] {
        assert_eq!(is_gap(&process, part), is_gap(&said, part), "{part}: {process} and {said}");
    }
    assert_eq!(is_gap(&said, "waits for an instant"), !kind.loads_shim || kind.is_go(), "{said}");
    probe.quit();
}

fn script(lab: &Lab) {
    let interpreter = lab.target("probe").flags(["-static"]).path();
    let script = lab.path("script");
    std::fs::write(&script, format!("#!{}\n", interpreter.display())).expect("a file can be written");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("its mode can be changed");
    let said = doctor(lab, &[text(&script)], 0)["program"].clone();
    assert_eq!(
        (said["reach"].as_str(), said["interpreters"][0].as_str()),
        (Some("vdso"), interpreter.to_str())
    );
    assert!(said["why"].as_str().is_some_and(|why| why.starts_with("its interpreter ")), "{said}");
    let refused = doctor(lab, &["--reach", "preload", text(&script)], 1)["program"].clone();
    assert_eq!(refused["reach"], Value::Null);
}

fn setuid(lab: &Lab) {
    std::fs::set_permissions(lab.path(""), PermissionsExt::from_mode(0o755)).expect("it is the lab's own");
    let of = |owner: u32| {
        let copy = lab.copy_of(Path::new("/bin/date"), &format!("date-of-{owner}"));
        nix::unistd::chown(&copy, Some(nix::unistd::Uid::from_raw(owner)), None).expect("root may");
        std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o4755)).expect("its mode can be changed");
        copy
    };
    let (of_root, of_nobody) = (of(0), of(NOBODY));
    let said = doctor(lab, &[text(&of_nobody)], 0)["program"].clone();
    assert_eq!(said["reach"], "vdso", "{said}");
    let hour = |done: Done| done.expect_code(0).text().parse::<i64>().expect("seconds");
    let skewed = hour(lab.run("a", &["--jump", "-1h"], [text(&of_nobody), "+%s"]).done());
    let truth = hour(lab.bare(["date", "+%s"]));
    assert!((truth - skewed - 3600).abs() <= 20, "{skewed} at {truth}");
    let said = as_nobody(lab, &["doctor", "--json", text(&of_root)]).done().expect_code(1).json();
    let why = said["program"]["why"].as_str().unwrap_or_default();
    assert!(why.contains("setuid to user 0") && why.contains("only root may trace"), "{said}");
    as_nobody(lab, &["run", "--jump", "-1h", "--", text(&of_root)])
        .done()
        .expect_code(125)
        .expect_error("setuid");
}

fn sanitizer(lab: &Lab) {
    for flag in ["-fsanitize=address", "-fsanitize=thread"] {
        let program: PathBuf = lab.target("probe").flags([flag]).path();
        let said = doctor(lab, &[text(&program)], 0)["program"].clone();
        assert_eq!(said["reach"], "vdso", "{said}");
        assert!(said["sanitizer"].as_str().is_some_and(|name| name.ends_with("Sanitizer")), "{said}");
        let remedies = said["remedies"].as_array().expect("a list");
        let order = remedies
            .iter()
            .filter_map(Value::as_str)
            .find_map(|remedy| Some(remedy.split_once(": falseticker run -- sh -c ")?.1));
        let order = order.unwrap_or_else(|| panic!("no order in {said}")).trim_matches('\'');
        let probe = Probe::new(lab.run("a", &["--jump", "-1h"], ["sh", "-c", order]).live());
        probe.first.expect_skew(-HOUR);
        let processes = lab.status("a")["processes"].clone();
        let process = processes
            .as_array()
            .and_then(|all| all.iter().find(|one| one["command"].as_str() == program.to_str()));
        assert_eq!(process.map(|one| &one["reach"]), Some(&Value::from("preload")), "{processes}");
        probe.quit();
    }
}

fn foreign(lab: &Lab) {
    use std::os::unix::fs::FileExt;
    let copy = lab.copy_of(&lab.target("probe").path(), "aarch64");
    let file = std::fs::OpenOptions::new().write(true).open(&copy).expect("it can be opened");
    // EM_AARCH64 as e_machine.
    file.write_all_at(&[183, 0], 18).expect("it can be written");
    drop(file);
    let said = doctor(lab, &[text(&copy)], 1)["program"].clone();
    assert!(said["why"].as_str().is_some_and(|why| why.contains("another processor")), "{said}");
    assert_eq!((&said["reach"], said["remedies"].as_array().map(Vec::len)), (&Value::Null, Some(1)));
}

fn reached_process(lab: &Lab) {
    let probe = lab.probe("a", &["--jump", "-1h"], &lab.target("probe"));
    let process = lab.status("a")["processes"][0].clone();
    let said = doctor(lab, &["--pid", &process["pid"].to_string()], 0)["process"].clone();
    for field in ["pid", "reach", "waits", "not_covered"] {
        assert_eq!(said[field], process[field], "{field}");
    }
    assert_eq!((&said["node"], &said["could_be"]), (&Value::from("a"), &Value::Null));
    probe.quit();
    let mut bare = lab.bare_live("cat", [""; 0]);
    bare.say("up");
    bare.line();
    let said = doctor(lab, &["--pid", &bare.pid().to_string()], 0)["process"].clone();
    assert_eq!(
        (&said["reach"], &said["node"], &said["could_be"]),
        (&Value::Null, &Value::Null, &Value::from("attach"))
    );
    assert!(is_gap(&said, "waits for an instant"), "{said}");
    bare.say("it runs on");
    assert_eq!(bare.line(), "it runs on");
}

fn escaped_process(lab: &Lab) {
    // By preload alone nothing is followed, so this one gets away.
    let script = "exec 3<&0; env -i /bin/cat <&3 & echo $!; wait";
    let mut live = lab.run("a", &["--reach", "preload"], ["sh", "-c", script]).live();
    let pid = live.line();
    live.say("up");
    assert_eq!(live.line(), "up");
    let said = doctor(lab, &["--pid", &pid], 0)["process"].clone();
    assert_eq!(
        (&said["node"], &said["reach"], &said["could_be"]),
        (&Value::from("a"), &Value::Null, &Value::from("attach"))
    );
    assert!(said["why"].as_str().is_some_and(|why| why.contains("cleared environment")), "{said}");
    let remedy = said["remedies"][0].as_str().unwrap_or_default();
    let words: Vec<&str> = remedy.split(' ').collect();
    assert_eq!(words, ["falseticker", "attach", "--pid", &pid, "--node", "a"]);
    lab.falseticker(&words[1..]).expect_code(0);
    let said = doctor(lab, &["--pid", &pid], 0)["process"].clone();
    assert_eq!((&said["node"], &said["reach"]), (&Value::from("a"), &Value::from("attach")), "{said}");
    live.finish();
}

fn others_process(lab: &Lab) {
    let own = std::process::id().to_string();
    let done = as_nobody(lab, &["doctor", "--pid", &own]).done().expect_code(1);
    assert!(done.stdout.contains("it is another user's (0)"), "{}", done.report());
    assert!(done.stdout.contains("help: run falseticker as that user, or as root"), "{}", done.report());
}

/// A process that `unshare` starts with these flags.
fn unshared(lab: &Lab, flags: &[&str]) -> (Live, String) {
    let mut live = lab.command("unshare", flags).args(["--fork", "sh", "-c", "echo $$; exec cat"]).live();
    let pid = live.line();
    live.say("up");
    assert_eq!(live.line(), "up");
    (live, pid)
}

/// What was found of a process itself.
#[track_caller]
fn of_its_own<'a>(process: &'a Value, check: &str) -> &'a Value {
    let findings = process["findings"].as_array().expect("a list");
    findings.iter().find(|one| one["check"] == check).unwrap_or_else(|| panic!("no {check} in {process}"))
}

fn other_mounts(lab: &Lab) {
    let (mut live, pid) = unshared(lab, &["--mount"]);
    let said = doctor(lab, &["--pid", &pid], 0)["process"].clone();
    assert_eq!(of_its_own(&said, "mount-namespace")["state"], "good", "{said}");
    assert_eq!(said["could_be"], "attach");
    live.finish();
}

fn other_time(lab: &Lab) {
    let (mut live, pid) = unshared(lab, &["--time", "--monotonic", "3600"]);
    let said = doctor(lab, &["--pid", &pid], 1)["process"].clone();
    let found = of_its_own(&said, "time-namespace");
    assert!(found["found"].as_str().is_some_and(|text| text.contains("monotonic by 3600s")), "{said}");
    assert_eq!(said["reach"], Value::Null);
    live.finish();
}

fn sandboxed(lab: &Lab) {
    let mut probe = Probe::new(by_nobody(lab, &lab.target("probe").path(), &[]).live());
    probe.ask("sandbox", 0);
    let pid = probe.live.pid().to_string();
    let said = doctor(lab, &["--pid", &pid], 0)["process"].clone();
    assert_eq!(of_its_own(&said, "seccomp")["state"], "good", "{said}");
    // Its own user may trace it, but not suspend its filters.
    let said = as_nobody(lab, &["doctor", "--json", "--pid", &pid]).done().expect_code(1).json();
    assert_eq!(said["process"]["stopped_by"], serde_json::json!(["seccomp"]), "{said}");
    as_nobody(lab, &["attach", "--pid", &pid]).done().expect_code(3).expect_error("seccomp");
    probe.quit();
}

fn policies(lab: &Lab) {
    let launcher = lab.target("launcher").path();
    let under = |policy: &str| {
        let words = [policy, binary(), "doctor", "--json", "/bin/date"];
        lab.command(&launcher, words).done().expect_code(0).json()
    };
    for policy in ["mdwe", "systemd"] {
        let json = under(policy);
        assert_eq!(found(&json, "vdso")["state"], "good", "{policy}: {json}");
        assert!(!is_gap(&json["program"], "clock reads by the vDSO"), "{policy}: {json}");
    }
    let json = under("no-code");
    assert_eq!(found(&json, "vdso")["state"], "limited", "{json}");
    assert!(is_gap(&json["program"], "clock reads by the vDSO"), "{json}");
}

fn missing(lab: &Lab) {
    lab.falseticker(["doctor", "--pid", "999999999"]).expect_code(2).expect_error("no such process");
    lab.falseticker(["doctor", "--pid", "0"]).expect_code(2).expect_error("no such process");
    lab.falseticker(["doctor", "falseticker-no-such"]).expect_code(2).expect_error("help:");
    lab.falseticker(["doctor", "--pid", "1", "date"]).expect_code(2).expect_error("--pid");
    let error = lab.falseticker(["doctor", "--json", "--pid", "999999999"]).expect_code(2).json();
    assert_eq!(error["error"]["attempted"], "examine process 999999999", "{error}");
}
