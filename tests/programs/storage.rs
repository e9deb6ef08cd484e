//! PostgreSQL, which changes its user and forks a process for every session.

use std::path::PathBuf;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{SLACK, expect_off, jumped_while_running};
use crate::harness::{Lab, eventually, spec};

pub fn trials() -> Vec<Trial> {
    let sentence = "programs: PostgreSQL (--share, as its own user) is jumped while it serves, in old sessions and new ones";
    vec![spec(sentence).needs("psql", "postgresql-client").shown_by(postgresql)]
}

/// The newest PostgreSQL's own programs.
fn binaries() -> PathBuf {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").map(|dir| dir.flatten().map(|entry| entry.path()).collect());
    let mut versions: Vec<PathBuf> = versions.unwrap_or_default();
    versions.sort();
    versions.pop().expect("apt-get install postgresql").join("bin")
}

fn postgresql(lab: &Lab) {
    let folder = lab.path("");
    let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777);
    std::fs::set_permissions(&folder, open).expect("its mode can be changed");
    let (data, sockets) = (lab.path("data"), folder.to_string_lossy().into_owned());
    // It refuses to run as root.
    let is_root = nix::unistd::geteuid().is_root();
    let as_user: &[&str] =
        if is_root { &["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] } else { &[] };
    let with_user = |program: &str, arguments: &[&str]| -> Vec<String> {
        let path = binaries().join(program).to_string_lossy().into_owned();
        let words = as_user.iter().map(ToString::to_string).chain([path]);
        words.chain(arguments.iter().map(ToString::to_string)).collect()
    };
    let data = data.to_str().expect("a path");
    lab.bare(with_user("initdb", &["-D", data, "-U", "postgres", "-A", "trust", "-N"])).expect_code(0);
    let server =
        with_user("postgres", &["-D", data, "-k", &sockets, "-c", "listen_addresses=", "-c", "fsync=off"]);
    let psql = ["-h", &sockets, "-U", "postgres", "-d", "postgres", "-qtA"];
    let ask = |query: &str| lab.command("psql", psql).args(["-c", query]).done();
    let now = || ask("select extract(epoch from now())").text().parse().unwrap_or(0.0);
    let ready = || eventually("PostgreSQL answers", || (ask("select 1").code == 0).then_some(()));

    let mut bare = lab.bare_live(&server[0], &server[1..]);
    ready();
    expect_off("bare", now(), 0.0);
    bare.signal(Signal::SIGINT);
    bare.end();

    let mut live = lab.run("a", &["--share"], &server).live();
    ready();
    let mut session = lab.command("psql", psql).live();
    let mut old = || -> f64 {
        session.say("select extract(epoch from clock_timestamp());");
        session.line().parse().unwrap_or(0.0)
    };
    jumped_while_running(lab, now);
    expect_off("a session from before", old(), super::HOUR / 2.0);
    lab.fault(&["jump", "a", "-2h"]);
    expect_off("a session from before", old(), -1.5 * super::HOUR);
    let begun = std::time::Instant::now();
    ask("select pg_sleep(0.2)").expect_code(0);
    assert!((0.19..SLACK).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
    ask("create table t as select generate_series(1, 10000) as n").expect_code(0);
    assert_eq!(ask("select count(*) from t").expect_code(0).text(), "10000");
    let explained = ask("explain analyze select * from t").expect_code(0);
    assert!(explained.stdout.contains("Execution Time"), "{}", explained.report());
    let status = lab.status("a");
    let processes = status["processes"].as_array().map(Vec::len).unwrap_or(0);
    assert!(processes >= 5, "only {processes} processes are reached: {status}");
    drop(session);
    live.signal(Signal::SIGINT);
    assert_eq!(live.end(), 0);
}
