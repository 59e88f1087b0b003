//! The tensors in a file that `torch.save` wrote: a zip archive with `data.pkl`, which describes
//! everything, and one entry for the elements of each storage. Several tensors may share a storage.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use m2g_core::Error;
use m2g_text::pickle::{self, Pickle, Value, ValueId};
use safetensors::Dtype;

use super::zip::Zip;
use crate::gpt2::tensor_file::{bytes_per_element, widen};
use crate::gpt2::{ImportError, git_lfs};

/// The functions that rebuild a tensor.
const REBUILD_V2: &str = "torch._utils._rebuild_tensor_v2";
const REBUILD_V3: &str = "torch._utils._rebuild_tensor_v3";
/// The function that makes a tensor a parameter.
const REBUILD_PARAMETER: &str = "torch._utils._rebuild_parameter";
/// A storage of bytes, whose tensors name their type.
const UNTYPED: &str = "torch.storage.UntypedStorage";

/// The classes of storages and the names of types, with the type of an element.
const TYPES: [(&str, &str, Dtype); 9] = [
    ("torch.FloatStorage", "torch.float32", Dtype::F32),
    ("torch.HalfStorage", "torch.float16", Dtype::F16),
    ("torch.BFloat16Storage", "torch.bfloat16", Dtype::BF16),
    ("torch.DoubleStorage", "torch.float64", Dtype::F64),
    ("torch.LongStorage", "torch.int64", Dtype::I64),
    ("torch.IntStorage", "torch.int32", Dtype::I32),
    ("torch.ShortStorage", "torch.int16", Dtype::I16),
    ("torch.ByteStorage", "torch.uint8", Dtype::U8),
    ("torch.BoolStorage", "torch.bool", Dtype::BOOL),
];

/// An open file.
#[derive(Debug)]
pub(super) struct TorchFile {
    path: PathBuf,
    zip: Zip,
    pickle: Pickle,
    /// What the names of all entries start with.
    prefix: String,
    /// Whether the most significant byte of an element comes first.
    pub big_endian: bool,
    /// The storage that was read last.
    storage: (String, Vec<u8>),
}

/// A tensor: a view of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// The name of the storage.
    key: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// For each axis, the distance of neighbours in the storage.
    strides: Vec<usize>,
    /// The index of the first element.
    offset: usize,
}

impl View {
    /// Whether its elements follow each other in the storage.
    fn is_contiguous(&self) -> bool {
        let mut next = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == next;
            next *= size;
            fits
        })
    }
}

