//! Element-wise loops: one function applied to every number.

use rayon::prelude::*;

use super::{CHUNK, PARALLEL_FROM, vectorised};
use crate::Float;

/// `out[i] = f(x[i])`.
pub fn map<T: Float>(out: &mut [T], x: &[T], f: impl Fn(T) -> T + Sync) {
    let run = |out: &mut [T], x: &[T]| {
        vectorised(
            #[inline(always)]
            || out.iter_mut().zip(x).for_each(|(o, &x)| *o = f(x)),
        );
    };
    if out.len() < PARALLEL_FROM {
        run(out, x);
    } else {
        out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(o, x)| run(o, x));
    }
}

/// `out[i] = f(x[i], y[i])`.
pub fn map2<T: Float>(out: &mut [T], x: &[T], y: &[T], f: impl Fn(T, T) -> T + Sync) {
    let run = |out: &mut [T], x: &[T], y: &[T]| {
        vectorised(
            #[inline(always)]
            || out.iter_mut().zip(x).zip(y).for_each(|((o, &x), &y)| *o = f(x, y)),
        );
    };
    if out.len() < PARALLEL_FROM {
        run(out, x, y);
    } else {
        out.par_chunks_mut(CHUNK)
            .zip(x.par_chunks(CHUNK))
            .zip(y.par_chunks(CHUNK))
            .for_each(|((o, x), y)| run(o, x, y));
    }
}

/// `out[start + i] = f(start)(i, x[start + i])` piece by piece, for functions of the
/// position (dropout), which count from the beginning of a piece in 32 bits.
pub fn map_indexed<T: Float, F: Fn(u32, T) -> T>(out: &mut [T], x: &[T], f: impl Fn(u64) -> F + Sync) {
    let run = |(piece, (out, x)): (usize, (&mut [T], &[T]))| {
        let f = f((piece * CHUNK) as u64);
        vectorised(
            #[inline(always)]
            || {
                for (i, (o, &x)) in out.iter_mut().zip(x).enumerate() {
                    *o = f(i as u32, x);
                }
            },
        );
    };
    if out.len() < PARALLEL_FROM {
        out.chunks_mut(CHUNK).zip(x.chunks(CHUNK)).enumerate().for_each(run);
    } else {
        out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).enumerate().for_each(run);
    }
}

/// The same of two slices.
pub fn map2_indexed<T: Float, F: Fn(u32, T, T) -> T>(
    out: &mut [T],
    x: &[T],
    y: &[T],
    f: impl Fn(u64) -> F + Sync,
) {
    let run = |piece: usize, out: &mut [T], x: &[T], y: &[T]| {
        let f = f((piece * CHUNK) as u64);
        vectorised(
            #[inline(always)]
            || {
                for (i, ((o, &x), &y)) in out.iter_mut().zip(x).zip(y).enumerate() {
                    *o = f(i as u32, x, y);
                }
            },
        );
    };
    if out.len() < PARALLEL_FROM {
        let pieces = out.chunks_mut(CHUNK).zip(x.chunks(CHUNK)).zip(y.chunks(CHUNK));
        pieces.enumerate().for_each(|(i, ((o, x), y))| run(i, o, x, y));
    } else {
        let pieces = out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).zip(y.par_chunks(CHUNK));
        pieces.enumerate().for_each(|(i, ((o, x), y))| run(i, o, x, y));
    }
}

/// Pixels `0..=255` to numbers `0..=1`.
pub fn unit_interval<T: Float>(out: &mut [T], pixels: &[u8]) {
    let scale = T::one() / T::of(255.0);
    vectorised(
        #[inline(always)]
        || out.iter_mut().zip(pixels).for_each(|(o, &p)| *o = T::of_u8(p) * scale),
    );
}

/// `out[i] = x`.
pub fn fill<T: Float>(out: &mut [T], x: T) {
    if out.len() < PARALLEL_FROM {
        out.fill(x);
    } else {
        out.par_chunks_mut(CHUNK).for_each(|o| o.fill(x));
    }
}

