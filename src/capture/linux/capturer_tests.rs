//! A capture must not mix two moments of a stack, and must not disturb the thread it reads.
#![allow(
    unsafe_code,
    reason = "the calls that signals break have no safe wrapper"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "no exported figure depends on it"
)]

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;

const WORDS: usize = 64;

/// Fills its stack with increasing numbers, and blocks after each.
fn fill_and_sleep(stop: &AtomicBool, sender: &mpsc::Sender<(i32, u64)>) {
    let mut words = [0_u64; WORDS];
    let address = (&raw const words) as u64;
    sender.send((crate::sys::thread_id(), address)).unwrap();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        for word in &mut words {
            *word = number;
            // Prevents the compiler from merging the writes, or from removing them.
            std::hint::black_box(&raw const *word);
        }
        std::thread::sleep(Duration::from_nanos(1));
        std::hint::black_box(&words);
    }
}

#[test]
fn no_accepted_copy_is_torn() {
    const ACCEPTED: u32 = 200_000;
    let stop = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| fill_and_sleep(&stop, &sender));
        let (id, address) = receiver.recv().unwrap();
        let files = ThreadFiles::open(id, true);
        let anchor = StackAnchor {
            stack: address + 8 * WORDS as u64,
            code: 0,
        };
        let (mut accepted, mut torn, mut moved, mut numbers) = (0_u32, 0_u32, 0_u32, 0_u32);
        let mut last = 0;
        while accepted < ACCEPTED {
            let Some(RunState::Blocked(blocked)) = files.state() else {
                continue;
            };
            let Ok(copy) = copy_blocked(&files, blocked, anchor) else {
                moved += 1;
                continue;
            };
            let start = (address - copy.start) as usize;
            let words: Vec<_> = copy.bytes[start..start + 8 * WORDS]
                .chunks_exact(8)
                .map(|word| u64::from_ne_bytes(word.try_into().unwrap()))
                .collect();
            accepted += 1;
            torn += u32::from(words.iter().any(|word| *word != words[0]));
            numbers += u32::from(words[0] != last);
            last = words[0];
        }
        stop.store(true, Ordering::Relaxed);
        println!("{accepted} copies of {numbers} different numbers, {moved} refused, {torn} torn");
        assert_eq!(torn, 0);
        // The test proves nothing unless the thread kept running meanwhile.
        assert!(numbers > 100, "{numbers}");
    });
}

