//! Real programs, each made by the tool that makes such programs.
//!
//! A test whose tool is missing is skipped with a line that names the package; with `CI` set it fails.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use tempfile::TempDir;

use super::super::elf::Libc;
use super::super::file_caps::FileCaps;
use super::super::means::{Preload, Reach};
use super::*;

/// Whether the shim gets into it.
fn preloadable(program: &Program) -> Result<()> {
    Preload.can_reach(program)
}

const SOURCE: &str = "int main(void) { return 0; }\n";
/// Somebody else than root and than the user who runs the tests.
fn somebody_else() -> Caller {
    let id = Caller::current().ruid + 1;
    Caller { ruid: id, euid: id, rgid: id, egid: id, no_new_privs: false, may_trace: false }
}

fn scratch() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Skips a test, unless it runs where everything should be installed.
fn skip(package: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI has to have the package {package}");
    println!("skipped: install the package {package}");
}

/// Compiles a C program; `None`, and said so, where compiler or library is missing.
fn compiled(dir: &TempDir, package: &str, compiler: &str, flags: &[&str]) -> Option<PathBuf> {
    let source = dir.path().join("main.c");
    let program = dir.path().join("program");
    fs::write(&source, SOURCE).unwrap();
    let made = Command::new(compiler).args(flags).arg("-o").args([&program, &source]).output();
    if made.is_ok_and(|made| made.status.success()) {
        return Some(program);
    }
    skip(package);
    None
}

fn executable(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Classifies a program that has to be refused: what it is, and the refusal.
fn refused(path: &Path) -> (Program, Error) {
    let program = classify(path).unwrap();
    let err = preloadable(&program).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotApplied, "{err}");
    assert!(err.help().is_some(), "{err}");
    (program, err)
}

#[test]
fn a_dynamic_program_is_taken() {
    let program = classify(Path::new("/bin/true")).unwrap();
    assert_eq!(program.to_string(), format!("{}", program.kind));
    assert!(matches!(program.kind, Kind::Dynamic(_)), "{program:?}");
    preloadable(&program).unwrap();
}

#[test]
fn gcc_makes_dynamic_programs() {
    let dir = scratch();
    for flags in [["-m64", "-pie"], ["-m64", "-no-pie"]] {
        let Some(path) = compiled(&dir, "gcc", "gcc", &flags) else {
            return;
        };
        let program = classify(&path).unwrap();
        assert_eq!(program.to_string(), "dynamic, glibc");
        preloadable(&program).unwrap();
    }
}

#[test]
fn musl_programs_are_taken() {
    let dir = scratch();
    let Some(path) = compiled(&dir, "musl-tools", "musl-gcc", &[]) else {
        return;
    };
    let program = classify(&path).unwrap();
    assert_eq!(program.to_string(), "dynamic, musl");
    preloadable(&program).unwrap();
}

#[test]
fn static_programs_are_refused() {
    let dir = scratch();
    for (flag, kind) in [("-static", Kind::Static), ("-static-pie", Kind::StaticPie)] {
        let Some(path) = compiled(&dir, "gcc libc6-dev", "gcc", &["-m64", flag]) else {
            return;
        };
        let (program, err) = refused(&path);
        assert_eq!(program.kind, kind);
        assert!(err.help().unwrap().starts_with("use a dynamically linked build"), "{err}");
    }
}

/// Builds a Go program without cgo; `None`, and said so, where Go is missing.
fn built_by_go(dir: &TempDir, mode: &str, link: &str) -> Option<PathBuf> {
    let (source, path) = (dir.path().join("main.go"), dir.path().join("program"));
    fs::write(&source, "package main\n\nfunc main() {}\n").unwrap();
    let made = Command::new("go")
        .args(["build", "-buildmode", mode, "-ldflags", link, "-o"])
        .args([&path, &source])
        .envs([("CGO_ENABLED", "0"), ("GO111MODULE", "off"), ("GOFLAGS", "")])
        .env("GOCACHE", dir.path().join("cache"))
        .output();
    if made.is_ok_and(|made| made.status.success()) {
        return Some(path);
    }
    skip("golang-go");
    None
}

