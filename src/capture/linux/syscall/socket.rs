use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::descriptor::{Descriptor, readable};
use crate::capture::Effort;
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
    const UNKNOWN: Self = Self {
        name: "socket",
        address: String::new(),
    };

    /// Returns `None` if it is neither a TCP nor a UDP socket.
    fn of(ends: Ends) -> Option<Self> {
        let is_tcp = match ends.protocol {
            libc::IPPROTO_TCP => true,
            libc::IPPROTO_UDP => false,
            _ => return None,
        };
        Some(Self::internet(is_tcp, ends.listens, ends.local?, ends.peer))
    }

    fn internet(is_tcp: bool, listens: bool, local: SocketAddr, peer: Option<SocketAddr>) -> Self {
        let address = match peer {
            _ if listens => format!(" listening on {local}"),
            Some(peer) => format!(" to {peer}"),
            None if local.port() != 0 => format!(" on {local}"),
            None => String::new(),
        };
        let name = if is_tcp { "TCP socket" } else { "UDP socket" };
        Self { name, address }
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

/// Asks a thread that has the service's descriptor table for the ends of a socket, by its number
/// and inode. Returns soon, with `None` if there is no answer by then.
pub(crate) type SocketLookup = Box<dyn Fn(i32, u64) -> Option<Ends> + Send>;

/// Returns the ends of a socket. Called on a thread that has the service's descriptor table.
pub(crate) fn describe_socket(number: i32, inode: u64) -> Option<Ends> {
    let thread = crate::sys::thread_id();
    let is_it = || Descriptor::resolve(thread, number) == Some(Descriptor::Socket { inode });
    // The number may refer to something else at any time, so it is checked before and after.
    is_it().then(|| ends(number))?.filter(|_| is_it())
}

/// Describes sockets by their inodes.
///
/// The watchdog has a descriptor table of its own, so it cannot query a socket itself. It asks
/// a thread that can. If there is no answer, it reads the kernel's tables, which have a line
/// for each socket of the machine. The last results are cached, because a stuck thread is
/// examined repeatedly.
#[derive(Default)]
pub(crate) struct Sockets {
    lookup: Option<SocketLookup>,
    /// Inode, socket, and how often it may be returned again.
    cache: Vec<(u64, Socket, u8)>,
}

const MAX_CACHED: usize = 16;
/// A cached result becomes outdated if the socket is connected or its inode is reused.
const MAX_USES: u8 = 32;
/// About 7,000 sockets, read in about 5 ms.
const MAX_TABLE: u64 = 1 << 20;
const TABLES: [&str; 5] = ["tcp", "tcp6", "udp", "udp6", "unix"];

impl Sockets {
    pub(crate) fn new(lookup: Option<SocketLookup>) -> Self {
        Self {
            lookup,
            cache: Vec::new(),
        }
    }

    /// Describes a socket. Returns `None` if that takes more effort.
    pub(super) fn find(
        &mut self,
        thread: i32,
        number: i32,
        inode: u64,
        effort: Effort,
    ) -> Option<Socket> {
        if let Some(at) = self.cache.iter().position(|(cached, ..)| *cached == inode) {
            if let Some((_, socket, uses)) = self.cache.get_mut(at)
                && let Some(left) = uses.checked_sub(1)
            {
                *uses = left;
                return Some(socket.clone());
            }
            self.cache.remove(at);
        }
        if effort == Effort::Little {
            return None;
        }
        let answer = self.lookup.as_ref().and_then(|ask| ask(number, inode));
        let found = answer.and_then(Socket::of).or_else(|| {
            TABLES.iter().find_map(|table| {
                let file = File::open(format!("/proc/self/task/{thread}/net/{table}")).ok()?;
                find(table, BufReader::new(file.take(MAX_TABLE)), inode)
            })
        });
        // A failed search is cached, too, because it takes longest.
        let socket = found.unwrap_or(Socket::UNKNOWN);
        if self.cache.len() >= MAX_CACHED {
            self.cache.remove(0);
        }
        self.cache.push((inode, socket.clone(), MAX_USES));
        Some(socket)
    }
}

fn find(table: &str, mut lines: impl BufRead, inode: u64) -> Option<Socket> {
    let mut line = Vec::new();
    loop {
        line.clear();
        lines.read_until(b'\n', &mut line).ok()?;
        // The last line may have been cut, even within a number.
        let whole = line.strip_suffix(b"\n")?;
        let line = String::from_utf8_lossy(whole);
        let found = if table == "unix" {
            parse_unix(&line, inode)
        } else {
            parse_internet(table, &line, inode)
        };
        if found.is_some() {
            return found;
        }
    }
}

/// Parses `sl local remote state queues timer retransmits uid timeout inode …`.
fn parse_internet(table: &str, line: &str, wanted: u64) -> Option<Socket> {
    const LISTENING: &str = "0A";
    let mut words = line.split_ascii_whitespace();
    let (local, peer, state) = (words.nth(1)?, words.next()?, words.next()?);
    if words.nth(5)?.parse() != Ok(wanted) {
        return None;
    }
    let (local, peer) = (address(local)?, address(peer)?);
    let is_tcp = table.starts_with("tcp");
    let listens = is_tcp && state == LISTENING;
    let peer = (peer.port() != 0).then_some(peer);
    Some(Socket::internet(is_tcp, listens, local, peer))
}

/// Parses `address: count protocol flags type state inode path`. The path may contain spaces or
/// be missing.
fn parse_unix(line: &str, wanted: u64) -> Option<Socket> {
    const LISTENING: u32 = 1 << 16;
    let mut words = line.split_ascii_whitespace();
    let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
    if words.nth(2)?.parse() != Ok(wanted) {
        return None;
    }
    let path = readable(after_seven(line));
    let address = match &*path {
        "" => path,
        _ if flags & LISTENING != 0 => format!(" listening on {path}"),
        _ => format!(" at {path}"),
    };
    Some(Socket {
        name: UNIX,
        address,
    })
}

/// Returns what follows the seventh word.
fn after_seven(line: &str) -> &str {
    (0..7).fold(line, |rest, _| {
        let rest = rest.trim_start();
        rest.split_once(' ').map_or("", |(_, rest)| rest)
    })
}

/// Parses `0100007F:1F90`: address words in the machine's byte order, and the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut words = ip.as_bytes().chunks(8).map(|digits| {
        let number = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16);
        Some(number.ok()?.to_ne_bytes())
    });
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(words.next()??)),
        32 => {
            let mut bytes = [0; 16];
            for (into, word) in bytes.chunks_exact_mut(4).zip(words) {
                into.copy_from_slice(&word?);
            }
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 41 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0200007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 42 1 0000000000000000 20 4 30 10 -1
";
    const TCP6: &str = "   1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000300007F:0051 01 0:0 00:0 0 0 0 43 1
   2: 00000000000000000000000001000000:0050 00000000000000000000000001000000:0051 01 0:0 00:0 0 0 0 44 1
";
    const UDP: &str = "  96: 00000000:1388 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 45 2 0000000000000000 0
  97: 0100007F:1388 0100000A:0035 01 00000000:00000000 00:00000000 00000000     0        0 46 2 0000000000000000 0
";
    const UNIX: &str = "Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01    47 /run/x y.sock
0000000000000000: 00000003 00000000 00000000 0001 03    48
0000000000000000: 00000003 00000000 00000000 0001 03 49 @abstract
";

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

    #[test]
    #[cfg(target_endian = "little")]
    fn the_kernels_tables_are_read() {
        for (table, text, inode, expected) in [
            (
                "tcp",
                TCP,
                41,
                Some("TCP socket listening on 127.0.0.1:8080"),
            ),
            ("tcp", TCP, 42, Some("TCP socket to 127.0.0.2:80")),
            ("tcp", TCP, 4, None),
            ("tcp6", TCP6, 43, Some("TCP socket to 127.0.0.3:81")),
            ("tcp6", TCP6, 44, Some("TCP socket to [::1]:81")),
            ("udp", UDP, 45, Some("UDP socket on 0.0.0.0:5000")),
            ("udp", UDP, 46, Some("UDP socket to 10.0.0.1:53")),
            (
                "unix",
                UNIX,
                47,
                Some("unix socket listening on /run/x y.sock"),
            ),
            ("unix", UNIX, 48, Some("unix socket")),
            ("unix", UNIX, 49, Some("unix socket at @abstract")),
        ] {
            let found = find(table, text.as_bytes(), inode).map(|socket| socket.to_string());
            assert_eq!(found.as_deref(), expected, "{table} {inode}");
        }
    }

    #[test]
    fn a_table_cut_anywhere_names_no_wrong_socket() {
        for length in 0..TCP.len() {
            assert_eq!(find("tcp", &TCP.as_bytes()[..length], 4), None);
        }
        for bad in [
            "",
            "\n",
            "x\n",
            "0: 0:0 0:0 0 0 0 0 0 0 1\n",
            "\u{fffd}: é:é é é é é é é é 1\n",
        ] {
            for table in TABLES {
                assert_eq!(find(table, bad.as_bytes(), 1), None, "{bad:?}");
            }
        }
        for bad in [
            "",
            ":",
            "0100007F",
            "0100007F:",
            "é100007:1",
            "0100007F:10000",
        ] {
            assert_eq!(address(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn results_are_cached_for_a_limited_number_of_uses() {
        let mut sockets = Sockets::default();
        for inode in 0..100 {
            assert_eq!(
                sockets.find(-1, -1, inode, Effort::Full),
                Some(Socket::UNKNOWN)
            );
        }
        assert_eq!(sockets.cache.len(), MAX_CACHED);
        for _ in 0..=MAX_USES {
            assert_eq!(sockets.cache.last().unwrap().0, 99);
            sockets.find(-1, -1, 99, Effort::Full);
        }
        assert_eq!(sockets.cache.last().unwrap().2, MAX_USES);
    }
}
