//! A process of its own for a contender: several of them have state of the whole
//! process (a metrics recorder, a subscriber, a profiler).

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Answers a line with a line, until it is dropped.
pub struct Child {
    process: std::process::Child,
    /// Its end tells the process to end.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Child {
    /// This program, with other arguments.
    pub fn of_this(arguments: &[&str]) -> Self {
        let this = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(this);
        command.args(arguments);
        Self::start(command)
    }

    pub fn start(mut command: Command) -> Self {
        // hotpath's server of its own, on a fixed port.
        command.env("HOTPATH_METRICS_SERVER_OFF", "true");
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Self {
            questions: process.stdin.take(),
            answers: BufReader::new(process.stdout.take().expect("it is piped")),
            process,
        }
    }

    /// Its next line.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        let length = self.answers.read_line(&mut line).expect("a pipe is read");
        assert!(length > 0, "the process has ended: see above");
        line.trim_end().to_owned()
    }

    pub fn tell(&mut self, line: &str) {
        let questions = self.questions.as_mut().expect("it is open until the end");
        writeln!(questions, "{line}").expect("the process has ended: see above");
    }

    pub fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.hear()
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Has it end, and waits for that.
    pub fn end(mut self) {
        self.questions = None;
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.process.try_wait().expect("it is ours").is_none() {
            assert!(Instant::now() < deadline, "the process does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Nothing to do where it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In the process: answers each line until there are no more.
pub fn answer(mut to: impl FnMut(&str) -> String) {
    for line in std::io::stdin().lines() {
        let line = line.expect("a pipe is read");
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", to(&line)).expect("who asks waits");
        out.flush().expect("who asks waits");
    }
}
