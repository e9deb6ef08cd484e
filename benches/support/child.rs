//! A child that answers a line with a line, and ends when its input does.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The child.
pub struct Answering {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Answering {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        let questions = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("its output is a pipe"));
        Answering { process, questions, answers }
    }

    /// Its pid, or that of what runs it.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The same, as everybody but the standard library has it.
    pub fn pid(&self) -> i32 {
        self.id().cast_signed()
    }

    /// Asks without waiting.
    pub fn ask(&mut self, question: &str) {
        let input = self.questions.as_mut().expect("its input is open until it is dropped");
        writeln!(input, "{question}").expect("the child reads its input");
    }

    /// The next line.
    pub fn answer(&mut self) -> String {
        let line = self.answer_or_end();
        line.unwrap_or_else(|| panic!("the child {} has ended without an answer", self.process.id()))
    }

    /// The next line; `None` if the child has ended instead.
    pub fn answer_or_end(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.answers.read_line(&mut line).expect("the child's output can be read");
        line.truncate(line.trim_end().len());
        (length != 0).then_some(line)
    }

    /// Asks, and waits for the next line as numbers.
    pub fn numbers(&mut self, question: &str) -> Vec<i64> {
        self.ask(question);
        let line = self.answer();
        let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("the child said {line:?}"));
        line.split_whitespace().map(number).collect()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        drop(self.questions.take());
        drop(self.process.wait());
    }
}
