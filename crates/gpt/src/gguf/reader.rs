//! Reads the container: keys with values, and the places of the tensors.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use m2g_core::{BlockFormat, Error};

use super::layout::format_numbered;
use super::value::{Type, Value};
use crate::gpt2::{ImportError, git_lfs};

/// How a file begins.
pub const MAGIC: &[u8; 4] = b"GGUF";
/// The version that is written. Version 2 has the same layout.
pub const VERSION: u32 = 3;
/// Tensors begin at multiples of this, unless the file says otherwise.
pub const ALIGNMENT: u64 = 32;

/// The longest accepted header in bytes. That of a vocabulary of 256,000 tokens has 20 MB.
const MAX_HEADER_BYTES: u64 = 64 << 20;
/// The most tensors. A model of 1000 blocks has 12,000.
const MAX_TENSORS: u64 = 1 << 17;
/// The most axes of a tensor.
const MAX_AXES: u32 = 4;
/// The longest name of a key or of a tensor in bytes.
const MAX_NAME_BYTES: u64 = 1 << 16;
/// The largest accepted alignment.
const MAX_ALIGNMENT: u64 = 1 << 20;

/// An open file and its header.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    file: File,
    keys: BTreeMap<String, Value>,
    tensors: BTreeMap<String, StoredTensor>,
}

/// A tensor in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTensor {
    /// The lengths of its axes, outermost first.
    pub shape: Vec<usize>,
    /// Its format.
    pub format: BlockFormat,
    /// Its first byte in the file.
    start: u64,
    /// Its bytes.
    bytes: usize,
}

impl StoredTensor {
    /// The shape with this number of axes. A file may list more of them, of length 1, which come first here.
    pub fn axes(&self, n: usize) -> &[usize] {
        let more = self.shape.len().saturating_sub(n);
        let ones = self.shape.iter().take_while(|length| **length == 1).count();
        &self.shape[more.min(ones)..]
    }
}

impl GgufFile {
    /// Opens a file and checks that it is complete.
    ///
    /// # Errors
    /// [`Error::Io`]; [`ImportError::File`] if it is not a GGUF file, or is damaged or cut off.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        git_lfs::check(path)?;
        let file = File::open(path).map_err(Error::io("open", path))?;
        let size = file.metadata().map_err(Error::io("read", path))?.len();
        let mut header = Header { path, file: BufReader::new(file), read: 0, size };
        if header.bytes(4)? != MAGIC {
            return Err(header.unusable("it is not a GGUF file"));
        }
        match header.u32()? {
            2 | VERSION => {}
            other if [2, VERSION].contains(&other.swap_bytes()) => {
                return Err(header.unusable("its numbers are big-endian: only little-endian files are read"));
            }
            other => {
                return Err(header
                    .unusable(format!("it has version {other} of the format, but only 2 and 3 are read")));
            }
        }
        let (tensors, keys) = (header.u64()?, header.u64()?);
        if tensors > MAX_TENSORS {
            return Err(
                header.unusable(format!("it is damaged: its header says that it has {tensors} tensors"))
            );
        }
        let keys = header.keys(keys)?;
        let alignment = match keys.get("general.alignment") {
            None => ALIGNMENT,
            Some(Value::Integer(n)) => {
                let alignment = u64::try_from(*n).unwrap_or(0);
                if !alignment.is_power_of_two() || alignment > MAX_ALIGNMENT {
                    return Err(header.unusable(format!("it is damaged: its general.alignment is {n}")));
                }
                alignment
            }
            Some(value) => {
                return Err(
                    header.unusable(format!("it is damaged: its general.alignment is {}", value.shown()))
                );
            }
        };
        let tensors = header.tensors(tensors, alignment)?;
        let file = header.file.into_inner();
        Ok(Self { path: path.to_path_buf(), file, keys, tensors })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error of this file.
    pub fn unusable(&self, why: impl Into<String>) -> ImportError {
        ImportError::File { path: self.path.clone(), why: why.into() }
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.keys.get(key)
    }

