//! A place of its own for every test: a directory for nodes, one for whatever else, and a journal of what was done.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use falseticker::Node;
use falseticker::node::NodeDir;
use falseticker::node::base_dir::{BaseDir, Wishes};
use serde_json::Value;
use tempfile::TempDir;

use super::live::Transcript;
use super::processes::{self, Process};
use super::{Command, Live, Probe, Target, eventually};

/// What a lab remembers of its commands, for the report of a failure.
pub type Journal = Rc<RefCell<Entries>>;

/// The entries of a journal.
#[derive(Default)]
pub struct Entries(Vec<Entry>);

enum Entry {
    /// A command that ended: as it was typed, all about it, and how often it was given in a row.
    Done(String, String, usize),
    Live(Arc<Transcript>),
}

impl Entries {
    /// Adds a command that ended; of one that is repeated until something is so, the last time counts.
    pub fn add(&mut self, shown: &str, report: String) {
        match self.0.last_mut() {
            Some(Entry::Done(last, told, times)) if last == shown => (*told, *times) = (report, *times + 1),
            _ => self.0.push(Entry::Done(shown.to_owned(), report, 1)),
        }
    }

    pub fn add_live(&mut self, transcript: Arc<Transcript>) {
        self.0.push(Entry::Live(transcript));
    }
}

impl Entry {
    fn tell(&self) -> String {
        match self {
            Entry::Done(_, report, 1) => report.clone(),
            Entry::Done(_, report, times) => format!("({times} times, of which the last:)\n{report}"),
            Entry::Live(transcript) => transcript.report(),
        }
    }
}

/// See the head of this file.
pub struct Lab {
    nodes: TempDir,
    scratch: TempDir,
    journal: Journal,
}

impl Lab {
    pub fn new() -> Self {
        let folder = |prefix, above: &str| {
            tempfile::Builder::new()
                .prefix(prefix)
                .tempdir_in(above)
                .expect("a temporary directory can be made")
        };
        Lab {
            nodes: folder("falseticker-lab-", "/dev/shm"),
            scratch: folder("falseticker-lab-", "/tmp"),
            journal: Journal::default(),
        }
    }

    /// The directory of the lab's nodes.
    pub fn nodes(&self) -> &Path {
        self.nodes.path()
    }

    /// A name for a node that no other lab has: for what nodes of all labs share, control groups above all.
    pub fn own_name(&self) -> &str {
        let name = self.nodes().file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.trim_start_matches("falseticker-lab-")
    }

    /// A path for whatever the test needs on a disk.
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// A copy of a program that is to be run. By a process of its own: a child that another test forks while this one has the copy
    /// open for writing would have it too, and a file that is written to cannot be run.
    pub fn copy_of(&self, program: &Path, name: &str) -> PathBuf {
        let copy = self.path(name);
        self.command("cp", [program, &copy]).done().expect_code(0);
        copy
    }

