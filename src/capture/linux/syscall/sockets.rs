use super::socket::Socket;
use super::socket_tables::find_in_tables;
use crate::capture::Effort;
use crate::sys::socket::Ends;

/// Asks a thread that has the service's descriptor table for the ends of a socket, by its number
/// and inode. Returns soon, with `None` if there is no answer by then.
pub(crate) type SocketLookup = Box<dyn Fn(i32, u64) -> Option<Ends> + Send>;

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
        let found = answer
            .and_then(Socket::of)
            .or_else(|| find_in_tables(thread, inode));
        // A failed search is cached, too, because it takes longest.
        let socket = found.unwrap_or(Socket::UNKNOWN);
        if self.cache.len() >= MAX_CACHED {
            self.cache.remove(0);
        }
        self.cache.push((inode, socket.clone(), MAX_USES));
        Some(socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
