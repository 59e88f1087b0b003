//! A look at a model while it trains, without its type: for observers that show parameters and gradients.

use crate::{Float, Grads, Params, Tensor};

/// The parameters of a model in training, and their gradients in the last step.
pub trait Look {
    /// The names and shapes of the parameters.
    fn names(&self) -> Vec<(String, Vec<usize>)>;

    /// A parameter, as it is now; `None` if there is none of this name.
    fn parameter(&self, name: &str) -> Option<Vec<f32>>;

    /// The gradient of a parameter in the last step: the sum over the batches of the step, before clipping.
    /// `None` before the first step.
    fn gradient(&self, name: &str) -> Option<Vec<f32>>;
}

/// What there is to see after a step.
pub(super) struct Seen<'a, T: Float> {
    pub(super) params: &'a Params<T>,
    pub(super) grads: &'a Grads<T>,
}

impl<T: Float> Look for Seen<'_, T> {
    fn names(&self) -> Vec<(String, Vec<usize>)> {
        self.params.iter().map(|p| (p.name.clone(), p.value.shape().to_vec())).collect()
    }

    fn parameter(&self, name: &str) -> Option<Vec<f32>> {
        self.params.iter().find(|p| p.name == name).map(|p| elements(&p.value))
    }

    fn gradient(&self, name: &str) -> Option<Vec<f32>> {
        let mut all = self.params.iter().zip(self.grads.iter());
        all.find(|(p, _)| p.name == name)?.1.map(elements)
    }
}

fn elements<T: Float>(tensor: &Tensor<T>) -> Vec<f32> {
    tensor.data().iter().map(|x| x.as_f64() as f32).collect()
}
