//! The parameter updates of the optimisers.

use rayon::prelude::*;

use super::elementwise::{map2, update};
use super::parallel::{ELEMENTS_PER_CHUNK, ForEachTask, MIN_PARALLEL_ELEMENTS};
use super::simd::vectorised;
use crate::Number;

/// The constants of one step of stochastic gradient descent.
#[derive(Debug, Clone, Copy)]
pub struct SgdStep<T> {
    /// The learning rate.
    pub rate: T,
    /// The factor of `g`: the gradient is `scale g`.
    pub scale: T,
    /// The strength of the L2 regularisation.
    pub l2: T,
}

/// `w -= rate (scale g + l2 w)`.
pub fn sgd<T: Number>(w: &mut [T], g: &[T], step: SgdStep<T>) {
    let SgdStep { rate, scale, l2 } = step;
    update(w, g, move |w, g| w - rate * (scale * g + l2 * w));
}

/// `v = momentum v + scale g + l2 w`, `w -= rate v`.
pub fn sgd_with_momentum<T: Number>(w: &mut [T], v: &mut [T], g: &[T], step: SgdStep<T>, momentum: T) {
    let SgdStep { rate, scale, l2 } = step;
    let run = |w: &mut [T], v: &mut [T], g: &[T]| {
        vectorised(
            #[inline(always)]
            move || {
                for ((w, v), &g) in w.iter_mut().zip(v).zip(g) {
                    let velocity = momentum * *v + (scale * g + l2 * *w);
                    (*w, *v) = (*w - rate * velocity, velocity);
                }
            },
        );
    };
    if w.len() < MIN_PARALLEL_ELEMENTS {
        run(w, v, g);
    } else {
        w.par_chunks_mut(ELEMENTS_PER_CHUNK)
            .zip(v.par_chunks_mut(ELEMENTS_PER_CHUNK))
            .zip(g.par_chunks(ELEMENTS_PER_CHUNK))
            .for_each_task(&|((w, v), g)| run(w, v, g));
    }
}

/// `m = momentum m + scale g`, `u = scale g + momentum m`: momentum that looks one step ahead (Nesterov 1983).
pub fn nesterov<T: Number>(u: &mut [T], m: &mut [T], g: &[T], scale: T, momentum: T) {
    update(m, g, move |m, g| momentum * m + scale * g);
    map2(u, m, g, move |m, g| scale * g + momentum * m);
}

/// `x = a x + b y`.
pub fn combine<T: Number>(x: &mut [T], y: &[T], a: T, b: T) {
    update(x, y, move |x, y| a * x + b * y);
}

/// A parameter with its two moments and its gradient.
pub struct AdamWParam<'a, T> {
    /// The parameter.
    pub w: &'a mut [T],
    /// The running mean of the gradient.
    pub m: &'a mut [T],
    /// The running mean of its square.
    pub v: &'a mut [T],
    /// The gradient.
    pub g: &'a [T],
    /// The factor of `w` after weight decay, `1 - lr decay`.
    pub keep: T,
}

/// The constants of one step of AdamW.
#[derive(Debug, Clone, Copy)]
pub struct AdamWStep<T> {
    /// `lr / (1 - beta1^t)`.
    pub rate: T,
    /// `1 / sqrt(1 - beta2^t)`.
    pub unbias: T,
    /// beta1 and beta2.
    pub betas: [T; 2],
    /// `1 - beta1` and `1 - beta2`.
    pub complements: [T; 2],
    /// Added to the denominator to keep the division finite.
    pub eps: T,
    /// The factor of `g`: the gradient is `scale g`.
    pub scale: T,
}

/// `m = beta1 m + (1 - beta1) scale g`, `v = beta2 v + (1 - beta2) (scale g)^2`,
/// `w = keep w - rate m / (unbias sqrt(v) + eps)`, for all parameters at once. They are split into
/// chunks of one parallel loop, so that many small parameters use all threads.
pub fn adamw<T: Number>(params: Vec<AdamWParam<'_, T>>, step: AdamWStep<T>) {
    let AdamWStep { rate, unbias, betas: [b1, b2], complements: [c1, c2], eps, scale } = step;
    let elements: usize = params.iter().map(|p| p.w.len()).sum();
    let size = (elements / 1024).next_multiple_of(ELEMENTS_PER_CHUNK).max(ELEMENTS_PER_CHUNK);
    let mut chunks: Vec<AdamWParam<'_, T>> = Vec::with_capacity(params.len() + elements / size);
    for AdamWParam { w, m, v, g, keep } in params {
        let parts = w.chunks_mut(size).zip(m.chunks_mut(size)).zip(v.chunks_mut(size)).zip(g.chunks(size));
        chunks.extend(parts.map(|(((w, m), v), g)| AdamWParam { w, m, v, g, keep }));
    }
    let run = |AdamWParam { w, m, v, g, keep }: AdamWParam<'_, T>| {
        vectorised(
            #[inline(always)]
            move || {
                for (((w, m), v), &g) in w.iter_mut().zip(m).zip(v).zip(g) {
                    let g = scale * g;
                    let mean = b1 * *m + c1 * g;
                    let square = b2 * *v + c2 * g * g;
                    let new = keep * *w - rate * mean / (square.sqrt() * unbias + eps);
                    (*w, *m, *v) = (new, mean, square);
                }
            },
        );
    };
    match elements < MIN_PARALLEL_ELEMENTS {
        true => chunks.into_iter().for_each(run),
        false => chunks.into_par_iter().for_each_task(&run),
    }
}
