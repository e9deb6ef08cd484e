//! Directories that will do, and each way in which one will not.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::error::ErrorKind;

fn tmpfs() -> TempDir {
    tempfile::Builder::new().prefix("falseticker-test-").tempdir_in("/dev/shm").unwrap()
}

fn explicit(path: impl Into<OsString>) -> Wishes {
    Wishes { explicit: Some(path.into()), runtime_dir: None, ..Wishes::of_environment() }
}

fn refused(wishes: &Wishes) -> Error {
    let err = BaseDir::choose(wishes).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotApplied);
    assert!(err.help().is_some(), "{err}");
    err
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

#[test]
fn it_is_made_for_its_owner_alone() {
    let dir = tmpfs();
    let base = BaseDir::choose(&explicit(dir.path().join("nodes"))).unwrap();
    assert!(!base.path().exists(), "finding makes nothing");
    base.make(Access::Private).unwrap();
    assert_eq!(mode(base.path()), 0o700);
    base.make(Access::Private).unwrap();
    base.remove_if_empty();
    assert!(base.path().exists(), "what the user named is the user's");
}

#[test]
fn a_default_is_removed_when_empty() {
    let shm = tmpfs();
    let wishes =
        Wishes { explicit: None, runtime_dir: None, shm: shm.path().to_owned(), ..Wishes::of_environment() };
    let base = BaseDir::choose(&wishes).unwrap();
    assert_eq!(base.path(), shm.path().join(format!("falseticker-{}", wishes.uid)));
    base.make(Access::Private).unwrap();
    fs::write(base.path().join("x"), "").unwrap();
    base.remove_if_empty();
    assert!(base.path().exists());
    fs::remove_file(base.path().join("x")).unwrap();
    base.remove_if_empty();
    assert!(!base.path().exists());
}

#[test]
fn sharing_lets_others_through_if_they_get_that_far() {
    let dir = tmpfs();
    let base = BaseDir::choose(&explicit(dir.path().join("nodes"))).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    let err = base.make(Access::Shared).unwrap_err();
    assert!(err.why().contains("cannot get through"), "{err}");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).unwrap();
    base.make(Access::Shared).unwrap();
    assert_eq!(mode(base.path()), 0o711);
    base.make(Access::Private).unwrap();
    assert_eq!(mode(base.path()), 0o711, "a shared node may still be in it");
}

#[test]
fn what_was_asked_for_is_used_or_refused() {
    let dir = tmpfs();
    for name in ["with space", "with:colon", "with\nnewline", "with\ttab", "with$ORIGIN"] {
        let err = refused(&explicit(dir.path().join(name)));
        assert!(err.why().contains("LD_PRELOAD"), "{err}");
    }
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(refused(&explicit(&file)).why().contains("not a directory"));
    let link = dir.path().join("link");
    symlink(dir.path(), &link).unwrap();
    assert!(refused(&explicit(&link)).why().contains("symbolic link"));
    let open = dir.path().join("open");
    for bits in [0o770, 0o707, 0o1777] {
        let _ = fs::create_dir(&open);
        fs::set_permissions(&open, Permissions::from_mode(bits)).unwrap();
        assert!(refused(&explicit(&open)).help().unwrap().starts_with("chmod go-w"));
    }
    let other = Wishes { uid: geteuid().as_raw() + 1, ..explicit(dir.path()) };
    assert!(refused(&other).why().contains("belongs to user"));
    assert!(refused(&explicit("relative/dir")).why().contains("not absolute"));
    assert!(refused(&explicit(dir.path().join("no/such"))).help().unwrap().contains("make that directory"));
    assert!(refused(&explicit("/proc/falseticker")).why().contains("tmpfs"));
    // Bytes that are not UTF-8 are nothing special.
    let odd = OsString::from_vec([dir.path().as_os_str().as_bytes(), b"/\xff"].concat());
    BaseDir::choose(&explicit(odd)).unwrap().make(Access::Private).unwrap();
}

#[test]
fn defaults_give_way_to_one_another() {
    let shm = tmpfs();
    let run = tmpfs();
    let wishes = |runtime_dir: &Path| Wishes {
        explicit: None,
        runtime_dir: Some(runtime_dir.as_os_str().to_owned()),
        shm: shm.path().to_owned(),
        ..Wishes::of_environment()
    };
    let chosen = |runtime_dir: &Path| BaseDir::choose(&wishes(runtime_dir)).unwrap().path().to_owned();
    assert_eq!(chosen(run.path()), run.path().join("falseticker"));
    let fallback = shm.path().join(format!("falseticker-{}", geteuid()));
    for passed_over in [Path::new("/no/such/dir"), Path::new("relative"), Path::new("/proc")] {
        assert_eq!(chosen(passed_over), fallback);
    }
    // Somebody who can write in the default is no reason to look elsewhere: it is refused.
    let dir = run.path().join("falseticker");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
    assert!(refused(&wishes(run.path())).why().contains("others can write"));
}

/// A tmpfs of the test's own, unmounted at its end.
struct Mount(TempDir);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_noexec_mount_is_refused_or_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "noexec", "none"]).arg(dir.path()).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        return println!("skipped: only root can mount a tmpfs (package mount)");
    }
    let mount = Mount(dir);
    let path = mount.0.path();
    for asked in [path.to_owned(), path.join("nodes")] {
        fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
        let err = refused(&explicit(asked));
        assert!(err.help().unwrap().contains(&format!("mount -o remount,exec {}", path.display())), "{err}");
    }
    let shm = tmpfs();
    let wishes = Wishes {
        explicit: None,
        runtime_dir: Some(path.as_os_str().to_owned()),
        shm: shm.path().to_owned(),
        ..Wishes::of_environment()
    };
    assert!(BaseDir::choose(&wishes).unwrap().path().starts_with(shm.path()));
}
