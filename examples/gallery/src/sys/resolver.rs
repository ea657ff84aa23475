//! Whom `getaddrinfo` asks is configured for the machine, in `/etc/resolv.conf`. But glibc
//! keeps a copy for each thread and honours what a program changes in it (resolver(3),
//! `_res`).

use std::io;
use std::net::SocketAddrV4;

/// The beginning of glibc's `struct __res_state`, as `<resolv.h>` has it: part of its ABI.
#[repr(C)]
struct ResState {
    retrans: libc::c_int,
    retry: libc::c_int,
    options: libc::c_ulong,
    nscount: libc::c_int,
    nsaddr_list: [libc::sockaddr_in; 3],
}

unsafe extern "C" {
    fn __res_state() -> *mut ResState;
}

/// Lets name lookups of this thread ask `server`, and nobody else.
pub fn ask(server: SocketAddrV4) -> io::Result<()> {
    // SAFETY: it takes no arguments; it fills this thread's state.
    if unsafe { libc::res_init() } != 0 {
        return Err(io::Error::other(
            "the resolver of the C library has no configuration",
        ));
    }
    // SAFETY: it takes no arguments; it returns the address of this thread's state.
    let state = unsafe { __res_state() };
    // SAFETY: the state is the thread's own and lives as long as the thread, nobody else
    // writes to it, and its beginning is laid out as `ResState`.
    let state = unsafe { &mut *state };
    state.nscount = 1;
    state.nsaddr_list[0] = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: server.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(*server.ip()).to_be(),
        },
        sin_zero: [0; 8],
    };
    Ok(())
}
