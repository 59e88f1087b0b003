//! Checkpoints: named tensors and one JSON value in a safetensors file.
//!
//! Every safetensors library can read the format. Parameters are stored under their names, the
//! tensors of the optimiser under names that start with `optimizer.`. The metadata key `m2g`
//! holds everything else as JSON, with checksums of the whole file: a damaged file is not used.

mod header;

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::Crc;
use safetensors::tensor::TensorInfo;
use serde_json::Value;

pub use self::header::has_checksums;
pub(crate) use self::header::unusable;
use self::header::{NewHeader, OpenFile};
use crate::params::first_not_finite;
use crate::threads::join;
use crate::{Error, Float, Params, Tensor, atomic, memory};

/// The start of the names of the optimiser's tensors.
pub const OPTIMIZER: &str = "optimizer.";

/// The number of elements written or read at a time.
const ELEMENTS_PER_CHUNK: usize = 1 << 16;

/// The content of a checkpoint file.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint<T: Float> {
    /// The kind of model, its description, the state of the training run.
    pub metadata: Value,
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor<T>>,
}

impl<T: Float> Checkpoint<T> {
    /// A checkpoint of these parameters.
    pub fn new(metadata: Value, params: &Params<T>) -> Self {
        let tensors = params.iter().map(|p| (p.name.clone(), p.value.clone())).collect();
        Self { metadata, tensors }
    }

