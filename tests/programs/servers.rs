//! Servers: redis under its benchmark, nginx through its first quarter of a minute, Debian's etcd, which is a Go program.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{HOUR, SLACK, expect_off, free_port, host_now, http_date, jumped_while_running};
use crate::harness::{Lab, Live, count_of, eventually, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("programs: redis-server is jumped under redis-benchmark, and keeps its relative expiries")
            .needs("redis-server", "redis-server")
            .needs("redis-benchmark", "redis-tools")
            .shown_by(redis),
        spec("programs: nginx stays skewed from its first second to its fifteenth, master and workers")
            .needs("nginx", "nginx-light")
            .shown_by(nginx),
        spec(
            "programs: etcd (dynamically linked Go) is jumped while it serves, and its leases do not notice",
        )
        .needs("etcd", "etcd-server")
        .needs("etcdctl", "etcd-client")
        .shown_by(etcd),
    ]
}

fn stop(mut live: Live, signal: Signal) {
    live.signal(signal);
    live.end();
}

fn redis(lab: &Lab) {
    let socket = lab.path("redis.sock");
    let socket = socket.to_str().expect("a path").to_owned();
    let folder = lab.path("");
    let folder = folder.to_str().expect("a path").to_owned();
    let server = ["redis-server", "--port", "0", "--unixsocket", &socket, "--save", "", "--dir", &folder];
    let cli = |words: &[&str]| lab.command("redis-cli", ["-s", &socket]).args(words).done();
    let now =
        || cli(&["time"]).stdout.lines().next().and_then(|line| line.parse::<f64>().ok()).unwrap_or(0.0);
    let ready = || eventually("redis answers", || (cli(&["ping"]).text() == "PONG").then_some(()));
    let requests = count_of("FALSETICKER_REQUESTS", 100_000).to_string();
    let benchmark = || {
        lab.command("redis-benchmark", ["-s", &socket, "-q", "-n", &requests, "-P", "16", "-t", "get,set"])
    };

    let bare = lab.bare_live(server[0], &server[1..]);
    ready();
    expect_off("bare", now(), 0.0);
    benchmark().done().expect_code(0);
    stop(bare, Signal::SIGTERM);

    let live = lab.run("a", &[], server).live();
    ready();
    let mut load = benchmark().live();
    jumped_while_running(lab, now);
    assert_eq!(load.end(), 0, "the benchmark fails");
    load.expect_said("GET");
    // Blocking with a relative timeout is not disturbed.
    let begun = std::time::Instant::now();
    cli(&["blpop", "nothing", "0.2"]).expect_code(0);
    assert!((0.19..SLACK).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
    lab.fault(&["jump", "a", "+1h"]);
    cli(&["set", "key", "value", "ex", "1000"]).expect_code(0);
    let left: f64 = cli(&["ttl", "key"]).text().parse().unwrap_or(-1.0);
    assert!((990.0..=1000.0).contains(&left), "{left} s left of 1000");
    lab.fault(&["jump", "a", "+1h"]);
    eventually("a key that expires an hour early", || (cli(&["exists", "key"]).text() == "0").then_some(()));
    stop(live, Signal::SIGTERM);
}

fn nginx(lab: &Lab) {
    let (socket, config) = (lab.path("nginx.sock"), lab.path("nginx.conf"));
    let folder = lab.path("");
    let lines = format!(
        "daemon off; worker_processes 2; pid {0}pid; error_log {0}error; events {{}}\n\
         http {{ access_log {0}access; client_body_temp_path {0}b; proxy_temp_path {0}p; fastcgi_temp_path {0}f;\n\
         uwsgi_temp_path {0}u; scgi_temp_path {0}s; server {{ listen unix:{1}; return 204; }} }}\n",
        folder.display(),
        socket.display()
    );
    std::fs::write(&config, lines).expect("a file can be written");
    let server = ["nginx", "-c", config.to_str().expect("a path"), "-p", folder.to_str().expect("a path")];
    // Its workers run as another user.
    let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(&folder, open).expect("its mode can be changed");
    let date = || UnixStream::connect(&socket).ok().and_then(http_date);

    let bare = lab.bare_live(server[0], &server[1..]);
    expect_off("bare", eventually("nginx answers", date), 0.0);
    stop(bare, Signal::SIGQUIT);
    let _ = std::fs::remove_file(&socket);

    let live = lab.run("a", &["--jump", "-1h"], server).live();
    expect_off("at its start", eventually("nginx answers", date), -HOUR);
    for second in 1..=count_of("FALSETICKER_NGINX_SECONDS", 15) {
        std::thread::sleep(std::time::Duration::from_secs(1));
        let shown = date().expect("nginx answers");
        assert!(
            (shown - host_now() + HOUR).abs() < SLACK,
            "in second {second} it is off by {}",
            shown - host_now()
        );
    }
    lab.fault(&["jump", "a", "+1h"]);
    eventually("the truth again", || ((date()? - host_now()).abs() < SLACK).then_some(()));
    jumped_while_running(lab, || date().expect("nginx answers"));
    let access = std::fs::read_to_string(lab.path("access")).unwrap_or_default();
    assert!(!access.is_empty(), "no request was logged");
    stop(live, Signal::SIGQUIT);
}

fn etcd(lab: &Lab) {
    let (client, peer) = (free_port(), free_port());
    let (client_url, peer_url) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    let data = lab.path("etcd");
    let cluster = format!("default={peer_url}");
    let server = [
        "etcd",
        "--data-dir",
        data.to_str().expect("a path"),
        "--listen-client-urls",
        &client_url,
        "--advertise-client-urls",
        &client_url,
        "--listen-peer-urls",
        &peer_url,
        "--initial-advertise-peer-urls",
        &peer_url,
        "--initial-cluster",
        &cluster,
    ];
    let ctl = |words: &[&str]| {
        lab.command("etcdctl", ["--endpoints", &client_url]).args(words).env("ETCDCTL_API", "3").done()
    };
    let date = || TcpStream::connect(("127.0.0.1", client)).ok().and_then(http_date);
    let ready = || eventually("etcd serves", || (ctl(&["put", "a", "1"]).code == 0).then_some(()));

    let bare = lab.bare_live(server[0], &server[1..]);
    ready();
    expect_off("bare", date().expect("a Date header"), 0.0);
    stop(bare, Signal::SIGTERM);

    let live = lab.run("a", &[], server).live();
    ready();
    let status = lab.status("a");
    assert_eq!(status["processes"][0]["detour"], "in place", "{status}");
    let granted = ctl(&["lease", "grant", "600"]).expect_code(0);
    let lease = granted.text().split(' ').nth(1).expect("a lease has an id").to_owned();
    jumped_while_running(lab, || date().expect("etcd answers"));
    ctl(&["put", "a", "2"]).expect_code(0);
    assert!(ctl(&["get", "a"]).expect_code(0).stdout.contains('2'));
    // Its leases run on its monotonic clock.
    let left = ctl(&["lease", "timetolive", &lease]).expect_code(0);
    let remaining = left.text().split("remaining(").nth(1).and_then(|rest| rest.split('s').next());
    let remaining: i64 = remaining.and_then(|seconds| seconds.parse().ok()).unwrap_or(-1);
    assert!((500..=600).contains(&remaining), "{}", left.report());
    stop(live, Signal::SIGTERM);
}
