//! The ways of freezing, over the command line: what holds for each of them, and what is of one alone. The duties of their
//! common trait are shown one by one in `src/freeze/tests/conformance/`.

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{Beats, Done, Lab, Live, alive, binary, cgroups, eventually, spec, tracer_of};

const WAYS: [&str; 3] = ["signal", "cgroup", "thread"];

pub fn trials() -> Vec<Trial> {
    let of = |sentence: &str| spec(format!("freezers: {sentence}")).needs("cc", "gcc");
    let mut trials = vec![
        of("auto takes a control group where one can be made, and says why")
            .where_possible(cgroups::of_version_2)
            .shown_by(auto_by_cgroup),
        of("auto takes signals where no control group can be made, and says why")
            .where_possible(cgroups::mount_namespaces)
            .shown_by(auto_by_signal),
        of("where only version 1 of control groups is mounted, that holds the node, and thaw ends it from anywhere")
            .where_possible(cgroups::of_version_1)
            .shown_by(version_1),
        of("a control group that cannot be made is an error, and nothing is frozen")
            .where_possible(cgroups::of_version_2)
            .where_possible(cgroups::mount_namespaces)
            .shown_by(cgroup_refused),
        of("threads by name are held while the others of their process run").shown_by(threads),
        of("a pattern that no thread matches is an error that shows the names").shown_by(no_thread),
        of("threads are named with --how thread alone").shown_by(threads_of_another_way),
    ];
    for way in WAYS {
        let of = |sentence: &str| {
            let spec = of(&format!("{way}: {sentence}"));
            if way == "cgroup" { spec.where_possible(cgroups::of_version_2) } else { spec }
        };
        trials.extend([
            of("all stands still until the pause ends, and status says how")
                .shown_by(move |lab| holds(lab, way)),
            of("whatever signal ends the foreground command, everything runs again")
                .shown_by(move |lab| interrupted(lab, way)),
            of("a program that strace follows is refused, with strace's pid")
                .needs("strace", "strace")
                .shown_by(move |lab| under_strace(lab, way)),
            of("a program that gdb has stopped is refused, with gdb's pid")
                .needs("gdb", "gdb")
                .shown_by(move |lab| under_gdb(lab, way)),
            of("a program that is killed while it is held ends, and the node can be thawed")
                .shown_by(move |lab| killed_while_held(lab, way)),
        ]);
    }
    trials
}

/// A freeze where a script of mounts was run first.
pub fn with_mounts(lab: &Lab, script: &str, flags: &str) -> Done {
    let script = format!("{script} && exec {} freeze {} {flags}", binary(), lab.own_name());
    lab.command("unshare", ["-m", "--propagation", "private", "sh", "-c", &script]).done()
}

pub fn without_version_2() -> String {
    cgroups::mount_of(2).map_or("true".to_owned(), |mount| format!("umount -l {}", mount.display()))
}

fn pause(lab: &Lab) -> Value {
    lab.status(lab.own_name())["frozen"]["pauses"][0].clone()
}

fn thaw(lab: &Lab, beats: Beats) {
    lab.falseticker(["thaw", lab.own_name()]).expect_code(0);
    assert_eq!(cgroups::left_of(lab.own_name()), Vec::<std::path::PathBuf>::new());
    beats.end();
}

fn auto_by_cgroup(lab: &Lab) {
    let beats = Beats::start(lab, lab.own_name(), 2);
    let done = lab.falseticker(["freeze", lab.own_name(), "--how", "auto"]).expect_code(0);
    assert!(done.stdout.contains("by cgroup: "), "{}", done.report());
    beats.expect_still();
    assert_eq!(pause(lab)["how"], "cgroup");
    assert!(pause(lab)["why"].as_str().is_some_and(|why| why.contains("can be written")), "{}", pause(lab));
    assert!(lab.falseticker(["status", lab.own_name()]).expect_code(0).stdout.contains("can be written"));
    thaw(lab, beats);
}

fn auto_by_signal(lab: &Lab) {
    let beats = Beats::start(lab, lab.own_name(), 2);
    with_mounts(lab, &without_version_2(), "--how auto").expect_code(0);
    beats.expect_still();
    assert_eq!(pause(lab)["how"], "signal");
    let why = pause(lab)["why"].as_str().map(str::to_owned).unwrap_or_default();
    assert!(why.starts_with("signal: ") && why.contains("mounted"), "{why}");
    assert!(lab.falseticker(["status", lab.own_name()]).expect_code(0).stdout.contains(&why));
    thaw(lab, beats);
}

