use super::tests::{memory, own_thread};
use super::*;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

#[test]
fn a_poll_without_descriptors_is_a_sleep() {
    let describe_call = |number, args| {
        describe(
            number,
            args,
            own_thread(),
            &memory(),
            &mut Sockets::default(),
            Effort::Full,
        )
    };
    let call = describe_call(libc::SYS_ppoll, [0, 0, 1, 0, 0, 0]);
    assert_eq!(
        (call.kind, &*call.text),
        (CallKind::Sleep, "ppoll(no descriptors)")
    );
    let call = describe_call(libc::SYS_ppoll, [0; 6]);
    assert_eq!(
        (call.kind, &*call.text),
        (CallKind::Other, "ppoll(no descriptors)")
    );
    let call = describe_call(libc::SYS_pselect6, [0, 0, 0, 0, 1, 0]);
    assert_eq!(
        (call.kind, &*call.text),
        (CallKind::Sleep, "pselect6(no descriptors)")
    );

    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let number = client.as_raw_fd();
    client.connect(server.local_addr().unwrap()).unwrap();
    let peer = server.local_addr().unwrap();
    let list = [-1_i32, 0, number, 1];
    let call = describe_call(libc::SYS_ppoll, [list.as_ptr() as u64, 2, 1, 0, 0, 0]);
    let expected = format!("ppoll(fd {number}, UDP socket to {peer})");
    assert_eq!((call.kind, &*call.text), (CallKind::Network, &*expected));
    let mut set = [0_u64; 16];
    set[number as usize / 64] = 1 << (number % 64);
    let call = describe_call(libc::SYS_pselect6, [1024, 0, set.as_ptr() as u64, 0, 1, 0]);
    let expected = format!("pselect6(fd {number}, UDP socket to {peer})");
    assert_eq!((call.kind, &*call.text), (CallKind::Network, &*expected));
}

#[test]
fn calls_that_no_test_can_block_in_are_described() {
    let describe_call = |number, args| {
        describe(
            number,
            args,
            1,
            &|_, _| false,
            &mut Sockets::default(),
            Effort::Full,
        )
    };
    for (number, args, kind, words) in [
        (-1, [0; 6], CallKind::Memory, "page fault"),
        (
            libc::SYS_wait4,
            [7, 0, 0, 0, 0, 0],
            CallKind::ChildProcess,
            "wait4(pid 7)",
        ),
        (
            libc::SYS_wait4,
            [u64::MAX; 6],
            CallKind::ChildProcess,
            "wait4(any child)",
        ),
        (
            libc::SYS_waitid,
            [1, 7, 0, 0, 0, 0],
            CallKind::ChildProcess,
            "waitid(pid 7)",
        ),
        (libc::SYS_clone, [0; 6], CallKind::ChildProcess, "clone"),
        (
            libc::SYS_clone,
            [CLONE_THREAD, 0, 0, 0, 0, 0],
            CallKind::Other,
            "clone(thread)",
        ),
        (libc::SYS_clone3, [0; 6], CallKind::ChildProcess, "clone3"),
        (libc::SYS_munmap, [0; 6], CallKind::Memory, "munmap"),
        (
            libc::SYS_futex,
            [0, 128 | 6, 0, 0, 0, 0],
            CallKind::Lock,
            "futex(lock)",
        ),
        (
            libc::SYS_fcntl,
            [999, 7, 0, 0, 0, 0],
            CallKind::File,
            "fcntl(fd 999)",
        ),
        (
            libc::SYS_close,
            [5, 0, 0, 0, 0, 0],
            CallKind::Other,
            "close(fd 5)",
        ),
        (libc::SYS_openat, [0; 6], CallKind::File, "openat"),
        (libc::SYS_getrandom, [0; 6], CallKind::Other, "getrandom"),
        (-5, [0; 6], CallKind::Other, "system call -5"),
        (4_000, [0; 6], CallKind::Other, "system call 4000"),
    ] {
        let call = describe_call(number, args);
        assert_eq!((call.kind, &*call.text), (kind, words));
    }
}

#[test]
fn arbitrary_arguments_are_described_without_a_panic() {
    let filled = |_: u64, into: &mut [u8]| {
        into.fill(0xff);
        true
    };
    let mut sockets = Sockets::default();
    let values = [
        0,
        1,
        2,
        3,
        0x7fff_ffff,
        0x8000_0000,
        1 << 63,
        u64::MAX - 7,
        u64::MAX,
    ];
    for number in (-2..600).chain([i64::MAX, i64::MIN]) {
        for value in values {
            for readable in [true, false] {
                let memory = |at, into: &mut [u8]| readable && filled(at, into);
                let call = describe(number, [value; 6], -1, &memory, &mut sockets, Effort::Full);
                assert!(call.text.len() < 2_000, "{call:?}");
                let cheap = kind_by_number(number, [value; 6]);
                assert!(cheap.is_none_or(|cheap| cheap == call.kind), "{call:?}");
            }
        }
    }
}
