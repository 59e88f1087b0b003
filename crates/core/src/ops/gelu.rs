//! The Gaussian error linear unit.

use crate::kernels::{map, vectorised};
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = x/2 (1 + tanh(u))` with `u = sqrt(2/pi) (x + 0.044715 x^3)`: GPT-2's form of
/// the GELU (Hendrycks and Gimpel 2016), a ReLU without the corner.
///
/// Because `(1 + tanh(u)) / 2 = s(2u)` with the logistic function `s`, it is
/// `x s(2u)`: each number passes as far as a sigmoid neuron lets it. So
/// `dy/dx = s + x s (1 - s) 2u'`, `u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2)`.
#[derive(Debug)]
pub struct Gelu;

/// `2 sqrt(2/pi)`.
const A: f64 = 1.595_769_121_605_731;
const B: f64 = 0.044_715;

/// `-2u`.
#[inline(always)]
fn exponent<T: Float>(x: T) -> T {
    let (a, ab) = (T::of(A), T::of(A * B));
    -(x * (a + ab * x * x))
}

/// The function.
#[inline(always)]
fn gelu<T: Float>(x: T) -> T {
    x * logistic(exponent(x).exp_fast())
}

/// The derivative and the function, from `e^(-2u)`.
#[inline(always)]
fn slope_and_gelu<T: Float>(x: T, e: T) -> (T, T) {
    let (a, ab3, s) = (T::of(A), T::of(3.0 * A * B), logistic(e));
    (s + x * s * (T::one() - s) * (a + ab3 * x * x), x * s)
}

/// `s(t)` from `e^(-t)`.
#[inline(always)]
fn logistic<T: Float>(e: T) -> T {
    T::one() / (T::one() + e)
}

/// Numbers at a time that stay in the first cache.
const FEW: usize = 256;

/// `z -> gelu'(z)` and `h = gelu(z)`.
///
/// In three short loops: in one, the way from `z` to the results is so long that the numbers a
/// processor works on side by side are too few.
pub(super) fn slopes_and_gelu<T: Float>(z: &mut [T], h: &mut [T]) {
    vectorised(
        #[inline(always)]
        || {
            for (z, h) in z.chunks_mut(FEW).zip(h.chunks_mut(FEW)) {
                z.iter().zip(&mut *h).for_each(|(&z, h)| *h = exponent(z));
                h.iter_mut().for_each(|h| *h = h.exp_fast());
                z.iter_mut().zip(h).for_each(|(z, h)| (*z, *h) = slope_and_gelu(*z, *h));
            }
        },
    );
}

impl<T: Float> Tape<T> {
    /// Records [`Gelu`].
    ///
    /// # Errors
    /// None: every shape will do.
    #[track_caller]
    pub fn gelu(&mut self, x: Var) -> Result<Var, Error> {
        self.record(Gelu, &[x])
    }
}

impl<T: Float> Op<T> for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }
    fn equation(&self) -> &'static str {
        "y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        map::map(io.out, io.input(0).data(), gelu);
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        8 * count(output)
    }
}

impl<T: Float> Differentiable<T> for Gelu {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (x, dy) = (io.input(0).data(), io.dy.data());
        io.input_grad(0, |dx| {
            map::map2(
                dx,
                x,
                dy,
                #[inline(always)]
                |x, dy| dy * slope_and_gelu(x, exponent(x).exp_fast()).0,
            );
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[1, 1]] {
            check(&[shape], |tape, x| tape.gelu(x[0]));
        }
    }

    #[test]
    fn by_definition() {
        let xs = [-60.0_f64, -3.0, -0.5, 0.0, 0.1, 1.0, 4.0, 60.0];
        let by_tanh = xs.map(|x| {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + u.tanh())
        });
        let mut tape = Tape::<f64>::new();
        let x = tape.input(Tensor::from_vec(&[8], xs.to_vec()).unwrap());
        let y = tape.gelu(x).unwrap();
        let mut tape_32 = Tape::<f32>::new();
        let x = tape_32.input(Tensor::from_vec(&[8], xs.map(|x| x as f32).to_vec()).unwrap());
        let y_32 = tape_32.gelu(x).unwrap();
        for ((y, y_32), want) in tape.value(y).data().iter().zip(tape_32.value(y_32).data()).zip(by_tanh) {
            assert!((y - want).abs() < 1e-12 && (f64::from(*y_32) - want).abs() < 1e-5, "{y} {y_32} {want}");
        }
    }
}
