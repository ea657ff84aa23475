use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a descriptor of the service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Descriptor {
    File(String),
    Terminal(String),
    Pipe(u64),
    Socket(u64),
    Timer,
    Event,
    Epoll,
    /// By the kernel's own word for it.
    Other(String),
}

impl Descriptor {
    /// By the link in `/proc`: the watchdog's own table is another one, so the
    /// number means nothing to it.
    pub(super) fn of(thread: i32, number: u64) -> Option<Self> {
        let link = std::fs::read_link(format!("/proc/self/task/{thread}/fd/{number}")).ok()?;
        Some(Self::parse(&link.to_string_lossy()))
    }

    fn parse(link: &str) -> Self {
        let inode = |kind: &str| -> Option<u64> {
            let rest = link.strip_prefix(kind)?.strip_prefix(":[")?;
            rest.strip_suffix(']')?.parse().ok()
        };
        if let Some(inode) = inode("pipe") {
            return Self::Pipe(inode);
        }
        if let Some(inode) = inode("socket") {
            return Self::Socket(inode);
        }
        match link {
            "anon_inode:[timerfd]" => Self::Timer,
            "anon_inode:[eventfd]" => Self::Event,
            "anon_inode:[eventpoll]" => Self::Epoll,
            _ if link.starts_with("/dev/pts/") || link.starts_with("/dev/tty") => {
                Self::Terminal(link.to_owned())
            }
            _ if link.starts_with('/') => Self::File(link.to_owned()),
            _ => Self::Other(link.to_owned()),
        }
    }
}

/// A socket in words, by its inode in the kernel's tables.
///
/// Those have a line for each socket, so the last answers are kept, and a long
/// table is not read to its end.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    known: Vec<(u64, String)>,
}

const MAX_KNOWN: usize = 32;
/// About 7,000 sockets, read in about 5 ms.
const MAX_TABLE: u64 = 1 << 20;

impl Sockets {
    pub(super) fn words(&mut self, thread: i32, inode: u64) -> String {
        if let Some((_, words)) = self.known.iter().find(|(known, _)| *known == inode) {
            return words.clone();
        }
        let found = ["tcp", "tcp6", "udp", "udp6", "unix"]
            .into_iter()
            .find_map(|table| find(thread, table, inode));
        let Some(words) = found else {
            return "socket".to_owned();
        };
        if self.known.len() == MAX_KNOWN {
            self.known.remove(0);
        }
        self.known.push((inode, words.clone()));
        words
    }
}

fn find(thread: i32, table: &str, inode: u64) -> Option<String> {
    let file = File::open(format!("/proc/self/task/{thread}/net/{table}")).ok()?;
    let lines = BufReader::new(file.take(MAX_TABLE)).lines();
    lines
        .map_while(Result::ok)
        .find_map(|line| parse_line(table, &line, inode))
}

fn parse_line(table: &str, line: &str, inode: u64) -> Option<String> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    if table == "unix" {
        let found: u64 = words.get(6)?.parse().ok()?;
        let path = words.get(7).map(|path| format!(" {path}"));
        return (found == inode).then(|| format!("unix socket{}", path.unwrap_or_default()));
    }
    let found: u64 = words.get(9)?.parse().ok()?;
    if found != inode {
        return None;
    }
    let (local, peer) = (address(words.get(1)?)?, address(words.get(2)?)?);
    let kind = if table.starts_with("tcp") {
        "TCP"
    } else {
        "UDP"
    };
    Some(if peer.port() != 0 {
        format!("{kind} socket to {peer}")
    } else {
        format!("{kind} socket on {local}")
    })
}

/// `0100007F:1F90`: words in the machine's byte order, the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        Some(
            u32::from_str_radix(ip.get(at..at + 8)?, 16)
                .ok()?
                .to_ne_bytes(),
        )
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(index * 8)?);
            }
            let ip = Ipv6Addr::from(bytes);
            ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The child of this process that holds the other end of a pipe.
