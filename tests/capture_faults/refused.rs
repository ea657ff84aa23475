//! A seccomp filter that refuses the sampling of running threads, as Docker's default profile does,
//! or kills the process for it, as systemd's can.
#![allow(unsafe_code, reason = "installs a seccomp filter and calls ppoll")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tower_runtime_health::{Builder, Cause, Confidence};

use crate::child;
use crate::served::{found, options};
use crate::support::{DEADLINE, Server, fire, wait_for};

/// Sets what `perf_event_open` does in this thread and in the threads it starts.
fn filter_samples(action: u32) {
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let mut program = [
        // The number is the first word of `struct seccomp_data`.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter {
            jf: 1,
            ..statement(
                libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
                libc::SYS_perf_event_open as u32,
            )
        },
        statement(libc::BPF_RET | libc::BPF_K, action),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: takes numbers.
    let unprivileged = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: a valid program, which the kernel copies.
    let filtered = unsafe {
        let mode = libc::SECCOMP_MODE_FILTER;
        libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter)
    };
    assert_eq!((unprivileged, filtered), (0, 0));
}

const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

/// Long enough for each test, and shorter than the shutdown of its server may take.
const SPIN: Duration = Duration::from_secs(4);

#[inline(never)]
fn spin() -> u64 {
    let started = Instant::now();
    let mut state = 1_u64;
    while started.elapsed() < SPIN {
        state = black_box(state.wrapping_mul(31));
    }
    state
}

fn serve(options: Builder, router: Router) -> Server {
    let router = router.route("/spin", get(|| async { spin().to_string() }));
    Server::axum(options, router)
}

fn assert_mode(server: &Server, mode: &str) {
    let labels = [("capture", mode)];
    let info = server.metrics().sum("runtime_health_build_info", &labels);
    assert_eq!(info, 1.0, "{}", server.health().render());
}

#[test]
#[ignore = "for a process of its own"]
fn computes() {
    if !child::is_child() {
        return;
    }
    filter_samples(REFUSE);
    let server = serve(options().sample_under_seccomp(true), Router::new());
    assert_mode(&server, "blocked");
    let _client = fire(&server, "/spin");
    child::print(&found(server.health(), "/spin", |finding| {
        finding.cause == Cause::Cpu
    }))
}

#[test]
#[ignore = "for a process of its own"]
fn computes_under_a_deadly_filter() {
    if !child::is_child() {
        return;
    }
    filter_samples(libc::SECCOMP_RET_KILL_PROCESS);
    let server = serve(options(), Router::new());
    assert_mode(&server, "blocked");
    let _client = fire(&server, "/spin");
    child::print(&found(server.health(), "/spin", |finding| {
        finding.cause == Cause::Cpu
    }))
}

#[test]
fn under_a_filter_that_may_kill_the_process_sampling_is_not_tried() {
    let seen = child::run("refused::computes_under_a_deadly_filter");
    assert_eq!(seen.text("cause"), "cpu", "{seen:?}");
}

#[test]
fn if_sampling_is_refused_only_the_cause_is_reported() {
    let seen = child::run("refused::computes");
    assert_eq!(seen.text("cause"), "cpu", "{seen:?}");
    assert!(seen.place().is_null(), "{seen:?}");
}

#[test]
#[ignore = "for a process of its own"]
fn computes_and_may_be_interrupted() {
    if !child::is_child() {
        return;
    }
    filter_samples(REFUSE);
    let interrupted = Arc::new(AtomicU64::new(0));
    let bursts = {
        let interrupted = Arc::clone(&interrupted);
        move || async move { compute_in_bursts(&interrupted) }
    };
    let router = Router::new().route("/bursts", get(bursts));
    let server = serve(options().interrupt_running_threads(true), router);
    assert_mode(&server, "blocked+interrupted");
    let _client = fire(&server, "/spin");
    let exact = |finding: &tower_runtime_health::Finding| {
        finding.cause == Cause::Cpu && finding.confidence == Some(Confidence::Exact)
    };
    let finding = found(server.health(), "/spin", exact);
    // Each call that fails because of a signal is counted.
    let counted = || {
        let name = "runtime_health_interrupted_calls_total";
        server.metrics().sum(name, &[])
    };
    wait_for(DEADLINE, || {
        let reply = crate::support::get(server.addr(), "/bursts");
        assert_eq!(reply.status, 200);
        interrupted.load(Ordering::Relaxed) > 0
    });
    wait_for(DEADLINE, || {
        counted() == interrupted.load(Ordering::Relaxed) as f64
    });
    child::print(&finding)
}

/// Computes, with short waits in a call that a signal interrupts.
fn compute_in_bursts(interrupted: &AtomicU64) {
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(100) {
        let burst = Instant::now();
        while burst.elapsed() < Duration::from_micros(300) {
            black_box(interrupted.load(Ordering::Relaxed));
        }
        let time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 20_000,
        };
        // SAFETY: no descriptors, and a valid time.
        let result =
            unsafe { libc::ppoll(std::ptr::null_mut(), 0, &raw const time, std::ptr::null()) };
        if result < 0 {
            interrupted.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_running_thread_is_interrupted_if_allowed_and_interrupted_calls_are_counted() {
    let seen = child::run("refused::computes_and_may_be_interrupted");
    assert_eq!(seen.text("cause"), "cpu", "{seen:?}");
    assert_eq!(seen.text("confidence"), "exact", "{seen:?}");
    assert!(
        seen.place_text("function").ends_with("refused::spin"),
        "{seen:?}"
    );
}
