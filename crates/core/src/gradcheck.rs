//! Checks gradients against finite differences, in `f64`.
//!
//! `df/dx = (f(x + h) - f(x - h)) / 2h`, with an error of the order of `h^2`. Where a gradient differs
//! from it, a series of steps from `1e-3` to `2.4e-7`, extrapolated to `h = 0`, decides (Ridders 1982): a single
//! step may cross the kink of a ReLU, or come near the pole of a reciprocal. A `backward` that disagrees with
//! both is wrong.

use crate::kernels::subnormals;
use crate::{Error, Grads, ParamId, Params, Tape, Tensor, Var};

/// `h` of the first difference quotient: half the distance of its two points.
const H: f64 = 1e-5;
/// The largest relative difference that passes.
pub const TOLERANCE: f64 = 1e-6;

/// The element whose gradient and finite difference disagree most.
#[derive(Debug, Clone)]
pub struct Worst {
    /// The name of the parameter.
    pub param: String,
    /// The index of the element.
    pub index: usize,
    /// The gradient of `backward`.
    pub gradient: f64,
    /// The finite difference.
    pub difference: f64,
    /// The absolute difference of both, relative to the larger one or 1.
    pub error: f64,
}

/// Compares the gradient of `loss` with the finite difference for every element of every
/// parameter, and returns the worst.
///
/// # Errors
/// The errors of `loss`.
pub fn worst(
    params: &mut Params<f64>,
    mut loss: impl FnMut(&mut Tape<f64>, &Params<f64>) -> Result<Var, Error>,
) -> Result<Worst, Error> {
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    let out = loss(&mut tape, params)?;
    tape.backward(out, &mut grads)?;
    let mut worst = Worst { param: String::new(), index: 0, gradient: 0.0, difference: 0.0, error: 0.0 };
    for id in (0..params.len()).map(ParamId) {
        for index in 0..params.get(id).value.len() {
            let x = params.get(id).value.data()[index];
            let mut at = |x: f64| -> Result<f64, Error> {
                params.get_mut(id).value.data_mut()[index] = x;
                tape.reset();
                let out = loss(&mut tape, params)?;
                Ok(tape.read_loss(out))
            };
            let mut quotient = |h: f64| Ok::<_, Error>((at(x + h)? - at(x - h)?) / (2.0 * h));
            let gradient = grads.get(id).map_or(0.0, |g| g.data()[index]);
            let error_of = |difference: f64| {
                (gradient - difference).abs() / gradient.abs().max(difference.abs()).max(1.0)
            };
            let mut difference = quotient(H)?;
            // NaN is no agreement.
            let agrees = error_of(difference) < TOLERANCE;
            if !agrees {
                difference = extrapolated(quotient)?;
            }
            at(x)?;
            let error = error_of(difference);
            // NaN counts as the worst.
            if error > worst.error || error.is_nan() {
                let param = params.get(id).name.clone();
                worst = Worst { param, index, gradient, difference, error };
            }
        }
    }
    Ok(worst)
}

/// The limit of a difference quotient for `h = 0`: of all extrapolations from steps that halve, the one
/// that differs least from those before it.
fn extrapolated(mut quotient: impl FnMut(f64) -> Result<f64, Error>) -> Result<f64, Error> {
    const LARGEST: f64 = 1e-3;
    /// Down to 2.4e-7, where rounding has a share of about 1e-9.
    const STEPS: i32 = 13;
    let (mut best, mut smallest_change) = (f64::NAN, f64::INFINITY);
    let mut before: Vec<f64> = Vec::new();
    for i in 0..STEPS {
        // The error has even powers of `h` alone: each column removes the next of them.
        let mut row = vec![quotient(LARGEST * 0.5_f64.powi(i))?];
        let mut power = 1.0;
        for (j, older) in before.iter().enumerate() {
            power *= 4.0;
            let better = row[j] + (row[j] - older) / (power - 1.0);
            let change = (better - row[j]).abs().max((better - older).abs());
            if change < smallest_change {
                (best, smallest_change) = (better, change);
            }
            row.push(better);
        }
        before = row;
    }
    Ok(best)
}

/// Fixed pseudo-random values in `-1.5..1.5`, at least 0.05 away from 0, where some ops have a kink.
pub fn constant(shape: &[usize], seed: f64) -> Tensor<f64> {
    let mut i = seed;
    Tensor::from_fn(shape, || {
        i += 1.0;
        let x = (i * 12.9898).sin() * 1.45;
        x + 0.05_f64.copysign(x)
    })
}

/// Checks the op that `build` records on inputs of these shapes: the gradient of a fixed random
/// linear combination of its outputs, for every element of every input. With tiny numbers, the op must
/// let no subnormal number through. Each gradient has an equation, which fits on a line.
///
/// # Panics
/// If the op fails, or a relative error is above [`TOLERANCE`], where the message names the element; if an equation
/// is missing or too long.
#[track_caller]
pub fn check(shapes: &[&[usize]], build: impl Fn(&mut Tape<f64>, &[Var]) -> Result<Var, Error>) {
    check_gradient(shapes, &build);
    check_subnormals(shapes, &build);
    check_equations(shapes, &build);
}

