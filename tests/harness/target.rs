//! Target programs: small C and C++ programs, compiled when first needed, once a run of the tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use tempfile::TempDir;

/// A program of `tests/targets/`, and how it is to be built.
#[derive(Clone)]
pub struct Target {
    name: String,
    compiler: &'static str,
    flags: Vec<String>,
}

struct Cache {
    folder: TempDir,
    built: Mutex<HashMap<String, PathBuf>>,
}

fn cache() -> &'static Cache {
    static CACHE: OnceLock<Cache> = OnceLock::new();
    CACHE.get_or_init(|| Cache {
        folder: tempfile::Builder::new()
            .prefix("falseticker-targets-")
            .tempdir()
            .expect("a temporary directory"),
        built: Mutex::default(),
    })
}

/// Removes what was built; statics are never dropped.
pub fn clear() {
    let _ = std::fs::remove_dir_all(cache().folder.path());
}

/// Where a file of `tests/targets/` is.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets").join(name)
}

impl Target {
    /// Built with the system's C compiler.
    pub fn new(name: &str) -> Self {
        Target { name: name.to_owned(), compiler: "cc", flags: Vec::new() }
    }

    /// Built with musl-gcc instead.
    pub fn musl(self) -> Self {
        Target { compiler: "musl-gcc", ..self }
    }

    /// Written in C++, and built with g++.
    pub fn cplusplus(self) -> Self {
        Target { compiler: "g++", ..self }.flags(["-std=c++20"])
    }

    /// Built with the compiler of that libc: `glibc` or `musl`.
    pub fn of(self, libc: &str) -> Self {
        if libc == "musl" { self.musl() } else { self }
    }

    /// Built with more flags.
    pub fn flags<S: Into<String>>(mut self, flags: impl IntoIterator<Item = S>) -> Self {
        self.flags.extend(flags.into_iter().map(Into::into));
        self
    }

    /// The file, built by now.
    #[track_caller]
    pub fn path(&self) -> PathBuf {
        let key = format!("{}-{}-{}", self.name, self.compiler, self.flags.join(" "));
        // One compiler at a time, and never two for one target.
        let mut built = cache().built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = built.get(&key) {
            return path.clone();
        }
        let ending = if self.compiler == "g++" { "cc" } else { "c" };
        let source = source(&format!("{}.{ending}", self.name));
        let path = cache().folder.path().join(format!("{}-{}", self.name, built.len()));
        let mut compiler = Command::new(self.compiler);
        compiler
            .args(["-D_GNU_SOURCE", "-O1", "-g", "-w", "-pthread", "-o"])
            .arg(&path)
            .arg(source)
            .args(&self.flags);
        let output = compiler.output().unwrap_or_else(|error| panic!("{compiler:?}: {error}"));
        assert!(output.status.success(), "{compiler:?}:\n{}", String::from_utf8_lossy(&output.stderr));
        built.insert(key, path.clone());
        path
    }
}
