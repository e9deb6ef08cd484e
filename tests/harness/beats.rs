//! A program that can be seen to run, or not to: each of its threads notes when it last ran (`tests/targets/beats.c`).

use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::{Lab, Live, eventually, mono};

/// How long it is watched when it must not move: it runs every half millisecond if it can.
const WATCHED: Duration = Duration::from_millis(30);

pub struct Beats {
    pub live: Live,
    pub pid: i32,
    file: std::fs::File,
    threads: u64,
}

impl Beats {
    /// One of so many workers in a node, and the main thread.
    #[track_caller]
    pub fn start(lab: &Lab, node: &str, workers: u64) -> Beats {
        let (path, program) = (lab.path(&format!("beats-{node}")), lab.target("beats").path());
        let words =
            [program.as_os_str(), path.as_os_str(), workers.to_string().as_ref()].map(ToOwned::to_owned);
        let mut live = lab.run(node, &[], words).live();
        let line = live.line_where(|line| line.starts_with("pid "));
        let pid = line.rsplit(' ').next().and_then(|pid| pid.parse().ok()).expect("a pid");
        let file = std::fs::File::open(path).expect("it has made its file");
        let beats = Beats { live, pid, file, threads: workers + 1 };
        beats.expect_running();
        beats
    }

    /// When its threads last ran, on the host's CLOCK_MONOTONIC: the main thread first.
    #[track_caller]
    pub fn last_ran(&self) -> Vec<i64> {
        let read = |thread| {
            let mut nanos = [0; 8];
            self.file.read_exact_at(&mut nanos, 8 * thread).expect("its file is long enough");
            i64::from_ne_bytes(nanos)
        };
        (0..self.threads).map(read).collect()
    }

    /// Watches these threads stand still.
    #[track_caller]
    pub fn expect_still_of(&self, threads: &[usize]) {
        let before = self.last_ran();
        std::thread::sleep(WATCHED);
        let after = self.last_ran();
        for thread in threads {
            assert_eq!(after[*thread], before[*thread], "thread {thread} runs");
        }
    }

    /// Watches all of it stand still.
    #[track_caller]
    pub fn expect_still(&self) {
        let all: Vec<usize> = (0..self.last_ran().len()).collect();
        self.expect_still_of(&all);
    }

    /// Waits until each of these threads has run once more.
    #[track_caller]
    pub fn expect_running_of(&self, threads: &[usize]) {
        let asked = mono();
        eventually("it runs", || {
            let ran = self.last_ran();
            threads.iter().all(|thread| ran[*thread] > asked).then_some(())
        });
    }

    /// Waits until every thread has run once more.
    #[track_caller]
    pub fn expect_running(&self) {
        let all: Vec<usize> = (0..self.last_ran().len()).collect();
        self.expect_running_of(&all);
    }

    /// Ends it.
    #[track_caller]
    pub fn end(mut self) {
        self.expect_running();
        self.live.finish();
    }
}
