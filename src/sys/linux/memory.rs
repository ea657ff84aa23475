/// Copies memory of this process, up to the first unreadable byte. Returns the number of
/// bytes copied.
///
/// It uses a system call, so that a bad address is an error and not a fault. Other threads
/// may write meanwhile, so the result is bytes and not valid values.
pub(crate) fn read(address: u64, into: &mut [u8]) -> usize {
    let local = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let remote = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: into.len(),
    };
    // SAFETY: takes nothing, cannot fail.
    let process = unsafe { libc::getpid() };
    // SAFETY: the kernel writes to `local` only, which is all of `into`, and
    // checks `remote` itself.
    let copied =
        unsafe { libc::process_vm_readv(process, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(copied).unwrap_or(0)
}

/// Like [`read`], but copies all or nothing.
pub(crate) fn read_exact(address: u64, into: &mut [u8]) -> bool {
    read(address, into) == into.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_up_to_what_cannot_be() {
        let words = [1_u8, 2, 3, 4];
        let mut copy = [0; 4];
        assert!(read_exact(words.as_ptr() as u64, &mut copy));
        assert_eq!(copy, words);
        for bad in [0, 8, u64::MAX - 1, 0xdead_beef_dead_beef] {
            assert_eq!(read(bad, &mut copy), 0, "{bad:#x}");
        }
    }
}
