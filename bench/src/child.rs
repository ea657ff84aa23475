//! A separate process for a contender: several of them have process-wide state (a
//! metrics recorder, a subscriber, a profiler).

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that answers each line with a line. It ends when this is dropped.
pub struct Child {
    process: std::process::Child,
    /// The process ends when this is closed.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Child {
    /// Starts this program with other arguments.
    pub fn of_this(arguments: &[&str]) -> Self {
        let this = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(this);
        command.args(arguments);
        Self::start(command)
    }

    /// Starts a command, with its standard input and output piped.
    pub fn start(mut command: Command) -> Self {
        // hotpath's own server would listen on a fixed port.
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

    /// Returns its next line.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        let length = self.answers.read_line(&mut line).expect("a pipe is read");
        assert!(length > 0, "the process has ended: see above");
        line.trim_end().to_owned()
    }

    /// Sends a line.
    pub fn tell(&mut self, line: &str) {
        let questions = self.questions.as_mut().expect("it is open until the end");
        writeln!(questions, "{line}").expect("the process has ended: see above");
    }

    /// Sends a line and returns the next one.
    pub fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.hear()
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends the process and waits until it has ended.
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
        // These fail if it has ended already, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Called in the process: answers each line of standard input until its end.
pub fn answer(mut to: impl FnMut(&str) -> String) {
    for line in std::io::stdin().lines() {
        let line = line.expect("a pipe is read");
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", to(&line)).expect("the parent reads");
        out.flush().expect("the parent reads");
    }
}
