use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;

/// What a descriptor refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Descriptor {
    /// A named pipe, too.
    File(String),
    Tty(String),
    /// The inode number is common to both ends.
    Pipe {
        inode: u64,
        end: End,
    },
    Socket {
        inode: u64,
    },
    Eventfd,
    Timerfd,
    Epoll,
    /// A process, with its number if that can be read.
    Process(Option<i32>),
    /// The kernel's own name.
    Other(String),
}

/// Which end of a pipe a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Reads,
    Writes,
    /// Opened for both, or unknown.
    Either,
}

impl Descriptor {
    /// Resolves a descriptor of another thread, by its link in `/proc`. The watchdog cannot use
    /// the number itself, because it has a descriptor table of its own.
    pub(super) fn resolve(thread: i32, number: i32) -> Option<Self> {
        let path = format!("/proc/self/task/{thread}/fd/{number}");
        let link = fs::read_link(&path).ok()?;
        Some(match Self::parse(&link.to_string_lossy()) {
            Self::Pipe { inode, .. } => Self::Pipe {
                inode,
                end: End::of_link(&path),
            },
            Self::Process(_) => Self::Process(process(thread, number)),
            other => other,
        })
    }

    fn parse(link: &str) -> Self {
        if link.starts_with('/') {
            let is_tty = ["/dev/pts/", "/dev/tty", "/dev/console"]
                .iter()
                .any(|prefix| link.starts_with(prefix));
            let path = readable(link);
            return if is_tty {
                Self::Tty(path)
            } else {
                Self::File(path)
            };
        }
        if let Some(inode) = inode(link, "pipe") {
            return Self::Pipe {
                inode,
                end: End::Either,
            };
        }
        if let Some(inode) = inode(link, "socket") {
            return Self::Socket { inode };
        }
        let name = link.strip_prefix("anon_inode:").unwrap_or(link);
        match name.trim_start_matches('[').trim_end_matches(']') {
            "eventfd" => Self::Eventfd,
            "timerfd" => Self::Timerfd,
            "eventpoll" => Self::Epoll,
            // Its name differs between kernel versions.
            name if name == "pidfd" || name.starts_with("pidfd:") => Self::Process(None),
            name => Self::Other(readable(name)),
        }
    }
}

impl End {
    /// Finds the end by the permissions of the link in `/proc`: they show how the descriptor was
    /// opened.
    pub(super) fn of_link(path: &str) -> Self {
        let mode = fs::symlink_metadata(path).map_or(0, |link| link.mode());
        match (mode & 0o400 != 0, mode & 0o200 != 0) {
            (true, false) => Self::Reads,
            (false, true) => Self::Writes,
            _ => Self::Either,
        }
    }

    /// Returns whether data written to one end can be read from the other.
    pub(super) fn is_opposite(self, other: Self) -> bool {
        self == Self::Either || self != other
    }
}

/// Returns the number in `pipe:[number]`.
fn inode(link: &str, kind: &str) -> Option<u64> {
    let number = link.strip_prefix(kind)?.strip_prefix(":[")?;
    number.strip_suffix(']')?.parse().ok()
}

/// Returns the process that a descriptor refers to.
pub(super) fn process(thread: i32, number: i32) -> Option<i32> {
    let details = details(thread, number);
    let mut lines = details.lines();
    let found: i32 = lines
        .find_map(|line| line.strip_prefix("Pid:"))?
        .trim()
        .parse()
        .ok()?;
    (found > 0).then_some(found)
}

/// Returns the numbers and inodes of the sockets among the first descriptors that an epoll
/// instance watches.
pub(super) fn watched_sockets(thread: i32, number: i32) -> impl Iterator<Item = (i32, u64)> {
    const MAX_TARGETS: usize = 64;
    let targets: Vec<_> = details(thread, number)
        .lines()
        .filter_map(parse_target)
        .take(MAX_TARGETS)
        .collect();
    targets.into_iter().filter_map(move |(target, known)| {
        match Descriptor::resolve(thread, target)? {
            // The number may refer to something else by now.
            Descriptor::Socket { inode } if known.is_none_or(|known| known == inode) => {
                Some((target, inode))
            }
            _ => None,
        }
    })
}

