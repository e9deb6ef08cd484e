//! By which means: `--how`, `--thread`.

use clap::ValueEnum;
use falseticker::freeze::{How, ThreadPattern};

/// The values of `--how`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Means {
    /// By a control group where one can be made (version 2), else by signals; `status` says why
    Auto,
    /// SIGSTOP to every process
    Signal,
    /// A control group of the node's own, which is frozen: unseen by parents, all at one instant
    Cgroup,
    /// Some threads, held by ptrace, while the others run; see --thread
    Thread,
}

/// The flags.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// By which means; signal without it, or thread where --thread is given
    #[arg(long, value_name = "MEANS", value_enum)]
    pub how: Option<Means>,

    /// Which threads: a number, or a pattern of names ("G1 Conc#*"; of a name the kernel keeps 15 bytes). May be repeated
    #[arg(long = "thread", value_name = "PATTERN", allow_hyphen_values = true)]
    pub threads: Vec<ThreadPattern>,
}

impl Options {
    /// What they ask for. An error is one of usage.
    pub fn how(&self) -> falseticker::Result<How> {
        match (self.how, self.threads.is_empty()) {
            (None | Some(Means::Thread), false) | (Some(Means::Thread), true) => {
                Ok(How::Thread(self.threads.clone()))
            }
            (Some(_), false) => {
                let why = "--thread names threads, and only --how thread can hold threads alone";
                Err(falseticker::Error::bad_input("freeze", why).remedy("leave one of the two away"))
            }
            (None | Some(Means::Signal), true) => Ok(How::Signal),
            (Some(Means::Cgroup), true) => Ok(How::Cgroup),
            (Some(Means::Auto), true) => Ok(How::Auto),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_held_by_one_means_alone() {
        let of = |how, threads: &[&str]| {
            let threads = threads.iter().map(|one| one.parse().unwrap()).collect();
            Options { how, threads }.how()
        };
        assert_eq!(of(None, &[]).unwrap(), How::Signal);
        assert!(matches!(of(None, &["a*"]).unwrap(), How::Thread(patterns) if patterns.len() == 1));
        assert!(
            matches!(of(Some(Means::Thread), &[]).unwrap(), How::Thread(patterns) if patterns.is_empty())
        );
        assert_eq!(of(Some(Means::Auto), &[]).unwrap(), How::Auto);
        for other in [Means::Auto, Means::Signal, Means::Cgroup] {
            assert!(of(Some(other), &["a"]).unwrap_err().help().is_some());
        }
    }
}
