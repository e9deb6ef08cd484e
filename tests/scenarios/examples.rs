//! The examples, as they are but for their ports: other tests run beside them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use libtest_mimic::Trial;

use super::Scene;
use crate::harness::{Lab, free_ports, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("examples: a paused leaseholder is replaced").shown_by(lease),
        spec("examples: a frozen redis master is replaced by sentinels")
            .needs("redis-server", "redis-server")
            .needs("redis-cli", "redis-tools")
            .shown_by(redis),
        spec("examples: an etcd leader is frozen, a member is killed, a clock is wrong")
            .needs("etcd", "etcd-server")
            .needs("etcdctl", "etcd-client")
            .shown_by(etcd),
        spec("examples: PostgreSQL is frozen and stepped under pgbench")
            .needs("pgbench", "postgresql")
            .needs("/usr/lib/postgresql", "postgresql")
            .shown_by(postgresql),
    ]
}

/// An example in a lab, with other ports.
fn example<'a, const N: usize>(lab: &'a Lab, name: &str, ports: [u16; N]) -> Scene<'a> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut text = std::fs::read_to_string(folder.join(name).with_extension("toml")).expect("it is there");
    for (port, free) in ports.into_iter().zip(free_ports::<N>()) {
        assert!(text.contains(&port.to_string()), "{name} has no port {port}");
        text = text.replace(&port.to_string(), &free.to_string());
    }
    text = text.replace("/tmp/falseticker-lease", &lab.path("the-lease").to_string_lossy());
    let scene = Scene::new(lab, name, &text);
    for script in ["lease.sh", "postgresql.sh"] {
        lab.copy_of(&folder.join(script), script);
    }
    scene
}

fn lease(lab: &Lab) {
    let scene = example(lab, "lease", []);
    scene.play(&["--seed", "3"]).expect_code(0);
    let frozen = super::int(&scene.of("frozen")[0], "confirmed_ns");
    let resumed = super::int(&scene.of("resumed")[0], "first_resumed_ns");
    let fired = scene.of("fired");
    let elected = super::int(&fired[0], "at_ns");
    assert!(frozen < elected && elected < resumed, "b leads while a stands still: {fired:?}");
    assert!(scene.of("op").iter().any(|op| op["node"] == "b" && super::int(op, "at_ns") < resumed));
}

fn redis(lab: &Lab) {
    let scene = example(lab, "redis-sentinel", [7101, 7102, 7103, 7104, 7105]);
    scene.play(&["--seed", "3"]).expect_code(0);
    assert!(scene.of("fired")[0]["on"].as_str().is_some_and(|line| line.contains("+switch-master")));
}

fn etcd(lab: &Lab) {
    let scene = example(lab, "etcd", [7201, 7202, 7203, 7211, 7212, 7213]);
    scene.play(&["--seed", "3"]).expect_code(0);
    assert_eq!((scene.of("frozen").len(), scene.of("killed").len()), (1, 1));
    assert_eq!(scene.of("ready").len(), 4, "who was killed comes back");
}

fn postgresql(lab: &Lab) {
    // The server's own user has to come there.
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(lab.path(""), open).expect("its mode can be changed");
    let scene = example(lab, "postgresql", [7301]);
    scene.play(&["--seed", "3"]).expect_code(0);
    assert!(scene.of("frozen")[0]["processes"].as_array().is_some_and(|all| all.len() > 5));
    let bench = scene.of("exited").into_iter().find(|line| line["node"] == "bench").expect("it has ended");
    assert_eq!((&bench["code"], &bench["expected"]), (&serde_json::json!(0), &serde_json::json!(true)));
}