#[test]
fn go_programs_are_known() {
    let dir = scratch();
    for (mode, link, kind) in [
        ("exe", "", Kind::GoStatic),
        ("exe", "-s -w", Kind::GoStatic),
        ("exe", "-s -w -buildid=", Kind::GoStatic),
        ("pie", "", Kind::GoDynamic(Libc::Glibc)),
        ("pie", "-s -w -buildid=", Kind::GoDynamic(Libc::Glibc)),
    ] {
        let Some(path) = built_by_go(&dir, mode, link) else {
            return;
        };
        let program = classify(&path).unwrap();
        assert_eq!(program.kind, kind, "{mode} {link}");
        assert_eq!(super::kind(&path), Some(kind));
        assert_eq!(preloadable(&program).is_ok(), matches!(kind, Kind::GoDynamic(_)));
    }
}

#[test]
fn a_go_program_without_build_id_and_sections_is_known_by_its_data() {
    use std::os::unix::fs::FileExt;
    let dir = scratch();
    let Some(path) = built_by_go(&dir, "exe", "-s -w -buildid=") else {
        return;
    };
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    // e_shoff; e_shnum and e_shstrndx.
    file.write_all_at(&[0; 8], 40).unwrap();
    file.write_all_at(&[0; 4], 60).unwrap();
    drop(file);
    assert_eq!(classify(&path).unwrap().kind, Kind::GoStatic);
    assert!(Command::new(&path).status().unwrap().success(), "it still runs");
}

#[test]
fn sanitizers_are_refused() {
    let dir = scratch();
    for (flags, sanitizer) in [
        (["-fsanitize=address", "-g"], Sanitizer::Address),
        (["-fsanitize=address", "-static-libasan"], Sanitizer::Address),
        (["-fsanitize=thread", "-g"], Sanitizer::Thread),
        (["-fsanitize=leak", "-g"], Sanitizer::Leak),
    ] {
        let Some(path) = compiled(&dir, "gcc with libasan, libtsan and liblsan", "gcc", &flags) else {
            return;
        };
        let (program, err) = refused(&path);
        assert_eq!(program.sanitizer, Some(sanitizer), "{flags:?}");
        assert!(err.help().unwrap().contains("must come first"), "{err}");
    }
}

