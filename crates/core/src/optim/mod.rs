//! Optimisers: rules that update parameters along their gradients.

mod adamw;
mod averaged;
mod clip;
mod muon;
mod orthogonalize;
mod schedule;
mod sgd;

pub use adamw::AdamW;
pub use averaged::Averaged;
pub use clip::clip_norm;
pub use muon::Muon;
pub use schedule::{Decay, Schedule};
pub use sgd::Sgd;

use crate::{Error, Float, Grads, Param, Params, Tensor};

/// Finds a tensor of a checkpoint by its name, and checks its shape.
pub type FindTensor<'a, T> = dyn FnMut(&str, &[usize]) -> Result<Tensor<T>, Error> + 'a;

/// A rule that updates parameters, given their gradients.
pub trait Optimizer<T: Float>: Send {
    /// The name in messages and in the trace.
    fn name(&self) -> &'static str;

    /// The path of its type, for the trace.
    fn function(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Takes one step with learning rate `lr` along the negative gradient, which is `scale` times
    /// `grads`. Parameters without a gradient do not change.
    fn update(&mut self, params: &mut Params<T>, grads: &Grads<T>, scale: f64, lr: f64);

    /// The cost of a step per element of a parameter: the numbers of floating-point operations, and of
    /// elements read and written.
    fn cost(&self) -> (u64, u64);

    /// The parameters to evaluate, and to keep if they are the best. `None` stands for `params`, those of the last
    /// step; [`Averaged`] returns a mean.
    fn average(&self, params: &Params<T>) -> Option<Params<T>> {
        _ = params;
        None
    }

    /// Called after each evaluation, with the parameters of the last step.
    fn evaluated(&mut self, params: &Params<T>) {
        _ = params;
    }

    /// The tensors that a checkpoint needs to resume with the same bits, by name.
    fn state(&self, params: &Params<T>) -> Vec<(String, Tensor<T>)>;

    /// Restores the tensors of [`Optimizer::state`] after `steps` updates. `get` finds a tensor by
    /// name and checks its shape.
    ///
    /// # Errors
    /// The errors of `get`.
    fn restore(&mut self, params: &Params<T>, steps: u64, get: &mut FindTensor<'_, T>) -> Result<(), Error>;
}

/// Which parameters an optimiser updates.
type AppliesTo<T> = fn(&Param<T>) -> bool;

/// A tensor of zeros for each of these parameters, and an empty one for every other: the moments before the
/// first step.
fn zeros<T: Float>(params: &Params<T>, applies_to: AppliesTo<T>) -> Vec<Tensor<T>> {
    let zeros = |p: &Param<T>| Tensor::zeros(if applies_to(p) { p.value.shape() } else { &[0] });
    params.iter().map(zeros).collect()
}

/// Names the `moments` of these parameters after them.
fn named<T: Float>(
    kind: &str,
    params: &Params<T>,
    moments: &[Tensor<T>],
    applies_to: AppliesTo<T>,
) -> Vec<(String, Tensor<T>)> {
    let all = params.iter().zip(moments).filter(|(p, _)| applies_to(p));
    all.map(|(p, m)| (format!("{kind}.{}", p.name), m.clone())).collect()
}

/// Finds the tensors that [`named`] has named.
fn restored<T: Float>(
    kind: &str,
    params: &Params<T>,
    get: &mut FindTensor<'_, T>,
    applies_to: AppliesTo<T>,
) -> Result<Vec<Tensor<T>>, Error> {
    let restored = |p: &Param<T>| match applies_to(p) {
        true => get(&format!("{kind}.{}", p.name), p.value.shape()),
        false => Ok(Tensor::zeros(&[0])),
    };
    params.iter().map(restored).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::{ParamId, Tape};

    /// Makes an optimiser without a state.
    type New = fn() -> Box<dyn Optimizer<f64>>;

    fn step(optimizer: &mut dyn Optimizer<f64>, params: &mut Params<f64>, g: [f64; 2]) {
        let (mut grads, mut tape) = (Grads::new(), Tape::new());
        grads.add(ParamId(0), Tensor::from_vec(&[1], vec![3.0]).unwrap(), &mut tape);
        grads.add(ParamId(1), Tensor::from_vec(&[2, 1], g.to_vec()).unwrap(), &mut tape);
        optimizer.update(params, &grads, 1.0, 0.01);
    }

    #[test]
    fn a_restored_state_goes_on_with_the_same_bits() {
        let all: [New; 3] = [
            || Box::new(Sgd::new().momentum(0.9).l2(0.1)),
            || Box::new(AdamW::new(0.1)),
            || Box::new(Muon::new(AdamW::new(0.1), 2.0)),
        ];
        for new in all {
            let mut params = Params::new();
            params.add("b", Tensor::from_vec(&[1], vec![1.0]).unwrap()).unwrap();
            let w = params.add("w", Tensor::from_vec(&[2, 1], vec![1.0, 1.0]).unwrap()).unwrap();
            params.get_mut(w).hidden_matrices = 2;
            let mut optimizer = new();
            step(&mut *optimizer, &mut params, [0.3, 0.7]);
            let state: BTreeMap<_, _> = optimizer.state(&params).into_iter().collect();
            assert!(!state.is_empty(), "{}", optimizer.name());
            let mut restored = new();
            restored.restore(&params, 1, &mut |name, _| Ok(state[name].clone())).unwrap();
            let mut again = params.clone();
            step(&mut *optimizer, &mut params, [-0.2, 0.1]);
            step(&mut *restored, &mut again, [-0.2, 0.1]);
            let same = params.iter().zip(again.iter()).all(|(a, b)| a.value == b.value);
            assert!(same, "{}", optimizer.name());
        }
    }
}
