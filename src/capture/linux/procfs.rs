use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::capture::{Blocked, Clocks, RunState};
use crate::sys;

/// A thread's files in `/proc`. They are opened early: after a `setuid` or with
/// `PR_SET_DUMPABLE` 0 they can still be read, but not opened.
#[derive(Debug)]
pub(crate) struct ThreadFiles {
    thread: i32,
    syscall: Source,
    schedule: Source,
}

#[derive(Debug)]
enum Source {
    Open(File),
    /// Opened for each read, because it could not be kept open.
    Reopened(&'static str),
}

/// No line of these files is longer.
const LINE: usize = 256;

impl ThreadFiles {
    /// `keep` says whether to keep the files open.
    pub(crate) fn open(thread: i32, keep: bool) -> Self {
        let open = |name| match keep.then(|| path(thread, name)).map(File::open) {
            Some(Ok(file)) => Source::Open(file),
            _ => Source::Reopened(name),
        };
        Self {
            thread,
            syscall: open("syscall"),
            schedule: open("schedstat"),
        }
    }

    pub(crate) fn thread(&self) -> i32 {
        self.thread
    }

    /// Returns `None` if the kernel has no such file, or if the thread has ended.
    pub(crate) fn state(&self) -> Option<RunState> {
        self.read(&self.syscall, parse_syscall)
    }

    pub(crate) fn clocks(&self) -> Option<Clocks> {
        let on_cpu = sys::cpu_nanos(self.thread)?;
        let waiting = self
            .read(&self.schedule, parse_schedule)
            .map_or(0, |(waiting, _)| waiting);
        Some(Clocks { on_cpu, waiting })
    }

    /// Returns how often the thread was given a CPU. While this number stays the same, a blocked
    /// thread has executed nothing.
    pub(crate) fn timeslices(&self) -> Option<u64> {
        match self.read(&self.schedule, parse_schedule) {
            Some((_, timeslices)) => Some(timeslices),
            // For a kernel without scheduler statistics. Slower, but as exact.
            None => {
                let status = std::fs::read_to_string(path(self.thread, "status")).ok()?;
                parse_switches(&status)
            }
        }
    }

    fn read<T>(&self, source: &Source, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let mut line = [0; LINE];
        let length = match source {
            Source::Open(file) => file.read_at(&mut line, 0),
            Source::Reopened(name) => {
                File::open(path(self.thread, name)).and_then(|file| file.read_at(&mut line, 0))
            }
        };
        parse(std::str::from_utf8(line.get(..length.ok()?)?).ok()?)
    }
}

fn path(thread: i32, name: &str) -> String {
    format!("/proc/self/task/{thread}/{name}")
}

/// Parses `running`, `-1 <sp> <pc>` or `<number> <six arguments> <sp> <pc>` (proc(5)).
fn parse_syscall(line: &str) -> Option<RunState> {
    let mut words = line.split_ascii_whitespace();
    let first = words.next()?;
    if first == "running" {
        return Some(RunState::Running);
    }
    let number = first.parse().ok()?;
    let mut hex = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let mut arguments = [0; 6];
    if number >= 0 {
        for argument in &mut arguments {
            *argument = hex()?;
        }
    }
    Some(RunState::Blocked(Blocked {
        number,
        arguments,
        stack: hex()?,
        code: hex()?,
    }))
}

/// Parses `<on cpu> <waiting> <timeslices>` (the kernel's sched-stats.rst). Returns the last
/// two.
fn parse_schedule(line: &str) -> Option<(u64, u64)> {
    let mut numbers = line.split_ascii_whitespace().map(str::parse);
    let wait = numbers.nth(1)?.ok()?;
    Some((wait, numbers.next()?.ok()?))
}

/// Returns the sum of voluntary and involuntary context switches in `status`.
fn parse_switches(status: &str) -> Option<u64> {
    let count = |name: &str| -> Option<u64> {
        let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
        rest.trim().parse().ok()
    };
    count("voluntary_ctxt_switches:")?.checked_add(count("nonvoluntary_ctxt_switches:")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_a_syscall_line_are_read() {
        assert_eq!(parse_syscall("running\n"), Some(RunState::Running));
        let fault = Blocked {
            number: -1,
            arguments: [0; 6],
            stack: 0x7ffc,
            code: 0x55aa,
        };
        assert_eq!(
            parse_syscall("-1 0x7ffc 0x55aa\n"),
            Some(RunState::Blocked(fault))
        );
        let sleep = Blocked {
            number: 230,
            arguments: [1, 1, 0xb0, 0, 0, 0xe8],
            stack: 0x70,
            code: 0x545,
        };
        let line = "230 0x1 0x1 0xb0 0x0 0x0 0xe8 0x70 0x545\n";
        assert_eq!(parse_syscall(line), Some(RunState::Blocked(sleep)));
        for bad in ["", "0", "0 0x1", "x", "230 1 1 1 1 1 1 1 1", "-1 0x7ffc"] {
            assert_eq!(parse_syscall(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn scheduler_figures_are_read() {
        assert_eq!(parse_schedule("130552 32983 2\n"), Some((32983, 2)));
        assert_eq!(parse_schedule("130552 32983"), None);
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t7\n";
        assert_eq!(parse_switches(status), Some(12));
    }

    #[test]
    fn a_waiting_thread_reads_as_blocked_with_its_stack_pointer() {
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let local = 0_u8;
                sender
                    .send((sys::thread_id(), &raw const local as u64))
                    .unwrap();
                let _ = gate.recv();
            });
            let (id, local) = receiver.recv().unwrap();
            let files = ThreadFiles::open(id, true);
            let seen = loop {
                match files.state() {
                    Some(RunState::Blocked(seen)) if seen.number == libc::SYS_futex => break seen,
                    _ => std::thread::yield_now(),
                }
            };
            assert!(seen.stack < local && local - seen.stack < 1 << 16);
            assert!(files.timeslices() > Some(0));
            assert!(files.clocks().unwrap().on_cpu > 0);
            drop(open);
        });
    }
}
