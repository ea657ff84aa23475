/// Consecutive lines of `/proc/self/maps` with one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapped {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) inode: u64,
    pub(super) path: String,
}

/// Parses `/proc/self/maps` into the mappings that have code.
pub(super) fn parse_maps(maps: &str) -> Vec<Mapped> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
