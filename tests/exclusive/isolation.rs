//! Keeps tests from disturbing each other.

use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tells a process that it runs a single test for its parent.
const CHILD: &str = "RUNTIME_HEALTH_OWN_PROCESS";

/// Waits until no other test of this binary runs. A test holds the guard until it ends.
pub(crate) fn exclusive() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // A test that panicked has dropped its servers and leaves nothing behind.
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test in a process in which no other test runs or has run: this executable, started
/// again for the one test called `name`.
#[track_caller]
pub(crate) fn own_process(name: &str, test: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        return test();
    }
    let _exclusive = exclusive();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let [printed, errors] =
        [&output.stdout, &output.stderr].map(|out| String::from_utf8_lossy(out));
    println!("{printed}");
    eprintln!("{errors}");
    // A misspelt name would run no test, and succeed.
    let ran = printed.contains("test result: ok. 1 passed;");
    assert!(output.status.success() && ran, "{name}: {}", output.status);
}
