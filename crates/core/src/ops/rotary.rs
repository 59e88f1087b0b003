//! Rotary positions: Q and K are turned by an angle that grows with the position.

use crate::kernels::by_rows;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// In each head of Q and K, the pair of numbers `(x_2i, x_2i+1)` of the token at
/// position `p` is turned by the angle `p / 10000^(2i/D)` (Su et al. 2021). The scalar
/// product of a turned query and a turned key depends on the distance of the two alone.
/// V stays as it is. Of `(B, T, 3 C)` to the same.
///
/// A rotation keeps lengths, and its derivative is the rotation back by the same angle.
#[derive(Debug)]
pub struct Rotary {
    n_head: usize,
    start: usize,
}

impl<T: Float> Tape<T> {
    /// Records [`Rotary`] of Q, K and V side by side; the first token of each sequence
    /// stands at position `start`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless each head has an even number of numbers.
    #[track_caller]
    pub fn rotary(&mut self, qkv: Var, n_head: usize, start: usize) -> Result<Var, Error> {
        self.record(Rotary { n_head, start }, &[qkv])
    }
}

impl Rotary {
    /// `out` = `x` turned, forward or back.
    fn turn<T: Float>(&self, out: &mut [T], x: &[T], shape: &[usize], direction: f64) {
        let (t, width) = (shape[1], shape[2]);
        let d = width / (3 * self.n_head);
        // (cos, sin) of each position and pair, (T, D / 2).
        let table: Vec<(T, T)> = (self.start..self.start + t)
            .flat_map(|p| (0..d / 2).map(move |i| p as f64 / 10_000_f64.powf(2.0 * i as f64 / d as f64)))
            .map(|angle| (T::of(angle.cos()), T::of(direction * angle.sin())))
            .collect();
        by_rows(out, width, |first, rows| {
            let rows = rows.chunks_exact_mut(width).zip(x[first * width..].chunks_exact(width));
            for (row, (out, x)) in rows.enumerate() {
                let angles = &table[(first + row) % t * (d / 2)..][..d / 2];
                let turned = 2 * width / 3;
                let heads = out[..turned].chunks_exact_mut(d).zip(x[..turned].chunks_exact(d));
                for (out, x) in heads {
                    let pairs = out.as_chunks_mut::<2>().0.iter_mut().zip(x.as_chunks::<2>().0);
                    for ((out, &[x, y]), &(cos, sin)) in pairs.zip(angles) {
                        *out = [x * cos - y * sin, x * sin + y * cos];
                    }
                }
                out[turned..].copy_from_slice(&x[turned..]);
            }
        });
    }
}

impl<T: Float> Op<T> for Rotary {
    fn name(&self) -> &'static str {
        "rotary"
    }
    fn equation(&self) -> &'static str {
        "(x, y) turned by p / 10000^(2i/D), in Q and K"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[_, _, width] if width > 0 && width.is_multiple_of(6 * self.n_head) => {
                Ok(ndarray::IxDyn(inputs[0]))
            }
            _ => Err(format!("(B, T, 3 C) with an even C / {}", self.n_head)),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        self.turn(io.out, x.data(), x.shape(), 1.0);
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output)
    }
}

impl<T: Float> Differentiable<T> for Rotary {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let dy = io.dy;
        io.input_grad(0, |dx| self.turn(dx, dy.data(), dy.shape(), -1.0));
    }
    fn backward_flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for (b, t, h, d) in [(2, 3, 2, 4), (1, 1, 1, 2)] {
            check(&[&[b, t, 3 * h * d]], |tape, x| tape.rotary(x[0], h, 5));
        }
    }

    /// One token with Q = (1, 0, 0, 1) and K the same, V = 7.
    fn turned(position: usize) -> Vec<f64> {
        let mut tape = Tape::new();
        let x = vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 7.0, 7.0, 7.0, 7.0];
        let x = tape.input(Tensor::from_vec(&[1, 1, 12], x).unwrap());
        let y = tape.rotary(x, 1, position).unwrap();
        tape.value(y).data().to_vec()
    }

    #[test]
    fn by_hand() {
        // The second pair turns by 2 / 10000^(2/4) = 0.02.
        let want = [2_f64.cos(), 2_f64.sin(), -(0.02_f64.sin()), 0.02_f64.cos()];
        let got = turned(2);
        assert!(got[..4].iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-12), "{got:?}");
        assert_eq!(got[8..], [7.0; 4]);
        let mut tape = Tape::<f64>::new();
        let odd = tape.input(constant(&[1, 1, 3], 0.0));
        assert!(tape.rotary(odd, 1, 0).is_err());
    }

    #[test]
    fn the_scalar_product_depends_on_the_distance_alone() {
        let score = |i, j| turned(i)[..4].iter().zip(&turned(j)[4..8]).map(|(q, k)| q * k).sum::<f64>();
        assert!((score(7, 3) - score(104, 100)).abs() < 1e-12);
        assert!((score(7, 3) - score(7, 4)).abs() > 1e-3);
    }
}
