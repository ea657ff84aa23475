use std::mem::size_of_val;
use std::net::{IpAddr, SocketAddr};

/// The protocol and addresses of an internet socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// `IPPROTO_TCP` or another of them.
    pub(crate) protocol: i32,
    pub(crate) listens: bool,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) peer: Option<SocketAddr>,
}

/// Reads a descriptor of the calling thread's table. Returns `None` if it is not a socket.
/// A socket of another family has no addresses.
pub(crate) fn ends(descriptor: i32) -> Option<Ends> {
    Some(Ends {
        protocol: option(descriptor, libc::SO_PROTOCOL)?,
        listens: option(descriptor, libc::SO_ACCEPTCONN)? != 0,
        local: address(descriptor, libc::getsockname),
        peer: address(descriptor, libc::getpeername),
    })
}

fn option(descriptor: i32, name: i32) -> Option<i32> {
    let mut value = 0_i32;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: `value` is valid for a write of `length` bytes; any descriptor is
    // allowed, what is no socket is an error.
    let result = unsafe {
        libc::getsockopt(
            descriptor,
            libc::SOL_SOCKET,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    (result == 0).then_some(value)
}

type Getter = unsafe extern "C" fn(i32, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

fn address(descriptor: i32, get: Getter) -> Option<SocketAddr> {
    // SAFETY: all zeroes is a valid `sockaddr_storage`, of no family.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&storage) as libc::socklen_t;
    // SAFETY: `storage` is valid for a write of `length` bytes, and large enough
    // for an address of any family.
    let result = unsafe { get(descriptor, (&raw mut storage).cast(), &raw mut length) };
    if result != 0 {
        return None;
    }
    let (address, port): (IpAddr, u16) = match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is one, and there is room for it.
            let found = unsafe { &*(&raw const storage).cast::<libc::sockaddr_in>() };
            (found.sin_addr.s_addr.to_ne_bytes().into(), found.sin_port)
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let found = unsafe { &*(&raw const storage).cast::<libc::sockaddr_in6>() };
            (found.sin6_addr.s6_addr.into(), found.sin6_port)
        }
        _ => return None,
    };
    Some(SocketAddr::new(address.to_canonical(), u16::from_be(port)))
}
