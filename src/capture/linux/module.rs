use std::sync::Arc;

use gimli::{BaseAddresses, EhFrame, EhFrameHdr, EndianSlice, LittleEndian};

use super::maps::Mapped;
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
const PAGE: usize = 4096;

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
pub(super) fn read_module(mapped: &Mapped, executable: Option<&str>) -> Option<Module> {
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