#[test]
fn a_32_bit_program_is_refused() {
    let dir = scratch();
    let path = dir.path().join("program");
    let mut header = vec![0_u8; 52];
    header[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
    header[16..20].copy_from_slice(&[2, 0, 3, 0]);
    executable(&path, header);
    let (_, err) = refused(&path);
    assert_eq!(err.help(), Some("build or install the 64-bit one"));
}

#[test]
fn scripts_are_followed_to_what_runs() {
    let dir = scratch();
    let [first, second, env] = ["first", "second", "env-script"].map(|name| dir.path().join(name));
    executable(&second, "#!/bin/sh -e\n");
    executable(&first, format!("#! {} x\n", second.display()));
    let program = classify(&first).unwrap();
    assert_eq!(program.interpreters, [second.clone(), PathBuf::from("/bin/sh")]);
    assert_eq!(program.to_string(), "script run by /bin/sh");
    preloadable(&program).unwrap();

    for line in ["#!/usr/bin/env sh\n", "#!/usr/bin/env -S sh -e\n", "#!/usr/bin/env -S A=1 sh\n"] {
        executable(&env, line);
        let program = classify_for(&env, &Caller::current(), Some(OsStr::new("/none:/bin"))).unwrap();
        assert_eq!(program.file, Path::new("/bin/sh"), "{line}");
        preloadable(&program).unwrap();
    }
    executable(&env, "#!/usr/bin/env -S -i sh\n");
    let (_, err) = refused(&env);
    assert!(err.why().contains("takes LD_PRELOAD out"), "{err}");
}

#[test]
fn a_script_with_a_static_interpreter_is_refused() {
    let dir = scratch();
    let Some(interpreter) = compiled(&dir, "gcc libc6-dev", "gcc", &["-m64", "-static"]) else {
        return;
    };
    let script = dir.path().join("script");
    executable(&script, format!("#!{}\n", interpreter.display()));
    let (_, err) = refused(&script);
    assert!(err.why().starts_with("its interpreter "), "{err}");
}

#[test]
fn text_without_a_first_line_goes_to_the_shell() {
    let dir = scratch();
    let path = dir.path().join("text");
    for text in ["echo hello\n", ""] {
        executable(&path, text);
        let program = classify(&path).unwrap();
        assert!(program.by_shell_fallback);
        assert_eq!(program.to_string(), "script run by /bin/sh");
        preloadable(&program).unwrap();
    }
}

#[test]
fn what_cannot_be_executed_says_why() {
    let dir = scratch();
    let path = dir.path().join("broken");
    let true_program = fs::read("/bin/true").unwrap();
    for (content, kind, why) in [
        (b"#!/no/such/interpreter\n".as_slice(), ErrorKind::CannotExecute, "does not exist"),
        (b"#!/bin/sh\r\n", ErrorKind::CannotExecute, "carriage return"),
        (b"#!/usr/bin/env\n", ErrorKind::CannotExecute, "no program for it"),
        (b"#!/usr/bin/env falseticker-no-such\n", ErrorKind::NotFound, "no such command"),
        (b"PK\x03\x04\0\0", ErrorKind::CannotExecute, "neither"),
        (&true_program[..100], ErrorKind::CannotExecute, "damaged"),
    ] {
        executable(&path, content);
        let err = classify(&path).unwrap_err();
        assert_eq!(err.kind(), kind, "{err}");
        assert!(err.why().contains(why) && err.help().is_some(), "{err}");
    }
    executable(&path, format!("#!{}\n", path.display()));
    assert!(classify(&path).unwrap_err().why().contains("more than 5 deep"));
    assert_eq!(classify(dir.path()).unwrap_err().kind(), ErrorKind::CannotExecute);
    assert_eq!(classify(&dir.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_missing_loader_is_named() {
    let dir = scratch();
    let flags = ["-m64", "-Wl,--dynamic-linker=/no/such/ld-musl-x86_64.so.1"];
    let Some(path) = compiled(&dir, "gcc", "gcc", &flags) else {
        return;
    };
    let err = preloadable(&classify(&path).unwrap()).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::CannotExecute);
    assert!(err.why().contains("/no/such/ld-musl-x86_64.so.1"), "{err}");
}

#[test]
fn a_setuid_copy_is_refused_to_everybody_but_its_owner() {
    let dir = scratch();
    let path = dir.path().join("copy");
    fs::copy("/bin/true", &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).unwrap();
    preloadable(&classify(&path).unwrap()).unwrap();

    // As another user would see it, wherever the scratch directory is mounted.
    let owner = fs::metadata(&path).unwrap().uid();
    let rights = FileRights { nosuid: false, ..FileRights::of(&File::open(&path).unwrap()).unwrap() };
    let mut program = classify(&path).unwrap();
    program.raised = raised(&rights, &somebody_else());
    assert_eq!(program.raised, Some(Raised::Setuid(owner)));
    let err = preloadable(&program).unwrap_err();
    assert!(err.help().unwrap().starts_with("run a copy without the bit"), "{err}");
}

#[test]
fn file_capabilities_are_read_from_the_file() {
    let dir = scratch();
    let path = dir.path().join("copy");
    fs::copy("/bin/true", &path).unwrap();
    match Command::new("setcap").arg("cap_sys_time+ep").arg(&path).output() {
        Err(_) => return skip("libcap2-bin"),
        Ok(set) if !set.status.success() => return println!("skipped: only root can give capabilities"),
        Ok(_) => {}
    }
    let rights = FileRights::of(&File::open(&path).unwrap()).unwrap();
    assert_eq!(rights.caps, Some(FileCaps { effective: true, permitted: 1 << 25 }));
    let program = classify_for(&path, &somebody_else(), None).unwrap();
    let raised = program.raised;
    assert!(rights.nosuid || raised == Some(Raised::Capabilities), "{raised:?}");
}

#[test]
fn the_loader_itself_is_taken() {
    let Some(loader) = classify(Path::new("/bin/true")).unwrap().loader else {
        return;
    };
    let program = classify(&loader).unwrap();
    assert!(matches!(program.kind, Kind::Loader(_)), "{program:?}");
    preloadable(&program).unwrap();
}
