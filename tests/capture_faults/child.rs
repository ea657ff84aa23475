//! Runs one scenario in a child process, and reads the finding that it prints.
#![allow(unsafe_code, reason = "asks for the user id")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tower_runtime_health::Finding;

/// Set for a child. A scenario does nothing without it.
const CHILD: &str = "RUNTIME_HEALTH_CHILD";
const JSON: &str = "finding: ";
const SHOWN: &str = "shown: ";

/// A finding that a child printed.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) json: serde_json::Value,
    /// The finding's text on one line.
    pub(crate) display: String,
}

impl Seen {
    pub(crate) fn text(&self, field: &str) -> &str {
        self.json[field].as_str().unwrap_or_default()
    }

    pub(crate) fn place(&self) -> &serde_json::Value {
        &self.json["place"]
    }

    pub(crate) fn place_text(&self, field: &str) -> &str {
        self.place()[field].as_str().unwrap_or_default()
    }
}

/// A copy of this executable in a directory of its own that all users may read.
pub(crate) struct Copied {
    directory: PathBuf,
    file: PathBuf,
}

impl Copied {
    pub(crate) fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("capture-faults-{}-{name}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let file = directory.join("service");
        let copy = Self { directory, file };
        let mode = |path: &Path| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        };
        // Copied by another process. A child that this one starts meanwhile would inherit the
        // descriptor that is open for writing, and the copy could not be executed.
        let copied = Command::new("cp")
            .arg(std::env::current_exe().unwrap())
            .arg(&copy.file)
            .status();
        assert!(copied.expect("cp, of coreutils").success());
        mode(&copy.directory);
        mode(&copy.file);
        copy
    }

    pub(crate) fn file_name(&self) -> &str {
        "service"
    }

    pub(crate) fn strip(&self) {
        let done = Command::new("strip").arg(&self.file).status();
        assert!(done.expect("strip, of binutils").success());
    }

    /// Runs one scenario in the copy. The command `before` starts it, if there is one.
    pub(crate) fn run(&self, before: &[&str], test: &str) -> Seen {
        run_in(&self.file, before, test)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Runs one scenario in a child process.
#[track_caller]
pub(crate) fn run(test: &str) -> Seen {
    run_in(&std::env::current_exe().unwrap(), &[], test)
}

#[track_caller]
fn run_in(file: &Path, before: &[&str], test: &str) -> Seen {
    let mut command = match before {
        [] => Command::new(file),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(file);
            command
        }
    };
    let output = command
        .args(["--ignored", "--exact", "--nocapture", test])
        .env(CHILD, "1")
        .current_dir("/")
        .output()
        .unwrap_or_else(|error| panic!("{before:?} {}: {error}", file.display()));
    let printed = String::from_utf8_lossy(&output.stdout);
    let line = |start| printed.lines().find_map(|line| line.split_once(start));
    let (Some((_, json)), Some((_, display))) = (line(JSON), line(SHOWN)) else {
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!(
            "{test} printed no finding: {}\n{printed}\n{errors}",
            output.status
        );
    };
    Seen {
        json: serde_json::from_str(json).unwrap(),
        display: display.to_owned(),
    }
}

/// Whether this process is a child. In a run of all ignored tests it is not.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Prints a finding and ends the process, although other threads still sleep.
pub(crate) fn print(finding: &Finding) -> ! {
    let json = serde_json::to_string(finding).unwrap();
    let shown = finding.to_string().replace('\n', " ");
    let mut out = std::io::stdout().lock();
    write!(out, "\n{JSON}{json}\n{SHOWN}{shown}\n").unwrap();
    out.flush().unwrap();
    std::process::exit(0)
}

pub(crate) fn is_root() -> bool {
    // SAFETY: takes nothing, and cannot fail.
    let user = unsafe { libc::geteuid() };
    user == 0
}
