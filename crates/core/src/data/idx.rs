//! The IDX file format of MNIST (LeCun, "The MNIST database").
//!
//! ```text
//! bytes 0-1   0
//! byte  2     element type: 8 is unsigned bytes; 12 is 32-bit integers, as QMNIST's labels have them
//! byte  3     number of axes
//! then        length of each axis, 32 bits, big-endian
//! then        the elements, last axis fastest
//! ```

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use byteorder::{BigEndian, ReadBytesExt};
use flate2::bufread::MultiGzDecoder;

use super::DataError;
use crate::bounded::{self, MAX_EXPANSION};

/// The content of an IDX file of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The lengths of the axes.
    pub shape: Vec<usize>,
    /// The elements, last axis fastest.
    pub data: Vec<u8>,
}

/// The code for unsigned bytes in the header.
const UNSIGNED_BYTE: u8 = 8;
/// The most bytes of elements, whatever the header claims: 1 GiB. The largest known file, the images of
/// EMNIST ByClass, has 547 MB.
const MAX_BYTES: u64 = 1 << 30;

/// The code for 32-bit integers, big-endian.
const INTEGER: u8 = 12;

/// Reads an IDX file of unsigned bytes, plain or compressed with gzip.
///
/// # Errors
/// [`DataError`] if the file cannot be read, is not IDX, or is shorter or longer than its
/// header says.
pub fn read(path: &Path) -> Result<Idx, DataError> {
    with_content(path, |reader, packed| {
        let (_, shape, data) = elements(reader, path, packed, &[UNSIGNED_BYTE])?;
        Ok(Idx { shape, data })
    })
}

/// Reads labels: unsigned bytes, or integers of shape `(N)` or `(N, columns)`. In a file with columns,
/// such as QMNIST's, the first column is the label. A file of anything else keeps its shape.
///
/// # Errors
/// As [`read`]; [`DataError::File`] if an integer is no label.
pub fn read_labels(path: &Path) -> Result<Idx, DataError> {
    let (kind, shape, bytes) =
        with_content(path, |reader, packed| elements(reader, path, packed, &[UNSIGNED_BYTE, INTEGER]))?;
    if kind == UNSIGNED_BYTE || shape.len() > 2 {
        return Ok(Idx { shape, data: bytes });
    }
    let columns = shape.get(1).copied().unwrap_or(1).max(1);
    let mut data = Vec::with_capacity(bytes.len() / (4 * columns));
    for (i, row) in bytes.chunks_exact(4 * columns).enumerate() {
        let label = i32::from_be_bytes([row[0], row[1], row[2], row[3]]);
        let label = u8::try_from(label).map_err(|_| {
            DataError::file(path, format!("label number {i} is {label}, but labels go from 0 to 255"))
        })?;
        data.push(label);
    }
    Ok(Idx { shape: vec![data.len()], data })
}

/// Reads a file, plain or compressed with gzip, with `parse`, which also gets the size of a compressed one.
fn with_content<T>(
    path: &Path,
    parse: impl FnOnce(&mut dyn Read, Option<u64>) -> Result<T, DataError>,
) -> Result<T, DataError> {
    let file = File::open(path).map_err(DataError::io("read", path))?;
    let size = file.metadata().map_err(DataError::io("read", path))?.len();
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let start = io::BufRead::fill_buf(&mut reader).map_err(DataError::io("read", path))?;
    if bounded::is_gzip(start) {
        parse(&mut MultiGzDecoder::new(reader), Some(size))
    } else {
        parse(&mut reader, None)
    }
}

/// Reads an IDX file from its decompressed bytes; `path` is for the messages.
///
/// # Errors
/// As [`read`].
pub fn parse(reader: &mut dyn Read, path: &Path) -> Result<Idx, DataError> {
    let (_, shape, data) = elements(reader, path, None, &[UNSIGNED_BYTE])?;
    Ok(Idx { shape, data })
}

/// Reads the type, which must be one of `kinds`, the lengths of the axes, and the bytes of all elements.
fn elements(
    reader: &mut dyn Read,
    path: &Path,
    packed_bytes: Option<u64>,
    kinds: &[u8],
) -> Result<(u8, Vec<usize>, Vec<u8>), DataError> {
    let broken = |e: io::Error| match e.kind() {
        io::ErrorKind::UnexpectedEof => DataError::file(path, "the file ends early: it is truncated"),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            DataError::file(path, format!("the compressed data is damaged ({e})"))
        }
        _ => DataError::io("read", path)(e),
    };
    let mut magic = [0; 4];
    reader.read_exact(&mut magic).map_err(broken)?;
    let (kind, axes) = match magic {
        [0, 0, kind, axes] => (kind, axes),
        _ => return Err(DataError::file(path, "it is not an IDX file")),
    };
    if !kinds.contains(&kind) {
        return Err(DataError::file(
            path,
            format!("its elements are of type {kind:#04x}, not unsigned bytes (0x08)"),
        ));
    }
    if !(1..=4).contains(&axes) {
        return Err(DataError::file(path, format!("it has {axes} axes, not 1 to 4")));
    }
    let mut shape = Vec::new();
    let mut expected = 1_u64;
    for _ in 0..axes {
        let length = reader.read_u32::<BigEndian>().map_err(broken)?;
        shape.push(length as usize);
        expected = expected.saturating_mul(u64::from(length));
    }
    let width = if kind == INTEGER { 4 } else { 1 };
    if expected.saturating_mul(width) > MAX_BYTES {
        let most = MAX_BYTES >> 20;
        let why =
            format!("its header claims {expected} elements, but at most {most} MiB are read: it is damaged");
        return Err(DataError::file(path, why));
    }
    if packed_bytes.is_some_and(|packed| bounded::expands_too_far(packed, expected * width)) {
        let why = format!("it unpacks to more than {MAX_EXPANSION} times its size, as no images do");
        return Err(DataError::file(path, why));
    }
    // Memory grows with the actual content, not with what the header claims.
    let mut data = Vec::new();
    reader.take(expected * width + 1).read_to_end(&mut data).map_err(broken)?;
    let found = data.len() as u64;
    match found.cmp(&(expected * width)) {
        std::cmp::Ordering::Equal => Ok((kind, shape, data)),
        std::cmp::Ordering::Less => Err(DataError::file(
            path,
            format!("the file is truncated: it holds {} of {expected} elements", found / width),
        )),
        std::cmp::Ordering::Greater => {
            Err(DataError::file(path, format!("it holds more than the {expected} elements of its header")))
        }
    }
}

