use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::descriptor::readable;

/// Reads another thread's memory. Returns false if not all of it can be read.
pub(super) trait Memory: Fn(u64, &mut [u8]) -> bool {}
impl<F: Fn(u64, &mut [u8]) -> bool> Memory for F {}

/// Longer paths are cut. The kernel's limit is 4096.
const MAX_PATH: usize = 256;

/// Reads a path that ends with a zero byte. Returns `None` if it cannot be read.
pub(super) fn path(address: u64, memory: &impl Memory) -> Option<String> {
    /// Divides every page size. So a step that begins at a multiple of it cannot extend into the
    /// page after the one that the text ends in.
    const STEP: u64 = 64;
    let mut bytes = Vec::new();
    let mut at = address;
    while bytes.len() < MAX_PATH {
        let mut step = [0; STEP as usize];
        let step = step.get_mut(..(STEP - at % STEP) as usize)?;
        if !memory(at, step) {
            return None;
        }
        if let Some(end) = step.iter().position(|byte| *byte == 0) {
            bytes.extend_from_slice(step.get(..end)?);
            return Some(readable(&String::from_utf8_lossy(&bytes)));
        }
        bytes.extend_from_slice(step);
        at = at.checked_add(step.len() as u64)?;
    }
    Some(readable(&String::from_utf8_lossy(&bytes)) + "…")
}

/// Reads a `struct sockaddr`. Returns `None` if its family is not known.
pub(super) fn socket_address(address: u64, length: u64, memory: &impl Memory) -> Option<String> {
    let mut bytes = [0; 128];
    let bytes = bytes.get_mut(..usize::try_from(length).ok()?.min(128))?;
    if address == 0 || !memory(address, bytes) {
        return None;
    }
    let (family, rest) = bytes.split_first_chunk()?;
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => {
            let (port, rest) = rest.split_first_chunk()?;
            let ip = Ipv4Addr::from(*rest.first_chunk::<4>()?);
            Some(SocketAddr::new(ip.into(), u16::from_be_bytes(*port)).to_string())
        }
        libc::AF_INET6 => {
            let (port, rest) = rest.split_first_chunk()?;
            // A flow label precedes the address.
            let ip = Ipv6Addr::from(*rest.get(4..)?.first_chunk::<16>()?);
            Some(SocketAddr::new(ip.to_canonical(), u16::from_be_bytes(*port)).to_string())
        }
        libc::AF_UNIX => {
            let (prefix, name) = match rest.strip_prefix(&[0]) {
                Some(name) => ("@", name),
                None => ("", rest),
            };
            let name = name.split(|byte| *byte == 0).next()?;
            Some(format!(
                "{prefix}{}",
                readable(&String::from_utf8_lossy(name))
            ))
        }
        _ => None,
    }
}

/// The first descriptor of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    Descriptor(i32),
    /// The list is empty.
    Nothing,
    /// The list cannot be read.
    Unknown,
}

/// Returns the first descriptor in an array of `struct pollfd`. Negative ones are ignored.
pub(super) fn first_polled(address: u64, count: u64, memory: &impl Memory) -> First {
    const MAX_ENTRIES: u64 = 16;
    const SIZE: usize = 8;
    let mut bytes = [0; SIZE * MAX_ENTRIES as usize];
    let length = SIZE.saturating_mul(count.min(MAX_ENTRIES) as usize);
    let Some(list) = bytes.get_mut(..length) else {
        return First::Unknown;
    };
    if count > 0 && !memory(address, list) {
        return First::Unknown;
    }
    let mut numbers = list
        .chunks_exact(SIZE)
        .filter_map(|entry| Some(i32::from_ne_bytes(*entry.first_chunk()?)));
    match numbers.find(|number| *number >= 0) {
        Some(number) => First::Descriptor(number),
        None if count > MAX_ENTRIES => First::Unknown,
        None => First::Nothing,
    }
}

/// Returns the first descriptor in the sets for reading, writing and exceptions, in this order.
pub(super) fn first_selected(count: u64, sets: [u64; 3], memory: &impl Memory) -> First {
    const BITS: u32 = u64::BITS;
    /// `FD_SETSIZE`, the size of a set in the C library. Larger sets are rare.
    const MAX_BITS: u32 = 1024;
    let count = u32::try_from((count as i32).max(0))
        .unwrap_or(0)
        .min(MAX_BITS);
    for set in sets {
        // Reads whole words, like the kernel, and nothing after them.
        for index in 0..count.div_ceil(BITS) {
            if set == 0 {
                break;
            }
            let mut word = [0; 8];
            let Some(at) = set.checked_add(u64::from(index) * 8) else {
                return First::Unknown;
            };
            if !memory(at, &mut word) {
                return First::Unknown;
            }
            let number = u64::from_ne_bytes(word)
                .trailing_zeros()
                .saturating_add(index * BITS);
            // A word without a bit yields the next word's first number.
            if number < count && u64::from_ne_bytes(word) != 0 {
                return i32::try_from(number).map_or(First::Unknown, First::Descriptor);
            }
        }
    }
    First::Nothing
}