    /// Writes the file, a chunk of elements at a time, so that a large model needs no second copy
    /// in memory. An old file stays until the new one is complete. The metadata must be a JSON object; in
    /// the file it has two more keys, `format` and `checksum`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written; [`Error::Checkpoint`] if the metadata is too large.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let mut end = 0;
        let infos = self.tensors.iter().map(|(name, tensor)| {
            let start = end;
            end += tensor.len() * T::BYTES;
            let shape = tensor.shape().to_vec();
            (name.clone(), TensorInfo { dtype: T::DTYPE, shape, data_offsets: (start, end) })
        });
        let mut header = NewHeader::new(path, &self.metadata, infos.collect())?;
        atomic::write(path, |file| {
            file.write_all(header.bytes())?;
            let mut checksum = Crc::new();
            let mut chunks =
                self.tensors.values().flat_map(|tensor| tensor.data().chunks(ELEMENTS_PER_CHUNK));
            let mut fill = |bytes: &mut Vec<u8>| {
                bytes.clear();
                T::to_le_bytes(chunks.next().unwrap_or_default(), bytes);
                checksum.update(bytes);
            };
            let [mut bytes, mut next] = [(); 2].map(|()| Vec::with_capacity(ELEMENTS_PER_CHUNK * T::BYTES));
            fill(&mut bytes);
            while !bytes.is_empty() {
                // While the system copies one chunk, the next one is converted and added to the checksum.
                let (written, ()) = join(|| file.write_all(&bytes), || fill(&mut next));
                written?;
                std::mem::swap(&mut bytes, &mut next);
            }
            header.seal(&checksum);
            file.seek(SeekFrom::Start(0))?;
            file.write_all(header.bytes())
        })
    }

    /// Reads the file, a chunk of elements at a time.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Checkpoint`] if it is not a complete and
    /// undamaged checkpoint of m2g with elements of type `T`; [`Error::Memory`] if there is too little for it.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let mut open = OpenFile::open(path)?;
        let length = open.tensors.last().map_or(0, |(_, info)| info.data_offsets.1);
        let advice = "use a smaller model, or a machine with more memory";
        // The check counts elements of 4 bytes.
        memory::check((length / size_of::<f32>()) as u64, "reading this checkpoint", advice)?;
        let mut tensors = BTreeMap::new();
        let mut checksum = Crc::new();
        let mut bytes = vec![0; ELEMENTS_PER_CHUNK * T::BYTES];
        for (name, info) in &open.tensors {
            if info.dtype != T::DTYPE {
                let (found, want) = (info.dtype, T::DTYPE);
                return Err(unusable(path, &format!("{name} holds {found:?}, not {want:?}")));
            }
            // The header was compared with the size of the file, and this is part of it.
            let mut tensor = Tensor::zeros(&info.shape);
            for chunk in tensor.data_mut().chunks_mut(ELEMENTS_PER_CHUNK) {
                let bytes = &mut bytes[..chunk.len() * T::BYTES];
                open.file.read_exact(bytes).map_err(Error::io("read", path))?;
                checksum.update(bytes);
                T::from_le_bytes(bytes, chunk);
            }
            tensors.insert(name.clone(), tensor);
        }
        open.check_tensors(path, &checksum)?;
        Ok(Self { metadata: open.metadata, tensors })
    }

    /// Reads only the metadata. The checksum of the header is checked, that of the tensors is not.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn load_metadata(path: &Path) -> Result<Value, Error> {
        OpenFile::open(path).map(|open| open.metadata)
    }

    /// The number of elements of all parameters.
    pub fn parameter_count(&self) -> usize {
        let parameters = self.tensors.iter().filter(|(name, _)| !name.starts_with(OPTIMIZER));
        parameters.map(|(_, tensor)| tensor.len()).sum()
    }

    /// Removes a tensor and returns it, if it has this shape. `path` is for the message.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is missing or has another shape.
    pub fn take(&mut self, path: &Path, name: &str, shape: &[usize]) -> Result<Tensor<T>, Error> {
        match self.tensors.remove(name) {
            Some(tensor) if tensor.shape() == shape => Ok(tensor),
            Some(tensor) => {
                let found = tensor.shape();
                Err(unusable(path, &format!("{name} has shape {found:?}, but this model needs {shape:?}")))
            }
            None => {
                Err(unusable(path, &format!("it has no tensor called {name}: it belongs to another model")))
            }
        }
    }

    /// Moves the parameters of the checkpoint into `params`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if one is missing or has another shape, or if there are others; `params` is
    /// then unchanged.
    pub fn restore(&mut self, path: &Path, params: &mut Params<T>) -> Result<(), Error> {
        let values: Vec<Tensor<T>> =
            params.iter().map(|p| self.take(path, &p.name, p.value.shape())).collect::<Result<_, _>>()?;
        if let Some(other) = self.tensors.keys().find(|name| !name.starts_with(OPTIMIZER)) {
            return Err(unusable(path, &format!("this model has no tensor called {other}")));
        }
        params.iter_mut().zip(values).for_each(|(p, value)| p.value = value);
        Ok(())
    }

    /// Checks that no element of any tensor is NaN or infinite.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] names the first tensor with one, and its index.
    pub fn check_finite(&self, path: &Path) -> Result<(), Error> {
        check_finite(path, self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)))
    }
}

/// Checks that no element of these tensors of a checkpoint is NaN or infinite.
///
/// # Errors
/// [`Error::Checkpoint`] names the first tensor with one, and its index.
pub fn check_finite<'a, T: Float>(
    path: &Path,
    mut tensors: impl Iterator<Item = (&'a str, &'a Tensor<T>)>,
) -> Result<(), Error> {
    let broken = tensors.find_map(|(name, tensor)| Some((name, tensor, first_not_finite(tensor)?)));
    let Some((name, tensor, at)) = broken else { return Ok(()) };
    let value = if tensor.data()[at].is_nan() { "NaN" } else { "an infinite value" };
    let why = format!(
        "the model is broken: {name} holds {value} at index {:?}, because its training diverged or the file was \
         damaged; train it again, or use another checkpoint",
        index_of(at, tensor.shape())
    );
    Err(unusable(path, &why))
}

/// The index of element number `at`, counted row by row, along each axis.
fn index_of(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &length) in index.iter_mut().zip(shape).rev() {
        (*i, at) = (at % length, at / length);
    }
    index
}

#[cfg(test)]
mod tests;
