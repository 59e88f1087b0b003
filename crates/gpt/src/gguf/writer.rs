//! Writes the container.

use std::io::{self, BufWriter, Write};

use m2g_core::BlockFormat;

use super::layout::number_of;
use super::reader::{ALIGNMENT, MAGIC, VERSION};
use super::value::{Written, write_text};

/// A tensor to write.
#[derive(Debug, Clone)]
pub struct TensorToWrite {
    /// Its name in the file.
    pub name: String,
    /// The lengths of its axes, outermost first. A row is whole blocks of the format.
    pub shape: Vec<usize>,
    /// Its format.
    pub format: BlockFormat,
}

impl TensorToWrite {
    /// The bytes of the tensor.
    fn bytes(&self) -> u64 {
        self.format.bytes(self.shape.iter().product()) as u64
    }
}

/// Writes a file with these keys and tensors. `bytes_of(i)` gives the bytes of tensor `i`.
///
/// # Errors
/// Those of `out`.
///
/// # Panics
/// If the bytes of a tensor do not have the length that follows from its shape.
pub fn write(
    out: &mut dyn Write,
    keys: &[(String, Written<'_>)],
    tensors: &[TensorToWrite],
    mut bytes_of: impl FnMut(usize) -> Vec<u8>,
) -> io::Result<()> {
    let mut header = Vec::new();
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&(tensors.len() as u64).to_le_bytes());
    header.extend_from_slice(&(keys.len() as u64).to_le_bytes());
    for (key, value) in keys {
        write_text(&mut header, key);
        value.write(&mut header);
    }
    let mut offset = 0_u64;
    for tensor in tensors {
        write_text(&mut header, &tensor.name);
        header.extend_from_slice(&(tensor.shape.len() as u32).to_le_bytes());
        tensor.shape.iter().rev().for_each(|&n| header.extend_from_slice(&(n as u64).to_le_bytes()));
        header.extend_from_slice(&number_of(tensor.format).to_le_bytes());
        header.extend_from_slice(&offset.to_le_bytes());
        offset = (offset + tensor.bytes()).next_multiple_of(ALIGNMENT);
    }
    let mut out = BufWriter::new(out);
    out.write_all(&header)?;
    pad(&mut out, header.len() as u64)?;
    for (i, tensor) in tensors.iter().enumerate() {
        let bytes = bytes_of(i);
        assert_eq!(bytes.len() as u64, tensor.bytes(), "bytes of {}", tensor.name);
        out.write_all(&bytes)?;
        pad(&mut out, bytes.len() as u64)?;
    }
    out.flush()
}

/// Writes zeros up to the next multiple of the alignment.
fn pad(out: &mut impl Write, written: u64) -> io::Result<()> {
    let missing = written.next_multiple_of(ALIGNMENT) - written;
    out.write_all(&[0; ALIGNMENT as usize][..missing as usize])
}
