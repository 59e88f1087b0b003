//! Memory on pages of 2 MiB instead of 4 KiB.
//!
//! A processor caches the addresses of some thousand pages and looks up the others, in a virtual
//! machine twice. A training step goes through all of its memory, one buffer after the other, so
//! with small pages nearly every access needs a lookup.

/// Asks the system to move the memory of this process to huge pages. Its contents do not change.
/// Nothing happens where the system has no huge pages or cannot move at once (before Linux 6.1,
/// and on other systems).
///
/// It takes about as long as copying the memory once.
pub fn use_huge_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if let Some(page) = linux::page() {
        linux::anonymous_memory().into_iter().for_each(|range| linux::collapse(range, page));
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod linux {
    use std::fs::read_to_string;
    use std::ops::Range;

    /// The size of a huge page in bytes, if programs may use them.
    pub fn page() -> Option<usize> {
        let setting = |name| read_to_string(format!("/sys/kernel/mm/transparent_hugepage/{name}")).ok();
        setting("enabled").filter(|enabled| !enabled.contains("[never]"))?;
        setting("hpage_pmd_size")?.trim().parse().ok().filter(|&size| size > 0)
    }

    /// The addresses of the heap and of the allocator's other mappings.
    pub fn anonymous_memory() -> Vec<Range<usize>> {
        let maps = read_to_string("/proc/self/maps").unwrap_or_default();
        maps.lines().filter_map(range_of).collect()
    }

    /// The addresses of a line of `/proc/self/maps`, if it is writable memory without a file.
    pub fn range_of(line: &str) -> Option<Range<usize>> {
        let mut fields = line.split_ascii_whitespace();
        let (addresses, rights) = (fields.next()?, fields.next()?);
        let (_offset, _device, inode, name) = (fields.next()?, fields.next()?, fields.next()?, fields.next());
        let (start, end) = addresses.split_once('-')?;
        let address = |hex| usize::from_str_radix(hex, 16).ok();
        let ours = rights == "rw-p" && inode == "0" && name.is_none_or(|name| name == "[heap]");
        ours.then_some(address(start)?..address(end)?)
    }

    /// Moves `range` to huge pages of `page` bytes, one at a time, as far as the system can.
    pub fn collapse(range: Range<usize>, page: usize) {
        let first = range.start.next_multiple_of(page);
        for address in (first..range.end).step_by(page).take_while(|address| address + page <= range.end) {
            // SAFETY: this advice changes the physical place of memory, not its contents or addresses;
            // where nothing is mapped any more, the call fails.
            #[allow(unsafe_code)]
            unsafe {
                libc::madvise(address as *mut libc::c_void, page, libc::MADV_COLLAPSE);
            }
        }
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_memory_without_a_file_is_moved() {
        let heap = "55ca0777e000-55ca077c3000 rw-p 00000000 00:00 0                          [heap]";
        assert_eq!(linux::range_of(heap), Some(0x55ca_0777_e000..0x55ca_077c_3000));
        assert_eq!(linux::range_of("1000-3000 rw-p 00000000 00:00 0 "), Some(0x1000..0x3000));
        for other in [
            "1000-3000 r--p 00000000 00:00 0",
            "1000-3000 rw-s 00000000 00:00 0",
            "1000-3000 rw-p 00000000 fd:00 77 /usr/lib/libc.so.6",
            "1000-3000 rw-p 00000000 00:00 0 [stack]",
            "1000-3000",
            "",
        ] {
            assert_eq!(linux::range_of(other), None, "{other}");
        }
    }

    #[test]
    fn contents_do_not_change() {
        let values: Vec<u32> = (0..4 << 20).collect();
        let address = values.as_ptr() as usize;
        assert!(linux::anonymous_memory().iter().any(|range| range.contains(&address)));
        use_huge_pages();
        assert!(values.iter().zip(0..).all(|(&x, i)| x == i));
    }
}