/// Inputs of these shapes, with this mean magnitude.
fn inputs(shapes: &[&[usize]], magnitude: f64) -> Params<f64> {
    let mut params = Params::new();
    for (i, shape) in shapes.iter().enumerate() {
        let input = times(constant(shape, 100.0 * i as f64), magnitude);
        params.add(format!("input {i}"), input).expect("the names differ");
    }
    params
}

/// A fixed linear combination of the outputs of the op, whose factors have this mean magnitude.
fn combination(
    (tape, params): (&mut Tape<f64>, &Params<f64>),
    build: impl Fn(&mut Tape<f64>, &[Var]) -> Result<Var, Error>,
    magnitude: f64,
) -> Result<Var, Error> {
    let inputs: Vec<Var> = (0..params.len()).map(|i| tape.param(params, ParamId(i))).collect();
    let y = build(tape, &inputs)?;
    let mixture = times(constant(tape.value(y).shape(), 7.7), magnitude);
    let count = mixture.len() as f64;
    let mixture = tape.input(mixture);
    let mixed = tape.mul(y, mixture)?;
    let mean = tape.mean(mixed)?;
    tape.scale(mean, count)
}

#[track_caller]
fn check_gradient(shapes: &[&[usize]], build: impl Fn(&mut Tape<f64>, &[Var]) -> Result<Var, Error>) {
    let worst = worst(&mut inputs(shapes, 1.0), |tape, params| combination((tape, params), &build, 1.0));
    let worst = worst.expect("the op takes these shapes");
    assert!(worst.error < TOLERANCE, "shapes {shapes:?}: {worst:?}");
}

#[track_caller]
fn check_subnormals(shapes: &[&[usize]], build: impl Fn(&mut Tape<f64>, &[Var]) -> Result<Var, Error>) {
    for (of_inputs, of_gradient) in TINY {
        let (mut tape, mut grads, params) = (Tape::new(), Grads::new(), inputs(shapes, of_inputs));
        tape.set_keep_values(true);
        let loss = combination((&mut tape, &params), &build, of_gradient).expect("it takes these shapes");
        tape.backward(loss, &mut grads).expect("it has a gradient");
        let all = (0..=loss.0).map(Var).flat_map(|var| [Some(tape.value(var)), tape.grad(var)]);
        let mut elements =
            all.flatten().chain(grads.iter().take(shapes.len()).flatten()).flat_map(|x| x.data().to_vec());
        let found = elements.find(|x| x.is_subnormal() && subnormals::ARE_ZERO);
        assert!(found.is_none(), "shapes {shapes:?}, inputs of {of_inputs:e}: {found:?}");
    }
}

/// What fits on a line of 80 columns, below the name of an op.
const LONGEST_EQUATION: usize = 74;

#[track_caller]
fn check_equations(shapes: &[&[usize]], build: impl Fn(&mut Tape<f64>, &[Var]) -> Result<Var, Error>) {
    let (mut tape, params) = (Tape::new(), inputs(shapes, 1.0));
    tape.trace.switch(true);
    let loss = combination((&mut tape, &params), &build, 1.0).expect("the op takes these shapes");
    tape.backward(loss, &mut Grads::new()).expect("it has a gradient");
    for record in tape.trace.records() {
        for (input, equation) in &record.gradients {
            let fits = equation.starts_with('d') && equation.chars().count() <= LONGEST_EQUATION;
            assert!(fits, "{}, input {input}: the equation of the gradient is \"{equation}\"", record.name);
        }
    }
}

/// Magnitudes of the inputs and of the gradient of the output whose products, or else whose differences
/// and fractions, are subnormal.
const TINY: [(f64, f64); 4] = [(1e-157, 1.0), (1.0, 1e-306), (1e-157, 1e-157), (1e-306, 1e-306)];