    /// Any command, with the lab's nodes; nothing of its environment leads to other nodes.
    pub fn command<S: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let command = Command::new(program, Rc::clone(&self.journal)).args(arguments);
        command.env("FALSETICKER_DIR", self.nodes()).env_remove("FALSETICKER_LOG").env_remove("LD_PRELOAD")
    }

    /// A command of the tool: what it says and its exit code.
    pub fn falseticker<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> super::Done {
        self.command(binary(), arguments).done()
    }

    /// `falseticker run --node NODE FLAGS -- PROGRAM`, for [`Command::done`] or [`Command::live`].
    pub fn run<S: AsRef<OsStr>>(
        &self,
        node: &str,
        flags: &[&str],
        program: impl IntoIterator<Item = S>,
    ) -> Command {
        self.command(binary(), ["run", "--node", node]).args(flags).arg("--").args(program)
    }

    /// The probe, running in a node.
    pub fn probe(&self, node: &str, flags: &[&str], target: &Target) -> Probe {
        Probe::new(self.run(node, flags, [target.path()]).live())
    }

    /// A target program by the name of its source in `tests/targets/`.
    pub fn target(&self, name: &str) -> Target {
        Target::new(name)
    }

    /// Gives a fault and returns the instant of the host's clock from which on it is in force.
    #[track_caller]
    pub fn fault(&self, arguments: &[&str]) -> i64 {
        self.fault_json(arguments)["at_ns"].as_i64().expect("a fault says when it takes effect")
    }

    /// Gives a fault and returns all that it says.
    #[track_caller]
    pub fn fault_json(&self, arguments: &[&str]) -> Value {
        self.falseticker(arguments.iter().chain(&["--json"])).expect_code(0).json()
    }

    /// What `status` says of a node.
    #[track_caller]
    pub fn status(&self, node: &str) -> Value {
        let status = self.falseticker(["status", node, "--json"]).expect_code(0).json();
        status["nodes"][0].clone()
    }

    /// A node of the lab, as a program that uses the library has it.
    #[track_caller]
    pub fn node(&self, name: &str) -> Node {
        let wishes = Wishes {
            explicit: Some(self.nodes().into()),
            runtime_dir: None,
            shm: "/dev/shm".into(),
            uid: nix::unistd::geteuid().as_raw(),
        };
        let opened = BaseDir::choose(&wishes)
            .and_then(|base| NodeDir::open(&base, &name.parse()?))
            .and_then(Node::of_dir);
        opened.unwrap_or_else(|why| panic!("node {name}: {why}"))
    }

    /// Waits until `status` says of a node what is wanted; the node may not be there yet.
    #[track_caller]
    pub fn status_until<T>(&self, node: &str, what: &str, mut is_so: impl FnMut(&Value) -> Option<T>) -> T {
        eventually(what, || {
            let status = self.falseticker(["status", node, "--json"]);
            if status.code == 0 { is_so(&status.json()["nodes"][0]) } else { None }
        })
    }

    /// The processes that belong to this lab, wherever they came from.
    pub fn processes(&self) -> Vec<Process> {
        processes::all().into_iter().filter(|process| process.knows(self.nodes())).collect()
    }

    /// The names in the lab's directory of nodes.
    pub fn left_in_nodes(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.nodes()) else { return Vec::new() };
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// All that a reader of a failed test wants to know.
    pub fn diagnosis(&self) -> String {
        let mut text = String::new();
        let lines: Vec<String> = self.journal.borrow().0.iter().map(Entry::tell).collect();
        let skipped = lines.len().saturating_sub(24);
        text += &format!("--- commands ({skipped} earlier ones left out)\n");
        text.extend(lines.into_iter().skip(skipped));
        let status = self.command(binary(), ["status", "--json"]).done();
        text += &format!("--- status\n{}", status.report());
        for process in self.processes() {
            text += &format!("--- left: {} {} ({})\n", process.pid, process.command, process.state);
        }
        text
    }

    /// Asserts that no process of this lab runs any more and that no file of a node is left.
    #[track_caller]
    pub fn leaves_nothing(&self) {
        let begun = std::time::Instant::now();
        loop {
            let (processes, files) = (self.processes(), self.left_in_nodes());
            if processes.is_empty() && files.is_empty() {
                return;
            }
            let patient = begun.elapsed() < std::time::Duration::from_secs(5);
            assert!(patient, "something is left behind: processes {processes:?}, nodes {files:?}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Ends whatever a failed test left running.
    pub fn clear(&self) {
        for _ in 0..50 {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for process in left {
                process.kill();
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// A program without the tool, as its truth.
    pub fn bare<S: AsRef<OsStr>>(&self, program: impl IntoIterator<Item = S>) -> super::Done {
        let mut words = program.into_iter();
        let first = words.next().expect("a program has a name");
        self.command(first.as_ref(), words).done()
    }

    /// A program in a node that exists already, not as a child of `run`.
    pub fn in_node<S: AsRef<OsStr>>(&self, node: &str, program: impl IntoIterator<Item = S>) -> Command {
        let lines = self.falseticker(["env", node]).expect_code(0);
        let mut words = program.into_iter();
        let first = words.next().expect("a program has a name");
        let mut command = self.command(first.as_ref(), words);
        for line in lines.stdout.lines() {
            let (key, value) = line.split_once('=').expect("env prints KEY=VALUE");
            command = command.env(key, value);
        }
        command
    }

    /// The probe in a node that exists already.
    pub fn probe_in_node(&self, node: &str, target: &Target) -> Probe {
        Probe::new(self.in_node(node, [target.path()]).live())
    }
}

/// A live program that is in no node.
impl Lab {
    pub fn bare_live<S: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = S>,
    ) -> Live {
        self.command(program, arguments).live()
    }
}

/// The tool.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_falseticker")
}