fn version_1(lab: &Lab) {
    let beats = Beats::start(lab, lab.own_name(), 2);
    let groups = cgroups::of_process(beats.pid);
    with_mounts(lab, &without_version_2(), "--how cgroup").expect_code(0);
    beats.expect_still();
    let freezer = cgroups::mount_of(1).expect("it is mounted");
    let made = cgroups::left_of(lab.own_name());
    assert!(made.len() == 1 && made[0].starts_with(&freezer), "{made:?}");
    lab.falseticker(["thaw", lab.own_name()]).expect_code(0);
    beats.expect_running();
    assert_eq!(cgroups::of_process(beats.pid), groups);
    // With --for it ends by itself.
    with_mounts(lab, &without_version_2(), "--how cgroup --for 100ms").expect_code(0);
    beats.expect_running();
    with_mounts(lab, &without_version_2(), "--how cgroup").expect_code(0);
    thaw(lab, beats);
}

fn cgroup_refused(lab: &Lab) {
    let beats = Beats::start(lab, lab.own_name(), 2);
    let mount = cgroups::mount_of(2).expect("it is mounted");
    let read_only = format!("mount -o remount,ro,bind {}", mount.display());
    let refused = with_mounts(lab, &read_only, "--how cgroup").expect_code(3);
    let refused = refused.expect_error("Read-only").expect_error("help: ");
    assert_eq!(refused.stdout, "");
    beats.expect_running();
    assert!(lab.status(lab.own_name())["frozen"].is_null());
    let none = "umount -l -a -t cgroup,cgroup2";
    with_mounts(lab, none, "--how cgroup").expect_code(3).expect_error("is mounted");
    beats.expect_running();
    with_mounts(lab, &read_only, "--how auto").expect_code(0);
    assert_eq!(pause(lab)["how"], "signal");
    thaw(lab, beats);
}

fn threads(lab: &Lab) {
    let beats = Beats::start(lab, lab.own_name(), 4);
    let done = lab
        .falseticker(["freeze", lab.own_name(), "--thread", "worker-[12]", "--json"])
        .expect_code(0)
        .json();
    assert_eq!(done["how"], "thread");
    let held = done["processes"].as_array().expect("a list");
    assert!(held.len() == 2 && held.iter().all(|one| one["pid"] == beats.pid && one["tid"].is_number()));
    beats.expect_still_of(&[1, 2]);
    beats.expect_running_of(&[0, 3, 4]);
    assert_eq!(pause(lab)["held"].as_array().map(Vec::len), Some(2));
    // Others of the same process, by number; and then all end at once.
    let third = thread_called(beats.pid, "worker-3").to_string();
    let done =
        lab.falseticker(["freeze", lab.own_name(), "--how", "thread", "--thread", &third]).expect_code(0);
    assert!(done.stdout.contains("1 thread"), "{}", done.report());
    beats.expect_still_of(&[1, 2, 3]);
    beats.expect_running_of(&[0, 4]);
    thaw(lab, beats);
}

fn thread_called(pid: i32, name: &str) -> i32 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it has tasks");
    let called = |task: &std::fs::DirEntry| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    let task = tasks.flatten().find(called).expect("there is such a thread");
    task.file_name().to_string_lossy().parse().expect("a number")
}

fn no_thread(lab: &Lab) {
    let beats = Beats::start(lab, lab.own_name(), 2);
    for pattern in ["nobody*", "worker-9", "1"] {
        let done = lab.falseticker(["freeze", lab.own_name(), "--thread", pattern]).expect_code(3);
        done.expect_error(pattern).expect_error("worker-1").expect_error("ps -L");
        beats.expect_running();
    }
    for pattern in ["", "worker-[", "-3"] {
        lab.falseticker(["freeze", lab.own_name(), "--thread", pattern])
            .expect_code(2)
            .expect_error("thread");
    }
    assert!(lab.status(lab.own_name())["frozen"].is_null());
    beats.end();
}

fn threads_of_another_way(lab: &Lab) {
    let beats = Beats::start(lab, lab.own_name(), 1);
    for way in ["auto", "signal", "cgroup"] {
        let done =
            lab.falseticker(["freeze", lab.own_name(), "--how", way, "--thread", "worker*"]).expect_code(2);
        done.expect_error("--thread names threads");
    }
    lab.falseticker(["freeze", lab.own_name(), "--how", "magic"]).expect_code(2).expect_error("magic");
    beats.end();
}

