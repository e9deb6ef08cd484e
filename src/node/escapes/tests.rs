//! Processes that no node reached, each for another reason.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::process::Table;

/// A process that is ended with its test.
struct Running(Child);

impl Running {
    /// Starts what copies its input to its output, and waits for it to do so: its exec is over then.
    fn of(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"!").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        Running(child)
    }

    /// Why it is not reached.
    fn why(&self) -> String {
        let pid = i32::try_from(self.0.id()).unwrap();
        why(Table::scan().unwrap().get(pid).unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn cat() -> Command {
    Command::new("cat")
}

#[test]
fn what_its_environment_lacked_is_said() {
    let of = |command: &mut Command| Running::of(command).why();
    let cleared = of(cat().env_clear());
    assert_eq!(cleared, "it was started with a cleared environment, and so without LD_PRELOAD");
    assert_eq!(of(cat().env_remove("LD_PRELOAD")), "it was started without LD_PRELOAD");
    assert_eq!(of(cat().env("LD_PRELOAD", "")), "it was started with another LD_PRELOAD");
    let absent = format!("/no/such/directory/{SHIM_FILE}");
    assert_eq!(
        of(cat().env("LD_PRELOAD", absent)),
        "the shim is not loaded (yet), or ld.so could not load it"
    );
}

#[test]
fn a_static_program_says_so_whatever_its_environment_is() {
    let dir = tempfile::tempdir().unwrap();
    let (source, program) = (dir.path().join("main.c"), dir.path().join("program"));
    std::fs::write(
        &source,
        "#include <unistd.h>\nint main(void) { char c; while (read(0, &c, 1) == 1) write(1, &c, 1); }\n",
    )
    .unwrap();
    let made = Command::new("gcc").arg("-static").arg("-o").args([&program, &source]).output();
    if !made.is_ok_and(|made| made.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "CI has to have gcc and libc6-dev");
        return println!("skipped: install the packages gcc and libc6-dev");
    }
    let why = Running::of(Command::new(&program).env_clear()).why();
    assert_eq!(why, "it is linked statically (static), and its exec was not followed");
}

#[test]
fn a_setuid_program_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let copy: PathBuf = dir.path().join("cat");
    std::fs::copy("/bin/cat", &copy).unwrap();
    let nobody = nix::unistd::Uid::from_raw(65534);
    if nix::unistd::chown(&copy, Some(nobody), None).is_err() {
        return println!("skipped: only root can make a file of somebody else");
    }
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o4755)).unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let rights = FileRights::of(&std::fs::File::open(&copy).unwrap()).unwrap();
    if rights.nosuid {
        return println!("skipped: the scratch directory is mounted nosuid");
    }
    let why = Running::of(&mut Command::new(&copy)).why();
    assert_eq!(why, "it is setuid to user 65534, and ld.so ignored LD_PRELOAD");
}