/// Calls that a signal interrupts even with `SA_RESTART`. Each blocks for about `millis`, and
/// returns whether it ended as it does undisturbed.
type Call = (&'static str, Box<dyn Fn(i32) -> bool + Send>);

fn timeout(millis: i32) -> libc::timespec {
    libc::timespec {
        tv_sec: 0,
        tv_nsec: i64::from(millis) * 1_000_000,
    }
}

fn would_block<T>(result: std::io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

fn calls() -> Vec<Call> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (silent, keep) = std::io::pipe().unwrap();
    let fd = silent.as_raw_fd();
    let of = |millis: i32| Duration::from_millis(millis as u64);
    vec![
        (
            "TcpStream::read",
            Box::new(move |millis| {
                let _ = &peer;
                stream.set_read_timeout(Some(of(millis))).unwrap();
                would_block(std::io::Read::read(&mut &stream, &mut [0]))
            }),
        ),
        (
            "UdpSocket::recv",
            Box::new(move |millis| {
                udp.set_read_timeout(Some(of(millis))).unwrap();
                would_block(udp.recv(&mut [0]))
            }),
        ),
        (
            "accept",
            Box::new(move |millis| {
                let time = libc::timeval {
                    tv_sec: 0,
                    tv_usec: i64::from(millis) * 1000,
                };
                // SAFETY: a valid option of the size it states.
                unsafe {
                    libc::setsockopt(
                        listener.as_raw_fd(),
                        libc::SOL_SOCKET,
                        libc::SO_RCVTIMEO,
                        (&raw const time).cast(),
                        size_of_val(&time) as u32,
                    )
                };
                would_block(listener.accept())
            }),
        ),
        (
            "poll",
            Box::new(move |millis| {
                let _ = (&keep, &silent);
                let mut list = libc::pollfd {
                    fd,
                    events: libc::POLLIN,
                    revents: 0,
                };
                // SAFETY: one valid entry.
                unsafe { libc::poll(&raw mut list, 1, millis) == 0 }
            }),
        ),
        (
            "select",
            Box::new(move |millis| {
                let mut time = libc::timeval {
                    tv_sec: 0,
                    tv_usec: i64::from(millis) * 1000,
                };
                let none = std::ptr::null_mut();
                // SAFETY: no sets, and a valid time.
                unsafe { libc::select(0, none, none, none, &raw mut time) == 0 }
            }),
        ),
        (
            "epoll_wait",
            Box::new(|millis| {
                // SAFETY: takes a flag.
                let epoll = unsafe { libc::epoll_create1(0) };
                let mut event = libc::epoll_event { events: 0, u64: 0 };
                // SAFETY: there is room for the one event requested.
                let ended = unsafe { libc::epoll_wait(epoll, &raw mut event, 1, millis) };
                // SAFETY: created above, and not used elsewhere.
                unsafe { libc::close(epoll) };
                ended == 0
            }),
        ),
        (
            "usleep",
            Box::new(|millis| {
                // SAFETY: takes a number.
                unsafe { libc::usleep(millis as u32 * 1000) == 0 }
            }),
        ),
        (
            "nanosleep",
            Box::new(|millis| {
                let time = timeout(millis);
                // SAFETY: a valid time; the remainder is not requested.
                unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) == 0 }
            }),
        ),
        (
            "clock_nanosleep",
            Box::new(|millis| {
                let (clock, none) = (libc::CLOCK_MONOTONIC, std::ptr::null_mut());
                let time = timeout(millis);
                // SAFETY: as above.
                unsafe { libc::clock_nanosleep(clock, 0, &raw const time, none) == 0 }
            }),
        ),
        (
            "ppoll",
            Box::new(|millis| {
                let time = timeout(millis);
                // SAFETY: no descriptors, and a valid time.
                unsafe {
                    libc::ppoll(std::ptr::null_mut(), 0, &raw const time, std::ptr::null()) == 0
                }
            }),
        ),
    ]
}

#[test]
fn ten_thousand_captures_disturb_no_call() {
    const CAPTURES: u32 = 10_000;
    const MILLIS: i32 = 20;
    for (name, call) in calls() {
        let (stop, calls, wrong) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            let (stop, calls, wrong) = (&stop, &calls, &wrong);
            scope.spawn(move || {
                let local = 0_u64;
                sender
                    .send((crate::sys::thread_id(), (&raw const local) as u64))
                    .unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    let ended_well = call(MILLIS);
                    // The kernel may round a socket's timeout down to its own tick.
                    let early = started.elapsed() < Duration::from_millis(MILLIS as u64 - 5);
                    wrong.fetch_add(u64::from(!ended_well || early), Ordering::Relaxed);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
            let (id, local) = receiver.recv().unwrap();
            let mut capturer = Capturer::for_test();
            capturer.load();
            let target = capturer.open_thread(id);
            let anchor = StackAnchor {
                stack: local,
                code: 0,
            };
            let mut captures = 0;
            while captures < CAPTURES {
                let state = capturer.state(&target);
                let Some(RunState::Blocked(blocked)) = state else {
                    continue;
                };
                let _ = copy_blocked(&target.files, blocked, anchor);
                if captures % 2000 == 0 {
                    capturer.describe(&target, &blocked, Effort::Full);
                    let _ = capturer.stack(&target, RunState::Blocked(blocked), anchor, &|| true);
                }
                captures += 1;
            }
            stop.store(true, Ordering::Relaxed);
        });
        let (calls, wrong) = (calls.into_inner(), wrong.into_inner());
        println!("{name}: {CAPTURES} captures of {calls} calls, {wrong} disturbed");
        assert_eq!(wrong, 0, "{name}");
    }
}

