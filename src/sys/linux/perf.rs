use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::time::Duration;

/// `struct perf_event_attr` up to its fifth version (112 bytes), as in the
/// kernel's `include/uapi/linux/perf_event.h`.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
    config2: u64,
    branch_sample_type: u64,
    sample_regs_user: u64,
    sample_stack_user: u32,
    clock: i32,
    sample_regs_interrupt: u64,
    aux_watermark: u32,
    sample_max_stack: u16,
    reserved: u16,
}

const SOFTWARE: u32 = 1;
const CPU_CLOCK: u64 = 0;
const REGS_USER: u64 = 1 << 12;
const STACK_USER: u64 = 1 << 13;
/// Starts disabled, and excludes the kernel and the hypervisor.
const DISABLED: u64 = 1;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HYPERVISOR: u64 = 1 << 6;
const ENABLE: libc::c_ulong = 0x2400;
const DISABLE: libc::c_ulong = 0x2401;
const RECORD_SAMPLE: u32 = 9;

/// The largest stack that fits into a record, whose length has 16 bits.
const STACK: u32 = 65_528 - 512;
/// The sampling period in CPU time, in nanoseconds.
const PERIOD: u64 = 100_000;
/// Must be a power of two, and hold a few records.
const RING_PAGES: usize = 64;

/// Registers asked for, in the order of their numbers in the kernel's
/// `asm/perf_regs.h`, with their DWARF numbers.
#[cfg(target_arch = "x86_64")]
const REGISTERS: &[(u32, usize)] = &[
    (1, 3),   // rbx
    (6, 6),   // rbp
    (7, 7),   // rsp
    (8, 16),  // rip
    (20, 12), // r12
    (21, 13),
    (22, 14),
    (23, 15),
];
// Written from the documentation. Not yet run on such a machine.
#[cfg(not(target_arch = "x86_64"))]
const REGISTERS: &[(u32, usize)] = &[
    (19, 19),
    (20, 20),
    (21, 21),
    (22, 22),
    (23, 23),
    (24, 24),
    (25, 25),
    (26, 26),
    (27, 27),
    (28, 28),
    (29, 29), // frame pointer
    (30, 30), // link register
    (31, 31), // stack pointer
    (32, 32), // program counter
];

/// A running thread's registers and the stack above its stack pointer.
#[derive(Debug)]
pub(crate) struct Sample {
    /// DWARF number and value; the instruction pointer as the return address.
    pub(crate) registers: Vec<(usize, u64)>,
    pub(crate) stack: Vec<u8>,
}

/// Proof that `perf_event_open` may be called: some seccomp filters end the process for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permit(());

impl Permit {
    /// Returns `None` under a seccomp filter, unless the user has allowed the call there.
    pub(crate) fn obtain(sample_under_seccomp: bool) -> Option<Self> {
        (sample_under_seccomp || !super::is_filtered()).then_some(Self(()))
    }
}

/// A sampling event on one thread, disabled.
#[derive(Debug)]
pub(crate) struct Event {
    descriptor: OwnedFd,
}

