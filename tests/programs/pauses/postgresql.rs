//! PostgreSQL, whole: a session is a process of its own, and so is each of what works in the background. Its clients see nothing but
//! that all of them stand still at once.

use std::time::Duration;

use falseticker::process::{ProcessId, Table, stillness};
use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Pause, SIDES};
use crate::harness::{Lab, Live, eventually, spec, state_of};
use crate::programs::host_now;
use crate::programs::storage::Postgres;

const LENGTH: Duration = Duration::from_secs(3);
const ROWS: usize = 400;
/// So long after its beginning it is looked at what is to be seen in the pause.
const MIDDLE: Duration = Duration::from_secs(1);

pub fn trials() -> Vec<Trial> {
    let sentence = "pauses: PostgreSQL is frozen whole, finishes on waking what it was at, and serves";
    vec![spec(sentence).needs("psql", "postgresql-client").shown_by(whole)]
}

/// A server and the sessions of its clients.
struct Server<'a> {
    postgres: Postgres<'a>,
    live: Live,
    /// In a transaction that was begun before the pause.
    transaction: Live,
    /// In a statement that sleeps for two seconds, and the same with a timeout of three.
    sleeps: Live,
    limited: Live,
    /// In a statement that writes.
    writes: Live,
    /// Idle; asked in the pause.
    idle: Live,
}

impl<'a> Server<'a> {
    #[track_caller]
    fn start(lab: &'a Lab, name: &str, node: Option<&str>) -> Self {
        let postgres = Postgres::within(lab, lab.path(name));
        let live = match node {
            Some(node) => lab.run(node, &["--share"], &postgres.server).live(),
            None => lab.bare_live(&postgres.server[0], &postgres.server[1..]),
        };
        postgres.ready();
        postgres.ask("create table t (n int)").expect_code(0);
        let session = || {
            let mut session = postgres.psql().live();
            session.say("select 'ready';");
            assert_eq!(session.line(), "ready");
            session
        };
        let [transaction, sleeps, limited, writes, idle] = [(); 5].map(|()| session());
        Server { transaction, sleeps, limited, writes, idle, live, postgres }
    }

    fn sessions(&mut self) -> [&mut Live; 5] {
        [&mut self.transaction, &mut self.sleeps, &mut self.limited, &mut self.writes, &mut self.idle]
    }

    /// Gives each session its statement, and waits until all are at it. When the transaction began.
    #[track_caller]
    fn begin(&mut self) -> f64 {
        self.transaction.say("begin; select extract(epoch from now());");
        let begun = number(&mut self.transaction);
        self.limited.say("set statement_timeout = '3s'; select 'slept' || pg_sleep(2);");
        self.limited.say("select 'over';");
        self.writes.say(&format!(
            "insert into t select n from generate_series(1, {ROWS}) as n where pg_sleep(0.005) is not null;"
        ));
        self.writes.say("select count(*) from t;");
        self.sleeps.say("select 'slept' || pg_sleep(2);");
        eventually("three statements are being executed", || {
            let active = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
            (self.postgres.ask(active).text() == "3").then_some(())
        });
        begun
    }

    /// All of its processes.
    fn tree(&self) -> Vec<ProcessId> {
        let postmaster = ProcessId::of(self.postgres.postmaster()).expect("it runs");
        let table = Table::scan().expect("/proc can be read");
        table.family(&[postmaster]).into_iter().map(|process| process.id).collect()
    }

    fn end(self) {
        let mut live = self.live;
        drop([self.transaction, self.sleeps, self.limited, self.writes, self.idle]);
        live.signal(Signal::SIGINT);
        assert_eq!(live.end(), 0, "it does not end cleanly");
    }
}

#[track_caller]
fn number(session: &mut Live) -> f64 {
    let line = session.line();
    line.parse().unwrap_or_else(|_| panic!("no number: {line:?}"))
}

/// Why all of them are frozen: the sessions go on without their parent, and only who comes anew is kept waiting.
fn postmaster_alone(server: &mut Server) {
    let postmaster = Pid::from_raw(server.postgres.postmaster());
    kill(postmaster, Signal::SIGSTOP).expect("it can be stopped");
    eventually("the postmaster is stopped", || (state_of(postmaster.as_raw())? == 'T').then_some(()));
    server.idle.say("select 'goes on';");
    assert_eq!(server.idle.line(), "goes on");
    let mut new = server.postgres.psql().args(["-c", "select 'new'"]).live();
    assert_eq!(new.line_within(Duration::from_millis(100)), None, "a stopped postmaster starts a session");
    kill(postmaster, Signal::SIGCONT).expect("it can be continued");
    assert_eq!(new.line(), "new");
}

fn whole(lab: &Lab) {
    let mut servers = [Server::start(lab, "bare", None), Server::start(lab, "under", Some("a"))];
    postmaster_alone(&mut servers[0]);
    let begun = servers.each_mut().map(Server::begin);
    let before = host_now();
    let pause = Pause::lasting(lab, servers[0].live.pid(), "a", LENGTH);
    let mut newcomers = servers.each_mut().map(|server| {
        server.idle.say("select extract(epoch from now());");
        server.postgres.psql().args(["-c", "select 'new'"]).live()
    });
    std::thread::sleep(MIDDLE.saturating_sub(pause.age()));
    for (server, newcomer) in servers.iter_mut().zip(&mut newcomers) {
        let moving: Vec<_> = server.tree().into_iter().filter(|id| !stillness(*id).is_still()).collect();
        assert!(moving.is_empty(), "processes {moving:?} of {:?} move", server.tree());
        for session in server.sessions().into_iter().chain([newcomer]) {
            let line = session.line_within(Duration::ZERO);
            assert_eq!(line, None, "a session is answered:\n{}", session.transcript().report());
        }
    }
    pause.expect_on();
    let processes = servers.each_ref().map(|server| server.tree().len());
    pause.end();

    let mut report = String::new();
    for (at, server) in servers.iter_mut().enumerate() {
        let asked = number(&mut server.idle) - before;
        assert!(asked >= LENGTH.as_secs_f64(), "a frozen session reads its clock, {asked} s after the start");
        assert_eq!(newcomers[at].line(), "new");
        assert_eq!(server.sleeps.line(), "slept");
        assert_eq!(server.writes.line(), ROWS.to_string());
        let limited = match server.limited.line().as_str() {
            "slept" => "finished".to_owned(),
            _ => {
                server.limited.expect_said("ERROR:");
                let told = server.limited.transcript().report();
                told.split_once("ERROR:").map_or(told.clone(), |(_, error)| error.trim().to_owned())
            }
        };
        server.transaction.say("select extract(epoch from now());");
        assert!(
            (number(&mut server.transaction) - begun[at]).abs() < 1e-6,
            "now() of a transaction has moved"
        );
        server.transaction.say("select extract(epoch from clock_timestamp() - now()); commit;");
        let old = number(&mut server.transaction);
        assert!(old >= LENGTH.as_secs_f64(), "a transaction from before the pause is {old} s old");
        report += &format!(
            "\n  {}, {} processes: now() of a statement sent in the pause {asked:.3} s after its beginning; now() of a transaction \
             from before it {old:.3} s ago; a statement of 2 s with a timeout of 3 s: {limited}",
            SIDES[at], processes[at]
        );
        server.postgres.ask("insert into t values (0)").expect_code(0);
        assert_eq!(
            server.postgres.ask("select count(*) from t").expect_code(0).text(),
            (ROWS + 1).to_string()
        );
    }
    eprintln!("PostgreSQL frozen for {LENGTH:?}:{report}");
    servers.into_iter().for_each(Server::end);
}