/// The header of an IDX file of unsigned bytes with axes of these lengths.
pub fn header(shape: &[usize]) -> Vec<u8> {
    let lengths = shape.iter().flat_map(|&length| (length as u32).to_be_bytes());
    [0, 0, UNSIGNED_BYTE, shape.len() as u8].into_iter().chain(lengths).collect()
}

/// Writes an IDX file.
///
/// # Errors
/// If `writer` fails.
pub fn write(idx: &Idx, writer: &mut impl Write) -> io::Result<()> {
    writer.write_all(&header(&idx.shape))?;
    writer.write_all(&idx.data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn bytes(idx: &Idx) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(idx, &mut bytes).unwrap();
        bytes
    }

    fn parsed(mut bytes: &[u8]) -> Result<Idx, String> {
        parse(&mut bytes, Path::new("x.idx")).map_err(|e| e.to_string())
    }

    #[test]
    fn the_header_is_as_documented() {
        let idx = Idx { shape: vec![2, 3], data: (1..7).collect() };
        assert_eq!(bytes(&idx), [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn gzip_is_recognised_by_its_content() {
        let idx = Idx { shape: vec![5], data: vec![7; 5] };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("no-ending");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&bytes(&idx)).unwrap();
        let mut gz = gz.finish().unwrap();
        std::fs::write(&path, &gz).unwrap();
        assert_eq!(read(&path).unwrap(), idx);
        let last = gz.len() - 6; // in the checksum
        gz[last] ^= 1;
        std::fs::write(&path, &gz).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("damaged"));
        std::fs::write(&path, &gz[..last]).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("truncated"));
    }

    #[test]
    fn errors_name_the_cause() {
        let whole = bytes(&Idx { shape: vec![2, 3], data: vec![1; 6] });
        assert!(parsed(&[]).unwrap_err().contains("truncated"));
        assert!(parsed(b"hello world").unwrap_err().contains("not an IDX file"));
        assert!(parsed(&whole[..16]).unwrap_err().contains("4 of 6"));
        assert!(parsed(&[&whole[..], &[0]].concat()).unwrap_err().contains("more than the 6"));
        assert!(parsed(&[0, 0, 0x0d, 1, 0, 0, 0, 0]).unwrap_err().contains("0x0d"));
        assert!(parsed(&[0, 0, 8, 9]).unwrap_err().contains("9 axes"));
        let huge = [&[0, 0, 8, 4][..], &[0xff; 16]].concat();
        assert!(parsed(&huge).unwrap_err().contains("damaged"));
    }

    #[test]
    fn integers_are_read_as_labels() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels-idx2-int");
        let labels = |shape: &[u32], values: &[i32]| {
            let mut bytes = vec![0, 0, INTEGER, shape.len() as u8];
            shape.iter().for_each(|n| bytes.extend(n.to_be_bytes()));
            values.iter().for_each(|n| bytes.extend(n.to_be_bytes()));
            std::fs::write(&path, bytes).unwrap();
            read_labels(&path).map_err(|e| e.to_string())
        };
        let eight_columns = [5, 0, 3577, 2, 0, 0, -1, 7, 4, 1, 4094, 6, 9, 0, 12, 70];
        assert_eq!(labels(&[2, 8], &eight_columns), Ok(Idx { shape: vec![2], data: vec![5, 4] }));
        assert_eq!(labels(&[3], &[1, 2, 255]), Ok(Idx { shape: vec![3], data: vec![1, 2, 255] }));
        assert_eq!(labels(&[0, 8], &[]), Ok(Idx { shape: vec![0], data: vec![] }));
        // Rows without columns, which would need 4 GiB if a row were a label.
        assert_eq!(labels(&[u32::MAX, 0], &[]).map(|labels| labels.data.capacity()), Ok(0));
        assert!(labels(&[2], &[1, -1]).unwrap_err().contains("label number 1 is -1"));
        assert!(labels(&[2, 8], &eight_columns[..9]).unwrap_err().contains("9 of 16"));
        assert!(parsed(&std::fs::read(&path).unwrap()).unwrap_err().contains("0x0c"));
        let bytes = Idx { shape: vec![2], data: vec![7, 8] };
        let mut file = Vec::new();
        write(&bytes, &mut file).unwrap();
        std::fs::write(&path, file).unwrap();
        assert_eq!(read_labels(&path).unwrap(), bytes);
    }

    proptest! {
        #[test]
        fn reading_inverts_writing(shape in prop::collection::vec(0_usize..6, 1..=4), seed: u8) {
            let n = shape.iter().product::<usize>();
            let idx = Idx { shape, data: (0..n).map(|i| (i as u8).wrapping_mul(seed)).collect() };
            prop_assert_eq!(parsed(&bytes(&idx)).unwrap(), idx);
        }

        #[test]
        fn random_bytes_are_refused_or_read_but_never_panic(tail in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = parsed(&tail);
            let _ = parsed(&[&[0, 0, 8][..], &tail].concat());
        }
    }
}