impl TorchFile {
    /// Opens a file and reads its pickle.
    ///
    /// # Errors
    /// [`ImportError`] if it is not a file of `torch.save`, or is damaged.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let unusable = |why: String| ImportError::File { path: path.to_path_buf(), why };
        git_lfs::check(path)?;
        check_start(path)?;
        let mut zip = Zip::open(path).map_err(|e| e.at(path, unusable))?;
        let prefix = zip.names().find_map(|name| name.strip_suffix("data.pkl").map(String::from));
        let prefix = prefix.filter(|prefix| prefix.find('/').is_none_or(|at| at + 1 == prefix.len()));
        let Some(prefix) = prefix else {
            return Err(unusable(
                "it is a zip archive, but not one of torch.save: it has no data.pkl".into(),
            ));
        };
        let byte_order = format!("{prefix}byteorder");
        let big_endian = match zip.size(&byte_order) {
            None => false,
            Some(_) => match &zip.read(&byte_order).map_err(|e| e.at(path, unusable))?[..] {
                b"little" => false,
                b"big" => true,
                _ => return Err(unusable("its byteorder is neither little nor big".into())),
            },
        };
        let bytes = zip.read(&format!("{prefix}data.pkl")).map_err(|e| e.at(path, unusable))?;
        let types = TYPES.iter().flat_map(|(storage, name, _)| [*storage, *name]);
        let known: Vec<&str> =
            [REBUILD_V2, REBUILD_V3, REBUILD_PARAMETER, UNTYPED, "torch.CharStorage", "torch.int8"]
                .into_iter()
                .chain(types)
                .collect();
        // What the model does not need may be anything.
        let pickle = pickle::read(&bytes, &known).map_err(|e| unusable(e.to_string()))?;
        Ok(Self { path: path.to_path_buf(), zip, pickle, prefix, big_endian, storage: Default::default() })
    }

    /// What the file holds.
    pub fn pickle(&self) -> &Pickle {
        &self.pickle
    }

    /// The tensor that a value is; `None` if it is none.
    ///
    /// # Errors
    /// A sentence, if the tensor does not fit its storage.
    pub fn view(&self, id: ValueId) -> Result<Option<View>, String> {
        let Value::Call { function, arguments } = self.pickle.value(id) else { return Ok(None) };
        let Some(arguments) = self.pickle.items(*arguments) else {
            return Err("has no arguments".into());
        };
        match (&**function, arguments) {
            // A parameter of a parameter does not occur, so this does not go deeper.
            (REBUILD_PARAMETER, [data, ..]) => match self.pickle.value(*data) {
                Value::Call { function, .. } if &**function == REBUILD_PARAMETER => {
                    Err("is a parameter of a parameter".into())
                }
                _ => self.view(*data),
            },
            (REBUILD_V2, [storage, offset, shape, strides, ..]) => {
                self.strided(*storage, [*offset, *shape, *strides], None).map(Some)
            }
            (REBUILD_V3, [storage, offset, shape, strides, _, _, dtype, ..]) => {
                self.strided(*storage, [*offset, *shape, *strides], Some(*dtype)).map(Some)
            }
            _ => Err(format!("is built by {function} from other arguments than tensors are")),
        }
    }

    /// A view of a storage, checked against the length of the storage.
    fn strided(
        &self,
        storage: ValueId,
        [offset, shape, strides]: [ValueId; 3],
        dtype: Option<ValueId>,
    ) -> Result<View, String> {
        let pickle = &self.pickle;
        let reference = match pickle.value(storage) {
            Value::Persistent(id) => pickle.items(*id).unwrap_or_default(),
            _ => &[],
        };
        let [tag, class, key, _, elements] = reference else { return Err("has no storage".into()) };
        let (Some("storage"), Some(key), Some(elements)) =
            (pickle.text(*tag), pickle.text(*key), pickle.size(*elements))
        else {
            return Err("has a storage that is described otherwise than torch.save does".into());
        };
        let name = |id: ValueId| match pickle.value(id) {
            Value::Name(name) => &**name,
            _ => "nothing",
        };
        let (class, named) = (name(*class), dtype.map(name));
        let found = TYPES.iter().find(|(storage, name, _)| match named {
            Some(named) => named == *name,
            None => class == *storage,
        });
        let Some(&(_, _, dtype)) = found else {
            return Err(format!("has elements of {}, which are not read", named.unwrap_or(class)));
        };
        let bytes = dtype.bitsize() / 8;
        let elements = if class == UNTYPED { elements / bytes } else { elements };
        let stored =
            self.zip.size(&self.entry(key)).ok_or(format!("needs the storage {key}, which is missing"))?;
        if elements.checked_mul(bytes).is_none_or(|needed| needed as u64 > stored) {
            return Err(format!("needs {elements} elements of the storage {key}, which has {stored} bytes"));
        }
        let sizes = |id: ValueId| -> Option<Vec<usize>> {
            pickle.items(id)?.iter().map(|&size| pickle.size(size)).collect()
        };
        let (Some(offset), Some(shape), Some(strides)) = (pickle.size(offset), sizes(shape), sizes(strides))
        else {
            return Err("has a shape that is not made of numbers".into());
        };
        if shape.len() != strides.len() {
            return Err(format!("has {} axes but {} strides", shape.len(), strides.len()));
        }
        let count = shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
        let last = shape.iter().zip(&strides).try_fold(offset, |at, (&size, &stride)| {
            at.checked_add(size.saturating_sub(1).checked_mul(stride)?)
        });
        let empty = shape.contains(&0);
        let within = empty || last.is_some_and(|last| last < elements);
        if count.is_none_or(|count| count > elements) {
            return Err(format!("has the shape {shape:?}, but its storage has {elements} elements"));
        }
        if !within {
            return Err(format!(
                "has the shape {shape:?} with the strides {strides:?} from element {offset} on, which reaches \
                 beyond the {elements} elements of its storage"
            ));
        }
        Ok(View { key: key.into(), dtype, shape, strides, offset })
    }

    fn entry(&self, key: &str) -> String {
        format!("{}data/{key}", self.prefix)
    }

    /// Reads a tensor as `f32` into `out`, row by row.
    ///
    /// # Errors
    /// [`ImportError::File`] if the elements cannot be read or widened.
    pub fn read(&mut self, view: &View, out: &mut [f32]) -> Result<(), ImportError> {
        let path = self.path.clone();
        let unusable = |why: String| ImportError::File { path: path.clone(), why };
        if self.storage.0 != view.key || self.storage.1.is_empty() {
            let entry = self.entry(&view.key);
            self.storage = (view.key.clone(), self.zip.read(&entry).map_err(|e| e.at(&path, unusable))?);
        }
        let Some(width) = bytes_per_element(view.dtype) else {
            return Err(unusable(format!("its elements of type {:?} cannot be widened", view.dtype)));
        };
        let outside = || unusable("a tensor is not within its storage".into());
        if view.is_contiguous() && !self.big_endian {
            let start = view.offset * width;
            let bytes = self.storage.1.get(start..start + out.len() * width).ok_or_else(outside)?;
            widen(view.dtype, bytes, out);
            return Ok(());
        }
        let mut gathered = Vec::with_capacity(out.len() * width);
        // The index of each axis; the last one runs fastest.
        let mut index = vec![0; view.shape.len()];
        for _ in 0..out.len() {
            let at =
                view.offset + index.iter().zip(&view.strides).map(|(i, stride)| i * stride).sum::<usize>();
            let element = self.storage.1.get(at * width..(at + 1) * width);
            let element = element.ok_or_else(outside)?;
            match self.big_endian {
                true => gathered.extend(element.iter().rev()),
                false => gathered.extend_from_slice(element),
            }
            for (i, &size) in index.iter_mut().zip(&view.shape).rev() {
                *i += 1;
                if *i < size {
                    break;
                }
                *i = 0;
            }
        }
        widen(view.dtype, &gathered, out);
        Ok(())
    }
}

/// Recognises files that are not zip archives by how they start.
fn check_start(path: &Path) -> Result<(), ImportError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    file.take(16).read_to_end(&mut start).map_err(Error::io("read", path))?;
    let why = match &start[..] {
        [b'P', b'K', ..] => return Ok(()),
        // A pickle of the number with which old files of torch.save start.
        [0x80, _, 0x8a, 0x0a, 0x6c, 0xfc, ..] => {
            "it is in PyTorch's old format, from before version 1.6: load it with torch.load and save it again"
        }
        [] => "it is empty",
        [0x80, ..] => "it is a pickle, not a checkpoint of torch.save",
        _ => "it is not a checkpoint of torch.save",
    };
    Err(ImportError::File { path: path.to_path_buf(), why: why.into() })
}
