//! The fully connected layer.

use super::{Form, Residual};
use crate::rng::{ChaCha8Rng, normal, uniform};
use crate::{Error, Float, ParamId, Params, Tape, Tensor, Var};

/// How large the first random weights are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Normal with this standard deviation, weights and biases alike.
    Normal(f64),
    /// Weights normal with this standard deviation, biases 0 (Radford et al. 2019).
    NormalWeights(f64),
    /// Normal with standard deviation `gain / sqrt(inputs)`, so that the weighted
    /// sum neither grows nor shrinks with the number of inputs (LeCun et al.
    /// 1998 with gain 1, He et al. 2015 with gain sqrt(2)); biases normal with
    /// the standard deviation `bias`.
    Scaled {
        /// 1 for sigmoid and tanh, sqrt(2) for ReLU.
        gain: f64,
        /// 1 in the book (chapter 3), else 0.
        bias: f64,
    },
    /// Weights and biases uniform between `-1 / sqrt(inputs)` and `1 / sqrt(inputs)`, as
    /// PyTorch's layers begin.
    Uniform,
}

impl Init {
    /// Random weights, each row of which meets so many inputs.
    pub(super) fn weights<T: Float>(self, shape: &[usize], inputs: usize, rng: &mut ChaCha8Rng) -> Tensor<T> {
        match self {
            Self::Normal(std) | Self::NormalWeights(std) => random(shape, std, rng),
            Self::Scaled { gain, .. } => random(shape, gain / (inputs.max(1) as f64).sqrt(), rng),
            Self::Uniform => uniform_within(shape, inputs, rng),
        }
    }
}

/// `y = x W^T + b`, with `W` of shape `(outputs, inputs)` and, if it has one, a bias `b`
/// of shape `(outputs)`.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    /// The weights, `(outputs, inputs)`.
    pub weight: ParamId,
    /// The biases, `(outputs)`.
    pub bias: Option<ParamId>,
}

impl Linear {
    /// Adds `name.weight` and `name.bias` to `params`, with random numbers.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if the name is taken.
    pub fn new<T: Float>(
        params: &mut Params<T>,
        name: &str,
        (inputs, outputs): (usize, usize),
        init: Init,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let mut linear = Self::without_bias(params, name, (inputs, outputs), init, rng)?;
        let bias = match init {
            Init::Normal(std) => random(&[outputs], std, rng),
            Init::NormalWeights(_) => Tensor::zeros(&[outputs]),
            Init::Scaled { bias, .. } => random(&[outputs], bias, rng),
            Init::Uniform => uniform_within(&[outputs], inputs, rng),
        };
        linear.bias = Some(params.add(format!("{name}.bias"), bias)?);
        Ok(linear)
    }

    /// Adds `name.weight` alone.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if the name is taken.
    pub fn without_bias<T: Float>(
        params: &mut Params<T>,
        name: &str,
        (inputs, outputs): (usize, usize),
        init: Init,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let weight = init.weights(&[outputs, inputs], inputs, rng);
        Ok(Self { weight: params.add(format!("{name}.weight"), weight)?, bias: None })
    }

    /// `(.., inputs) -> (.., outputs)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has another number of columns.
    #[track_caller]
    pub fn forward<T: Float>(&self, tape: &mut Tape<T>, params: &Params<T>, x: Var) -> Result<Var, Error> {
        tape.enter::<Self>("Linear::forward");
        let bias = self.bias.map(|bias| tape.param(params, bias));
        let y = match params.packed(self.weight).filter(|_| tape.packed_pays(x)) {
            Some(weights) => tape.packed_linear(x, weights, bias)?,
            None => {
                let weight = tape.param(params, self.weight);
                tape.linear(x, weight, bias)?
            }
        };
        tape.trace.label(y, || params.get(self.weight).layer().into());
        Ok(y)
    }

    /// `residual.x + dropout(x W^T + b)`, in one op or in as many as it takes:
    /// `(.., inputs) -> (.., outputs)`.
    ///
    /// # Errors
    /// As [`Linear::forward`] and [`Residual::join`].
    #[track_caller]
    pub fn forward_residual<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        residual: Residual,
        form: Form,
    ) -> Result<Var, Error> {
        let packed = params.packed(self.weight).is_some() && tape.packed_pays(x);
        let Some(r) = residual.x.filter(|_| form == Form::Fused && !packed) else {
            let y = self.forward(tape, params, x)?;
            return residual.join(tape, y);
        };
        tape.enter::<Self>("Linear::forward_residual");
        let bias = self.bias.map(|bias| tape.param(params, bias));
        let weight = tape.param(params, self.weight);
        let y = tape.linear_residual(r, x, weight, bias, residual.dropout)?;
        tape.trace.label(y, || params.get(self.weight).layer().into());
        Ok(y)
    }
}

/// Normal numbers with this standard deviation; 0 draws none.
fn random<T: Float>(shape: &[usize], std: f64, rng: &mut ChaCha8Rng) -> Tensor<T> {
    match std {
        0.0 => Tensor::zeros(shape),
        std => Tensor::from_fn(shape, || T::of(std * normal(rng))),
    }
}

/// Uniform numbers between `-1 / sqrt(inputs)` and `1 / sqrt(inputs)`.
fn uniform_within<T: Float>(shape: &[usize], inputs: usize, rng: &mut ChaCha8Rng) -> Tensor<T> {
    let most = 1.0 / (inputs.max(1) as f64).sqrt();
    Tensor::from_fn(shape, || T::of(most * (2.0 * uniform(rng) - 1.0)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rng::Streams;

    #[test]
    fn the_first_weights_have_the_size_asked_for() {
        let mut params = Params::<f32>::new();
        let mut rng = Streams::new(1).stream("init", 0);
        let scaled = Init::Scaled { gain: 1.0, bias: 0.0 };
        let a = Linear::new(&mut params, "a", (400, 50), scaled, &mut rng).unwrap();
        let b = Linear::new(&mut params, "b", (400, 50), Init::Normal(1.0), &mut rng).unwrap();
        let c = Linear::new(&mut params, "c", (400, 50), Init::Uniform, &mut rng).unwrap();
        let std = |id| {
            let x = params.get(id).value.data();
            (x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32).sqrt()
        };
        assert!((std(a.weight) - 0.05).abs() < 0.002 && std(a.bias.unwrap()) == 0.0);
        for id in [c.weight, c.bias.unwrap()] {
            let most = params.get(id).value.data().iter().fold(0.0_f32, |most, w| most.max(w.abs()));
            assert!((0.045..=0.05).contains(&most) && (std(id) - 0.05 / 3.0_f32.sqrt()).abs() < 0.004);
        }
        assert!((std(b.weight) - 1.0).abs() < 0.03 && std(b.bias.unwrap()) > 0.5);
        assert_eq!(params.get(a.weight).value.shape(), [50, 400]);
        assert!(params.get(a.weight).decay && !params.get(a.bias.unwrap()).decay);
    }
}
