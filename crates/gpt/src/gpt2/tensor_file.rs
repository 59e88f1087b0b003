//! Reads and writes safetensors files tensor by tensor, so that memory holds a model only once.
//!
//! The format: the length of the header as a little-endian `u64`, the header as JSON (type, shape and
//! byte range of each tensor), the bytes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use m2g_core::{Error, Number, f16_to_f32};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::{ImportError, git_lfs};

/// The longest accepted header in bytes. That of a model of 1000 blocks takes 2 MB.
const MAX_HEADER_BYTES: u64 = 32 << 20;

/// An open file and its header.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    file: File,
    /// The offset of the first tensor's bytes.
    start: u64,
    header: Metadata,
}

impl TensorFile {
    /// Opens a file and checks that it is complete.
    ///
    /// # Errors
    /// [`Error::Io`]; [`ImportError::File`] if it is not a safetensors file, or truncated.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let unusable = |why: String| ImportError::File { path: path.to_path_buf(), why };
        git_lfs::check(path)?;
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let size = file.metadata().map_err(Error::io("read", path))?.len();
        let mut length = [0; 8];
        if size < 8 {
            return Err(unusable(format!("it has only {size} bytes, so it is cut off")));
        }
        file.read_exact(&mut length).map_err(Error::io("read", path))?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER_BYTES {
            return Err(unusable("it is damaged, or not a safetensors file (no header)".into()));
        }
        if 8 + length > size {
            return Err(unusable(format!("it is cut off at {size} bytes, within its header")));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(Error::io("read", path))?;
        let header: Metadata = serde_json::from_slice(&header).map_err(|e| {
            // Without the list of all types of elements.
            let why = e.to_string();
            let why = why.split(", expected one of").next().unwrap_or_default();
            unusable(format!("its header is damaged, or it is not a safetensors file ({why})"))
        })?;
        let want = (8 + length).saturating_add(header.data_len() as u64);
        if want != size {
            let what = if size < want { "it is cut off" } else { "it is damaged" };
            return Err(unusable(format!("{what}: it should have {want} bytes, but has {size}")));
        }
        Ok(Self { path: path.to_path_buf(), file, start: 8 + length, header })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Type, shape and byte range of each tensor, by name.
    pub fn tensors(&self) -> HashMap<String, &TensorInfo> {
        self.header.tensors()
    }

    /// Reads a tensor as `f32` into `out`, which must have its length.
    ///
    /// # Errors
    /// [`Error::Io`]; [`ImportError::File`] unless the tensor exists, has the length of `out` and a
    /// type that can be widened to `f32`.
    pub fn read(&mut self, name: &str, out: &mut [f32]) -> Result<(), ImportError> {
        let path = &self.path;
        let unusable = |why: String| ImportError::File { path: path.clone(), why };
        let info = self.header.info(name).ok_or_else(|| unusable(format!("it has no tensor {name}")))?;
        let (from, to) = info.data_offsets;
        let width = bytes_per_element(info.dtype).unwrap_or(0);
        if to - from != out.len() * width {
            return Err(unusable(format!("{name} does not hold {} elements of a supported type", out.len())));
        }
        let mut bytes = vec![0; to - from];
        self.file.seek(SeekFrom::Start(self.start + from as u64)).map_err(Error::io("read", path))?;
        self.file.read_exact(&mut bytes).map_err(Error::io("read", path))?;
        widen(info.dtype, &bytes, out);
        Ok(())
    }
}

/// Bytes of an element of this type; `None` if it cannot be widened to `f32`.
pub fn bytes_per_element(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F32 => Some(4),
        Dtype::F16 | Dtype::BF16 => Some(2),
        _ => None,
    }
}

/// Widens little-endian elements of a type that [`bytes_per_element`] knows.
pub fn widen(dtype: Dtype, bytes: &[u8], out: &mut [f32]) {
    let halves = bytes.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b));
    match dtype {
        Dtype::F16 => out.iter_mut().zip(halves).for_each(|(x, h)| *x = f16_to_f32(h)),
        Dtype::BF16 => out.iter_mut().zip(halves).for_each(|(x, h)| *x = f32::from_bits(u32::from(h) << 16)),
        _ => Number::from_le_bytes(bytes, out),
    }
}

