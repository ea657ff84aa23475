use std::sync::Arc;

use gimli::{BaseAddresses, EhFrame, EhFrameHdr, EndianSlice, LittleEndian};

use super::symbols::ModuleRef;
use crate::sys::memory;

/// An executable or library in this process's memory. It has copies of the unwind tables,
/// because a capture must not depend on the library staying mapped.
#[derive(Debug)]
pub(crate) struct Module {
    /// The path as in `/proc/self/maps`.
    pub(crate) path: Arc<str>,
    pub(crate) is_executable: bool,
    /// The run-time address minus the link-time address.
    pub(crate) bias: u64,
    pub(crate) build_id: Option<Arc<str>>,
    pub(super) start: u64,
    pub(super) end: u64,
    /// The module's first page. It distinguishes the module from one that is later loaded at the
    /// same addresses.
    pub(super) head: Arc<[u8]>,
    header: Table,
    frames: Table,
}

/// A copied section and its address.
#[derive(Debug, Default)]
struct Table {
    address: u64,
    bytes: Vec<u8>,
}

/// Larger unwind tables are not copied.
const MAX_TABLE: u64 = 64 << 20;

/// The first page of a library holds its headers, its build id and, if the library is small,
/// its names. Nothing writes to it.
pub(super) const PAGE: usize = 4096;

impl Module {
    /// Returns what the symbolizer needs.
    pub(super) fn reference(&self) -> ModuleRef {
        ModuleRef {
            path: Arc::clone(&self.path),
            is_executable: self.is_executable,
            bias: self.bias,
            head: Arc::clone(&self.head),
        }
    }

    /// Returns the unwind tables, if the module has any.
    pub(super) fn unwind(&self) -> Option<Unwind<'_>> {
        let header = EndianSlice::new(&self.header.bytes, LittleEndian);
        let bases = BaseAddresses::default()
            .set_eh_frame_hdr(self.header.address)
            .set_eh_frame(self.frames.address);
        let header = EhFrameHdr::from(header).parse(&bases, 8).ok()?;
        Some(Unwind {
            header,
            frames: EhFrame::new(&self.frames.bytes, LittleEndian),
            bases,
        })
    }

    /// Returns whether the module is still what is mapped at its addresses.
    pub(super) fn is_still_mapped(&self) -> bool {
        let mut head = [0; PAGE];
        head.get_mut(..self.head.len())
            .is_some_and(|head| memory::read_exact(self.start, head) && *head == *self.head)
    }

    pub(crate) fn has_code_at(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

pub(super) struct Unwind<'m> {
    pub(super) header: gimli::ParsedEhFrameHdr<EndianSlice<'m, LittleEndian>>,
    pub(super) frames: EhFrame<EndianSlice<'m, LittleEndian>>,
    pub(super) bases: BaseAddresses,
}

/// All modules, as of the last reading of `/proc/self/maps`.
///
/// `dl_iterate_phdr` is not used, because it takes the loader's lock, which the stuck thread may
/// hold.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    list: Vec<Arc<Module>>,
    /// The mappings that the list was made from.
    mapped: Vec<Mapped>,
    /// How often the list has changed.
    generation: u64,
}

/// Consecutive lines of `/proc/self/maps` with one path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapped {
    start: u64,
    end: u64,
    inode: u64,
    path: String,
}

impl Modules {
    /// Returns a number that changes with the list.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn executable(&self) -> Option<Arc<Module>> {
        self.list
            .iter()
            .find(|module| module.is_executable)
            .cloned()
    }

    /// Returns the module that an address is in.
    pub(crate) fn find(&self, address: u64) -> Option<Arc<Module>> {
        let found = self.list.iter().find(|module| module.has_code_at(address));
        found.map(Arc::clone)
    }

    /// Updates the list. Returns the modules that were unloaded.
    pub(crate) fn refresh(&mut self) -> Vec<Arc<Module>> {
        let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else {
            return Vec::new();
        };
        let mapped = parse_maps(&maps);
        if mapped == self.mapped {
            return Vec::new();
        }
        let executable = std::fs::read_link("/proc/self/exe").ok();
        let executable = executable.as_deref().and_then(std::path::Path::to_str);
        let mut old = std::mem::take(&mut self.list);
        for object in &mapped {
            let known = self.mapped.contains(object);
            let at = old
                .iter()
                .position(|module| known && module.start == object.start);
            let module = match at {
                Some(at) => Some(old.swap_remove(at)),
                None => read_module(object, executable).map(Arc::new),
            };
            self.list.extend(module);
        }
        self.mapped = mapped;
        self.generation += 1;
        old
    }
}

