//! PostgreSQL, which changes its user and forks a process for every session.

use std::path::PathBuf;
use std::time::Instant;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{SLACK, expect_off, jumped_while_running};
use crate::harness::{Command, Done, Lab, Live, eventually, spec};

pub fn trials() -> Vec<Trial> {
    let sentence = "programs: PostgreSQL (--share, as its own user) is jumped while it serves, in old sessions and new ones";
    let timeout = "programs: PostgreSQL cancels a statement after 700 ms of its node's time, whatever its wall clock shows";
    vec![
        spec(sentence).needs("psql", "postgresql-client").shown_by(postgresql),
        spec(timeout).needs("psql", "postgresql-client").shown_by(timeouts),
    ]
}

/// The newest PostgreSQL's own programs.
fn binaries() -> PathBuf {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").map(|dir| dir.flatten().map(|entry| entry.path()).collect());
    let mut versions: Vec<PathBuf> = versions.unwrap_or_default();
    versions.sort();
    versions.pop().expect("apt-get install postgresql").join("bin")
}

/// A cluster of its own, and how it is asked.
pub struct Postgres<'a> {
    lab: &'a Lab,
    /// What starts its server.
    pub server: Vec<String>,
    /// Where its data and its socket are.
    folder: PathBuf,
}

impl<'a> Postgres<'a> {
    fn new(lab: &'a Lab) -> Self {
        Postgres::within(lab, lab.path(""))
    }

    /// One in a directory of its own, which is there or is made in the lab's.
    pub fn within(lab: &'a Lab, folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).expect("a directory can be made");
        for folder in [&lab.path(""), &folder] {
            let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777);
            std::fs::set_permissions(folder, open).expect("its mode can be changed");
        }
        let (data, sockets) = (folder.join("data"), folder.to_string_lossy().into_owned());
        let data = data.to_str().expect("a path");
        // It refuses to run as root.
        let is_root = nix::unistd::geteuid().is_root();
        let as_user: &[&str] = if is_root {
            &["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        } else {
            &[]
        };
        let with_user = |program: &str, arguments: &[&str]| -> Vec<String> {
            let path = binaries().join(program).to_string_lossy().into_owned();
            let words = as_user.iter().map(ToString::to_string).chain([path]);
            words.chain(arguments.iter().map(ToString::to_string)).collect()
        };
        lab.bare(with_user("initdb", &["-D", data, "-U", "postgres", "-A", "trust", "-N"])).expect_code(0);
        let options = ["-D", data, "-k", &sockets, "-c", "listen_addresses=", "-c", "fsync=off"];
        let server = with_user("postgres", &options);
        Postgres { lab, server, folder }
    }

    /// The pid of its first process, while it runs.
    pub fn postmaster(&self) -> i32 {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
        file.lines().next().and_then(|line| line.parse().ok()).expect("the server runs")
    }

    pub fn psql(&self) -> Command {
        let sockets = self.folder.to_string_lossy();
        self.lab.command("psql", ["-h", &sockets, "-U", "postgres", "-d", "postgres", "-qtA"])
    }

    pub fn ask(&self, query: &str) -> Done {
        self.psql().args(["-c", query]).done()
    }

    pub fn ready(&self) {
        eventually("PostgreSQL answers", || (self.ask("select 1").code == 0).then_some(()));
    }

    /// How long a statement runs that is cancelled after 700 ms of the server's time; something is done while it does.
    fn cancelled_after(&self, meanwhile: impl FnOnce()) -> f64 {
        let mut session = self.psql().live();
        session.say("set statement_timeout = '700ms'; select 'ready';");
        assert_eq!(session.line(), "ready");
        let begun = Instant::now();
        session.say("select pg_sleep(10);");
        meanwhile();
        session.say("select 'over';");
        assert_eq!(session.line(), "over", "a statement that is cancelled says nothing");
        let took = begun.elapsed().as_secs_f64();
        session.expect_said("canceling statement due to statement timeout");
        assert_eq!(session.finish(), 0);
        took
    }
}

fn timeouts(lab: &Lab) {
    /// What it may take beyond that to be noticed, at any rate of the clock.
    const BEYOND: f64 = 0.5;
    let postgres = Postgres::new(lab);
    let mut report = String::new();
    let mut judge = |what: &str, took: f64, expected: f64| {
        report += &format!("\n  {what}: {took:.3} s");
        assert!((expected..expected + BEYOND).contains(&took), "{what}: it takes {took} s, not {expected} s");
    };
    let stop = |mut live: Live| {
        live.signal(Signal::SIGINT);
        live.end();
    };
    let live = lab.run("a", &["--share"], &postgres.server).live();
    postgres.ready();
    judge("no fault", postgres.cancelled_after(|| ()), 0.7);
    judge(
        "an hour ahead during the statement",
        postgres.cancelled_after(|| {
            lab.fault(&["jump", "a", "+1h"]);
        }),
        0.7,
    );
    judge("an hour ahead before it", postgres.cancelled_after(|| ()), 0.7);
    stop(live);
    for (node, drift, rate) in [("fast", "2x", 2.0), ("slow", "0.5x", 0.5)] {
        let flags = ["--share", "--monotonic", "--clock", "all", "--drift", drift];
        let live = lab.run(node, &flags, &postgres.server).live();
        postgres.ready();
        judge(&format!("all clocks at {drift}"), postgres.cancelled_after(|| ()), 0.7 / rate);
        stop(live);
    }
    eprintln!("PostgreSQL, statement_timeout = 700ms:{report}");
}

fn postgresql(lab: &Lab) {
    let postgres = Postgres::new(lab);
    let server = &postgres.server;
    let ask = |query: &str| postgres.ask(query);
    let now = || ask("select extract(epoch from now())").text().parse().unwrap_or(0.0);
    let ready = || postgres.ready();

    let mut bare = lab.bare_live(&server[0], &server[1..]);
    ready();
    expect_off("bare", now(), 0.0);
    bare.signal(Signal::SIGINT);
    bare.end();

    let mut live = lab.run("a", &["--share"], server).live();
    ready();
    let mut session = postgres.psql().live();
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