#[test]
fn a_capture_that_panics_returns_an_outcome() {
    let mut capturer = Capturer::for_test();
    capturer.load();
    let (open, gate) = mpsc::channel::<()>();
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let local = 0_u64;
            sender
                .send((crate::sys::thread_id(), (&raw const local) as u64))
                .unwrap();
            let _ = gate.recv();
        });
        let (id, local) = receiver.recv().unwrap();
        let target = capturer.open_thread(id);
        let anchor = StackAnchor {
            stack: local,
            code: 0,
        };
        let state = loop {
            match capturer.state(&target) {
                Some(state @ RunState::Blocked(_)) => break state,
                _ => std::thread::yield_now(),
            }
        };
        let bug = || std::panic::resume_unwind(Box::new("on purpose"));
        let result = capturer.stack(&target, state, anchor, &bug);
        assert_eq!(result.err(), Some(CaptureOutcome::Panicked));
        let mut stack = capturer.stack(&target, state, anchor, &|| true).unwrap();
        let result = stack.wait(Duration::from_secs(30));
        assert!(matches!(result, Some(Ok(_))), "{result:?}");
        drop(open);
    });
}

/// Blocks below `depth` frames, in a function that sets the anchor as the layer does.
#[inline(never)]
fn block_deep(depth: u32, sender: &mpsc::Sender<(i32, StackAnchor)>, gate: &mpsc::Receiver<()>) {
    sender
        .send((crate::sys::thread_id(), StackAnchor::here()))
        .unwrap();
    descend(depth, gate);
    std::hint::black_box(depth);
}

#[inline(never)]
fn descend(depth: u32, gate: &mpsc::Receiver<()>) -> u32 {
    if depth == 0 {
        let _ = gate.recv();
        return 0;
    }
    let below = descend(std::hint::black_box(depth - 1), gate);
    std::hint::black_box(below) + 1
}

/// Measures captures as the watchdog makes them. Run by `ci/bench.sh`.
#[test]
#[ignore = "a measurement"]
fn what_a_capture_costs() {
    const CAPTURES: usize = 500;
    let mut capturer = Capturer::for_test();
    capturer.load();
    println!("| frames | state and clocks | copy and walk | names | whole capture | first names |");
    println!("|---:|---:|---:|---:|---:|---:|");
    for depth in [2, 20, 200] {
        let (open, gate) = mpsc::channel::<()>();
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || block_deep(depth, &sender, &gate));
            let (id, anchor) = receiver.recv().unwrap();
            let target = capturer.open_thread(id);
            let is_blocked = |state| match state {
                Some(RunState::Blocked(blocked)) => blocked.number == libc::SYS_futex,
                _ => false,
            };
            while !is_blocked(capturer.state(&target)) {
                std::thread::yield_now();
            }
            let (mut parts, mut frames, mut first) = (vec![], 0, None);
            for _ in 0..CAPTURES {
                let started = Instant::now();
                let state = capturer.state(&target).unwrap();
                capturer.clocks(&target).unwrap();
                let seen = started.elapsed();
                let stack = capturer.stack(&target, state, anchor, &|| true);
                let walked = started.elapsed();
                let mut stack = stack.unwrap();
                let named = stack.wait(Duration::from_secs(30));
                let whole = started.elapsed();
                let stack = named.unwrap().unwrap();
                assert_eq!(stack.confidence, Confidence::Exact);
                frames = stack.frames.len();
                first.get_or_insert(whole - walked);
                parts.push([seen, walked - seen, whole - walked, whole]);
                std::thread::sleep(Duration::from_millis(1));
            }
            let median = |part: usize| {
                let mut times: Vec<_> = parts.iter().map(|parts| parts[part]).collect();
                times.sort_unstable();
                times[CAPTURES / 2].as_secs_f64() * 1e6
            };
            let first = first.unwrap().as_secs_f64() * 1e6;
            println!(
                "| {frames} | {:.1} | {:.1} | {:.1} | {:.1} | {first:.0} |",
                median(0),
                median(1),
                median(2),
                median(3)
            );
            drop(open);
        });
    }
}