fn parse_maps(maps: &str) -> Vec<Mapped> {
    // Each with whether it has code. A file whose symbols are being read is mapped without
    // code, perhaps right next to the library itself.
    let mut list: Vec<(Mapped, bool)> = Vec::new();
    for line in maps.lines() {
        let mut words = line.splitn(6, ' ');
        let parsed = (|| {
            let (start, end) = words.next()?.split_once('-')?;
            let start = u64::from_str_radix(start, 16).ok()?;
            let end = u64::from_str_radix(end, 16).ok()?;
            let has_code = words.next()?.contains('x');
            let is_first = u64::from_str_radix(words.next()?, 16) == Ok(0) && !has_code;
            let inode = words.nth(1)?.parse().ok()?;
            let path = words.next()?.trim_start();
            // Only files and the vdso, not stacks, heaps and devices.
            let wanted = path == "[vdso]" || (path.starts_with('/') && inode != 0);
            let path = path.to_owned();
            let mapped = Mapped {
                start,
                end,
                inode,
                path,
            };
            wanted.then_some((mapped, is_first, has_code))
        })();
        let Some((next, is_first, has_code)) = parsed else {
            continue;
        };
        match list.last_mut() {
            // Extends the module over gaps and anonymous parts (.bss).
            Some((last, code))
                if !is_first && last.inode == next.inode && last.path == next.path =>
            {
                last.end = next.end;
                *code |= has_code;
            }
            _ => list.push((next, has_code)),
        }
    }
    let with_code = list.into_iter().filter(|(_, has_code)| *has_code);
    with_code.map(|(mapped, _)| mapped).collect()
}

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;

/// One program header of an ELF file (elf(5)).
#[derive(Clone, Copy, Debug)]
struct Segment {
    kind: u32,
    address: u64,
    size: u64,
}

/// Reads a module from memory, because its file may have been replaced.
fn read_module(mapped: &Mapped, executable: Option<&str>) -> Option<Module> {
    let segments = program_headers(mapped.start)?;
    let first = segments.iter().find(|segment| segment.kind == PT_LOAD)?;
    let bias = mapped.start.wrapping_sub(first.address & !0xfff);
    let end = segments
        .iter()
        .filter(|segment| segment.kind == PT_LOAD)
        .filter_map(|segment| bias.wrapping_add(segment.address).checked_add(segment.size))
        .max()?;
    let header = segments
        .iter()
        .find(|segment| segment.kind == PT_GNU_EH_FRAME)
        .and_then(|segment| copy(bias.wrapping_add(segment.address), segment.size))
        .unwrap_or_default();
    let frames = frames_address(&header)
        .and_then(|address| {
            // No program header has the section's length, so it is copied up to the end of
            // its segment.
            let segment = segments.iter().find(|segment| {
                let start = bias.wrapping_add(segment.address);
                segment.kind == PT_LOAD
                    && (start..start.saturating_add(segment.size)).contains(&address)
            })?;
            let end = bias
                .wrapping_add(segment.address)
                .checked_add(segment.size)?;
            copy(address, end.checked_sub(address)?)
        })
        .unwrap_or_default();
    let build_id = segments
        .iter()
        .filter(|segment| segment.kind == PT_NOTE && segment.size < 1 << 16)
        .find_map(|segment| {
            build_id(&copy(bias.wrapping_add(segment.address), segment.size)?.bytes)
        });
    Some(Module {
        path: mapped.path.as_str().into(),
        is_executable: executable == Some(&mapped.path),
        bias,
        build_id,
        start: mapped.start,
        end,
        head: copy(mapped.start, PAGE as u64)?.bytes.into(),
        header,
        frames,
    })
}

fn program_headers(start: u64) -> Option<Vec<Segment>> {
    let mut head = [0; 64];
    if !memory::read_exact(start, &mut head) || !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let offset = u64::from_le_bytes(head.get(32..40)?.try_into().ok()?);
    let size = u16::from_le_bytes(head.get(54..56)?.try_into().ok()?);
    let count = u16::from_le_bytes(head.get(56..58)?.try_into().ok()?);
    let mut table = vec![0; usize::from(size) * usize::from(count)];
    if size < 56 || !memory::read_exact(start.checked_add(offset)?, &mut table) {
        return None;
    }
    table
        .chunks_exact(usize::from(size))
        .map(|entry| {
            let word =
                |at: usize| Some(u64::from_le_bytes(entry.get(at..at + 8)?.try_into().ok()?));
            Some(Segment {
                kind: u32::from_le_bytes(entry.get(..4)?.try_into().ok()?),
                address: word(16)?,
                size: word(40)?,
            })
        })
        .collect()
}

