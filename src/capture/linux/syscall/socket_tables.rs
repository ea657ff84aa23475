use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::descriptor::readable;
use super::socket::Socket;

/// About 7,000 sockets, read in about 5 ms.
const MAX_TABLE: u64 = 1 << 20;
const TABLES: [&str; 5] = ["tcp", "tcp6", "udp", "udp6", "unix"];

/// Finds a socket in the kernel's tables, by its inode.
pub(super) fn find_in_tables(thread: i32, inode: u64) -> Option<Socket> {
    TABLES.iter().find_map(|table| {
        let file = File::open(format!("/proc/self/task/{thread}/net/{table}")).ok()?;
        find(table, BufReader::new(file.take(MAX_TABLE)), inode)
    })
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
    Some(Socket::unix(address))
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
}
