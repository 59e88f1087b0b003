//! The tensors that a file or a folder holds, compared with those of the model.

use std::collections::{BTreeMap, BTreeSet};

use m2g_core::{Params, Tensor, memory};
use safetensors::Dtype;

use super::layout::{LM_HEAD, TensorSpec, our_name};
use super::tensor_file::bytes_per_element;
use super::{ImportError, TensorProblem};

/// A tensor in a file. `P` says where.
#[derive(Debug, Clone)]
pub struct Stored<P> {
    /// The name in the file.
    pub name: String,
    /// The shape in the file.
    pub shape: Vec<usize>,
    /// The type of an element.
    pub dtype: Dtype,
    /// Where it is.
    pub place: P,
}

/// Tensors by their names in our model.
#[derive(Debug)]
pub struct StoredTensors<P> {
    tensors: BTreeMap<String, Stored<P>>,
    /// The names in the file of those that occur more than once.
    duplicates: BTreeSet<String>,
}

impl<P> StoredTensors<P> {
    /// All of these that are parameters.
    pub fn new(all: impl IntoIterator<Item = Stored<P>>) -> Self {
        let (mut tensors, mut duplicates) = (BTreeMap::new(), BTreeSet::new());
        for tensor in all {
            let Some(ours) = our_name(&tensor.name).map(String::from) else { continue };
            let theirs = tensor.name.clone();
            // A file of safetensors lists its tensors in no order: of two names, the same one is told each time.
            if let Some(other) = tensors.insert(ours, tensor) {
                duplicates.insert(theirs.max(other.name));
            }
        }
        Self { tensors, duplicates }
    }

    /// All mismatches with the tensors of the model. A tied head may be there or not.
    pub fn problems(&self, tie_weights: bool, specs: &[TensorSpec]) -> Vec<TensorProblem> {
        let mut problems = Vec::new();
        let mut check = |spec: &TensorSpec, required: bool| {
            let expected = spec.their_shape();
            match self.tensors.get(&spec.name) {
                None if required => {
                    problems.push(TensorProblem::Missing { name: spec.their_name(), expected })
                }
                None => {}
                Some(Stored { name, shape, .. }) if *shape != expected => {
                    let (name, found) = (name.clone(), shape.clone());
                    problems.push(TensorProblem::Shape { name, expected, found });
                }
                Some(Stored { name, dtype, .. }) if bytes_per_element(*dtype).is_none() => {
                    problems.push(TensorProblem::Type { name: name.clone(), found: *dtype });
                }
                Some(_) => {}
            }
        };
        specs.iter().for_each(|spec| check(spec, true));
        if tie_weights {
            check(&head(specs), false);
        }
        let known: BTreeSet<&str> = specs.iter().map(|s| s.name.as_str()).chain([LM_HEAD]).collect();
        for (_, stored) in self.tensors.iter().filter(|(ours, _)| !known.contains(ours.as_str())) {
            problems.push(TensorProblem::Extra { name: stored.name.clone(), found: stored.shape.clone() });
        }
        problems.extend(self.duplicates.iter().map(|name| TensorProblem::Duplicate { name: name.clone() }));
        problems
    }

    /// All parameters of the model. `read` fills one from its place.
    ///
    /// # Errors
    /// [`m2g_core::Error::Memory`] if there is no room for them; the errors of `read`.
    pub fn params(&self, specs: &[TensorSpec], read: &mut Read<'_, P>) -> Result<Params<f32>, ImportError> {
        // The size of the files is no bound: halves are widened, and the tensors of a checkpoint may share a storage.
        let elements = || specs.iter().map(|spec| memory::elements(&spec.shape));
        // One is held twice at a time: as it is stored and transposed, or the head and the token embedding.
        let largest = elements().max().unwrap_or(0);
        memory::check(elements().fold(largest, u64::saturating_add), "this model", "use a smaller one")?;
        let mut params = Params::new();
        for spec in specs {
            params.add(spec.name.clone(), self.read(spec, read)?)?;
        }
        Ok(params)
    }

    /// The first tensor with an element that is NaN or infinite.
    pub fn first_not_finite(&self, params: &Params<f32>) -> Option<&Stored<P>> {
        params.first_not_finite().and_then(|param| self.tensors.get(&param.name))
    }

    /// The stored head, if it differs from the token embedding in `params`, so that the weights are
    /// not tied in fact.
    ///
    /// # Errors
    /// The errors of `read`.
    pub fn separate_head(
        &self,
        specs: &[TensorSpec],
        params: &Params<f32>,
        read: &mut Read<'_, P>,
    ) -> Result<Option<Tensor<f32>>, ImportError> {
        if !self.tensors.contains_key(LM_HEAD) {
            return Ok(None);
        }
        let head = self.read(&head(specs), read)?;
        let embedding = params.iter().find(|p| p.name == specs[0].name).map(|p| p.value.data());
        let bits = |x: &f32| x.to_bits();
        let same = embedding.is_some_and(|x| x.iter().map(bits).eq(head.data().iter().map(bits)));
        Ok((!same).then_some(head))
    }

    /// A tensor in the shape that it has in our model.
    fn read(&self, spec: &TensorSpec, read: &mut Read<'_, P>) -> Result<Tensor<f32>, ImportError> {
        let stored = &self.tensors[&spec.name];
        let mut theirs = Tensor::zeros(&stored.shape);
        read(stored, theirs.data_mut())?;
        Ok(if spec.conv1d { transposed(&theirs) } else { theirs })
    }
}

/// Reads a stored tensor, widened to `f32`.
pub type Read<'a, P> = dyn FnMut(&Stored<P>, &mut [f32]) -> Result<(), ImportError> + 'a;

/// The head, which has the shape of the token embedding, the first tensor.
fn head(specs: &[TensorSpec]) -> TensorSpec {
    TensorSpec { name: LM_HEAD.into(), ..specs[0].clone() }
}

/// The transpose of a matrix.
pub(super) fn transposed(matrix: &Tensor<f32>) -> Tensor<f32> {
    /// Elements along each side of a tile: a source and a destination tile fit the L1 cache.
    const TILE_SIDE: usize = 32;
    let (rows, cols) = matrix.rows_cols();
    let mut transposed = Tensor::zeros(&[cols, rows]);
    let (from, to) = (matrix.data(), transposed.data_mut());
    for row in (0..rows).step_by(TILE_SIDE) {
        for col in (0..cols).step_by(TILE_SIDE) {
            for c in col..(col + TILE_SIDE).min(cols) {
                for r in row..(row + TILE_SIDE).min(rows) {
                    to[c * rows + r] = from[r * cols + c];
                }
            }
        }
    }
    transposed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_model_larger_than_the_memory_is_refused_before_it_is_read() {
        let wte = TensorSpec { name: "wte.weight".into(), shape: vec![1 << 24, 1 << 24], conv1d: false };
        let stored =
            Stored { name: wte.their_name(), shape: wte.their_shape(), dtype: Dtype::F32, place: () };
        let error = StoredTensors::new([stored]).params(&[wte], &mut |_, _| panic!("it is read"));
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("this model needs about 2.3 PB of memory, but "), "{error}");
    }

    #[test]
    fn transposed_by_hand() {
        let matrix = Tensor::from_vec(&[2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!(
            transposed(&matrix),
            Tensor::from_vec(&[3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]).unwrap()
        );
        let mut next = 0.0;
        let large = Tensor::from_fn(&[70, 33], || {
            next += 1.0;
            next
        });
        assert_eq!(transposed(&large).view()[[32, 69]], large.view()[[69, 32]]);
        assert_eq!(transposed(&transposed(&large)), large);
    }
}
