//! The fully connected layer.

use crate::rng::{ChaCha8Rng, normal, uniform};
use crate::{Error, Float, ParamId, Params, Tape, Tensor, Var};

/// How the weights of a layer are initialised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Normal with this standard deviation, weights and biases alike.
    Normal(f64),
    /// Weights normal with this standard deviation, biases 0 (Radford et al. 2019).
    NormalWeights(f64),
    /// Weights normal with standard deviation `gain / sqrt(inputs)`, so that the weighted sum neither
    /// grows nor shrinks with the number of inputs (LeCun et al. 1998 with gain 1, He et al. 2015
    /// with gain sqrt(2)); biases normal with standard deviation `bias`.
    Scaled {
        /// 1 for sigmoid and tanh, sqrt(2) for ReLU and GELU.
        gain: f64,
        /// 1 in the book (chapter 3), otherwise 0.
        bias: f64,
    },
    /// Weights and biases uniform between `-1 / sqrt(inputs)` and `1 / sqrt(inputs)`: the
    /// default of PyTorch.
    Uniform,
}

impl Init {
    /// Random weights of this shape, for neurons with this number of inputs.
    pub(super) fn weights<T: Float>(self, shape: &[usize], inputs: usize, rng: &mut ChaCha8Rng) -> Tensor<T> {
        match self {
            Self::Normal(std) | Self::NormalWeights(std) => normal_tensor(shape, std, rng),
            Self::Scaled { gain, .. } => normal_tensor(shape, gain / (inputs.max(1) as f64).sqrt(), rng),
            Self::Uniform => uniform_tensor(shape, inputs, rng),
        }
    }
}

/// `y = x W^T + b`, with weights `W` of shape `(outputs, inputs)` and an optional bias `b` of shape
/// `(outputs)`.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    /// The weights, `(outputs, inputs)`.
    pub weight: ParamId,
    /// The biases, `(outputs)`.
    pub bias: Option<ParamId>,
}

impl Linear {
    /// Adds `name.weight` and `name.bias` to `params`, randomly initialised.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if a name is taken.
    pub fn new<T: Float>(
        params: &mut Params<T>,
        name: &str,
        (inputs, outputs): (usize, usize),
        init: Init,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let mut linear = Self::without_bias(params, name, (inputs, outputs), init, rng)?;
        let bias = match init {
            Init::Normal(std) => normal_tensor(&[outputs], std, rng),
            Init::NormalWeights(_) => Tensor::zeros(&[outputs]),
            Init::Scaled { bias, .. } => normal_tensor(&[outputs], bias, rng),
            Init::Uniform => uniform_tensor(&[outputs], inputs, rng),
        };
        linear.bias = Some(params.add(format!("{name}.bias"), bias)?);
        Ok(linear)
    }

    /// Adds `name.weight` alone.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if a name is taken.
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

    /// `x W^T + b`: `(.., inputs) -> (.., outputs)`. Reads [packed](Params::pack) weights if `x` is a
    /// single row and no gradient is needed.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not have `inputs` columns.
    #[track_caller]
    pub fn forward<T: Float>(&self, tape: &mut Tape<T>, params: &Params<T>, x: Var) -> Result<Var, Error> {
        tape.enter::<Self>("Linear::forward");
        let bias = self.bias.map(|bias| tape.param(params, bias));
        let y = match params.packed(self.weight).filter(|_| self.reads_packed(tape, params, x)) {
            Some(weights) => tape.packed_linear(x, weights, bias)?,
            None => {
                let weight = tape.param(params, self.weight);
                tape.linear_with_factor(x, (weight, params.factor(self.weight)), bias)?
            }
        };
        tape.trace.label(y, || params.get(self.weight).layer().into());
        Ok(y)
    }

    /// Whether [`Linear::forward`] reads packed weights for `x`.
    pub(super) fn reads_packed<T: Float>(&self, tape: &Tape<T>, params: &Params<T>, x: Var) -> bool {
        params.packed(self.weight).is_some() && tape.packed_linear_is_faster(x)
    }

    /// `r + dropout(x W^T + b)` in one op: `(.., inputs) -> (.., outputs)`.
    #[track_caller]
    pub(super) fn forward_residual<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        r: Var,
        x: Var,
        p: f64,
    ) -> Result<Var, Error> {
        tape.enter::<Self>("Linear::forward_residual");
        let bias = self.bias.map(|bias| tape.param(params, bias));
        let weight = (tape.param(params, self.weight), params.factor(self.weight));
        let y = tape.linear_residual_with_factor(r, x, weight, bias, p)?;
        tape.trace.label(y, || params.get(self.weight).layer().into());
        Ok(y)
    }

    /// The name of the layer that contains this one: `h.0.attn` for `h.0.attn.c_proj`.
    pub(super) fn parent<'a, T: Float>(&self, params: &'a Params<T>) -> &'a str {
        let name = params.get(self.weight).layer();
        name.rsplit_once('.').map_or(name, |(parent, _)| parent)
    }
}

/// Normal random values with this standard deviation; if it is 0, `rng` is left unchanged.
pub(super) fn normal_tensor<T: Float>(shape: &[usize], std: f64, rng: &mut ChaCha8Rng) -> Tensor<T> {
    match std {
        0.0 => Tensor::zeros(shape),
        std => Tensor::from_fn(shape, || T::of(std * normal(rng))),
    }
}

/// Uniform random values between `-1 / sqrt(inputs)` and `1 / sqrt(inputs)`.
fn uniform_tensor<T: Float>(shape: &[usize], inputs: usize, rng: &mut ChaCha8Rng) -> Tensor<T> {
    let bound = 1.0 / (inputs.max(1) as f64).sqrt();
    Tensor::from_fn(shape, || T::of(bound * (2.0 * uniform(rng) - 1.0)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rng::Streams;

    #[test]
    fn initial_weights_have_the_given_scale() {
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
            let largest = params.get(id).value.data().iter().fold(0.0_f32, |largest, w| largest.max(w.abs()));
            assert!((0.045..=0.05).contains(&largest) && (std(id) - 0.05 / 3.0_f32.sqrt()).abs() < 0.004);
        }
        assert!((std(b.weight) - 1.0).abs() < 0.03 && std(b.bias.unwrap()) > 0.5);
        assert_eq!(params.get(a.weight).value.shape(), [50, 400]);
        assert!(params.get(a.weight).decay && !params.get(a.bias.unwrap()).decay);
    }
}
