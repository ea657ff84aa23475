use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;

/// What a number in a thread's descriptor table stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Descriptor {
    /// A named pipe is one, too.
    File(String),
    Tty(String),
    /// By the kernel's number, which both ends have in common.
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
    /// A process; without its number where that cannot be read.
    Process(Option<i32>),
    /// In the kernel's own words.
    Other(String),
}

/// Which end of a pipe a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Reads,
    Writes,
    /// Opened for both, or not to be told.
    Either,
}

impl Descriptor {
    /// By the link that the kernel shows for it. The number itself means
    /// nothing here: the watchdog has a table of its own.
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
            // The kernel's name of it has changed.
            name if name == "pidfd" || name.starts_with("pidfd:") => Self::Process(None),
            name => Self::Other(readable(name)),
        }
    }
}

impl End {
    /// By the permissions of the link in `/proc`, which are those it was
    /// opened with.
    pub(super) fn of_link(path: &str) -> Self {
        let mode = fs::symlink_metadata(path).map_or(0, |link| link.mode());
        match (mode & 0o400 != 0, mode & 0o200 != 0) {
            (true, false) => Self::Reads,
            (false, true) => Self::Writes,
            _ => Self::Either,
        }
    }

    /// Whether what is written into one can come out of the other.
    pub(super) fn is_opposite(self, other: Self) -> bool {
        self == Self::Either || self != other
    }
}

/// The number in `pipe:[number]`.
fn inode(link: &str, kind: &str) -> Option<u64> {
    let number = link.strip_prefix(kind)?.strip_prefix(":[")?;
    number.strip_suffix(']')?.parse().ok()
}

/// The process that a descriptor stands for.
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

/// The numbers and inodes of the sockets that an epoll instance watches, among the first
/// of its descriptors.
pub(super) fn watched_sockets(thread: i32, number: i32) -> impl Iterator<Item = (i32, u64)> {
    const MOST: usize = 64;
    let targets: Vec<_> = details(thread, number)
        .lines()
        .filter_map(parse_target)
        .take(MOST)
        .collect();
    targets.into_iter().filter_map(move |(target, known)| {
        match Descriptor::resolve(thread, target)? {
            // The number may stand for something else by now.
            Descriptor::Socket { inode } if known.is_none_or(|known| known == inode) => {
                Some((target, inode))
            }
            _ => None,
        }
    })
}

/// `tfd: 5 events: 19 data: 5  pos:0 ino:1a2b sdev:8`: number and inode, which
/// kernels before 4.14 don't give.
fn parse_target(line: &str) -> Option<(i32, Option<u64>)> {
    let mut words = line.strip_prefix("tfd:")?.split_ascii_whitespace();
    let number = words.next()?.parse().ok()?;
    let inode = words.find_map(|word| word.strip_prefix("ino:"));
    Some((
        number,
        inode.and_then(|inode| u64::from_str_radix(inode, 16).ok()),
    ))
}

/// What the kernel adds about a descriptor; as much of it as is worth reading.
fn details(thread: i32, number: i32) -> String {
    const LONGEST: u64 = 1 << 14;
    let mut text = Vec::new();
    if let Ok(file) = File::open(format!("/proc/self/task/{thread}/fdinfo/{number}")) {
        // What was read until an error is worth as much.
        let _ = file.take(LONGEST).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Text of others, fit for a log line: of limited length, control characters
/// and what else cannot be seen escaped.
pub(super) fn readable(text: &str) -> String {
    const LONGEST: usize = 256;
    let mut fit = String::new();
    for (index, next) in text.chars().enumerate() {
        match next {
            _ if index == LONGEST => {
                fit.push('…');
                break;
            }
            '"' | '\'' => fit.push(next),
            _ => fit.extend(next.escape_debug()),
        }
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn links_are_told_apart() {
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
    fn a_pipes_ends_are_told_apart() {
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
    fn text_of_others_is_shortened() {
        assert_eq!(readable("it's \"x\""), "it's \"x\"");
        assert_eq!(readable(&"é".repeat(300)).chars().count(), 257);
    }
}
