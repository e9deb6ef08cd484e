//! What it costs real programs to run an hour back: redis under redis-benchmark, and PostgreSQL timing a query.
//!
//! `cargo bench --bench programs`
//!
//! The servers of all ways, bare, under falseticker and under libfaketime, are alive together, and rounds go through
//! them in turn; a server counts only if it says itself that it lives an hour ago. Their clients are always bare, and
//! PostgreSQL's query is timed in the bench by the raw clock.

mod support;

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use falseticker::host_clock;
use nix::sys::signal::Signal;
use nix::unistd::User;
use tempfile::TempDir;

use support::child::Answering;
use support::figures::{Figures, Table};
use support::server::Server;
use support::way::{Way, rivals};
use support::{installed, only_lists, skip, timed};

const REDIS_ROUNDS: usize = 12;
const REDIS_REQUESTS: &str = "600000";
const QUERY_ROUNDS: usize = 12;
/// libfaketime's share of the query's rounds: it takes many times as long.
const RIVAL_ROUNDS: usize = 3;
const ROWS: u32 = 2_000_000;
/// Two nodes of its plan see each row, and PostgreSQL reads the clock before and after: four reads a row.
const QUERY: &str = "EXPLAIN ANALYZE SELECT count(*) FROM (SELECT a FROM t OFFSET 1) AS s;";

fn main() {
    if only_lists() {
        return;
    }
    redis();
    postgres();
}

/// By how much a clock that shows `shown` seconds is wrong: true, or an hour behind.
fn check(way: &Way, program: &str, shown: i64) {
    let wrong_by = shown - host_clock::realtime() / 1_000_000_000;
    let expected = if way.name == "bare" { 0 } else { -3600 };
    assert!((wrong_by - expected).abs() <= 2, "{program}, {}: wrong by {wrong_by} s", way.name);
}

/// What a rival cannot do is said; under falseticker it is a failure.
fn does_not_come_up<T>(way: &Way, program: &str) -> Option<T> {
    assert!(way.is_rival(), "{program} does not come up under {}", way.name);
    println!("left out: {program} does not come up under {}", way.name);
    None
}

/// One way's figures, and each of them by the bare one of its round.
#[derive(Default)]
struct Column {
    figures: Figures,
    ratios: Figures,
}

impl Column {
    fn push(&mut self, figure: f64, bare: f64) {
        self.figures.push(figure);
        self.ratios.push(figure / bare);
    }
}

// redis

struct Redis {
    way: Way,
    port: String,
    column: Column,
    _dir: TempDir,
    _server: Server,
}

fn redis() {
    for program in ["redis-server", "redis-benchmark", "redis-cli"] {
        if installed(program).is_none() {
            return skip(program, "redis-server redis-tools");
        }
    }
    let mut ways = vec![Way::bare(), Way::falseticker("falseticker", &["--jump", "-1h"])];
    ways.extend(rivals());
    let mut servers: Vec<Redis> = ways.into_iter().filter_map(start_redis).collect();
    for _ in 0..REDIS_ROUNDS {
        let mut bare = f64::NAN;
        for server in &mut servers {
            let rate = requests_a_second(&server.port);
            bare = if server.way.name == "bare" { rate } else { bare };
            server.column.push(rate, bare);
        }
    }
    let mut table = Table::new(
        format!(
            "redis-benchmark GET, pipeline 16, 1000 requests a second, {REDIS_ROUNDS} interleaved rounds of {REDIS_REQUESTS}"
        ),
        &["way", "median", "most", "median / bare", "most / bare", "target"],
    );
    let most = servers[0].column.figures.most();
    for Redis { way, column, .. } in &servers {
        table.row([
            way.name.to_owned(),
            format!("{:.0}", column.figures.median() / 1e3),
            format!("{:.0}", column.figures.most() / 1e3),
            format!("{:.3}", column.ratios.median()),
            format!("{:.3}", column.figures.most() / most),
            if way.name == "falseticker" { "≥ 0.95".to_owned() } else { String::new() },
        ]);
    }
    table.print();
}

fn start_redis(way: Way) -> Option<Redis> {
    let dir = TempDir::new().expect("a temporary directory");
    let port = free_port().to_string();
    let mut command = way.command("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(dir.path());
    if way.is_rival() {
        // It hangs in redis' allocator, and says so at length.
        command.stderr(Stdio::null());
    }
    let mut server = Server::start(&mut command, Signal::SIGTERM);
    let time = || {
        let shown = Command::new("redis-cli").args(["-p", &port, "TIME"]).output().ok()?;
        String::from_utf8(shown.stdout).ok()?.lines().next()?.parse().ok()
    };
    let Some(shown) = server.wait_until(time) else {
        return does_not_come_up(&way, "redis-server");
    };
    check(&way, "redis", shown);
    Some(Redis { way, port, column: Column::default(), _dir: dir, _server: server })
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback");
    listener.local_addr().expect("its own address").port()
}

fn requests_a_second(port: &str) -> f64 {
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", port, "-t", "get", "-P", "16", "-n", REDIS_REQUESTS, "--csv"]);
    let output = command.output().expect("redis-benchmark runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("\"GET\"")).unwrap_or_else(|| panic!("{text}"));
    let rate = line.split(',').nth(1).expect("its second column is the rate");
    rate.trim_matches('"').parse().expect("a number")
}

// PostgreSQL

/// Where PostgreSQL's programs are, and who may run them: not root.
struct Postgres {
    programs: PathBuf,
    user: Option<User>,
}

struct Session {
    way: Way,
    column: Column,
    psql: Answering,
    _server: Server,
}