    /// All tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, StoredTensor> {
        &self.tensors
    }

    /// The bytes of a tensor.
    ///
    /// # Errors
    /// [`Error::Io`]; [`ImportError::File`] if there is no such tensor.
    pub fn bytes(&mut self, name: &str) -> Result<Vec<u8>, ImportError> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(self.unusable(format!("it has no tensor {name}")));
        };
        let mut bytes = vec![0; tensor.bytes];
        let failed = |error| Error::io("read", &self.path)(error);
        self.file.seek(SeekFrom::Start(tensor.start)).map_err(failed)?;
        self.file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

/// The header while it is read. No length from the file is believed before it is compared with the bytes
/// that are left.
struct Header<'a> {
    path: &'a Path,
    file: BufReader<File>,
    read: u64,
    size: u64,
}

impl Header<'_> {
    fn unusable(&self, why: impl Into<String>) -> ImportError {
        ImportError::File { path: self.path.to_path_buf(), why: why.into() }
    }

    /// Checks that the header can have this many more bytes.
    fn check_left(&self, bytes: u64) -> Result<(), ImportError> {
        if bytes > self.size - self.read {
            return Err(self.unusable(format!(
                "it is cut off or damaged: its header ends beyond its {} bytes",
                self.size
            )));
        }
        if bytes > MAX_HEADER_BYTES.saturating_sub(self.read) {
            return Err(self.unusable(format!("its header has more than {} MiB", MAX_HEADER_BYTES >> 20)));
        }
        Ok(())
    }

    fn bytes(&mut self, n: u64) -> Result<Vec<u8>, ImportError> {
        self.check_left(n)?;
        let mut bytes = vec![0; n as usize];
        self.file.read_exact(&mut bytes).map_err(Error::io("read", self.path))?;
        self.read += n;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ImportError> {
        self.check_left(N as u64)?;
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(Error::io("read", self.path))?;
        self.read += N as u64;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, ImportError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, ImportError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn text(&mut self, most: u64) -> Result<String, ImportError> {
        let length = self.u64()?;
        if length > most {
            return Err(self.unusable(format!("it is damaged: a name in its header has {length} bytes")));
        }
        let bytes = self.bytes(length)?;
        String::from_utf8(bytes)
            .map_err(|_| self.unusable("it is damaged: a text in its header is not UTF-8"))
    }

    fn value_type(&mut self) -> Result<Type, ImportError> {
        let number = self.u32()?;
        Type::numbered(number).ok_or_else(|| {
            self.unusable(format!("it is damaged: a value in its header has the type {number}"))
        })
    }

    fn integer(&mut self, bytes: usize, signed: bool) -> Result<i128, ImportError> {
        Ok(match (bytes, signed) {
            (1, false) => u8::from_le_bytes(self.array()?).into(),
            (1, true) => i8::from_le_bytes(self.array()?).into(),
            (2, false) => u16::from_le_bytes(self.array()?).into(),
            (2, true) => i16::from_le_bytes(self.array()?).into(),
            (4, false) => self.u32()?.into(),
            (4, true) => i32::from_le_bytes(self.array()?).into(),
            (_, false) => self.u64()?.into(),
            (_, true) => i64::from_le_bytes(self.array()?).into(),
        })
    }

    fn float(&mut self, bytes: usize) -> Result<f64, ImportError> {
        Ok(match bytes {
            4 => f32::from_le_bytes(self.array()?).into(),
            _ => f64::from_le_bytes(self.array()?),
        })
    }

    fn flag(&mut self) -> Result<bool, ImportError> {
        match self.array::<1>()?[0] {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.unusable(format!("it is damaged: a flag in its header is {other}"))),
        }
    }

    fn list(&mut self) -> Result<Value, ImportError> {
        let (of, length) = (self.value_type()?, self.u64()?);
        self.check_left(length.saturating_mul(of.least_bytes()))?;
        let length = length as usize;
        Ok(match of {
            Type::Integer { bytes, signed } => {
                let mut list = Vec::with_capacity(length);
                for _ in 0..length {
                    let n = self.integer(bytes, signed)?;
                    list.push(i64::try_from(n).unwrap_or(i64::MAX));
                }
                Value::Integers(list)
            }
            Type::Float { bytes } => {
                let mut list = Vec::with_capacity(length);
                for _ in 0..length {
                    list.push(self.float(bytes)? as f32);
                }
                Value::Floats(list)
            }
            Type::Flag => {
                let mut list = Vec::with_capacity(length);
                for _ in 0..length {
                    list.push(i64::from(self.flag()?));
                }
                Value::Integers(list)
            }
            Type::Text => {
                let mut list = Vec::with_capacity(length);
                for _ in 0..length {
                    list.push(self.text(u64::MAX)?);
                }
                Value::Texts(list)
            }
            Type::List => return Err(self.unusable("its header has a list of lists, which is not read")),
        })
    }

    fn keys(&mut self, n: u64) -> Result<BTreeMap<String, Value>, ImportError> {
        // A key is a length, a type and a value.
        self.check_left(n.saturating_mul(8 + 4 + 1))?;
        let mut keys = BTreeMap::new();
        for _ in 0..n {
            let key = self.text(MAX_NAME_BYTES)?;
            let value = match self.value_type()? {
                Type::Integer { bytes, signed } => Value::Integer(self.integer(bytes, signed)?),
                Type::Float { bytes } => Value::Float(self.float(bytes)?),
                Type::Flag => Value::Flag(self.flag()?),
                Type::Text => Value::Text(self.text(u64::MAX)?),
                Type::List => self.list()?,
            };
            if keys.contains_key(&key) {
                return Err(
                    self.unusable(format!("it is damaged: it has the key {} twice", key.escape_debug()))
                );
            }
            keys.insert(key, value);
        }
        Ok(keys)
    }

    /// The list of tensors, which ends the header.
    fn tensors(&mut self, n: u64, alignment: u64) -> Result<BTreeMap<String, StoredTensor>, ImportError> {
        // A name, the number of axes, a type and an offset.
        self.check_left(n.saturating_mul(8 + 4 + 4 + 8))?;
        let mut tensors = BTreeMap::new();
        for _ in 0..n {
            let name = self.text(MAX_NAME_BYTES)?;
            let shown = name.escape_debug().to_string();
            let axes = self.u32()?;
            if axes == 0 || axes > MAX_AXES {
                return Err(self.unusable(format!("it is damaged: its tensor {shown} has {axes} axes")));
            }
            let mut shape = Vec::new();
            for _ in 0..axes {
                shape.push(self.u64()?);
            }
            let number = self.u32()?;
            let format = format_numbered(number)
                .map_err(|known| self.unusable(format!("its tensor {shown} is stored as {known}: only F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K are read")))?;
            let offset = self.u64()?;
            let weights = shape.iter().try_fold(1_u64, |n, &length| n.checked_mul(length)).filter(|&n| n > 0);
            let rows = shape[0].is_multiple_of(format.weights_per_block() as u64);
            let bytes = weights.filter(|_| rows).and_then(|n| {
                (n / format.weights_per_block() as u64).checked_mul(format.bytes_per_block() as u64)
            });
            let (Some(bytes), true) = (bytes, offset.is_multiple_of(alignment)) else {
                return Err(self.unusable(format!("it is damaged: its tensor {shown} cannot have the shape {shape:?}, or begin at byte {offset}")));
            };
            let tensor = (shape, format, offset, bytes);
            if tensors.insert(name, tensor).is_some() {
                return Err(self.unusable(format!("it is damaged: it has the tensor {shown} twice")));
            }
        }
        let data = self.read.next_multiple_of(alignment);
        let placed = tensors.into_iter().map(|(name, (shape, format, offset, bytes))| {
            let start = data.checked_add(offset);
            let end = start.and_then(|start| start.checked_add(bytes));
            match (start, end, usize::try_from(bytes)) {
                (Some(start), Some(end), Ok(bytes)) if end <= self.size => {
                    // Each length is at most the number of bytes, which fits.
                    let shape = shape.iter().rev().map(|&length| length as usize).collect();
                    Ok((name, StoredTensor { shape, format, start, bytes }))
                }
                _ => Err(self.unusable(format!(
                    "it is cut off or damaged: its tensor {} ends beyond its {} bytes",
                    name.escape_debug(),
                    self.size
                ))),
            }
        });
        placed.collect()
    }
}
