//! The forward pass of fused attention.

use ndarray::ArrayViewMut2;

use super::dims::Dims;
use super::fused::{Attention, take_front};
use super::operands::{Inputs, heads_mut, parts_mut, rows_mut};
use super::tile::{Products, QUERIES_PER_STRIPE, STRIPES_PER_TILE, Stripe, Tile, stripe_rows};
use crate::Number;
use crate::kernels::matmul::{Accumulate, matmul_serial};
use crate::kernels::simd::{array, vectorised};

impl Attention<'_> {
    /// Writes the output to `out`, `(B, T_q, C)`, and the logarithm of each query's sum of
    /// exponentials to `log_sums`, `(B, H, T_q)`. A query that sees no key gets zeros.
    pub fn forward<T: Number>(
        &self,
        out: &mut [T],
        log_sums: &mut [T],
        inputs: Inputs<'_, T>,
        scratch: &mut [T],
    ) {
        let Dims { b, t_q, h, d, .. } = self.dims;
        let [out] = parts_mut(out, [b, t_q, h, d]);
        let heads = heads_mut(out).into_iter().zip(log_sums.chunks_exact_mut(t_q));
        self.for_each_head(heads, scratch, |bh, tiles, (out, log_sums), scratch| {
            self.forward_head(bh, tiles, inputs, (out, log_sums), scratch);
        });
    }

    fn forward_head<T: Number>(
        &self,
        bh: usize,
        tiles: &[Tile],
        inputs: Inputs<'_, T>,
        (out, log_sums): (&mut ArrayViewMut2<'_, T>, &mut [T]),
        mut scratch: &mut [T],
    ) {
        let Dims { h, d, t_q, .. } = self.dims;
        let (products, q_columns) = (self.products(), take_front(&mut scratch, Tile::width(t_q) * d));
        for tile in tiles {
            let first = tile.first;
            let [k, v] = [inputs.k, inputs.v].map(|heads| heads.rows(bh, tile.keys.clone()));
            let scores = &mut scratch[..tile.keys.len() * tile.width];
            tile.rows_to_columns(q_columns, inputs.q.rows(bh, first..first + tile.rows), T::of(self.scale));
            tile.scalar_products(scores, k, q_columns, products);
            let mut sums = [[T::zero(); QUERIES_PER_STRIPE]; STRIPES_PER_TILE];
            for (stripe, rows, Stripe { seen, .. }) in tile.stripes() {
                let place = seen.start - tile.keys.start..seen.end - tile.keys.start;
                let seen_scores = &mut scores[place.start * tile.width..place.end * tile.width];
                self.add_to_scores(bh % h, tile, stripe, seen_scores);
                let (max, sum) = vectorised(
                    #[inline(always)]
                    || self.unnormalised_weights(bh, tile, stripe, seen_scores),
                );
                sums[stripe] = sum;
                for (l, r) in rows.clone().enumerate() {
                    log_sums[first + r] = max[l] + sum[l].ln();
                }
                match products {
                    // (16, keys) (keys, D) -> (16, D)
                    Products::SeenParts => {
                        let y = rows_mut(out.view_mut(), first + rows.start..first + rows.end);
                        let p = tile.part(scores, seen.clone(), rows);
                        matmul_serial(
                            p.t(),
                            v.rows_of(place),
                            Accumulate::Overwrite,
                            y,
                            products.precision(),
                        );
                    }
                    Products::WholeTiles => tile.zero_unseen(scores, stripe),
                }
            }
            if products == Products::WholeTiles && !tile.keys.is_empty() {
                let y = rows_mut(out.view_mut(), first..first + tile.rows);
                let p = tile.part(scores, tile.keys.clone(), 0..tile.rows);
                matmul_serial(p.t(), v, Accumulate::Overwrite, y, products.precision());
            }
            for (stripe, rows, Stripe { n_seen, .. }) in tile.stripes() {
                let (mut y, sum) =
                    (rows_mut(out.view_mut(), first + rows.start..first + rows.end), sums[stripe]);
                vectorised(
                    #[inline(always)]
                    || {
                        for (l, mut y) in y.rows_mut().into_iter().enumerate() {
                            let y = y.as_slice_mut().expect("the elements of a head are contiguous");
                            match n_seen[l] {
                                0 => y.fill(T::zero()),
                                _ => y.iter_mut().for_each(|y| *y *= T::one() / sum[l]),
                            }
                        }
                    },
                );
            }
        }
    }

    /// Replaces the scores of stripe `v` with weights that do not sum to 1 yet. Returns each
    /// query's largest score and the sum of its weights before dropout. The maximum ignores NaN;
    /// the sum becomes NaN.
    #[inline(always)]
    fn unnormalised_weights<T: Number>(
        &self,
        bh: usize,
        tile: &Tile,
        v: usize,
        scores: &mut [T],
    ) -> ([T; QUERIES_PER_STRIPE], [T; QUERIES_PER_STRIPE]) {
        let Dims { t_q, t_k, .. } = self.dims;
        let (stripe, width) = (&tile.stripes[v], tile.width);
        let (mut max, mut sum) = ([T::neg_infinity(); QUERIES_PER_STRIPE], [T::zero(); QUERIES_PER_STRIPE]);
        for (j, scores) in (stripe.seen.start as u32..).zip(stripe_rows(scores, width, v)) {
            let scores = *scores;
            max = array(
                #[inline(always)]
                |l| {
                    // Added, not selected: the compiler would turn a selection into branches. A
                    // hidden score becomes -inf or NaN, which never compares larger.
                    let hidden = if stripe.sees(j, l) { T::zero() } else { T::neg_infinity() };
                    let score = scores[l] + hidden;
                    if score > max[l] { score } else { max[l] }
                },
            );
        }
        let rows = (stripe.seen.start as u32..).zip(stripe_rows(scores, width, v));
        match &self.dropout {
            None => {
                for (j, scores) in rows {
                    let all = *scores;
                    for l in 0..QUERIES_PER_STRIPE {
                        scores[l] = stripe.zero_unless_seen(j, l, (all[l] - max[l]).exp_fast());
                    }
                    for l in 0..QUERIES_PER_STRIPE {
                        sum[l] += scores[l];
                    }
                }
            }
            Some(dropout) => {
                // Dropout indexes the weights as (B, H, T_q, T_k).
                let first = bh * t_q + tile.first + v * QUERIES_PER_STRIPE;
                let factor = dropout.factor_from::<T>((first * t_k) as u64);
                for (j, scores) in rows {
                    for l in 0..QUERIES_PER_STRIPE {
                        let weight = stripe.zero_unless_seen(j, l, (scores[l] - max[l]).exp_fast());
                        sum[l] += weight;
                        scores[l] = weight * factor((l * t_k) as u32 + j);
                    }
                }
            }
        }
        (max, sum)
    }
}