fn postgres() {
    let Some(postgres) = Postgres::find() else { return skip("PostgreSQL", "postgresql") };
    let dir = TempDir::new().expect("a temporary directory");
    postgres.give(dir.path());
    let first = dir.path().join("first");
    postgres.init(&first);
    let fill = format!(
        "CREATE TABLE t AS SELECT generate_series(1, {ROWS}) AS a; VACUUM (FREEZE, ANALYZE) t; CHECKPOINT; SELECT 0;"
    );
    drop(postgres.session(Way::bare(), &first, &fill));

    let mut ways = vec![Way::bare(), Way::falseticker("falseticker --share", &["--share", "--jump", "-1h"])];
    ways.extend(rivals());
    let mut sessions: Vec<Session> = Vec::new();
    for (number, way) in ways.into_iter().enumerate() {
        let data = dir.path().join(number.to_string());
        let copied = Command::new("cp").arg("-a").arg(&first).arg(&data).status().expect("cp runs");
        assert!(copied.success(), "the data are copied");
        sessions.extend(postgres.session(way, &data, "SELECT sum(a) FROM t;"));
    }
    for round in 0..QUERY_ROUNDS {
        let mut bare = f64::NAN;
        for session in sessions.iter_mut().filter(|session| round < RIVAL_ROUNDS || !session.way.is_rival()) {
            let took = query(&mut session.psql);
            bare = if session.way.name == "bare" { took } else { bare };
            session.column.push(took, bare);
        }
    }
    let mut table = Table::new(
        format!("EXPLAIN ANALYZE over {ROWS} rows, four reads each, ms, {QUERY_ROUNDS} interleaved rounds"),
        &["way", "median", "least", "median / bare", "least / bare", "target"],
    );
    let least = sessions[0].column.figures.least();
    for Session { way, column, .. } in &sessions {
        table.row([
            way.name.to_owned(),
            format!("{:.0}", column.figures.median() / 1e6),
            format!("{:.0}", column.figures.least() / 1e6),
            format!("{:.2}", column.ratios.median()),
            format!("{:.2}", column.figures.least() / least),
            if way.name.starts_with("falseticker") { "≤ 1.15".to_owned() } else { String::new() },
        ]);
    }
    table.print();
}

fn query(psql: &mut Answering) -> f64 {
    let (took, timed_rows) = timed(|| {
        psql.ask(QUERY);
        let mut timed_rows = false;
        loop {
            let line = psql.answer();
            timed_rows |= line.contains("actual time=");
            if line.starts_with("Execution Time") {
                return timed_rows;
            }
        }
    });
    assert!(timed_rows, "PostgreSQL times each row");
    took
}

impl Postgres {
    fn find() -> Option<Self> {
        installed("psql")?;
        let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|version| Some(version.ok()?.path().join("bin")))
            .chain(installed("initdb").and_then(|initdb| Some(initdb.parent()?.to_owned())))
            .filter(|programs| programs.join("initdb").is_file() && programs.join("postgres").is_file())
            .collect();
        versions.sort();
        let user =
            if nix::unistd::geteuid().is_root() { Some(User::from_name("postgres").ok()??) } else { None };
        Some(Postgres { programs: versions.pop()?, user })
    }

    fn give(&self, dir: &Path) {
        if let Some(user) = &self.user {
            let given = chown(dir, Some(user.uid.as_raw()), Some(user.gid.as_raw()));
            given.expect("root gives its directories to whom it likes");
        }
    }

    /// One of its programs, run this way by a user who may.
    ///
    /// falseticker reaches programs that change user, so there it is the program that does; libfaketime cannot open
    /// its own semaphore then, so everything is the user's.
    fn command(&self, way: &Way, program: &str) -> Command {
        let program = self.programs.join(program);
        if self.user.is_none() {
            return way.command(program);
        }
        let as_user = ["--reuid", "postgres", "--regid", "postgres", "--init-groups"];
        if way.is_rival() {
            let inner = way.command(program);
            let mut command = Command::new("setpriv");
            command.args(as_user).arg(inner.get_program()).args(inner.get_args());
            return command;
        }
        let mut command = way.command("setpriv");
        command.args(as_user).arg(program);
        command
    }

    fn init(&self, data: &Path) {
        let mut command = self.command(&Way::bare(), "initdb");
        command.args(["-A", "trust", "-U", "bench", "--no-sync", "-D"]).arg(data).current_dir("/");
        let output = command.output().expect("initdb runs");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A server over `data` and a session with it, warmed by `first`; `None` if it does not come up this way.
    fn session(&self, way: Way, data: &Path, first: &str) -> Option<Session> {
        let mut command = self.command(&way, "postgres");
        command.arg("-D").arg(data).arg("-k").arg(data).current_dir("/");
        for setting in [
            "listen_addresses=",
            "fsync=off",
            "autovacuum=off",
            "jit=off",
            "log_min_messages=fatal",
            "max_parallel_workers_per_gather=0",
            "shared_buffers=256MB",
        ] {
            command.args(["-c", setting]);
        }
        let mut server = Server::start(&mut command, Signal::SIGINT);
        let psql = || {
            let mut psql = Command::new("psql");
            psql.args(["-X", "-A", "-t", "-q", "-U", "bench", "-d", "postgres", "-h"]).arg(data);
            psql
        };
        let time = || {
            let ask = ["-c", "SELECT floor(extract(epoch FROM clock_timestamp()))"];
            let shown = psql().args(ask).stderr(Stdio::null()).output().ok()?;
            String::from_utf8(shown.stdout).ok()?.trim().parse().ok()
        };
        let Some(shown) = server.wait_until(time) else {
            return does_not_come_up(&way, "PostgreSQL");
        };
        check(&way, "PostgreSQL", shown);
        let mut psql = Answering::start(&mut psql());
        psql.numbers(first);
        Some(Session { way, column: Column::default(), psql, _server: server })
    }
}
