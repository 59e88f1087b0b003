//! An end-of-text token for models that have none.
//!
//! llama.cpp ends a text at its end-of-text token, and every model has one: token 11 if the file names no
//! other, which in a vocabulary of characters is a letter or a comma. So the file needs one more token, with
//! a row in the head, and this token must never be drawn.
//!
//! The logits are `W y` with `y = gamma x + beta`, the output of the last norm. `x` has C elements, and
//! `|x| <= sqrt(C)`. With V < C tokens there is a direction `n` that no row of W sees: `W n = 0`. Moving
//! `beta` along `n` changes no logit, and the row `-lambda n` sees nothing else:
//!
//! ```text
//! R      = sqrt(C) max |gamma|                     |n . (gamma x)| <= R
//! beta'  = beta + s n  with  n . beta' = 1.5 R
//! logit  = -lambda n . (gamma x + beta') <= -lambda R / 2
//! ```
//!
//! With `lambda = 20,000 / R` the logit is below -10,000, whatever the text.

/// The largest logit of the token.
const LARGEST_LOGIT: f64 = -10_000.0;
/// `n . beta'` in units of R.
const SHIFT: f64 = 1.5;
/// A row of W depends on the rows before it if less than this remains once their directions are removed.
const LEAST_OF_ROW: f64 = 1e-9;
/// A new direction exists if at least this remains of an axis once the directions of all rows are removed.
const LEAST_OF_AXIS: f64 = 1e-3;
/// The largest number of multiplications in the search for the direction: a few seconds.
const MOST_WORK: usize = 20_000_000_000;

/// A token that is never drawn.
#[derive(Debug)]
pub struct NeverDrawn {
    /// Its row of the head, `(C)`.
    pub row: Vec<f32>,
    /// The bias of the last norm, `(C)`.
    pub bias: Vec<f32>,
}

impl NeverDrawn {
    /// Whether V tokens may leave one of C directions unseen, and the search for it is short.
    pub fn may_exist(v: usize, c: usize) -> bool {
        v < c && v.saturating_mul(v).saturating_mul(c) <= MOST_WORK
    }

    /// The token for a head `W` `(V, C)` after a norm with this gain and bias, `(C)`. `None` if there is no
    /// direction that no row of W sees: with V >= C, or weights that are not finite.
    pub fn new(head: &[f32], gain: &[f32], bias: &[f32]) -> Option<Self> {
        let c = gain.len();
        let v = head.len() / c.max(1);
        let finite = head.iter().chain(gain).chain(bias).all(|x| x.is_finite());
        if !finite || !Self::may_exist(v, c) {
            return None;
        }
        let direction = unseen(head, c)?;
        let most = gain.iter().fold(0.0_f64, |most, &g| most.max(f64::from(g).abs()));
        let radius = (c as f64).sqrt() * most;
        let present = dot(&direction, &widened(bias));
        let shift = SHIFT * radius - present;
        let lambda = -LARGEST_LOGIT / (SHIFT - 1.0) / radius;
        let row: Vec<f32> = direction.iter().map(|n| (-lambda * n) as f32).collect();
        let moved = direction.iter().zip(bias).map(|(n, b)| (f64::from(*b) + shift * n) as f32);
        let token = Self { row, bias: moved.collect() };
        token.row.iter().chain(&token.bias).all(|x| x.is_finite()).then_some(token)
    }
}

/// A unit vector that is orthogonal to all rows of `head`, by the Gram-Schmidt process.
fn unseen(head: &[f32], c: usize) -> Option<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for row in head.chunks_exact(c) {
        // A row that depends on the others adds no direction.
        basis.extend(new_direction(widened(row), &basis, LEAST_OF_ROW));
    }
    // Start from the axis that the rows cover least.
    let left = |i: &usize| 1.0 - basis.iter().map(|b| b[*i] * b[*i]).sum::<f64>();
    let i = (0..c).max_by(|a, b| left(a).total_cmp(&left(b)))?;
    let mut axis = vec![0.0; c];
    axis[i] = 1.0;
    new_direction(axis, &basis, LEAST_OF_AXIS)
}

/// The part of `x` that is orthogonal to the basis, as a unit vector; `None` if less than `least` of
/// its length is left.
fn new_direction(mut x: Vec<f64>, basis: &[Vec<f64>], least: f64) -> Option<Vec<f64>> {
    let before = dot(&x, &x).sqrt();
    // The second pass removes the rounding errors of the first.
    for _ in 0..2 {
        for b in basis {
            let part = dot(&x, b);
            x.iter_mut().zip(b).for_each(|(x, b)| *x -= part * b);
        }
    }
    let after = dot(&x, &x).sqrt();
    if after <= before * least {
        return None;
    }
    x.iter_mut().for_each(|x| *x /= after);
    Some(x)
}

fn widened(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn noise(n: usize, scale: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * 1.7).sin() * scale).collect()
    }

    #[test]
    fn the_token_is_never_drawn_and_changes_no_other_logit() {
        let (v, c) = (30, 32);
        let mut head = noise(v * c, 0.5);
        // Equal rows are no obstacle.
        head.copy_within(0..c, 7 * c);
        let gain: Vec<f32> = noise(c, 1.0).iter().map(|g| 1.0 + 0.3 * g).collect();
        for bias in [vec![0.0; c], noise(c, 0.4)] {
            let token = NeverDrawn::new(&head, &gain, &bias).unwrap();
            let row = |j: usize| &head[j * c..(j + 1) * c];
            for j in 0..v {
                let change: f64 =
                    dot(&widened(row(j)), &widened(&token.bias)) - dot(&widened(row(j)), &widened(&bias));
                assert!(change.abs() < 1e-4, "{j}: {change}");
            }
            // Every x of length sqrt(C), even the one that is made for it.
            let against: Vec<f32> = token.row.iter().zip(&gain).map(|(r, g)| r * g).collect();
            for x in [noise(c, 1.0), against] {
                let length = dot(&widened(&x), &widened(&x)).sqrt();
                let y: Vec<f64> = (0..c)
                    .map(|i| {
                        f64::from(gain[i] * x[i]) * (c as f64).sqrt() / length + f64::from(token.bias[i])
                    })
                    .collect();
                assert!(dot(&y, &widened(&token.row)) < LARGEST_LOGIT * 0.999);
            }
        }
    }

    #[test]
    fn a_head_that_sees_every_direction_has_no_such_token() {
        assert!(NeverDrawn::new(&noise(32 * 32, 1.0), &[1.0; 32], &[0.0; 32]).is_none());
        assert!(NeverDrawn::new(&[f32::NAN; 64], &[1.0; 32], &[0.0; 32]).is_none());
        assert!(NeverDrawn::new(&noise(64, 1.0), &[0.0; 32], &[0.0; 32]).is_none(), "no gain");
        assert!(NeverDrawn::new(&noise(64, 1.0), &[1e-38; 32], &[0.0; 32]).is_none(), "its row overflows");
        assert!(NeverDrawn::new(&noise(64, 1.0), &[1.0; 32], &[f32::NAN; 32]).is_none());
    }
}