impl Event {
    /// Creates the event. Takes 20 µs, or 8 ms if it is the only event on the machine: the
    /// kernel then patches its scheduler.
    ///
    /// # Errors
    ///
    /// Where the kernel or a seccomp profile refuses it.
    pub(crate) fn open(_: Permit, thread: i32) -> io::Result<Self> {
        let attributes = Attributes {
            kind: SOFTWARE,
            size: size_of::<Attributes>() as u32,
            config: CPU_CLOCK,
            sample_period: PERIOD,
            sample_type: REGS_USER | STACK_USER,
            flags: DISABLED | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR,
            wakeup_events: 1,
            sample_regs_user: REGISTERS.iter().map(|(bit, _)| 1 << bit).sum(),
            sample_stack_user: STACK,
            ..Attributes::default()
        };
        const CLOSE_ON_EXEC: libc::c_ulong = 8;
        // SAFETY: `attributes` is valid for a read of the size it states.
        let descriptor = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attributes,
                thread,
                -1,
                -1,
                CLOSE_ON_EXEC,
            )
        };
        match i32::try_from(descriptor) {
            Ok(descriptor) if descriptor >= 0 => Ok(Self {
                // SAFETY: the kernel has just made it for us.
                descriptor: unsafe { OwnedFd::from_raw_fd(descriptor) },
            }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Waits until the thread has run for a moment, and returns a sample of it.
    ///
    /// # Errors
    ///
    /// If the buffer cannot be mapped (`RLIMIT_MEMLOCK`) or the thread has ended.
    /// `Ok(None)` if it did not run long enough within `patience`.
    pub(crate) fn sample(&self, patience: Duration) -> io::Result<Option<Sample>> {
        let ring = Ring::map(&self.descriptor)?;
        self.control(ENABLE)?;
        let mut wait = libc::pollfd {
            fd: self.descriptor.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let millis = patience.as_millis().try_into().unwrap_or(i32::MAX);
        // SAFETY: one valid entry, and the count says one.
        unsafe { libc::poll(&raw mut wait, 1, millis) };
        self.control(DISABLE)?;
        Ok(ring.first_record().and_then(|record| parse(&record)))
    }

    fn control(&self, request: libc::c_ulong) -> io::Result<()> {
        // SAFETY: neither request takes an argument that is followed.
        match unsafe { libc::ioctl(self.descriptor.as_raw_fd(), request as _, 0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// The buffer that the kernel writes to: a header page, then the records.
struct Ring {
    start: NonNull<u8>,
    page: usize,
}

impl Ring {
    fn map(event: &OwnedFd) -> io::Result<Self> {
        // SAFETY: takes a number, gives a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = usize::try_from(page).unwrap_or(4096);
        // SAFETY: a new mapping at a place of the kernel's choice.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                page * (1 + RING_PAGES),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                event.as_raw_fd(),
                0,
            )
        };
        match NonNull::new(start.cast::<u8>()) {
            Some(start) if start.as_ptr().cast() != libc::MAP_FAILED => Ok(Self { start, page }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Returns the bytes of the first sample, with its header. The event is disabled by
    /// now, so the kernel does not write.
    fn first_record(&self) -> Option<Vec<u8>> {
        // `data_head` of `struct perf_event_mmap_page`.
        const DATA_HEAD: usize = 1024;
        // SAFETY: in the first page, which is mapped as long as `self` lives;
        // aligned to 8.
        let head = unsafe { self.start.add(DATA_HEAD).cast::<u64>() };
        // SAFETY: valid and aligned, see above.
        let head = unsafe { head.as_ptr().read_volatile() };
        std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
        let size = self.page * RING_PAGES;
        // The records start at the beginning: none was ever consumed, so none was
        // overwritten.
        let filled = usize::try_from(head).ok()?.min(size);
        // SAFETY: the records follow the first page, and `filled` is at most
        // what is mapped there.
        let data = unsafe { self.start.add(self.page) };
        // SAFETY: as above; the kernel does not write while the event is off.
        let data = unsafe { std::slice::from_raw_parts(data.as_ptr(), filled) };
        let mut rest = data;
        loop {
            let kind = u32::from_ne_bytes(rest.get(..4)?.try_into().ok()?);
            let length = usize::from(u16::from_ne_bytes(rest.get(6..8)?.try_into().ok()?));
            if length < 8 {
                return None;
            }
            if kind == RECORD_SAMPLE {
                return rest.get(..length).map(<[u8]>::to_vec);
            }
            rest = rest.get(length..)?;
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: what `map` has mapped, and nothing else refers to it.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.page * (1 + RING_PAGES)) };
    }
}

/// Header, ABI, registers, size of the stack, stack, bytes of it that are real.
fn parse(record: &[u8]) -> Option<Sample> {
    const ABI_64: u64 = 2;
    let word = |index: usize| {
        let bytes = record.get(index * 8..index * 8 + 8)?;
        Some(u64::from_ne_bytes(bytes.try_into().ok()?))
    };
    if word(1)? != ABI_64 {
        return None;
    }
    let registers = REGISTERS
        .iter()
        .enumerate()
        .map(|(index, (_, dwarf))| Some((*dwarf, word(2 + index)?)))
        .collect::<Option<Vec<_>>>()?;
    let at = 2 + REGISTERS.len();
    let size = usize::try_from(word(at)?).ok()?;
    let start = (at + 1) * 8;
    let stack = record.get(start..start.checked_add(size)?)?;
    let real = usize::try_from(word(at + 1 + size / 8)?).ok()?;
    Some(Sample {
        registers,
        stack: stack.get(..real)?.to_vec(),
    })
}
