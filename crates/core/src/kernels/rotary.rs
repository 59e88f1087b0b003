//! Rotary position embeddings of queries and keys.

use super::parallel::by_rows;
use crate::Number;

/// The layout of Q, K and V side by side, `(B, T, 3 H D)`.
#[derive(Debug, Clone, Copy)]
pub struct RotaryLayout {
    /// T: tokens per sequence.
    pub t: usize,
    /// H: heads.
    pub n_head: usize,
    /// D: elements per head, an even number.
    pub d: usize,
    /// The position of the first token of each sequence.
    pub start: usize,
}

/// The direction of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// By the angle of the position.
    Forward,
    /// By the opposite angle, for the gradient.
    Backward,
}

/// The base of the wavelengths.
pub const BASE: f64 = 10_000.0;

/// Rotates pair `i` of each head of Q and K at position `p` by `p / 10000^(2i/D)`; copies V.
pub fn rotate<T: Number>(out: &mut [T], x: &[T], layout: RotaryLayout, direction: Direction) {
    let RotaryLayout { t, n_head, d, start } = layout;
    let width = 3 * n_head * d;
    let sign = if direction == Direction::Forward { 1.0 } else { -1.0 };
    let divisors: Vec<f64> = (0..d / 2).map(|i| BASE.powf(2.0 * i as f64 / d as f64)).collect();
    // (cos, sin) of each position and pair, (T, D / 2).
    let table: Vec<(T, T)> = (start..start + t)
        .flat_map(|p| divisors.iter().map(move |divisor| p as f64 / divisor))
        .map(|angle| (T::of(angle.cos()), T::of(sign * angle.sin())))
        .collect();
    by_rows(out, width, |first, rows| {
        let rows = rows.chunks_exact_mut(width).zip(x[first * width..].chunks_exact(width));
        for (row, (out, x)) in rows.enumerate() {
            let angles = &table[(first + row) % t * (d / 2)..][..d / 2];
            let rotated = 2 * width / 3;
            let heads = out[..rotated].chunks_exact_mut(d).zip(x[..rotated].chunks_exact(d));
            for (out, x) in heads {
                let pairs = out.as_chunks_mut::<2>().0.iter_mut().zip(x.as_chunks::<2>().0);
                for ((out, &[x, y]), &(cos, sin)) in pairs.zip(angles) {
                    *out = [x * cos - y * sin, x * sin + y * cos];
                }
            }
            out[rotated..].copy_from_slice(&x[rotated..]);
        }
    });
}
