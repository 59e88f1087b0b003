//! Checkpoints: named tensors and one JSON value in a safetensors file.
//!
//! The format is readable by every safetensors library. Parameters stand under
//! their own names, the optimiser's tensors under `optimizer.`; the metadata key
//! `m2g` holds everything else as JSON.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::{Error, Params, Real, Tensor, atomic};

/// The key of the metadata.
const KEY: &str = "m2g";

/// The content of a checkpoint file.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint<T: Real> {
    /// Which model, its configuration, the state of the training.
    pub metadata: Value,
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor<T>>,
}

impl<T: Real> Checkpoint<T> {
    /// A checkpoint of these parameters.
    pub fn new(metadata: Value, params: &Params<T>) -> Self {
        let tensors = params.iter().map(|p| (p.name.clone(), p.value.clone())).collect();
        Self { metadata, tensors }
    }

    /// Writes the file; the old one stays until the new one is whole.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let bytes: Vec<Vec<u8>> = self
            .tensors
            .values()
            .map(|t| {
                let mut bytes = Vec::with_capacity(t.len() * T::BYTES);
                T::to_le_bytes(t.data(), &mut bytes);
                bytes
            })
            .collect();
        let unusable = |e: safetensors::SafeTensorError| unusable(path, &e.to_string());
        let views = self
            .tensors
            .iter()
            .zip(&bytes)
            .map(|((name, t), b)| Ok((name, TensorView::new(T::DTYPE, t.shape().to_vec(), b)?)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(unusable)?;
        let metadata = HashMap::from([(KEY.to_string(), self.metadata.to_string())]);
        let file = safetensors::serialize(views, Some(metadata)).map_err(unusable)?;
        atomic::write(path, |f| f.write_all(&file))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Checkpoint`] if it is not a
    /// whole checkpoint of this project with numbers of type `T`.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let broken = |e: safetensors::SafeTensorError| {
            unusable(path, &format!("it is damaged or not a safetensors file ({e})"))
        };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(broken)?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|m| m.get(KEY))
            .ok_or_else(|| unusable(path, "it was not written by m2g (no `m2g` metadata)"))?;
        let metadata = serde_json::from_str(text)
            .map_err(|e| unusable(path, &format!("its metadata is not JSON ({e})")))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in SafeTensors::deserialize(&bytes).map_err(broken)?.iter() {
            if view.dtype() != T::DTYPE {
                let (found, want) = (view.dtype(), T::DTYPE);
                return Err(unusable(path, &format!("{name} holds {found:?}, not {want:?}")));
            }
            let mut tensor = Tensor::zeros(view.shape());
            T::from_le_bytes(view.data(), tensor.data_mut());
            tensors.insert(name.to_string(), tensor);
        }
        Ok(Self { metadata, tensors })
    }

    /// Takes a tensor out, checking its shape. `path` is for the message.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is missing or has another shape.
    pub fn take(&mut self, path: &Path, name: &str, shape: &[usize]) -> Result<Tensor<T>, Error> {
        match self.tensors.remove(name) {
            Some(tensor) if tensor.shape() == shape => Ok(tensor),
            Some(tensor) => {
                let found = tensor.shape();
                Err(unusable(path, &format!("{name} has shape {found:?}, this model needs {shape:?}")))
            }
            None => Err(unusable(path, &format!("it has no tensor called {name}: it is of another model"))),
        }
    }

    /// Puts the parameters of the file into `params`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if one is missing or has another shape; then
    /// `params` is as it was.
    pub fn restore(&mut self, path: &Path, params: &mut Params<T>) -> Result<(), Error> {
        let values: Vec<Tensor<T>> =
            params.iter().map(|p| self.take(path, &p.name, p.value.shape())).collect::<Result<_, _>>()?;
        params.iter_mut().zip(values).for_each(|(p, value)| p.value = value);
        Ok(())
    }
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
    fn what_is_saved_is_loaded_bit_for_bit() {
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
    fn another_models_checkpoint_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.safetensors");
        Checkpoint::new(json!({}), &params()).save(&path).unwrap();
        let mut other = Params::<f32>::new();
        let b = other.add("b", Tensor::zeros(&[2])).unwrap();
        other.add("w", Tensor::zeros(&[2, 3])).unwrap();
        let error = Checkpoint::load(&path).unwrap().restore(&path, &mut other).unwrap_err().to_string();
        assert!(error.contains("w has shape [2, 2], this model needs [2, 3]"), "{error}");
        assert_eq!(other.get(b).value.data(), [0.0, 0.0]);
    }
}
