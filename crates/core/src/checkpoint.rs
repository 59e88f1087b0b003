//! Checkpoints: named tensors and one JSON value in a safetensors file.
//!
//! Every safetensors library can read the format. Parameters are stored under their names, the
//! tensors of the optimiser under names that start with `optimizer.`. The metadata key `m2g`
//! holds everything else as JSON.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::Value;

use crate::{Error, Float, Params, Tensor, atomic};

/// The metadata key of the JSON value.
const METADATA_KEY: &str = "m2g";

/// The size of the header's length, which precedes the header. The header is padded to a
/// multiple of it.
const LENGTH_BYTES: usize = 8;

/// The largest header that safetensors allows.
const MAX_HEADER_BYTES: u64 = 100_000_000;

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
    /// in memory. An old file stays until the new one is complete.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let mut end = 0;
        let infos = self.tensors.iter().map(|(name, tensor)| {
            let start = end;
            end += tensor.len() * T::BYTES;
            let shape = tensor.shape().to_vec();
            (name.clone(), TensorInfo { dtype: T::DTYPE, shape, data_offsets: (start, end) })
        });
        let metadata = HashMap::from([(METADATA_KEY.to_string(), self.metadata.to_string())]);
        let header = Metadata::new(Some(metadata), infos.collect())
            .map_err(|e| e.to_string())
            .and_then(|header| serde_json::to_vec(&header).map_err(|e| e.to_string()));
        let mut header = header.map_err(|why| unusable(path, &why))?;
        header.resize(header.len().next_multiple_of(LENGTH_BYTES), b' ');
        atomic::write(path, |file| {
            file.write_all(&(header.len() as u64).to_le_bytes())?;
            file.write_all(&header)?;
            let mut bytes = Vec::with_capacity(ELEMENTS_PER_CHUNK * T::BYTES);
            for chunk in self.tensors.values().flat_map(|tensor| tensor.data().chunks(ELEMENTS_PER_CHUNK)) {
                bytes.clear();
                T::to_le_bytes(chunk, &mut bytes);
                file.write_all(&bytes)?;
            }
            Ok(())
        })
    }

    /// Reads the file, a chunk of elements at a time.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Checkpoint`] if it is not a complete
    /// checkpoint of m2g with elements of type `T`.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let (mut file, header, metadata) = open(path)?;
        let mut tensors = BTreeMap::new();
        let mut bytes = vec![0; ELEMENTS_PER_CHUNK * T::BYTES];
        for name in header.offset_keys() {
            let Some(info) = header.info(&name) else { continue };
            if info.dtype != T::DTYPE {
                let (found, want) = (info.dtype, T::DTYPE);
                return Err(unusable(path, &format!("{name} holds {found:?}, not {want:?}")));
            }
            let mut tensor = Tensor::zeros(&info.shape);
            for chunk in tensor.data_mut().chunks_mut(ELEMENTS_PER_CHUNK) {
                let bytes = &mut bytes[..chunk.len() * T::BYTES];
                file.read_exact(bytes).map_err(Error::io("read", path))?;
                T::from_le_bytes(bytes, chunk);
            }
            tensors.insert(name, tensor);
        }
        Ok(Self { metadata, tensors })
    }

    /// Reads only the metadata.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn load_metadata(path: &Path) -> Result<Value, Error> {
        open(path).map(|(_, _, metadata)| metadata)
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
    /// [`Error::Checkpoint`] if one is missing or has another shape; `params` is then
    /// unchanged.
    pub fn restore(&mut self, path: &Path, params: &mut Params<T>) -> Result<(), Error> {
        let values: Vec<Tensor<T>> =
            params.iter().map(|p| self.take(path, &p.name, p.value.shape())).collect::<Result<_, _>>()?;
        params.iter_mut().zip(values).for_each(|(p, value)| p.value = value);
        Ok(())
    }
}

/// Opens a complete checkpoint. Returns the file, positioned at the first element, its
/// header and its metadata.
fn open(path: &Path) -> Result<(File, Metadata, Value), Error> {
    let broken = |why: &str| unusable(path, &format!("it is damaged or not a safetensors file ({why})"));
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    let mut length = [0; LENGTH_BYTES];
    if size < LENGTH_BYTES as u64 {
        return Err(broken("it is too short"));
    }
    file.read_exact(&mut length).map_err(Error::io("read", path))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES.min(size - LENGTH_BYTES as u64) {
        return Err(broken("its header is too long"));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(Error::io("read", path))?;
    let header: Metadata = serde_json::from_slice(&header).map_err(|e| broken(&e.to_string()))?;
    let expected = LENGTH_BYTES as u64 + length + header.data_len() as u64;
    if size != expected {
        return Err(broken(&format!("it has {size} bytes, not {expected} as its header says")));
    }
    let text = header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(METADATA_KEY))
        .ok_or_else(|| unusable(path, "it was not written by m2g (no `m2g` metadata)"))?;
    let metadata =
        serde_json::from_str(text).map_err(|e| unusable(path, &format!("its metadata is not JSON ({e})")))?;
    Ok((file, header, metadata))
}