///
/// `Command::output` waits for the pipes of its child before it waits for the
/// child, and only the child's own descriptors tell whose pipes they are.
pub(super) fn child_with_pipe(thread: i32, inode: u64) -> Option<i32> {
    const MAX_CHILDREN: usize = 64;
    const MAX_DESCRIPTORS: usize = 16;
    let link = format!("pipe:[{inode}]");
    let others = std::fs::read_dir("/proc/self/task").ok();
    let others = others
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    std::iter::once(thread)
        .chain(others)
        .filter_map(|thread: i32| {
            std::fs::read_to_string(format!("/proc/self/task/{thread}/children")).ok()
        })
        .flat_map(|children| {
            let children: Vec<i32> = children
                .split_ascii_whitespace()
                .filter_map(|child| child.parse().ok())
                .collect();
            children
        })
        .take(MAX_CHILDREN)
        .find(|child| {
            let open = std::fs::read_dir(format!("/proc/{child}/fd")).ok();
            let open = open.into_iter().flatten().take(MAX_DESCRIPTORS);
            open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
                .any(|target| target.as_os_str() == link.as_str())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_told_apart() {
        for (link, expected) in [
            ("pipe:[123]", Descriptor::Pipe(123)),
            ("socket:[9]", Descriptor::Socket(9)),
            ("anon_inode:[timerfd]", Descriptor::Timer),
            ("anon_inode:[eventpoll]", Descriptor::Epoll),
            ("/dev/pts/3", Descriptor::Terminal("/dev/pts/3".into())),
            (
                "/var/x (deleted)",
                Descriptor::File("/var/x (deleted)".into()),
            ),
            (
                "anon_inode:bpf-map",
                Descriptor::Other("anon_inode:bpf-map".into()),
            ),
        ] {
            assert_eq!(Descriptor::parse(link), expected);
        }
    }

    #[test]
    fn addresses_of_the_kernels_tables_are_read() {
        let tcp = "   1: 0100007F:1F90 0200007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 20 4 30 10 -1";
        let words = parse_line("tcp", tcp, 4242);
        assert_eq!(words.as_deref(), Some("TCP socket to 127.0.0.2:80"));
        assert_eq!(parse_line("tcp", tcp, 4243), None);
        let listening = tcp.replace("0200007F:0050 01", "00000000:0000 0A");
        let words = parse_line("tcp", &listening, 4242);
        assert_eq!(words.as_deref(), Some("TCP socket on 127.0.0.1:8080"));
        assert_eq!(
            address("0000000000000000FFFF00000100007F:0050"),
            Some(([127, 0, 0, 1], 80).into())
        );
        assert_eq!(
            address("00000000000000000000000001000000:0050").map(|a| a.to_string()),
            Some("[::1]:80".into())
        );
        let unix = "0000000000000000: 00000003 00000000 00000000 0001 03 777 /run/x.sock";
        let words = parse_line("unix", unix, 777);
        assert_eq!(words.as_deref(), Some("unix socket /run/x.sock"));
        for bad in ["", "a b", "0: 0:0 0:0 0 0 0 0 0 0 x"] {
            assert_eq!(parse_line("tcp", bad, 1), None);
        }
    }

    #[test]
    fn the_child_behind_a_pipe_is_found() {
        let mut child = std::process::Command::new("sleep")
            .arg("30")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let thread = crate::sys::thread_id();
        let number = std::os::fd::AsRawFd::as_raw_fd(child.stdout.as_ref().unwrap());
        let Some(Descriptor::Pipe(inode)) = Descriptor::of(thread, number as u64) else {
            panic!("not a pipe");
        };
        let found = child_with_pipe(thread, inode);
        let _ = child.kill();
        let _ = child.wait();
        assert_eq!(found, Some(child.id() as i32));
        assert_eq!(child_with_pipe(thread, inode), None);
    }
}