/// Writes a file as [`write_to`] does.
///
/// # Errors
/// [`Error::Io`] and the errors of `write_bytes`. No file is created then.
pub fn write(
    path: &Path,
    tensors: &[(String, Vec<usize>)],
    write_bytes: impl FnMut(usize, &mut dyn Write) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut failed = None;
    let written = m2g_core::atomic::write(path, |file| {
        write_to(file, path, tensors, write_bytes).map_err(|error| {
            failed = Some(error);
            std::io::ErrorKind::Other.into()
        })
    });
    // The first error is the cause, not the aborted write that follows from it.
    failed.map_or(written, Err)
}

/// Writes `f32` tensors with these names and shapes, in this order. `write_bytes(i, file)` writes the
/// bytes of tensor `i`. Errors call the file `path`.
///
/// # Errors
/// [`Error::Io`] and the errors of `write_bytes`.
pub fn write_to(
    file: &mut dyn Write,
    path: &Path,
    tensors: &[(String, Vec<usize>)],
    mut write_bytes: impl FnMut(usize, &mut dyn Write) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut end = 0;
    let infos = tensors.iter().map(|(name, shape)| {
        let start = end;
        end += shape.iter().product::<usize>() * f32::BYTES;
        let info = TensorInfo { dtype: Dtype::F32, shape: shape.clone(), data_offsets: (start, end) };
        (name.clone(), info)
    });
    // transformers rejects files that do not name a framework.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let header = Metadata::new(Some(metadata), infos.collect())
        .map_err(|e| Error::Other(Box::new(e)))
        .and_then(|header| serde_json::to_vec(&header).map_err(|e| Error::Other(Box::new(e))))?;
    let failed = |error| Error::io("write", path)(error);
    let mut file = BufWriter::new(file);
    // Pads the header with spaces, so that the tensors are aligned.
    let padding = header.len().next_multiple_of(8) - header.len();
    file.write_all(&((header.len() + padding) as u64).to_le_bytes()).map_err(failed)?;
    file.write_all(&header).map_err(failed)?;
    file.write_all(&b"       "[..padding]).map_err(failed)?;
    (0..tensors.len()).try_for_each(|i| write_bytes(i, &mut file))?;
    file.flush().map_err(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn halves_widen_exactly() {
        let cases = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x0400, 6.103_515_6e-5),
            (0x03ff, 6.097_555e-5),
            (0x0001, 5.960_464_5e-8),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (half, want) in cases {
            assert_eq!(f16_to_f32(half), want, "{half:#06x}");
        }
        assert!(f16_to_f32(0x8000).is_sign_negative());
        assert!(f16_to_f32(0x7e00).is_nan());
    }

    #[test]
    fn written_files_can_be_read_here_and_by_the_safetensors_crate() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let tensors = [("b".to_string(), vec![2, 1]), ("a".to_string(), vec![3])];
        let values = [vec![1.5_f32, -0.0], vec![f32::MIN_POSITIVE, 7.0, -3.25]];
        write(&path, &tensors, |i, out| {
            let mut bytes = Vec::new();
            Number::to_le_bytes(&values[i], &mut bytes);
            out.write_all(&bytes).map_err(Error::io("write", &path))
        })
        .unwrap();
        let mut file = TensorFile::open(&path).unwrap();
        for ((name, _), want) in tensors.iter().zip(&values) {
            let mut found = vec![9.0; want.len()];
            file.read(name, &mut found).unwrap();
            assert_eq!(
                found.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
                want.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            );
        }
        assert!(file.read("a", &mut [0.0; 2]).is_err());
        assert!(file.read("c", &mut [0.0; 2]).is_err());
        let bytes = std::fs::read(&path).unwrap();
        let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(theirs.tensor("b").unwrap().shape(), [2, 1]);
        assert_eq!(theirs.tensor("a").unwrap().data()[4..8], 7.0_f32.to_le_bytes());
    }
}