fn frames_address(header: &Table) -> Option<u64> {
    let bases = BaseAddresses::default().set_eh_frame_hdr(header.address);
    let header = EhFrameHdr::new(&header.bytes, LittleEndian);
    match header.parse(&bases, 8).ok()?.eh_frame_ptr() {
        gimli::Pointer::Direct(address) => Some(address),
        gimli::Pointer::Indirect(_) => None,
    }
}

fn copy(address: u64, size: u64) -> Option<Table> {
    let mut bytes = vec![0; usize::try_from(size.min(MAX_TABLE)).ok()?];
    let copied = memory::read(address, &mut bytes);
    bytes.truncate(copied);
    (copied > 0).then_some(Table { address, bytes })
}

/// Returns the note `NT_GNU_BUILD_ID` in hexadecimal.
fn build_id(mut notes: &[u8]) -> Option<Arc<str>> {
    const GNU_BUILD_ID: u32 = 3;
    loop {
        let word = |at: usize| Some(u32::from_le_bytes(notes.get(at..at + 4)?.try_into().ok()?));
        let (name, size, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let start = 12_usize.checked_add(name.checked_next_multiple_of(4)?)?;
        let end = start.checked_add(size)?;
        if kind == GNU_BUILD_ID && notes.get(12..16) == Some(b"GNU\0") {
            let id = notes.get(start..end)?;
            let digits = id.iter().map(|byte| format!("{byte:02x}"));
            return Some(digits.collect::<String>().into());
        }
        notes = notes.get(start.checked_add(size.checked_next_multiple_of(4)?)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_and_its_c_library_are_found_with_their_tables() {
        let mut modules = Modules::default();
        modules.refresh();
        let own = modules.find(parse_maps as *const () as u64).unwrap();
        assert!(own.is_executable && own.unwind().is_some());
        let libc = modules.find(libc::getpid as *const () as u64).unwrap();
        assert!(!libc.is_executable && libc.unwind().is_some());
        assert!(libc.path.contains("libc"));
        assert!(modules.find(8).is_none());
    }

    #[test]
    fn the_mappings_of_one_file_are_one_module() {
        let maps = "\
55a0-55b0 r--p 00000000 fe:00 123                                        /app/my service
55b0-55c0 r-xp 00010000 fe:00 123                                        /app/my service
55c0-55d0 rw-p 00000000 00:00 0 
7f00-7f10 r-xp 00000000 00:00 0                                          [vdso]
7fff-8000 rw-p 00000000 00:00 0                                          [stack]
";
        let seen = parse_maps(maps);
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[0].start, seen[0].end), (0x55a0, 0x55c0));
        assert_eq!(seen[0].path, "/app/my service");
        assert_eq!(seen[1].path, "[vdso]");
    }

    #[test]
    fn a_file_that_is_mapped_next_to_its_library_is_not_part_of_it() {
        let maps = "\
7000-7900 r--p 00000000 fe:00 9                                          /lib/libc.so.6
7900-7a00 r--p 00000000 fe:00 9                                          /lib/libc.so.6
7a00-7b00 r-xp 00000100 fe:00 9                                          /lib/libc.so.6
7b00-7c00 rw-p 00000200 fe:00 9                                          /lib/libc.so.6
7c00-8500 r--p 00000000 fe:00 9                                          /lib/libc.so.6
";
        let seen = parse_maps(maps);
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].start, seen[0].end), (0x7900, 0x7c00));
    }

    #[test]
    fn a_build_id_is_read_from_its_note() {
        let mut notes = vec![4, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0];
        notes.extend(b"GNU\0abcd");
        notes.extend([4, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
        notes.extend(b"GNU\0\xab\x01\0\0");
        assert_eq!(build_id(&notes).as_deref(), Some("ab01"));
        assert_eq!(build_id(&notes[..notes.len() - 3]), None);
        assert_eq!(build_id(&[0xff; 40]), None);
    }
}
