//! `getaddrinfo` reads its name servers from `/etc/resolv.conf`. glibc keeps a copy of this
//! configuration for each thread, which a program may change (resolver(3), `_res`).

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

/// Makes `server` the only name server for this thread's lookups.
pub fn use_name_server(server: SocketAddrV4) -> io::Result<()> {
    // SAFETY: `res_init` takes no arguments and fills this thread's state.
    if unsafe { libc::res_init() } != 0 {
        return Err(io::Error::other(
            "the resolver of the C library cannot read its configuration",
        ));
    }
    // SAFETY: `__res_state` takes no arguments and returns the address of this thread's state.
    let state = unsafe { __res_state() };
    // SAFETY: the state lives as long as its thread, no other thread uses it, this function
    // holds the only reference, and the state begins with the layout of `ResState`.
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