/// Parses `tfd: 5 events: 19 data: 5  pos:0 ino:1a2b sdev:8` into number and inode. Kernels
/// before 4.14 do not report the inode.
fn parse_target(line: &str) -> Option<(i32, Option<u64>)> {
    let mut words = line.strip_prefix("tfd:")?.split_ascii_whitespace();
    let number = words.next()?.parse().ok()?;
    let inode = words.find_map(|word| word.strip_prefix("ino:"));
    Some((
        number,
        inode.and_then(|inode| u64::from_str_radix(inode, 16).ok()),
    ))
}

/// Reads the beginning of a descriptor's `fdinfo`.
fn details(thread: i32, number: i32) -> String {
    const MAX_LENGTH: u64 = 1 << 14;
    let mut text = Vec::new();
    if let Ok(file) = File::open(format!("/proc/self/task/{thread}/fdinfo/{number}")) {
        // What was read before an error is used.
        let _ = file.take(MAX_LENGTH).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Makes foreign text fit for a log line: limits its length, and escapes control and other
/// invisible characters.
pub(super) fn readable(text: &str) -> String {
    const MAX_LENGTH: usize = 256;
    let mut out = String::new();
    for (index, next) in text.chars().enumerate() {
        match next {
            _ if index == MAX_LENGTH => {
                out.push('…');
                break;
            }
            '"' | '\'' => out.push(next),
            _ => out.extend(next.escape_debug()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn each_kind_of_link_is_recognised() {
        let file = |path: &str| Descriptor::File(path.to_owned());
        for (link, expected) in [
            ("/var/data/x", file("/var/data/x")),
            ("/tmp/x (deleted)", file("/tmp/x (deleted)")),
            ("/memfd:name (deleted)", file("/memfd:name (deleted)")),
            ("/tmp/a\nb\u{202e}", file("/tmp/a\\nb\\u{202e}")),
            ("/dev/pts/3", Descriptor::Tty("/dev/pts/3".into())),
            ("/dev/null", file("/dev/null")),
            ("socket:[9]", Descriptor::Socket { inode: 9 }),
            ("anon_inode:[timerfd]", Descriptor::Timerfd),
            ("anon_inode:[eventfd]", Descriptor::Eventfd),
            ("anon_inode:[eventpoll]", Descriptor::Epoll),
            ("anon_inode:[pidfd]", Descriptor::Process(None)),
            ("pidfd:[77]", Descriptor::Process(None)),
            ("anon_inode:inotify", Descriptor::Other("inotify".into())),
            ("socket:[x]", Descriptor::Other("socket:[x".into())),
            (
                "pipe:[99999999999999999999]",
                Descriptor::Other("pipe:[99999999999999999999".into()),
            ),
            ("", Descriptor::Other(String::new())),
        ] {
            assert_eq!(Descriptor::parse(link), expected, "{link:?}");
        }
    }

    #[test]
    fn the_ends_of_a_pipe_are_distinguished() {
        let (reader, writer) = std::io::pipe().unwrap();
        let of = |number| Descriptor::resolve(super::super::describe::tests::own_thread(), number);
        let Some(Descriptor::Pipe { inode, end }) = of(reader.as_raw_fd()) else {
            panic!("not a pipe");
        };
        assert_eq!(end, End::Reads);
        let end = End::Writes;
        assert_eq!(
            of(writer.as_raw_fd()),
            Some(Descriptor::Pipe { inode, end })
        );
        assert!(End::Reads.is_opposite(End::Writes) && End::Reads.is_opposite(End::Either));
        assert!(!End::Reads.is_opposite(End::Reads) && End::Either.is_opposite(End::Reads));
        assert_eq!(of(-1), None);
        assert_eq!(of(i32::MAX), None);
        assert_eq!(Descriptor::resolve(-1, 0), None);
    }

    #[test]
    fn targets_of_an_epoll_instance_are_read() {
        let line = "tfd:        5 events:       19 data: ffffffff00000005  pos:0 ino:1a2b sdev:8";
        assert_eq!(parse_target(line), Some((5, Some(0x1a2b))));
        assert_eq!(parse_target("tfd: 5 events: 19"), Some((5, None)));
        for bad in ["", "pos:\t0", "tfd:", "tfd: x", "tfd: 99999999999"] {
            assert_eq!(parse_target(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn foreign_text_is_shortened() {
        assert_eq!(readable("it's \"x\""), "it's \"x\"");
        assert_eq!(readable(&"é".repeat(300)).chars().count(), 257);
    }
}
