//! Optimisers: how a gradient changes the parameters.

mod adamw;
mod clip;
mod schedule;
mod sgd;

pub use adamw::AdamW;
pub use clip::clip_norm;
pub use schedule::Schedule;
pub use sgd::Sgd;

use crate::{Error, Float, Grads, Params, Tensor};

/// Finds a tensor of a checkpoint by its name, and checks its shape.
pub type FindTensor<'a, T> = dyn FnMut(&str, &[usize]) -> Result<Tensor<T>, Error> + 'a;

/// A rule that changes parameters, given their gradients.
pub trait Optimizer<T: Float>: Send {
    /// The name in messages and in the trace.
    fn name(&self) -> &'static str;

    /// The path of its type, for the trace.
    fn function(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// One step with learning rate `lr` against the gradient, which is `scale` times
    /// `grads`. Parameters without a gradient stay.
    fn update(&mut self, params: &mut Params<T>, grads: &Grads<T>, scale: f64, lr: f64);

    /// What a step costs for each number of a parameter: floating-point operations, and
    /// numbers read and written.
    fn cost(&self) -> (u64, u64);

    /// The tensors that a checkpoint must hold to go on to the same bits, by name.
    fn state(&self, params: &Params<T>) -> Vec<(String, Tensor<T>)>;

    /// Takes the tensors back that [`Optimizer::state`] gave; `steps` updates had
    /// been made. `get` finds a tensor by name and checks its shape.
    ///
    /// # Errors
    /// What `get` returns.
    fn restore(&mut self, params: &Params<T>, steps: u64, get: &mut FindTensor<'_, T>) -> Result<(), Error>;
}

/// A tensor of zeros for each parameter: the moments before the first step.
fn moments<T: Float>(params: &Params<T>) -> Vec<Tensor<T>> {
    params.iter().map(|p| Tensor::zeros(p.value.shape())).collect()
}

/// Names `moments` after their parameters.
fn named<T: Float>(kind: &str, params: &Params<T>, moments: &[Tensor<T>]) -> Vec<(String, Tensor<T>)> {
    params.iter().zip(moments).map(|(p, m)| (format!("{kind}.{}", p.name), m.clone())).collect()
}

/// Finds the tensors that [`named`] named.
fn restored<T: Float>(
    kind: &str,
    params: &Params<T>,
    get: &mut FindTensor<'_, T>,
) -> Result<Vec<Tensor<T>>, Error> {
    params.iter().map(|p| get(&format!("{kind}.{}", p.name), p.value.shape())).collect()
}
