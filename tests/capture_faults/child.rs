//! Processes of their own, and what runs in them.
#![allow(
    unsafe_code,
    reason = "gives up root, as a service does that has bound its port"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::sync::Notify;
use tower_runtime_health::{Cause, Finding};

use crate::served::{asleep, found, known, ready, serve};
use crate::support::{DEADLINE, fire, wait_for};

/// Tells a child that it is one. What it does is for a process of its own.
const CHILD: &str = "RUNTIME_HEALTH_CHILD";
const JSON: &str = "finding: ";
const SHOWN: &str = "shown: ";

/// A finding that a child has printed.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) json: serde_json::Value,
    /// Its first line that has the place.
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

/// A copy of this executable in a directory of its own, which anybody may read.
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
        // Not by this process: whatever it starts meanwhile would have the file
        // open for writing, and nobody could run it.
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

    /// Runs one ignored test in it, by way of `before`.
    pub(crate) fn run(&self, before: &[&str], test: &str) -> Seen {
        run_in(&self.file, before, test)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Runs one ignored test in a process of its own.
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
            "{test} found nothing: {}\n{printed}\n{errors}",
            output.status
        );
    };
    Seen {
        json: serde_json::from_str(json).unwrap(),
        display: display.to_owned(),
    }
}

/// Whether this is a child. In a run of all ignored tests it is not.
pub(crate) fn is_one() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Prints a finding and ends the process, whoever sleeps in it.
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

fn sleep_and_print() -> ! {
    let server = serve(Router::new());
    let _client = fire(&server, "/asleep");
    print(&found(server.health(), "/asleep", known))
}

/// As a deployment does it.
fn replace_executable() {
    let own = std::env::current_exe().unwrap();
    let next = own.with_extension("next");
    std::fs::write(&next, "#!/bin/sh\nexit 0\n").unwrap();
    std::fs::rename(next, own).unwrap();
}

#[test]
#[ignore = "for a process of its own"]
fn sleeps() {
    if is_one() {
        sleep_and_print();
    }
}

/// Whether a thread is one of the runtime's is known only after a while.
#[test]
#[ignore = "for a process of its own"]
fn sleeps_in_place() {
    if !is_one() {
        return;
    }
    let nap = || std::thread::sleep(Duration::from_millis(60));
    let router = Router::new().route(
        "/in-place",
        get(move || async move { tokio::task::block_in_place(nap) }),
    );
    let server = serve(router);
    let seen = |cause| -> u64 {
        let findings = server.health().findings().into_iter();
        let of =
            findings.filter(|finding| &*finding.route == "/in-place" && finding.cause == cause);
        of.map(|finding| finding.polls).sum()
    };
    wait_for(DEADLINE, || {
        let reply = crate::support::get(server.addr(), "/in-place");
        assert_eq!(reply.status, 200);
        seen(Cause::BlockInPlace) >= 10
    });
    // And who really blocks a worker is still told so.
    found(server.health(), "/in-place", |finding| {
        finding.cause == Cause::BlockInPlace
    });
    let _client = fire(&server, "/asleep");
    found(server.health(), "/asleep", |finding| {
        finding.cause == Cause::Sleep
    });
    print(&found(server.health(), "/in-place", |finding| {
        finding.cause == Cause::BlockInPlace
    }))
}

#[test]
#[ignore = "for a process of its own"]
fn was_replaced_and_sleeps() {
    if is_one() {
        replace_executable();
        sleep_and_print();
    }
}

#[test]
#[ignore = "for a process of its own"]
fn is_replaced_and_sleeps() {
    if !is_one() {
        return;
    }
    let router = Router::new().route("/before", get(|| async { asleep() }));
    let server = serve(router);
    let _before = fire(&server, "/before");
    found(server.health(), "/before", known);
    replace_executable();
    let _client = fire(&server, "/asleep");
    print(&found(server.health(), "/asleep", known))
}

#[test]
#[ignore = "for a process of its own"]
fn gives_up_root_and_sleeps() {
    if !is_one() {
        return;
    }
    // Both workers are known to the watchdog once both are seen to block.
    let meet = Arc::new(Barrier::new(2));
    let router = Router::new().route(
        "/both",
        get(move || async move {
            meet.wait();
            std::thread::sleep(Duration::from_secs(3));
        }),
    );
    let server = serve(router);
    ready(&server);
    let before = [fire(&server, "/both"), fire(&server, "/both")];
    found(server.health(), "/both", |finding| finding.running == 2);
    for mut client in before {
        crate::support::read_to_close(&mut client);
    }
    if is_root() {
        const NOBODY: libc::uid_t = 65534;
        // SAFETY: takes three numbers. The C library tells all threads.
        let result = unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) };
        assert_eq!(result, 0);
    }
    let _client = fire(&server, "/asleep");
    print(&found(server.health(), "/asleep", known))
}

#[test]
#[ignore = "for a process of its own"]
fn fills_its_table_and_sleeps() {
    if !is_one() {
        return;
    }
    let full = Arc::new(Notify::new());
    let is_full = Arc::clone(&full);
    let router = Router::new().route(
        "/late",
        get(move || async move {
            is_full.notified().await;
            asleep();
        }),
    );
    let server = serve(router);
    let limited = Command::new("prlimit")
        .args(["--nofile=256:256", "--pid", &std::process::id().to_string()])
        .status()
        .expect("prlimit, of util-linux");
    assert!(limited.success());
    // Connected before the table is full, and blocking after it.
    let _client = fire(&server, "/late");
    let in_flight = || {
        server
            .metrics()
            .sum("runtime_health_requests_in_flight", &[])
    };
    wait_for(DEADLINE, || in_flight() == 1.0);
    // Again and again: the exporter's last connection may be closed late.
    let fill = || {
        while let Ok(file) = std::fs::File::open("/dev/null") {
            std::mem::forget(file);
        }
    };
    fill();
    full.notify_one();
    let finding = found(server.health(), "/late", |finding| {
        fill();
        known(finding)
    });
    print(&finding)
}