/// An [`Error::Checkpoint`].
pub(crate) fn unusable(path: &Path, why: &str) -> Error {
    Error::Checkpoint { path: path.to_path_buf(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn params() -> Params<f32> {
        let mut params = Params::new();
        params.add("w", Tensor::from_vec(&[2, 2], vec![1.0, -0.0, f32::NAN, 1e-40]).unwrap()).unwrap();
        params.add("b", Tensor::from_vec(&[2], vec![3.0, 4.0]).unwrap()).unwrap();
        params
    }

    #[test]
    fn saved_bits_are_loaded_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("last.safetensors");
        Checkpoint::new(json!({"step": 7}), &params()).save(&path).unwrap();
        let mut loaded = Checkpoint::<f32>::load(&path).unwrap();
        assert_eq!(loaded.metadata["step"], 7);
        let mut other = Params::new();
        let w = other.add("w", Tensor::zeros(&[2, 2])).unwrap();
        other.add("b", Tensor::zeros(&[2])).unwrap();
        loaded.restore(&path, &mut other).unwrap();
        let bits = |t: &Tensor<f32>| t.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&other.get(w).value), bits(&params().get(w).value));
    }

    #[test]
    fn the_same_content_is_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<_> = ["a", "b"]
            .iter()
            .map(|name| {
                let path = dir.path().join(name);
                Checkpoint::new(json!({"x": 1, "y": [2]}), &params()).save(&path).unwrap();
                std::fs::read(path).unwrap()
            })
            .collect();
        assert_eq!(files[0], files[1]);
    }

    /// Even for a tensor of several chunks.
    #[test]
    fn the_safetensors_crate_writes_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut params = params();
        let mut x = 0.0;
        let counted = Tensor::from_fn(&[3, ELEMENTS_PER_CHUNK / 2], || {
            x += 1.0;
            x
        });
        params.add("long", counted.clone()).unwrap();
        let checkpoint = Checkpoint::new(json!({"step": 7}), &params);
        checkpoint.save(&path).unwrap();
        let bytes: Vec<Vec<u8>> = checkpoint
            .tensors
            .values()
            .map(|t| t.data().iter().flat_map(|x| x.to_le_bytes()).collect())
            .collect();
        let views = checkpoint.tensors.iter().zip(&bytes).map(|((name, t), bytes)| {
            let view = safetensors::tensor::TensorView::new(f32::DTYPE, t.shape().to_vec(), bytes);
            (name, view.unwrap())
        });
        let metadata = HashMap::from([("m2g".to_string(), r#"{"step":7}"#.to_string())]);
        let want = safetensors::serialize(views, Some(metadata)).unwrap();
        assert!(std::fs::read(&path).unwrap() == want);
        assert_eq!(Checkpoint::<f32>::load(&path).unwrap().tensors["long"], counted);
        assert_eq!(Checkpoint::<f32>::load_metadata(&path).unwrap(), json!({"step": 7}));
    }

    #[test]
    fn broken_files_are_refused_with_their_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.safetensors");
        Checkpoint::new(json!({}), &params()).save(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 1, 8, 60, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let error = Checkpoint::<f32>::load(&path).unwrap_err().to_string();
            assert!(error.contains("c.safetensors is not a usable checkpoint"), "{cut}: {error}");
        }
        std::fs::write(&path, [0xff; 500]).unwrap();
        assert!(Checkpoint::<f32>::load(&path).is_err());
        std::fs::write(&path, &whole).unwrap();
        assert!(Checkpoint::<f64>::load(&path).unwrap_err().to_string().contains("not F64"));
    }

    #[test]
    fn a_checkpoint_of_another_model_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.safetensors");
        Checkpoint::new(json!({}), &params()).save(&path).unwrap();
        let mut other = Params::<f32>::new();
        let b = other.add("b", Tensor::zeros(&[2])).unwrap();
        other.add("w", Tensor::zeros(&[2, 3])).unwrap();
        let error = Checkpoint::load(&path).unwrap().restore(&path, &mut other).unwrap_err().to_string();
        assert!(error.contains("w has shape [2, 2], but this model needs [2, 3]"), "{error}");
        assert_eq!(other.get(b).value.data(), [0.0, 0.0]);
    }
}
