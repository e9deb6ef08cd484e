//! A container: a root file system of busybox and whatever a test puts into it, run by runc.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::json;

use super::{Lab, Live, eventually};

/// Where the node's directory is in it: not where it is here.
pub const NODE: &str = "/opt/clock";

/// See the head of this file. Dropped, it ends.
pub struct Container {
    folder: PathBuf,
    name: String,
}

impl Container {
    /// With a busybox and nothing else.
    #[track_caller]
    pub fn new(lab: &Lab) -> Self {
        let container = Container { folder: lab.path("container"), name: format!("ft-{}", lab.own_name()) };
        let busybox = which("busybox").expect("busybox is in PATH");
        container.add(lab, &busybox, "/bin/busybox");
        for folder in ["/proc", NODE] {
            std::fs::create_dir_all(container.inside(folder)).expect("a directory can be made");
        }
        container
    }

    /// Where one of its paths is on this side.
    fn inside(&self, path: &str) -> PathBuf {
        self.folder.join("root").join(path.trim_start_matches('/'))
    }

    /// Copies a file into it.
    #[track_caller]
    pub fn add(&self, lab: &Lab, file: &Path, path: &str) {
        let to = self.inside(path);
        std::fs::create_dir_all(to.parent().expect("it is in a directory")).expect("a directory can be made");
        lab.command("cp", ["-L".as_ref(), file.as_os_str(), to.as_os_str()]).done().expect_code(0);
    }

    /// Copies a dynamic program into it, with the libraries that it is linked with.
    #[track_caller]
    pub fn add_program(&self, lab: &Lab, program: &Path, libc: &str, path: &str) {
        self.add(lab, program, path);
        // musl is its own loader; it would list itself.
        let musl = Path::new("/lib/ld-musl-x86_64.so.1");
        let ldd = if libc == "musl" { lab.command(musl, ["--list"]) } else { lab.command("ldd", [""; 0]) };
        let listed = ldd.arg(program).done().expect_code(0);
        for library in listed.stdout.split_whitespace().filter(|word| word.starts_with('/')) {
            self.add(lab, Path::new(library), library);
        }
    }

    /// Runs a command in it; in a node, if one is given, as the documents say: its directory is mounted, and the shim named.
    #[track_caller]
    pub fn run(&self, lab: &Lab, node: Option<&str>, command: &[&str]) -> Live {
        let mount = |node| {
            json!({
                "destination": NODE, "type": "bind", "source": lab.nodes().join(node), "options": ["bind", "rw"],
            })
        };
        let mounts = [json!({ "destination": "/proc", "type": "proc", "source": "proc" })];
        let preload = format!("LD_PRELOAD={NODE}/falseticker.so");
        let namespaces = ["pid", "mount", "network", "ipc", "uts"];
        let config = json!({
            "ociVersion": "1.0.2",
            "root": { "path": self.inside("/") },
            "process": {
                "cwd": "/", "user": { "uid": 0, "gid": 0 }, "args": command,
                "env": node.map(|_| preload).as_slice(),
            },
            "mounts": mounts.into_iter().chain(node.map(mount)).collect::<Vec<_>>(),
            "linux": { "namespaces": namespaces.map(|kind| json!({ "type": kind })) },
        });
        std::fs::write(self.folder.join("config.json"), config.to_string()).expect("it can be written");
        let words =
            [self.words("run"), vec!["--bundle".into(), self.folder.clone().into_os_string()]].concat();
        lab.command("runc", words).arg("--pid-file").arg(self.pid_file()).arg(&self.name).live()
    }

    /// The pid, here, of the process that was run.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        // The process may be ahead of runc.
        eventually("runc has told the pid", || {
            std::fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()
        })
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.join("pid")
    }

    fn words(&self, command: &str) -> Vec<std::ffi::OsString> {
        let state = self.folder.join("state").into_os_string();
        vec!["--root".into(), state, command.into()]
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // In vain if it has ended, as it should have.
        let _ = std::process::Command::new("runc")
            .args(self.words("delete"))
            .args(["--force", &self.name])
            .output();
    }
}

fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Why containers cannot be run on this machine. Where the variable `CI` is set they must.
pub fn possible() -> Result<(), String> {
    static TRIED: OnceLock<Result<(), String>> = OnceLock::new();
    let attempt = || {
        if std::env::var_os("CI").is_some() {
            return Ok(());
        }
        let lab = Lab::new();
        let container = Container::new(&lab);
        let mut live = container.run(&lab, None, &["/bin/busybox", "true"]);
        match live.end() {
            0 => Ok(()),
            _ => Err(format!("runc does not run a container here: {}", live.transcript().report())),
        }
    };
    TRIED.get_or_init(attempt).clone()
}
