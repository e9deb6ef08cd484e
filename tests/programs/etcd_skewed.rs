//! etcd, three members reached by the replaced vDSO, one of them an hour ahead: Raft and leases go by the monotonic clock, which a
//! step leaves alone. The leader is frozen, and another is elected; a lease ends when its time is up, whoever leads.

use libtest_mimic::Trial;
use serde_json::Value;

use super::etcd_cluster::{Cluster, PUT, RANGE, ask, get, value_in};
use crate::harness::{Lab, eventually, mono, spec};

/// How long the lease lasts, in seconds.
const LEASE: i64 = 3;
const SECOND: i64 = 1_000_000_000;

pub fn trials() -> Vec<Trial> {
    let sentence =
        "programs: three etcd by the replaced vDSO, one an hour ahead, elect and keep their leases";
    vec![spec(sentence).needs("etcd", "etcd-server").shown_by(ahead)]
}

fn ahead(lab: &Lab) {
    let mut cluster = Cluster::start(lab, "node", Some(&["--reach", "vdso"]));
    let first = cluster.ready();
    for at in 0..3 {
        let status = lab.status(&format!("node{at}"));
        assert_eq!(status["processes"][0]["reach"], "vdso", "{status}");
    }
    // The leader's clock, ten times over: forward an hour and back.
    let leader = format!("node{}", first.by);
    for _ in 0..5 {
        lab.falseticker(["jump", &leader, "+1h", "--wait", "5s"]).expect_code(0);
        lab.falseticker(["jump", &leader, "-1h"]).expect_code(0);
    }
    lab.falseticker(["jump", &leader, "+1h", "--wait", "5s"]).expect_code(0);
    assert_eq!(cluster.led(first.by), Some(first), "a step of its wall clock has cost it the lead");

    let (granted, lasted) = lease(&cluster, first.by);
    assert!(lasted >= LEASE * SECOND, "the lease of {granted} s has ended after {lasted} ns");

    lab.falseticker(["freeze", &leader]).expect_code(0);
    let second = eventually("another is elected", || {
        let others = [1, 2].map(|more| cluster.led((first.by + more) % 3));
        let [Some(one), Some(other)] = others else { return None };
        (one == other && one.by != first.by).then_some(one)
    });
    lab.falseticker(["thaw", &leader]).expect_code(0);
    let agreed = cluster.agreed(first.term);
    assert!(agreed.term >= second.term);
    eprintln!(
        "etcd, the leader an hour ahead: a lease of {LEASE} s ended after {:.2} s; frozen, it was replaced by term {}",
        lasted as f64 / 1e9,
        second.term
    );
    cluster.end();
}

/// Grants a lease to a key, and waits for the key to go: the seconds that etcd granted, and how long it was there.
fn lease(cluster: &Cluster, leader: usize) -> (i64, i64) {
    let port = cluster.ports[leader];
    let begun = mono();
    let granted = ask(port, "/v3/lease/grant", &format!(r#"{{"TTL":{LEASE}}}"#)).expect("a lease is granted");
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<i64>().ok()).expect("a number");
    let body = format!(
        r#"{{"key":"{}","value":"aGVsZA==","lease":"{}"}}"#,
        super::etcd_cluster::KEY,
        number(&granted["ID"])
    );
    ask(port, PUT, &body).expect("it takes the key");
    let answer = ask(port, RANGE, &get()).expect("it answers");
    assert_eq!(value_in(&answer), "aGVsZA==", "{answer}");
    eventually("the key goes with its lease", || {
        let answer = ask(port, RANGE, &get())?;
        answer["kvs"].is_null().then_some(())
    });
    (number(&granted["TTL"]), mono() - begun)
}
