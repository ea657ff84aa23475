use super::*;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Returns the kernel's number of the calling thread.
pub(crate) fn own_thread() -> i32 {
    let link = std::fs::read_link("/proc/thread-self").unwrap();
    link.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

pub(crate) fn memory() -> impl Fn(u64, &mut [u8]) -> bool {
    let file = File::open("/proc/self/mem").unwrap();
    move |at, into| file.read_exact_at(into, at).is_ok()
}

fn blocked(thread: i32) -> Option<(i64, [u64; 6])> {
    let line = std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).ok()?;
    let mut words = line.split_ascii_whitespace();
    let number = words.next()?.parse().ok()?;
    let mut args = [0; 6];
    for arg in &mut args {
        *arg = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    }
    Some((number, args))
}

/// Runs `block` on a thread, and returns the call that the thread is blocked in once it is
/// `wanted`. Then `release` ends the call.
fn observe(
    block: impl FnOnce() + Send,
    wanted: impl Fn(&Call) -> bool,
    release: impl FnOnce(),
) -> Call {
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        scope.spawn(move || {
            sender.send(own_thread()).unwrap();
            block();
        });
        let thread = receiver.recv().unwrap();
        let mut sockets = Sockets::default();
        let mut last = None;
        // A socket is not found while the kernel's table has thousands of others, and it keeps
        // those of a test that has closed them for a minute (TIME_WAIT).
        let found = (0..90_000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(1));
            let (number, args) = blocked(thread)?;
            let call = describe(number, args, thread, &memory(), &mut sockets, Effort::Full);
            if let Some(kind) = kind_by_number(number, args) {
                assert_eq!(kind, call.kind, "{call:?}");
            }
            last = Some(call.clone());
            wanted(&call).then_some(call)
        });
        release();
        found.unwrap_or_else(|| panic!("last seen in {last:?}"))
    })
}

fn named(start: &str) -> impl Fn(&Call) -> bool {
    move |call| call.text.starts_with(start)
}

fn directory(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("calls-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn a_sleeping_thread_is_recognised() {
    let sleep = || std::thread::sleep(Duration::from_millis(200));
    let call = observe(sleep, named("clock_nanosleep"), || ());
    assert_eq!(
        (call.kind, &*call.text),
        (CallKind::Sleep, "clock_nanosleep")
    );
}

#[test]
fn a_thread_that_waits_for_a_mutex_is_recognised() {
    let mutex = std::sync::Mutex::new(());
    let held = mutex.lock().unwrap();
    let call = observe(|| drop(mutex.lock()), named("futex"), || drop(held));
    assert_eq!((call.kind, &*call.text), (CallKind::Lock, "futex(wait)"));
}

#[test]
fn sockets_are_described_by_their_peers() {
    for ip in ["127.0.0.1", "::1"] {
        let Ok(listener) = TcpListener::bind((ip, 0)) else {
            continue;
        };
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        let (server, _) = listener.accept().unwrap();
        let number = client.as_raw_fd();
        let receive = || drop(client.read(&mut [0]));
        let found = |start| move |call: &Call| named(start)(call) && call.text.contains(" TCP ");
        let call = observe(receive, found("recvfrom"), || drop(server));
        let expected = format!("recvfrom(fd {number}, TCP socket to {address})");
        assert_eq!((call.kind, &*call.text), (CallKind::Network, &*expected));

        let accept = || drop(listener.accept());
        let call = observe(accept, found("accept"), || {
            drop(TcpStream::connect(address))
        });
        let expected = format!("TCP socket listening on {address})");
        assert!(call.text.ends_with(&expected), "{call:?}");
    }
}

#[test]
fn a_poll_has_the_kind_of_what_it_polls() {
    // A listener whose queue is full does not answer, so connecting blocks in `poll` until the
    // timeout.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connect = |limit| TcpStream::connect_timeout(&address, Duration::from_millis(limit));
    let queued: Vec<_> = (0..5_000).map_while(|_| connect(50).ok()).collect();
    let call = observe(|| drop(connect(500)), named(POLL), || ());
    drop(queued);
    assert_eq!(call.kind, CallKind::Network);
    assert!(
        call.text.ends_with(&format!(", TCP socket to {address})")),
        "{call:?}"
    );

    // Connecting without a timeout blocks in `connect`.
    let queued: Vec<_> = (0..5_000).map_while(|_| connect(50).ok()).collect();
    let open = || drop(TcpStream::connect(address));
    let call = observe(open, named("connect"), || drop((listener, queued)));
    assert_eq!(call.kind, CallKind::Network);
    assert!(
        call.text.ends_with(&format!(", TCP socket to {address})")),
        "{call:?}"
    );
}

#[cfg(target_arch = "x86_64")]
const POLL: &str = "poll(";
#[cfg(not(target_arch = "x86_64"))]
const POLL: &str = "ppoll(";

#[test]
fn an_epoll_has_the_kind_of_what_it_watches() {
    for with_socket in [true, false] {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let wait = move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_io().build().unwrap().block_on(async {
                let _socket = match with_socket {
                    true => Some(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap()),
                    false => None,
                };
                let _ = stopped.await;
            });
        };
        let call = observe(wait, named("epoll_"), || drop(stop));
        let (kind, words) = match with_socket {
            true => (
                CallKind::Network,
                ", epoll with TCP socket listening on 127.0.0.1:",
            ),
            false => (CallKind::Other, ", epoll)"),
        };
        assert_eq!(call.kind, kind, "{call:?}");
        assert!(call.text.contains(words), "{call:?}");
    }
}

