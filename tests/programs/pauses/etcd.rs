//! etcd, three members: the leader is paused, another is elected, and the old one finds out on waking. What it is asked before
//! that it may answer as the leader that it was.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::Value;

use super::super::etcd_cluster::{
    BEFORE, Cluster, DURING, PUT, QUEUED, RANGE, Request, ask, get, put, serializable_get, value_in,
};
use super::{Pause, SIDES};
use crate::harness::{Lab, eventually, spec};

/// Fifteen times what etcd waits by default for a leader that is silent.
const LENGTH: Duration = Duration::from_secs(15);

pub fn trials() -> Vec<Trial> {
    let sentence =
        "pauses: a frozen etcd leader is replaced, and on waking steps down, and the cluster serves";
    vec![spec(sentence).needs("etcd", "etcd-server").shown_by(reelection)]
}

/// Requests that lie in the old leader's sockets when it wakes.
struct Queued([Request; 3]);

/// What it answers to them, and when.
type Answers = [(Option<Value>, Instant); 3];

impl Queued {
    #[track_caller]
    fn connect(port: u16) -> Self {
        Queued([(); 3].map(|()| Request::connect(port).expect("the leader listens")))
    }

    #[track_caller]
    fn send(&mut self) {
        let requests = [(RANGE, serializable_get()), (RANGE, get()), (PUT, put(QUEUED))];
        for (request, (path, body)) in self.0.iter_mut().zip(requests) {
            request.send(path, &body).expect("the kernel takes what the leader does not");
        }
    }

    fn answers(self) -> Answers {
        std::thread::scope(|scope| {
            let answer = |mut request: Request| scope.spawn(move || (request.answer(), Instant::now()));
            self.0.map(answer).map(|thread| thread.join().expect("it only reads"))
        })
    }
}

/// What was answered, in words: a value, that it is done, or an error.
fn told(answer: Option<&Value>) -> String {
    let Some(answer) = answer else { return "nothing".to_owned() };
    if let Some(error) = answer["error"].as_str() {
        return format!("{error:?}");
    }
    match value_in(answer) {
        "" => "done".to_owned(),
        BEFORE => "the value from before the pause".to_owned(),
        DURING => "the value written during the pause".to_owned(),
        QUEUED => "the queued value".to_owned(),
        other => other.to_owned(),
    }
}

fn reelection(lab: &Lab) {
    let mut clusters = [Cluster::start(lab, "bare", None), Cluster::start(lab, "node", Some(&[]))];
    let old = clusters.each_mut().map(Cluster::ready);
    let mut queued = [0, 1].map(|at| Queued::connect(clusters[at].ports[old[at].by]));

    let node = format!("node{}", old[1].by);
    let pause = Pause::lasting(lab, clusters[0].live[old[0].by].pid(), &node, LENGTH);
    queued.iter_mut().for_each(Queued::send);
    let mut replaced = [None; 2];
    eventually("both clusters have another leader", || {
        for (at, cluster) in clusters.iter().enumerate() {
            if replaced[at].is_some() {
                continue;
            }
            let others = [1, 2].map(|more| cluster.led((old[at].by + more) % 3));
            if let [Some(one), Some(other)] = others
                && one == other
                && one.by != old[at].by
            {
                replaced[at] = Some((one, pause.age()));
            }
        }
        replaced.iter().all(Option::is_some).then_some(())
    });
    let replaced = replaced.map(|new| new.expect("it has been replaced"));
    for (cluster, (new, _)) in clusters.iter().zip(&replaced) {
        eventually("the new leader takes a write", || {
            ask(cluster.ports[new.by], PUT, &put(DURING)).map(drop)
        });
    }
    pause.expect_on();

    let (woken, answers, stepped_down) = std::thread::scope(|scope| {
        let threads = queued.map(|queued| scope.spawn(|| queued.answers()));
        let woken = pause.end();
        let stepped_down = [0, 1].map(|at| {
            let new = clusters[at].agreed(old[at].term);
            assert!(new.term >= replaced[at].0.term);
            woken[at].elapsed()
        });
        (woken, threads.map(|thread| thread.join().expect("it only reads")), stepped_down)
    });
    let mut report = String::new();
    for (at, cluster) in clusters.iter().enumerate() {
        let side = SIDES[at];
        report += &format!("\n  {side}: replaced after {:.1?}; the old leader answers", replaced[at].1);
        let names = ["a serializable get", "a get", "a put"];
        for (name, (answer, when)) in names.iter().zip(&answers[at]) {
            assert!(*when >= woken[at], "{side}: a frozen leader answers {answer:?} to {name}");
            let after = when.saturating_duration_since(woken[at]);
            report += &format!(" {name} with {} {after:.1?} after waking,", told(answer.as_ref()));
        }
        report += &format!(" and has stepped down {:.1?} after it", stepped_down[at]);
        // It must ask the others before it answers this one.
        let linearizable = answers[at][1].0.as_ref().map_or("", value_in);
        assert_ne!(linearizable, BEFORE, "{side}: a linearizable read is stale:{report}");
        cluster.expect_healed(old[at].by);
    }
    eprintln!("etcd: the leader frozen for {LENGTH:?}:{report}");
    for cluster in clusters {
        cluster.end();
    }
}
