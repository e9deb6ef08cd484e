//! The terminal while a picture has it, and as it was afterwards.
//!
//! What must hold: however this program ends, short of SIGKILL, the terminal is as it was before: its modes, its cursor, and
//! what stood on it. A panic restores it first and is told then.

use std::io::{Stdout, Write, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use falseticker::{Error, Result};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::{Frame, Terminal};

/// Whether a picture has the terminal.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal; dropping this gives it back.
pub struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    /// Takes it.
    pub fn take() -> Result<Screen> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let told = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                told(panic);
            }));
        });
        enter()?;
        match Terminal::new(CrosstermBackend::new(stdout())) {
            Ok(terminal) => Ok(Screen(terminal)),
            Err(why) => {
                give_back();
                Err(failed(why))
            }
        }
    }

    /// Draws what has changed.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Frame)) -> Result<()> {
        self.0.draw(picture).map(drop).map_err(failed)
    }

    /// Gives the terminal back and stops, as Ctrl-Z does for other programs; returns when it is to go on.
    pub fn stop(&mut self) -> Result<()> {
        give_back();
        let stop: SigSet = [Signal::SIGTSTP].into_iter().collect();
        let refused = |errno: nix::errno::Errno| Error::not_applied("stop", errno.desc());
        stop.thread_unblock().map_err(refused)?;
        // All of the job, as the terminal would. Without a shell that could let it go on the kernel stops nobody.
        let stopped = kill(Pid::from_raw(0), Signal::SIGTSTP).map_err(refused);
        stop.thread_block().map_err(refused)?;
        self.again()?;
        stopped
    }

    /// Takes the terminal once more, whatever others have made of it, and draws all of it next time.
    pub fn again(&mut self) -> Result<()> {
        give_back();
        enter()?;
        self.0.clear().map_err(failed)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn enter() -> Result<()> {
    enable_raw_mode().map_err(failed)?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(stdout(), EnterAlternateScreen, Hide).map_err(|why| {
        give_back();
        failed(why)
    })
}

/// Makes the terminal what it was. One that is gone needs nothing.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = stdout().flush();
        let _ = disable_raw_mode();
    }
}

fn failed(why: std::io::Error) -> Error {
    Error::not_applied("draw on the terminal", why).remedy("falseticker status prints the same once")
}

#[cfg(test)]
mod tests;