fn holds(lab: &Lab, way: &'static str) {
    let beats = Beats::start(lab, lab.own_name(), 3);
    let groups = cgroups::of_process(beats.pid);
    lab.falseticker(["freeze", lab.own_name(), "--how", way]).expect_code(0);
    beats.expect_still();
    assert_eq!(pause(lab)["how"], way);
    let said = lab.falseticker(["status", lab.own_name()]).expect_code(0).stdout;
    let words = [("cgroup", "(by cgroup)"), ("thread", "threads of 1 process")];
    assert!(words.iter().all(|(of, words)| *of != way || said.contains(words)), "{said}");
    lab.falseticker(["thaw", lab.own_name()]).expect_code(0);
    beats.expect_running();
    let done = lab
        .falseticker(["freeze", lab.own_name(), "--how", way, "--for", "150ms", "--json"])
        .expect_code(0)
        .json();
    let (asked, actual) = (done["requested_ns"].as_i64(), done["thawed"]["actual_ns"].as_i64());
    assert!(asked == Some(150_000_000) && actual >= asked, "{asked:?} {actual:?}");
    assert_eq!(cgroups::of_process(beats.pid), groups);
    lab.falseticker(["freeze", lab.own_name(), "--how", way]).expect_code(0);
    thaw(lab, beats);
}

/// A freeze in the foreground, once it is in force.
fn foreground(lab: &Lab, way: &str) -> Live {
    let mut live = lab.bare_live(binary(), ["freeze", lab.own_name(), "--how", way, "--for", "1h"]);
    let line = live.line();
    assert!(line.contains("frozen within"), "{line}");
    live
}

fn interrupted(lab: &Lab, way: &'static str) {
    let beats = Beats::start(lab, lab.own_name(), 2);
    for (signal, code) in [
        (Signal::SIGINT, Some(130)),
        (Signal::SIGTERM, None),
        (Signal::SIGHUP, None),
        (Signal::SIGQUIT, None),
        (Signal::SIGKILL, Some(137)),
    ] {
        let mut live = foreground(lab, way);
        beats.expect_still();
        live.signal(signal);
        let ended = live.end();
        assert!(code.is_none_or(|code| code == ended), "{signal}: exit code {ended}");
        beats.expect_running();
        eventually("nothing is left", || {
            (lab.status(lab.own_name())["frozen"].is_null() && cgroups::left_of(lab.own_name()).is_empty())
                .then_some(())
        });
    }
    beats.end();
}

fn refused_for(lab: &Lab, way: &str, beats: &Beats, name: &str, tracer: i32) {
    let refused = lab.falseticker(["freeze", lab.own_name(), "--how", way]).expect_code(3);
    let refused = refused.expect_error(&format!("process {tracer} ({name}) traces it"));
    assert!(refused.stderr.contains(&beats.pid.to_string()), "{}", refused.report());
    assert!(lab.status(lab.own_name())["frozen"].is_null());
    assert_eq!(cgroups::left_of(lab.own_name()), Vec::<std::path::PathBuf>::new());
}

fn under_strace(lab: &Lab, way: &'static str) {
    let beats = Beats::start(lab, lab.own_name(), 2);
    let pid = beats.pid.to_string();
    let mut strace = lab.bare_live("strace", ["-q", "-f", "-e", "trace=none", "-o", "/dev/null", "-p", &pid]);
    eventually("strace is attached", || tracer_of(beats.pid));
    refused_for(lab, way, &beats, "strace", strace.pid());
    beats.expect_running();
    strace.signal(Signal::SIGTERM);
    strace.end();
    lab.falseticker(["freeze", lab.own_name(), "--how", way, "--for", "20ms"]).expect_code(0);
    beats.end();
}

fn under_gdb(lab: &Lab, way: &'static str) {
    let beats = Beats::start(lab, lab.own_name(), 2);
    let pid = beats.pid.to_string();
    let mut gdb = lab.bare_live("gdb", ["-q", "-nx", "-p", &pid]);
    eventually("gdb is attached", || tracer_of(beats.pid));
    refused_for(lab, way, &beats, "gdb", gdb.pid());
    gdb.say("detach");
    gdb.say("quit");
    gdb.end();
    beats.end();
}

fn killed_while_held(lab: &Lab, way: &'static str) {
    let mut beats = Beats::start(lab, lab.own_name(), 2);
    // So that the node outlives its first program.
    let other = lab.in_node(lab.own_name(), ["sleep", "1000"]).live();
    lab.falseticker(["freeze", lab.own_name(), "--how", way]).expect_code(0);
    kill(Pid::from_raw(beats.pid), Signal::SIGKILL).expect("it can be killed");
    eventually("it ends", || (!alive(beats.pid)).then_some(()));
    lab.falseticker(["status", lab.own_name()]).expect_code(0);
    let thawed = lab.falseticker(["thaw", lab.own_name()]);
    assert!([0, 2].contains(&thawed.code), "{}", thawed.report());
    other.signal(Signal::SIGTERM);
    assert_eq!(beats.live.end(), 137);
    lab.falseticker(["status"]).expect_code(0);
    assert_eq!(cgroups::left_of(lab.own_name()), Vec::<std::path::PathBuf>::new());
}
