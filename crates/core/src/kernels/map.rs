//! Element-wise loops: one function applied to every number.

use rayon::prelude::*;

use super::{CHUNK, PARALLEL_FROM, vectorised};
use crate::Real;

/// `out[i] = f(x[i])`.
pub fn map<T: Real>(out: &mut [T], x: &[T], f: impl Fn(T) -> T + Sync) {
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
pub fn map2<T: Real>(out: &mut [T], x: &[T], y: &[T], f: impl Fn(T, T) -> T + Sync) {
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

/// `out[i] = f(i, x[i])`, for functions of the position (dropout).
pub fn map_indexed<T: Real>(out: &mut [T], x: &[T], f: impl Fn(u64, T) -> T + Sync) {
    let run = |start: usize, out: &mut [T], x: &[T]| {
        vectorised(
            #[inline(always)]
            || {
                for (i, (o, &x)) in out.iter_mut().zip(x).enumerate() {
                    *o = f((start + i) as u64, x);
                }
            },
        );
    };
    if out.len() < PARALLEL_FROM {
        run(0, out, x);
    } else {
        out.par_chunks_mut(CHUNK)
            .zip(x.par_chunks(CHUNK))
            .enumerate()
            .for_each(|(chunk, (o, x))| run(chunk * CHUNK, o, x));
    }
}

/// Pixels `0..=255` to numbers `0..=1`.
pub fn unit_interval<T: Real>(out: &mut [T], pixels: &[u8]) {
    let scale = T::one() / T::of(255.0);
    vectorised(
        #[inline(always)]
        || out.iter_mut().zip(pixels).for_each(|(o, &p)| *o = T::of_u8(p) * scale),
    );
}

/// `out[i] = x`.
pub fn fill<T: Real>(out: &mut [T], x: T) {
    if out.len() < PARALLEL_FROM {
        out.fill(x);
    } else {
        out.par_chunks_mut(CHUNK).for_each(|o| o.fill(x));
    }
}

/// `x[i] = f(x[i])`.
pub fn in_place<T: Real>(x: &mut [T], f: impl Fn(T) -> T + Sync) {
    let run = |x: &mut [T]| {
        vectorised(
            #[inline(always)]
            || x.iter_mut().for_each(|x| *x = f(*x)),
        );
    };
    if x.len() < PARALLEL_FROM {
        run(x);
    } else {
        x.par_chunks_mut(CHUNK).for_each(run);
    }
}

/// `w[i] = f(w[i], g[i])`: an update in place.
pub fn update<T: Real>(w: &mut [T], g: &[T], f: impl Fn(T, T) -> T + Sync) {
    let run = |w: &mut [T], g: &[T]| {
        vectorised(
            #[inline(always)]
            || w.iter_mut().zip(g).for_each(|(w, &g)| *w = f(*w, g)),
        );
    };
    if w.len() < PARALLEL_FROM {
        run(w, g);
    } else {
        w.par_chunks_mut(CHUNK).zip(g.par_chunks(CHUNK)).for_each(|(w, g)| run(w, g));
    }
}

/// `(w[i], m[i]) = f(w[i], m[i], g[i])`: an update with one moment (momentum).
pub fn update_with_moment<T: Real>(w: &mut [T], m: &mut [T], g: &[T], f: impl Fn(T, T, T) -> (T, T) + Sync) {
    let run = |w: &mut [T], m: &mut [T], g: &[T]| {
        vectorised(
            #[inline(always)]
            || {
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

/// `(w[i], m[i], v[i]) = f(w[i], m[i], v[i], g[i])`: an update with two moments (Adam).
pub fn update_with_moments<T: Real>(
    w: &mut [T],
    m: &mut [T],
    v: &mut [T],
    g: &[T],
    f: impl Fn(T, T, T, T) -> (T, T, T) + Sync,
) {
    let run = |w: &mut [T], m: &mut [T], v: &mut [T], g: &[T]| {
        vectorised(
            #[inline(always)]
            || {
                for (((w, m), v), &g) in w.iter_mut().zip(m).zip(v).zip(g) {
                    (*w, *m, *v) = f(*w, *m, *v, g);
                }
            },
        );
    };
    if w.len() < PARALLEL_FROM {
        run(w, m, v, g);
    } else {
        w.par_chunks_mut(CHUNK)
            .zip(m.par_chunks_mut(CHUNK))
            .zip(v.par_chunks_mut(CHUNK))
            .zip(g.par_chunks(CHUNK))
            .for_each(|(((w, m), v), g)| run(w, m, v, g));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_short_slices_give_the_same() {
        let n = PARALLEL_FROM + 777;
        let x: Vec<f32> = (0..n).map(|i| i as f32 * 0.001 - 30.0).collect();
        let mut long = vec![0.0; n];
        map_indexed(&mut long, &x, |i, x| x.sigmoid() + (i % 3) as f32);
        for (start, x) in x.chunks(30_000).enumerate() {
            let mut short = vec![0.0; x.len()];
            let offset = (start * 30_000) as u64;
            map_indexed(&mut short, x, |i, x| x.sigmoid() + ((i + offset) % 3) as f32);
            assert_eq!(short, long[start * 30_000..][..x.len()]);
        }
    }
}
