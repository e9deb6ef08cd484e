//! What this test binary does when a test runs it as another process. As a test of its own it does nothing.

use super::conformance::{Way, count_signals, tick_for_ever};
use super::*;

#[test]
fn helper() {
    let Ok(mode) = std::env::var(HELPER) else { return };
    let dir = std::path::PathBuf::from(std::env::var_os("FT_DIR").unwrap());
    let targets: Vec<ProcessId> = std::env::var("FT_TARGETS")
        .unwrap()
        .split(',')
        .filter_map(|one| {
            let (pid, start) = one.split_once(':')?;
            Some(ProcessId { pid: pid.parse().unwrap(), start_ticks: start.parse().unwrap() })
        })
        .collect();
    let members = || Ok(targets.clone());
    let way = std::env::var("FT_WAY").map_or(Way::Signal, |name| Way::named(&name));
    let freeze = |plan: &Plan| way.begin_of(&dir, &members, plan).unwrap();
    let short = after(Span::from_millis(300));
    match mode.as_str() {
        // Freeze and thaw for ever, to be killed at any instant of it.
        "toggle" => loop {
            freeze(&Plan::default()).thaw().unwrap();
        },
        "hold" => assert_eq!(freeze(&Plan::default()).wait_and_thaw().unwrap().ended, Ended::ByRequest),
        // A test that stops it may do so before all is held; then the guards call the freeze off.
        "hold-300ms" => drop(begin(&dir, &members, &short).map(Frozen::wait_and_thaw)),
        "hold-and-exec" => {
            let _held = freeze(&Plan::default());
            panic!("{}", Command::new("sleep").arg("1000").exec());
        }
        "detach" => assert_eq!(freeze(&Plan::default()).detach().unwrap().processes.len(), 1),
        "detach-300ms" => assert_eq!(freeze(&short).detach().unwrap().processes.len(), 1),
        "vfork" => in_vfork(),
        "ticks" => tick_for_ever(&dir),
        "signalled" => count_signals(&dir),
        other => panic!("no such helper: {other}"),
    }
}

/// Two parents that the kernel keeps in `vfork` for as long as their children sleep: a thread of this process, and
/// a process of one thread.
#[expect(unsafe_code, reason = "vfork")]
fn in_vfork() {
    let sleep_for_ever = || {
        loop {
            host_clock::sleep(Span::from_secs(1));
        }
    };
    let vfork = |then: &dyn Fn()| {
        // SAFETY: without CLONE_VM the child has memory of its own; it makes raw syscalls until it is killed.
        if unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_VFORK | libc::SIGCHLD, 0, 0, 0, 0) } == 0 {
            then();
        }
    };
    // SAFETY: the child makes raw syscalls until it is killed.
    if unsafe { crate::raw::fork(libc::SIGCHLD) }.unwrap() == 0 {
        vfork(&sleep_for_ever);
        sleep_for_ever();
    }
    vfork(&sleep_for_ever);
}
