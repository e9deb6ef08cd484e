//! The recipes for others' test suites, as they stand in `examples`, tried.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;

use crate::harness::{Lab, binary, spec};

pub fn trials() -> Vec<Trial> {
    vec![
        spec("recipes: pytest, in a fresh virtual environment")
            .needs("python3", "python3-venv")
            .where_possible(can_install)
            .shown_by(pytest),
    ]
}

/// Whether pip reaches an index; in CI it has to.
fn can_install() -> Result<(), String> {
    let asks = || Command::new("python3").args(["-m", "pip", "index", "versions", "pytest"]).output();
    if std::env::var_os("CI").is_some() || asks().is_ok_and(|asked| asked.status.success()) {
        return Ok(());
    }
    Err("pip does not reach an index from which it could install pytest".to_owned())
}

fn pytest(lab: &Lab) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pytest");
    let environment = lab.path("venv");
    lab.command("python3", ["-m", "venv"]).arg(&environment).done().expect_code(0);
    let python = environment.join("bin/python");
    lab.command(&python, ["-m", "pip", "install", "-q", "pytest"]).done().expect_code(0);
    let done = lab
        .command(&python, ["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .env("FALSETICKER", binary())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(folder)
        .done();
    assert!(done.expect_code(0).stdout.contains("5 passed"));
}
