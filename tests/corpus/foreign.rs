//! Blocking calls that std does not offer, a callback from C, and a page that arrives late.

#![allow(unsafe_code, reason = "these cases are about calls to C")]

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io::{Error, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread::sleep;

use axum::routing::get;
use tokio::sync::oneshot;

use crate::case::{At, BLOCK, Case, Corpus, FINE, Watch, aside, real_await};

pub(crate) fn add(corpus: &mut Corpus) {
    corpus.add(
        Case::blocks("libc::poll on a socket", "/c/poll", &["network_io"], &POLL),
        get(poll),
    );
    corpus.add(
        Case::blocks("flock", "/c/flock", &["file_io", "lock"], &FLOCK),
        get(flock),
    );
    corpus.add(
        Case::blocks(
            "sleep in a callback of qsort",
            "/c/qsort",
            &["sleep"],
            &COMPARE,
        ),
        get(sort),
    );
    corpus.add(
        Case::blocks("page served late", "/c/page", &["memory"], &PAGE)
            .needs(LatePage::new().map(drop)),
        get(page),
    );
}

fn checked(result: c_int) -> Result<c_int, Error> {
    if result < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(result)
    }
}

static POLL: At = at!("poll");

async fn poll() -> String {
    let socket = std::net::UdpSocket::bind(crate::support::LOOPBACK).unwrap();
    let mut wanted = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    real_await().await;
    let watch = Watch::start();
    let timeout = BLOCK.as_millis() as c_int;
    // SAFETY: the pointer is to one `pollfd`, which is borrowed for the call.
    let ready = here!(POLL, unsafe { libc::poll(&raw mut wanted, 1, timeout) });
    let result = match checked(ready) {
        Ok(0) => Ok(()),
        Ok(_) => Err("readable".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    watch.end(BLOCK, result)
}

static FLOCK: At = at!("flock");

async fn flock() -> String {
    let path = crate::files::locked();
    let (theirs, file) = (File::create(&path).unwrap(), File::create(&path).unwrap());
    let (tell, told) = oneshot::channel();
    aside(move || {
        // SAFETY: the descriptor is open.
        let locked = checked(unsafe { libc::flock(theirs.as_raw_fd(), libc::LOCK_EX) });
        let _ = tell.send(locked);
        sleep(BLOCK);
        drop(theirs);
    });
    told.await.unwrap().unwrap();
    let watch = Watch::start();
    let ours = file.as_raw_fd();
    // SAFETY: the descriptor stays open until after the call.
    let locked = here!(FLOCK, unsafe { libc::flock(ours, libc::LOCK_EX) });
    watch.end_by_other(checked(locked).map(drop))
}

static COMPARE: At = at!("compare");

extern "C" fn compare(left: *const c_void, right: *const c_void) -> c_int {
    here!(COMPARE, sleep(BLOCK));
    // SAFETY: `qsort` passes pointers to two of its elements.
    let left = unsafe { *left.cast::<u32>() };
    // SAFETY: as above.
    let right = unsafe { *right.cast::<u32>() };
    left.cmp(&right) as c_int
}

async fn sort() -> String {
    let mut numbers = [2_u32, 1];
    real_await().await;
    let watch = Watch::start();
    let (start, length) = (numbers.as_mut_ptr().cast(), numbers.len());
    // SAFETY: the array has this many elements of this size, and `compare` reads two of them.
    unsafe { libc::qsort(start, length, size_of::<u32>(), Some(compare)) };
    let result = if numbers == [1, 2] {
        Ok(())
    } else {
        Err("not sorted")
    };
    watch.end(BLOCK, result)
}

static PAGE: At = at!("page");

async fn page() -> String {
    let late = LatePage::new().unwrap();
    let start = late.start;
    real_await().await;
    let server = aside(move || late.serve());
    let watch = Watch::start();
    // SAFETY: the page is mapped and readable until `server` has ended.
    let byte = here!(PAGE, unsafe { (start as *const u8).read_volatile() });
    let said = watch.end(BLOCK, FINE);
    match server.join() {
        Ok(Ok(_)) if byte == 0 => said,
        Ok(Err(error)) => format!("disturbed: {error}"),
        _ => format!("disturbed: read {byte}"),
    }
}

/// A page whose first access blocks for [`BLOCK`], because a userfaultfd serves it.
struct LatePage {
    faults: OwnedFd,
    start: usize,
}

const LENGTH: usize = 4096;

impl LatePage {
    fn new() -> Result<Self, Error> {
        const USER_MODE_ONLY: c_int = 1;
        const API: libc::c_ulong = 0xc018_aa3f;
        const REGISTER: libc::c_ulong = 0xc020_aa00;
        const MISSING: u64 = 1;
        // SAFETY: takes no pointer.
        let faults = checked(unsafe {
            libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | USER_MODE_ONLY) as c_int
        })?;
        // SAFETY: the descriptor is new, and nothing else owns it.
        let faults = unsafe { OwnedFd::from_raw_fd(faults) };
        let mut api = [0xaa_u64, 0, 0];
        control(&faults, API, &mut api)?;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                LENGTH,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let page = Self {
            faults,
            start: start as usize,
        };
        let mut range = [page.start as u64, LENGTH as u64, MISSING, 0];
        control(&page.faults, REGISTER, &mut range)?;
        Ok(page)
    }

    /// Waits for the first access to the page, and provides it after a while.
    fn serve(self) -> Result<Self, Error> {
        const ZERO: libc::c_ulong = 0xc020_aa04;
        let mut faults = File::from(self.faults.try_clone()?);
        faults.read_exact(&mut [0; 32])?;
        sleep(BLOCK);
        let mut range = [self.start as u64, LENGTH as u64, 0, 0];
        control(&self.faults, ZERO, &mut range)?;
        Ok(self)
    }
}

/// One `ioctl` of a userfaultfd. The kernel reads and writes as many words as the request says: three
/// for `API`, and four for the others.
fn control<const N: usize>(
    faults: &OwnedFd,
    request: libc::c_ulong,
    words: &mut [u64; N],
) -> Result<(), Error> {
    assert_eq!((request >> 16 & 0x3fff) as usize, size_of_val(words));
    // SAFETY: `words` has the size that the request says, which is asserted above.
    checked(unsafe { libc::ioctl(faults.as_raw_fd(), request, words.as_mut_ptr()) }).map(drop)
}

impl Drop for LatePage {
    fn drop(&mut self) {
        // SAFETY: `new` mapped it, and nothing uses it any more.
        unsafe { libc::munmap(self.start as *mut c_void, LENGTH) };
    }
}
