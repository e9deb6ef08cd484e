//! What a choice is made of, and what it selects.

use super::*;

fn words(text: &str) -> Vec<OsString> {
    text.split_whitespace().map(OsString::from).collect()
}

#[test]
fn a_choice_is_of_one_kind() {
    assert!(Choice::of(&[], &[]).unwrap().is_everything());
    let only = Choice::of(&words("etcd /usr/bin/redis-server"), &[]).unwrap();
    assert_eq!((only.only(), only.skip()), (words("etcd /usr/bin/redis-server"), vec![]));
    assert_eq!(only.to_string(), "--only etcd --only /usr/bin/redis-server");
    let skip = Choice::of(&[], &words("sh")).unwrap();
    assert_eq!((skip.only(), skip.skip()), (vec![], words("sh")));
    assert_eq!(skip.to_string(), "--skip sh");
    let err = Choice::of(&words("a"), &words("b")).unwrap_err();
    assert!(err.why().contains("exclude"), "{err}");
}

#[test]
fn a_relative_path_is_taken_from_here() {
    let here = std::env::current_dir().unwrap();
    let choice = Choice::of(&words("./app"), &[]).unwrap();
    assert!(choice.selects(&here.join("app")));
    assert!(!choice.selects(Path::new("/usr/bin/app")));
}

#[test]
fn what_names_no_file_is_refused() {
    for name in ["", "/", "a/", "a\0"] {
        let err = Choice::of(&[name.into()], &[]).unwrap_err();
        assert!(err.help().unwrap().contains("--only etcd"), "{name:?}: {err}");
    }
    let long = vec![OsString::from("x".repeat(250)); 20];
    assert!(Choice::of(&[], &long).unwrap_err().why().contains("4096 bytes"));
}

#[test]
fn a_process_is_named_by_how_it_was_executed_and_by_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("a-link-to-sleep");
    std::os::unix::fs::symlink("/bin/sleep", &link).unwrap();
    let mut child = std::process::Command::new(&link).arg("60").spawn().unwrap();
    let id = ProcessId::of(i32::try_from(child.id()).unwrap()).unwrap();
    // `spawn` returns while the kernel still puts its stack together.
    while executed_as(id.pid).is_none() {
        std::thread::yield_now();
    }
    for name in ["a-link-to-sleep", "sleep"] {
        assert!(Choice::of(&words(name), &[]).unwrap().selects_process(id), "{name}");
        assert!(!Choice::of(&[], &words(name)).unwrap().selects_process(id), "{name}");
    }
    assert!(!Choice::of(&words("sh"), &[]).unwrap().selects_process(id));
    child.kill().unwrap();
    child.wait().unwrap();
}