fn times(mut x: Tensor<f64>, factor: f64) -> Tensor<f64> {
    x.data_mut().iter_mut().for_each(|x| *x *= factor);
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Backward, Differentiable, Forward, Op};

    const N: usize = 3;

    /// `y = x W + x^2`, on matrices of shape `(N, N)`, with a backward that may be wrong.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Planted {
        /// `dx = dy W^T + 2 x dy`, `dW = x^T dy`.
        Right,
        /// `-dx`.
        Sign,
        /// `2 dx`, such as a sum that should be a mean.
        Factor,
        /// `dy W` instead of `dy W^T`.
        Transpose,
        /// Without `2 x dy`.
        Term,
        /// The gradient of a neighbour.
        Index,
        /// No `dW` at all.
        Input,
        /// Right, but without the equation of `dW`.
        Equation,
    }

    /// Element `(i, j)` of the product of two matrices. Either may be transposed.
    fn product(a: impl Fn(usize, usize) -> f64, b: impl Fn(usize, usize) -> f64, i: usize, j: usize) -> f64 {
        (0..N).map(|k| a(i, k) * b(k, j)).sum()
    }

    impl Op<f64> for Planted {
        fn name(&self) -> &'static str {
            "planted"
        }
        fn equation(&self, _: usize) -> &'static str {
            "y = x W + x^2"
        }
        fn output_shape(&self, inputs: &[&[usize]]) -> Result<crate::Shape, String> {
            crate::ops::same_shape(inputs)
        }
        fn forward(&self, io: &mut Forward<'_, f64>) {
            let (x, w) = (io.input(0).data().to_vec(), io.input(1).data().to_vec());
            for (n, y) in io.out.iter_mut().enumerate() {
                *y = product(|i, k| x[i * N + k], |k, j| w[k * N + j], n / N, n % N) + x[n] * x[n];
            }
        }
        fn flops(&self, _: &[&[usize]], _: &[usize]) -> u64 {
            0
        }
    }

    impl Differentiable<f64> for Planted {
        fn gradient_equations(&self) -> &'static [&'static str] {
            match self {
                Self::Equation => &["dx = dy W^T + 2 x dy"],
                _ => &["dx = dy W^T + 2 x dy", "dW = x^T dy"],
            }
        }
        fn backward(&self, io: &mut Backward<'_, f64>) {
            let (x, w, dy) = (io.input(0).data(), io.input(1).data(), io.dy.data());
            io.input_grad(0, |dx| {
                for (n, dx) in dx.iter_mut().enumerate() {
                    let n = if *self == Self::Index { (n + 1) % (N * N) } else { n };
                    let (i, j) = (n / N, n % N);
                    let column =
                        |k: usize| if *self == Self::Transpose { w[k * N + j] } else { w[j * N + k] };
                    let square = if *self == Self::Term { 0.0 } else { 2.0 * x[n] * dy[n] };
                    let factor = match self {
                        Self::Sign => -1.0,
                        Self::Factor => 2.0,
                        _ => 1.0,
                    };
                    *dx = factor * (product(|i, k| dy[i * N + k], |k, _| column(k), i, j) + square);
                }
            });
            if *self != Self::Input {
                io.input_grad(1, |dw| {
                    for (n, dw) in dw.iter_mut().enumerate() {
                        *dw = product(|i, k| x[k * N + i], |k, j| dy[k * N + j], n / N, n % N);
                    }
                });
            }
        }
    }

    /// Where a plain difference quotient is wrong by far: beside a kink, and beside a pole.
    #[test]
    fn kinks_and_poles_do_not_hide_a_gradient() {
        let worst = |x: f64, op: fn(&mut Tape<f64>, Var) -> Result<Var, Error>| {
            let mut params = Params::new();
            let id = params.add("x", Tensor::from_fn(&[1], || x)).expect("one name");
            worst(&mut params, |tape, params| {
                let x = tape.param(params, id);
                let y = op(tape, x)?;
                tape.mean(y)
            })
            .expect("any shape is valid")
        };
        for x in [2e-6, -2e-6, 3e-5] {
            assert!(worst(x, |tape, x| tape.relu(x)).error < 1e-7, "{x}");
        }
        for x in [1e-4, -3e-3, 0.1] {
            assert!(worst(x, |tape, x| tape.reciprocal(x)).error < 1e-7, "{x}");
        }
    }

    #[test]
    fn every_kind_of_wrong_backward_is_caught() {
        let check = |planted| {
            std::panic::catch_unwind(|| {
                check_gradient(&[&[N, N], &[N, N]], |tape, x| tape.record(planted, x))
            })
        };
        assert!(check(Planted::Right).is_ok());
        for (planted, input) in [
            (Planted::Sign, "input 0"),
            (Planted::Factor, "input 0"),
            (Planted::Transpose, "input 0"),
            (Planted::Term, "input 0"),
            (Planted::Index, "input 0"),
            (Planted::Input, "input 1"),
        ] {
            let message = check(planted).expect_err("it is wrong").downcast::<String>().expect("a message");
            assert!(message.contains(input) && message.contains("gradient"), "{planted:?}: {message}");
        }
    }

    #[test]
    fn a_gradient_without_an_equation_is_caught() {
        let check = |planted| {
            std::panic::catch_unwind(|| {
                check_equations(&[&[N, N], &[N, N]], |tape, x| tape.record(planted, x))
            })
        };
        assert!(check(Planted::Right).is_ok());
        let message = check(Planted::Equation).expect_err("it has none").downcast::<String>();
        let message = message.expect("a message");
        assert!(message.contains("planted, input 1: the equation of the gradient is \"\""), "{message}");
    }
}
