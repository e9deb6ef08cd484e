//! A panic on a terminal of its own: what it leaves there.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};

use super::Screen;

const SAID: &str = "a picture that cannot be drawn";

/// Run by the test below, where it has a terminal.
#[test]
#[ignore = "takes the terminal, and panics on it"]
fn panics() {
    let mut screen = Screen::take().expect("a terminal");
    screen.draw(|_| panic!("{SAID}")).expect("it does not come to that");
}

/// All that a program writes to a terminal until the last one has closed it.
fn written(master: OwnedFd) -> String {
    let (mut master, mut bytes, mut some) = (File::from(master), Vec::new(), [0; 4096]);
    // The end of a terminal is an error, EIO (pty(7)).
    while let Ok(length @ 1..) = master.read(&mut some) {
        bytes.extend_from_slice(&some[..length]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_told_then() {
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(Some(&size), None).expect("a terminal");
    let before = tcgetattr(slave.as_fd()).expect("its modes");
    assert!(before.local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO));
    let stdio = || Stdio::from(slave.try_clone().expect("another name of it"));
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "cli::watch::screen::tests::panics", "--ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "0")
        .stdin(stdio())
        .stdout(stdio())
        .stderr(stdio())
        .spawn();
    let mut child = child.expect("it starts");
    let ours = slave.try_clone().expect("another name of it");
    drop(slave);
    let (told, code) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || written(master));
        let code = child.wait().expect("it ends");
        let after = tcgetattr(ours.as_fd()).expect("its modes");
        assert_eq!(after, before);
        drop(ours);
        (reader.join().expect("it is read"), code)
    });
    assert!(!code.success());
    let place = |what: &str| told.find(what).unwrap_or_else(|| panic!("no {what:?} in {told:?}"));
    let (taken, given_back) = (place("\x1b[?1049h"), place("\x1b[?1049l"));
    let (hidden, shown) = (place("\x1b[?25l"), place("\x1b[?25h"));
    assert!(taken < given_back && hidden < shown && given_back < place(SAID), "{told:?}");
}