/// `w[i] = f(w[i], g[i])`: an update in place.
///
/// Here and below, `f` holds its constants itself (`move`): read through a reference after
/// each store, which might have changed them, they would keep the loop from being vectorised.
pub fn update<T: Float>(w: &mut [T], g: &[T], f: impl Fn(T, T) -> T + Copy + Sync) {
    let run = |w: &mut [T], g: &[T]| {
        vectorised(
            #[inline(always)]
            move || w.iter_mut().zip(g).for_each(|(w, &g)| *w = f(*w, g)),
        );
    };
    if w.len() < PARALLEL_FROM {
        run(w, g);
    } else {
        w.par_chunks_mut(CHUNK).zip(g.par_chunks(CHUNK)).for_each(|(w, g)| run(w, g));
    }
}

/// `(w[i], m[i]) = f(w[i], m[i], g[i])`: an update with one moment (momentum).
pub fn update_with_moment<T: Float>(
    w: &mut [T],
    m: &mut [T],
    g: &[T],
    f: impl Fn(T, T, T) -> (T, T) + Copy + Sync,
) {
    let run = |w: &mut [T], m: &mut [T], g: &[T]| {
        vectorised(
            #[inline(always)]
            move || {
                for ((w, m), &g) in w.iter_mut().zip(m).zip(g) {
                    (*w, *m) = f(*w, *m, g);
                }
            },
        );
    };
    if w.len() < PARALLEL_FROM {
        run(w, m, g);
    } else {
        w.par_chunks_mut(CHUNK)
            .zip(m.par_chunks_mut(CHUNK))
            .zip(g.par_chunks(CHUNK))
            .for_each(|((w, m), g)| run(w, m, g));
    }
}

/// A parameter, its two moments (Adam) and its gradient, and a constant of its own.
pub struct Moments<'a, T> {
    /// The parameter.
    pub w: &'a mut [T],
    /// The mean gradient.
    pub m: &'a mut [T],
    /// The mean square of the gradient.
    pub v: &'a mut [T],
    /// The gradient.
    pub g: &'a [T],
    /// What `f` gets besides.
    pub constant: T,
}

/// `(w[i], m[i], v[i]) = f(constant, w[i], m[i], v[i], g[i])` for all parameters at once,
/// in pieces, so that many small ones keep all threads busy as well as a large one.
pub fn update_with_moments<T: Float>(
    all: Vec<Moments<'_, T>>,
    f: impl Fn(T, T, T, T, T) -> (T, T, T) + Copy + Sync,
) {
    let numbers: usize = all.iter().map(|p| p.w.len()).sum();
    let size = (numbers / 1024).next_multiple_of(CHUNK).max(CHUNK);
    let mut pieces: Vec<Moments<'_, T>> = Vec::with_capacity(all.len() + numbers / size);
    for Moments { w, m, v, g, constant } in all {
        let chunks = w.chunks_mut(size).zip(m.chunks_mut(size)).zip(v.chunks_mut(size)).zip(g.chunks(size));
        pieces.extend(chunks.map(|(((w, m), v), g)| Moments { w, m, v, g, constant }));
    }
    let run = |Moments { w, m, v, g, constant }: Moments<'_, T>| {
        vectorised(
            #[inline(always)]
            move || {
                for (((w, m), v), &g) in w.iter_mut().zip(m).zip(v).zip(g) {
                    (*w, *m, *v) = f(constant, *w, *m, *v, g);
                }
            },
        );
    };
    match numbers < PARALLEL_FROM {
        true => pieces.into_iter().for_each(run),
        false => pieces.into_par_iter().for_each(run),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_short_slices_give_the_same() {
        let n = PARALLEL_FROM + 777;
        let x: Vec<f32> = (0..n).map(|i| i as f32 * 0.001 - 30.0).collect();
        let f = |start: u64| move |i: u32, x: f32| x.sigmoid() + ((start + u64::from(i)) % 3) as f32;
        let mut long = vec![0.0; n];
        map_indexed(&mut long, &x, f);
        let by_definition = x.iter().enumerate().map(|(i, x)| x.sigmoid() + (i % 3) as f32);
        assert!(long.iter().zip(by_definition).all(|(got, want)| (got - want).abs() < 1e-6));
        for length in [1, 100, CHUNK + 1] {
            let mut short = vec![0.0; length];
            map_indexed(&mut short, &x[..length], f);
            assert_eq!(short, long[..length]);
        }
    }
}
