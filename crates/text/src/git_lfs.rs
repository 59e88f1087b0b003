//! Pointers of Git LFS: the few lines that a folder holds in place of a large file, if it was cloned without
//! Git LFS.

/// How a pointer begins.
const START: &[u8] = b"version https://git-lfs";

/// What to do about a file that begins with these bytes, as a sentence about it, if it is a pointer.
pub fn pointer(start: &[u8]) -> Option<&'static str> {
    let why = "it is only a pointer of Git LFS to the file: get the file itself with `git lfs pull`";
    start.starts_with(START).then_some(why)
}
