//! Huge pages: 2 MiB instead of 4 KiB.
//!
//! The TLB of a processor holds the addresses of a few thousand pages. Any other page needs a walk
//! of the page table, which is nested in a virtual machine. A training step goes through all of its
//! memory, buffer by buffer, so with small pages it misses the TLB on nearly every page.

/// Asks the system to move the memory of this process to huge pages. Its contents and addresses do
/// not change. Does nothing if the system has no huge pages or cannot move memory on request (Linux
/// before 6.1, other systems).
///
/// Takes about as long as copying the memory once.
pub fn use_huge_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if let Some(page) = linux::huge_page_bytes() {
        linux::anonymous_memory().into_iter().for_each(|range| linux::collapse(range, page));
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod linux {
    use std::fs::read_to_string;
    use std::ops::Range;

    /// The size of a huge page in bytes, if programs may use them.
    pub fn huge_page_bytes() -> Option<usize> {
        let setting = |name| read_to_string(format!("/sys/kernel/mm/transparent_hugepage/{name}")).ok();
        setting("enabled").filter(|enabled| !enabled.contains("[never]"))?;
        setting("hpage_pmd_size")?.trim().parse().ok().filter(|&size| size > 0)
    }

    /// The addresses of the heap and of the allocator's other mappings.
    pub fn anonymous_memory() -> Vec<Range<usize>> {
        let maps = read_to_string("/proc/self/maps").unwrap_or_default();
        maps.lines().filter_map(anonymous_range).collect()
    }

    /// The address range of a line of `/proc/self/maps`, if it is private, writable and not backed
    /// by a file.
    pub fn anonymous_range(line: &str) -> Option<Range<usize>> {
        let mut fields = line.split_ascii_whitespace();
        let (addresses, permissions) = (fields.next()?, fields.next()?);
        let (_offset, _device, inode, name) = (fields.next()?, fields.next()?, fields.next()?, fields.next());
        let (start, end) = addresses.split_once('-')?;
        let address = |hex| usize::from_str_radix(hex, 16).ok();
        let anonymous = permissions == "rw-p" && inode == "0" && name.is_none_or(|name| name == "[heap]");
        anonymous.then_some(address(start)?..address(end)?)
    }

    /// Moves `range` to huge pages of `page` bytes, one at a time. Skips those that the system
    /// cannot move.
    pub fn collapse(range: Range<usize>, page: usize) {
        let first = range.start.next_multiple_of(page);
        for address in (first..range.end).step_by(page).take_while(|address| address + page <= range.end) {
            // SAFETY: this advice changes the physical location of memory, not its contents or
            // addresses; if the address is no longer mapped, the call fails.
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
    fn only_anonymous_memory_is_moved() {
        let heap = "55ca0777e000-55ca077c3000 rw-p 00000000 00:00 0                          [heap]";
        assert_eq!(linux::anonymous_range(heap), Some(0x55ca_0777_e000..0x55ca_077c_3000));
        assert_eq!(linux::anonymous_range("1000-3000 rw-p 00000000 00:00 0 "), Some(0x1000..0x3000));
        for other in [
            "1000-3000 r--p 00000000 00:00 0",
            "1000-3000 rw-s 00000000 00:00 0",
            "1000-3000 rw-p 00000000 fd:00 77 /usr/lib/libc.so.6",
            "1000-3000 rw-p 00000000 00:00 0 [stack]",
            "1000-3000",
            "",
        ] {
            assert_eq!(linux::anonymous_range(other), None, "{other}");
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
