//! Writes tokens to a file or to memory.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::width::Width;

/// Writes tokens, little-endian and without a header. Counts and hashes them.
pub struct TokenWriter<W> {
    out: W,
    width: Width,
    buffer: Vec<u8>,
    hash: Sha256,
    tokens: u64,
}

impl<W: Write> TokenWriter<W> {
    /// A writer to `out`.
    pub fn new(out: W, width: Width) -> Self {
        Self { out, width, buffer: Vec::new(), hash: Sha256::new(), tokens: 0 }
    }

    /// Appends tokens.
    ///
    /// # Errors
    /// The error of `out`.
    pub fn write(&mut self, ids: &[u32]) -> io::Result<()> {
        self.buffer.clear();
        match self.width {
            Width::U16 => self.buffer.extend(ids.iter().flat_map(|&id| (id as u16).to_le_bytes())),
            Width::U32 => self.buffer.extend(ids.iter().flat_map(|id| id.to_le_bytes())),
        }
        self.hash.update(&self.buffer);
        self.tokens += ids.len() as u64;
        self.out.write_all(&self.buffer)
    }

    /// The number of tokens written.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// How the tokens are stored.
    pub fn width(&self) -> Width {
        self.width
    }

    /// The sink, and the SHA-256 of what was written to it.
    pub fn finish(self) -> (W, String) {
        (self.out, hex(&self.hash.finalize()))
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sixteen_bits_are_little_endian_without_a_header() {
        let mut writer = TokenWriter::new(Vec::new(), Width::U16);
        writer.write(&[1, 0x0203]).unwrap();
        assert_eq!(writer.finish().0, [1, 0, 3, 2]);
    }
}
