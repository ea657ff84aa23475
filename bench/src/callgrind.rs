//! Instruction counts, by valgrind's callgrind.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file that callgrind writes its counts to. It is removed on drop.
pub struct Counts(PathBuf);

/// Our function that records a poll beyond the first bucket. The number of such
/// polls depends on how slow valgrind is on this machine, so this function's
/// instructions, 40 a call, are subtracted.
const LONG_POLLS: &str = "guard::record_long";

impl Counts {
    pub fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("callgrind-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// Returns a command that runs the program under valgrind. Only functions whose
    /// names begin with `measured_`, and what they call, are counted, on every thread.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut out = std::ffi::OsString::from("--callgrind-out-file=");
        out.push(&self.0);
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--tool=callgrind", "--collect-atstart=no"])
            .args(["--toggle-collect=*measured_*", "--fair-sched=yes"])
            .arg(out)
            .arg(program);
        command
    }

    /// Returns the count. The program must have ended.
    pub fn read(&self) -> u64 {
        let text = std::fs::read_to_string(&self.0).unwrap_or_else(|error| {
            panic!(
                "no counts of callgrind in {} ({error}): is the package valgrind installed?",
                self.0.display()
            )
        });
        let (all, long_polls) = total(&text);
        all - long_polls
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Counts {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(Path::new(&self.0));
    }
}

/// Returns the instructions of all functions, and those of [`LONG_POLLS`].
///
/// The format is <https://valgrind.org/docs/manual/cl-format.html>. A function's
/// first line has its number and its name, later ones only the number. The line
/// after `calls=` has the cost of the called function, which that function's own
/// lines count as well.
fn total(text: &str) -> (u64, u64) {
    let (mut all, mut long, mut is_call) = (0, 0, false);
    let (mut in_long, mut long_number) = (false, None);
    for line in text.lines() {
        if let Some(function) = line.strip_prefix("fn=").or(line.strip_prefix("cfn=")) {
            let (number, name) = function.split_once(' ').unwrap_or((function, ""));
            if name.contains(LONG_POLLS) {
                long_number = Some(number.to_owned());
            }
            if line.starts_with("fn=") {
                in_long = long_number.as_deref() == Some(number);
            }
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c))
            && !std::mem::take(&mut is_call)
        {
            let cost = line.rsplit(' ').next().and_then(|cost| cost.parse().ok());
            let cost: u64 = cost.unwrap_or(0);
            all += cost;
            long += if in_long { cost } else { 0 };
        }
    }
    (all, long)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_call_counts_once_and_long_polls_are_counted_apart() {
        let text = "fn=(1) measured_work\n16 5\n+1 2\ncfn=(2) a::guard::record_long\n\
                    calls=1 9\n* 40\nfn=(2)\n9 40\nfn=(3) other\n1 3\n\ntotals: 50\n";
        assert_eq!(super::total(text), (50, 40));
    }
}