#[test]
fn files_are_described_by_their_paths() {
    let directory = directory("files");
    let path = directory.join("locked");
    let held = File::create(&path).unwrap();
    held.lock().unwrap();
    let second = File::open(&path).unwrap();
    let call = observe(
        || drop(second.lock()),
        named("flock"),
        || held.unlock().unwrap(),
    );
    let expected = format!("flock(fd {}, {})", second.as_raw_fd(), path.display());
    assert_eq!((call.kind, &*call.text), (CallKind::File, &*expected));

    let fifo = directory.join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let open = || drop(File::open(&fifo));
    let call = observe(open, named("openat"), || {
        // Opening for reading and writing does not block.
        drop(File::options().read(true).write(true).open(&fifo));
    });
    let expected = format!("openat({})", fifo.display());
    assert_eq!((call.kind, &*call.text), (CallKind::File, &*expected));
    let writer = File::options().read(true).write(true).open(&fifo).unwrap();
    let mut reader = File::open(&fifo).unwrap();
    let expected = format!("read(fd {}, {})", reader.as_raw_fd(), fifo.display());
    let call = observe(
        || drop(reader.read(&mut [0])),
        named("read"),
        || drop(writer),
    );
    assert_eq!((call.kind, &*call.text), (CallKind::File, &*expected));
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_pipe_within_the_process_is_a_file() {
    let mut child = Command::new("sleep")
        .arg("60")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let expected = format!("read(fd {}, pipe)", reader.as_raw_fd());
    let call = observe(
        || drop(reader.read(&mut [0])),
        |call| *call.text == *expected,
        || drop(writer),
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(call.kind, CallKind::File);
}

/// Returns whether `text` ends with the number of a process that runs `name`.
fn child_in(text: &str, name: &str) -> bool {
    let end = text.trim_end_matches(')');
    let number = end.rsplit(' ').next().unwrap();
    let comm = std::fs::read_to_string(format!("/proc/{number}/comm"));
    comm.is_ok_and(|comm| comm.trim() == name)
}

#[test]
fn waiting_for_a_child_is_recognised_by_its_pipes() {
    let run = || drop(Command::new("sleep").arg("1").output());
    let by_pipe = |call: &Call| call.text.contains("pipe from") && child_in(&call.text, "sleep");
    let call = observe(run, by_pipe, || ());
    assert_eq!(call.kind, CallKind::ChildProcess);
    assert!(call.text.starts_with(POLL), "{call:?}");

    let run = || {
        let mut command = Command::new("sleep");
        drop(command.arg("1").stderr(Stdio::null()).output());
    };
    let call = observe(run, |call| named("read(")(call) && by_pipe(call), || ());
    assert_eq!(call.kind, CallKind::ChildProcess);

    let run = || drop(Command::new("sleep").arg("1").status());
    let by_number = |call: &Call| call.text.contains("(pid ") && child_in(&call.text, "sleep");
    let call = observe(run, by_number, || ());
    assert_eq!(call.kind, CallKind::ChildProcess);
    assert!(call.text.starts_with("wait"), "{call:?}");

    let mut child = Command::new("sleep")
        .arg("60")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let fill = move || drop(input.write_all(&[0; 1 << 20]));
    let expected = format!(", pipe to child {})", child.id());
    let call = observe(
        fill,
        |call| call.text.ends_with(&expected),
        || child.kill().unwrap(),
    );
    child.wait().unwrap();
    assert_eq!(call.kind, CallKind::ChildProcess);
}