/// Reads one word, as the first field of a `struct clone_args`.
pub(super) fn word(address: u64, memory: &impl Memory) -> Option<u64> {
    let mut bytes = [0; 8];
    memory(address, &mut bytes).then(|| u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns memory that has `bytes` at 4096 and nothing else.
    fn page(bytes: &[u8]) -> impl Fn(u64, &mut [u8]) -> bool + '_ {
        |address, into| {
            let found = usize::try_from(address)
                .ok()
                .and_then(|at| at.checked_sub(4096))
                .and_then(|at| bytes.get(at..at.checked_add(into.len())?));
            found.inspect(|bytes| into.copy_from_slice(bytes)).is_some()
        }
    }

    #[test]
    fn a_path_ends_at_its_zero_byte_and_within_the_limit() {
        let mut bytes = vec![b'x'; 4096];
        bytes[4090..].copy_from_slice(b"/a\n\xff'\0");
        let read = |at: u64| path(at, &page(&bytes));
        assert_eq!(read(4096 + 4090).as_deref(), Some("/a\\n\u{fffd}'"));
        assert_eq!(read(4096 + 4095).as_deref(), Some(""));
        let long = read(4096).unwrap();
        assert!(long.ends_with("x…") && long.len() < 330, "{long}");
        bytes[4095] = b'x';
        for bad in [4096 + 4090, 0, 4095, 8192, u64::MAX, u64::MAX - 100] {
            assert_eq!(path(bad, &page(&bytes)), None, "{bad:#x}");
        }
        let everywhere = |_: u64, into: &mut [u8]| {
            into.fill(b'x');
            true
        };
        assert_eq!(path(u64::MAX - 10, &everywhere), None);
    }

    #[test]
    fn socket_addresses_are_read() {
        let text = |bytes: &[u8]| socket_address(4096, bytes.len() as u64, &page(bytes));
        let mut v4 = vec![0; 16];
        v4[..2].copy_from_slice(&2_u16.to_ne_bytes());
        v4[2..8].copy_from_slice(&[0x1f, 0x90, 127, 0, 0, 1]);
        assert_eq!(text(&v4).as_deref(), Some("127.0.0.1:8080"));
        let mut v6 = vec![0; 28];
        v6[..2].copy_from_slice(&10_u16.to_ne_bytes());
        v6[2..4].copy_from_slice(&[0, 53]);
        v6[23] = 1;
        assert_eq!(text(&v6).as_deref(), Some("[::1]:53"));
        let mut unix = 1_u16.to_ne_bytes().to_vec();
        unix.extend(b"/run/x\0rest");
        assert_eq!(text(&unix).as_deref(), Some("/run/x"));
        unix.insert(2, 0);
        assert_eq!(text(&unix).as_deref(), Some("@/run/x"));
        for length in 0..8 {
            assert_eq!(text(&v4[..length]), None);
        }
        for length in 2..24 {
            assert_eq!(text(&v6[..length]), None);
        }
        assert_eq!(socket_address(0, 16, &page(&v4)), None);
        assert_eq!(socket_address(4096, u64::MAX, &page(&v4)), None);
    }

    #[test]
    fn lists_of_descriptors_are_read() {
        let mut list = Vec::new();
        for number in [-1_i32, 7, 8] {
            list.extend(number.to_ne_bytes());
            list.extend([1, 0, 0, 0]);
        }
        let first = |count| first_polled(4096, count, &page(&list));
        assert_eq!(first(3), First::Descriptor(7));
        assert_eq!(first(1), First::Nothing);
        assert_eq!(first(0), First::Nothing);
        assert_eq!(first(4), First::Unknown);
        assert_eq!(first(u64::MAX), First::Unknown);

        let mut set = vec![0; 128];
        set[8] = 0b100;
        let first = |count, sets| first_selected(count, sets, &page(&set));
        assert_eq!(first(67, [4096, 0, 0]), First::Descriptor(66));
        assert_eq!(first(66, [4096, 0, 0]), First::Nothing);
        assert_eq!(first(1024, [0, 0, 4096]), First::Descriptor(66));
        assert_eq!(first(0, [0; 3]), First::Nothing);
        assert_eq!(first(1, [1, 0, 0]), First::Unknown);
        assert_eq!(first(u64::MAX, [u64::MAX; 3]), First::Nothing);
        assert_eq!(first(1024, [u64::MAX; 3]), First::Unknown);
    }
}
