//! Reads numbers and strings. Every length is compared with what is left before it is used.

use super::error::PickleError;

/// The bytes of a pickle, and how far they were read.
pub(super) struct Bytes<'a> {
    all: &'a [u8],
    pub at: usize,
}

impl<'a> Bytes<'a> {
    pub fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], PickleError> {
        let rest = &self.all[self.at..];
        let taken = rest.get(..n).ok_or(PickleError::CutOff(self.all.len()))?;
        self.at += n;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn u8(&mut self) -> Result<u8, PickleError> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Result<u16, PickleError> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, PickleError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A length of `N` bytes. One that does not fit is longer than the pickle.
    pub fn length<const N: usize>(&mut self) -> Result<usize, PickleError> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(&self.array::<N>()?);
        Ok(usize::try_from(u64::from_le_bytes(wide)).unwrap_or(usize::MAX))
    }

    /// The bytes after a length of `N` bytes.
    pub fn counted<const N: usize>(&mut self) -> Result<&'a [u8], PickleError> {
        let n = self.length::<N>()?;
        self.take(n)
    }

    /// The text up to the end of the line.
    pub fn line(&mut self) -> Result<&'a str, PickleError> {
        let (at, rest) = (self.at, &self.all[self.at..]);
        let end = rest.iter().position(|&b| b == b'\n').ok_or(PickleError::CutOff(self.all.len()))?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| PickleError::Damaged { at, why: "a name is not UTF-8" })
    }
}

/// A whole number in two's complement, little-endian and of any length; `None` if it needs more than
/// 64 bits.
pub(super) fn int(bytes: &[u8]) -> Option<i64> {
    let fill = if bytes.last().is_some_and(|&high| high >= 0x80) { 0xff } else { 0 };
    let mut wide = [fill; 8];
    let (low, high) = bytes.split_at(bytes.len().min(8));
    wide[..low.len()].copy_from_slice(low);
    let n = i64::from_le_bytes(wide);
    let fits = high.iter().all(|&b| b == fill) && (high.is_empty() || (n < 0) == (fill == 0xff));
    fits.then_some(n)
}
