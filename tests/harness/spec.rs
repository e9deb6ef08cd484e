//! A specification: a sentence, the programs that it needs, and a function that shows it in a [`Lab`].

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use libtest_mimic::{Completion, Failed, Trial};

use super::Lab;

/// A sentence that is to be shown.
pub struct Spec {
    sentence: String,
    needs: Vec<(&'static str, &'static str)>,
    possible: Vec<Possible>,
}

/// Whether something can be shown on this machine; if not, why.
type Possible = fn() -> Result<(), String>;

/// Begins one.
pub fn spec(sentence: impl Into<String>) -> Spec {
    Spec { sentence: sentence.into(), needs: Vec::new(), possible: Vec::new() }
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the text of panics for the reports of the tests that they end.
pub fn catch_panics() {
    std::panic::set_hook(Box::new(|info| {
        let what = info.payload();
        let text = what.downcast_ref::<String>().map(String::as_str);
        let text = text.or(what.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        PANIC.with(|panic| *panic.borrow_mut() = format!("{place}: {text}"));
    }));
}

impl Spec {
    /// It needs a program, a path or a command, which is in this Debian package.
    pub fn needs(mut self, program: &'static str, package: &'static str) -> Self {
        self.needs.push((program, package));
        self
    }

    /// It can be shown on machines alone of which this is true; elsewhere it is reported as ignored, with the reason.
    pub fn where_possible(mut self, possible: Possible) -> Self {
        self.possible.push(possible);
        self
    }

    /// How it is shown.
    pub fn shown_by(self, show: impl FnOnce(&Lab) + Send + 'static) -> Trial {
        let Spec { sentence, needs, possible } = self;
        Trial::ignorable_test(sentence, move || {
            for (program, package) in needs {
                if !is_installed(program) {
                    let reason = format!("{program} is not installed: apt-get install {package}");
                    if std::env::var_os("CI").is_some() {
                        return Err(Failed::from(reason));
                    }
                    return Ok(Completion::ignored_with(reason));
                }
            }
            if let Some(reason) = possible.iter().find_map(|possible| possible().err()) {
                return Ok(Completion::ignored_with(reason));
            }
            let lab = Lab::new();
            let shown = catch_unwind(AssertUnwindSafe(|| show(&lab)));
            let diagnosis = if shown.is_err() { lab.diagnosis() } else { String::new() };
            let panic = || PANIC.with(|panic| std::mem::take(&mut *panic.borrow_mut()));
            match shown {
                Err(_) => {
                    let failure = panic();
                    lab.clear();
                    Err(Failed::from(format!("{failure}\n{diagnosis}")))
                }
                Ok(()) => match catch_unwind(AssertUnwindSafe(|| lab.leaves_nothing())) {
                    Err(_) => {
                        let failure = panic();
                        let diagnosis = lab.diagnosis();
                        lab.clear();
                        Err(Failed::from(format!("{failure}\n{diagnosis}")))
                    }
                    Ok(()) => Ok(Completion::Completed),
                },
            }
        })
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    program.starts_with('/') && std::path::Path::new(program).exists()
        || folders.into_iter().any(|folder| folder.join(program).is_file())
}
