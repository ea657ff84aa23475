use std::fmt;
use std::net::SocketAddr;

use super::descriptor::Descriptor;
use crate::sys::socket::{Ends, ends};

/// A described socket. `Display` writes `TCP socket to 127.0.0.1:80`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    /// `TCP socket`, or `socket` if nothing more is known.
    pub(super) name: &'static str,
    /// As ` to 127.0.0.1:80`, or empty.
    address: String,
}

const UNIX: &str = "unix socket";

impl Socket {
    pub(super) const UNKNOWN: Self = Self {
        name: "socket",
        address: String::new(),
    };

    /// Returns `None` if it is neither a TCP nor a UDP socket.
    pub(super) fn of(ends: Ends) -> Option<Self> {
        let is_tcp = match ends.protocol {
            libc::IPPROTO_TCP => true,
            libc::IPPROTO_UDP => false,
            _ => return None,
        };
        Some(Self::internet(is_tcp, ends.listens, ends.local?, ends.peer))
    }

    /// Returns a TCP or UDP socket.
    pub(super) fn internet(
        is_tcp: bool,
        listens: bool,
        local: SocketAddr,
        peer: Option<SocketAddr>,
    ) -> Self {
        let address = match peer {
            _ if listens => format!(" listening on {local}"),
            Some(peer) => format!(" to {peer}"),
            None if local.port() != 0 => format!(" on {local}"),
            None => String::new(),
        };
        let name = if is_tcp { "TCP socket" } else { "UDP socket" };
        Self { name, address }
    }

    /// Returns a unix socket. `address` is as in the field.
    pub(super) fn unix(address: String) -> Self {
        Self {
            name: UNIX,
            address,
        }
    }

    /// Returns whether it is a unix socket without a path: one end of a pair, or a client's.
    pub(super) fn is_nameless_unix(&self) -> bool {
        self.name == UNIX && self.address.is_empty()
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.address)
    }
}

/// Returns the ends of a socket. Called on a thread that has the service's descriptor table.
pub(crate) fn describe_socket(number: i32, inode: u64) -> Option<Ends> {
    let thread = crate::sys::thread_id();
    let is_it = || Descriptor::resolve(thread, number) == Some(Descriptor::Socket { inode });
    // The number may refer to something else at any time, so it is checked before and after.
    is_it().then(|| ends(number))?.filter(|_| is_it())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_described_by_its_own_ends() {
        use std::net::{TcpListener, TcpStream, UdpSocket};
        use std::os::fd::AsRawFd;
        use std::os::linux::fs::MetadataExt;
        let of = |socket: &dyn AsRawFd| {
            let number = socket.as_raw_fd();
            let inode = std::fs::metadata(format!("/proc/self/fd/{number}")).unwrap();
            let inode = inode.st_ino();
            assert_eq!(describe_socket(number, inode + 1), None);
            Socket::of(describe_socket(number, inode)?).map(|socket| socket.to_string())
        };
        for ip in ["127.0.0.1", "::1"] {
            let Ok(listener) = TcpListener::bind((ip, 0)) else {
                continue;
            };
            let at = listener.local_addr().unwrap();
            let client = TcpStream::connect(at).unwrap();
            let expected = format!("TCP socket listening on {at}");
            assert_eq!(of(&listener), Some(expected));
            assert_eq!(of(&client), Some(format!("TCP socket to {at}")));
        }
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = udp.local_addr().unwrap();
        assert_eq!(of(&udp), Some(format!("UDP socket on {at}")));
        udp.connect(at).unwrap();
        assert_eq!(of(&udp), Some(format!("UDP socket to {at}")));
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(of(&one), None);
    }
}
