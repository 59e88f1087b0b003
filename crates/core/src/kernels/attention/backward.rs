//! The backward pass of fused attention.

use ndarray::ArrayViewMut2;

use super::dims::Dims;
use super::fused::{Attention, take_front};
use super::operands::{Gradients, Heads, Inputs, heads_mut, rows_mut};
use super::tile::{Products, QUERIES_PER_STRIPE, Stripe, Tile, stripe_rows};
use crate::Number;
use crate::kernels::matmul::{Accumulate, matmul_serial};
use crate::kernels::simd::{array, vectorised};

/// The gradients of one head, `(T, D)` each.
struct HeadGradients<'a, T> {
    q: ArrayViewMut2<'a, T>,
    k: ArrayViewMut2<'a, T>,
    v: ArrayViewMut2<'a, T>,
}

impl Attention<'_> {
    /// Writes the gradients with respect to Q, K and V, from the gradient `dy` of the output,
    /// `(B, T_q, C)`, and the `log_sums` of [`Attention::forward`].
    pub fn backward<T: Number>(
        &self,
        gradients: Gradients<'_, T>,
        inputs: Inputs<'_, T>,
        (dy, log_sums): (&[T], &[T]),
        scratch: &mut [T],
    ) {
        let Dims { t_q, h, d, .. } = self.dims;
        let dy = Heads::new(dy, [t_q, h, d], (0, 1));
        let [q, k, v] = [gradients.q, gradients.k, gradients.v].map(|all| heads_mut(all).into_iter());
        let heads = q.zip(k).zip(v).map(|((q, k), v)| HeadGradients { q, k, v });
        self.for_each_head(heads, scratch, |bh, tiles, gradients, scratch| {
            let log_sums = &log_sums[bh * t_q..][..t_q];
            self.backward_head(bh, tiles, gradients, (inputs, dy, log_sums), scratch);
        });
    }

    fn backward_head<T: Number>(
        &self,
        bh: usize,
        tiles: &[Tile],
        gradients: &mut HeadGradients<'_, T>,
        (inputs, dy, log_sums): (Inputs<'_, T>, Heads<'_, T>, &[T]),
        mut scratch: &mut [T],
    ) {
        let Dims { t_q, t_k, h, d, .. } = self.dims;
        let (products, precision) = (self.products(), self.products().precision());
        let [q_columns, dy_columns] = [(); 2].map(|()| take_front(&mut scratch, Tile::width(t_q) * d));
        let (weights, dscores) = scratch.split_at_mut(Tile::width(t_q) * t_k);
        // From the last queries to the first: with a causal mask, the last ones see all keys, so dK
        // and dV need not be set to zero first.
        let mut accumulate = Accumulate::Overwrite;
        for tile in tiles.iter().rev() {
            let first = tile.first;
            if matches!(accumulate, Accumulate::Overwrite) && tile.keys != (0..t_k) {
                gradients.k.fill(T::zero());
                gradients.v.fill(T::zero());
                accumulate = Accumulate::Add;
            }
            let (start, width) = (tile.keys.start, tile.width);
            let [p, ds] = [&mut *weights, &mut *dscores].map(|x| &mut x[..tile.keys.len() * width]);
            let [k, v] = [inputs.k, inputs.v].map(|heads| heads.rows(bh, tile.keys.clone()));
            let [q, dy] = [inputs.q, dy].map(|heads| heads.rows(bh, first..first + tile.rows));
            // Recompute the scores, and compute dL/dweights = dY V^T; both are (keys, queries).
            tile.rows_to_columns(q_columns, q, T::of(self.scale));
            tile.rows_to_columns(dy_columns, dy, T::one());
            tile.scalar_products(p, k, q_columns, products);
            tile.scalar_products(ds, v, dy_columns, products);
            for (stripe, rows, Stripe { seen, .. }) in tile.stripes() {
                let place = (seen.start - start) * width..(seen.end - start) * width;
                self.add_to_scores(bh % h, tile, stripe, &mut p[place]);
                let mut stripe_log_sums = [T::zero(); QUERIES_PER_STRIPE];
                stripe_log_sums[..rows.len()]
                    .copy_from_slice(&log_sums[first + rows.start..first + rows.end]);
                vectorised(
                    #[inline(always)]
                    || self.score_gradients(bh, tile, stripe, stripe_log_sums, (p, ds)),
                );
                if products == Products::SeenParts {
                    let dq = rows_mut(gradients.q.view_mut(), first + rows.start..first + rows.end);
                    let ds = tile.part(ds, seen.clone(), rows);
                    let k = k.rows_of(seen.start - start..seen.end - start);
                    matmul_serial(ds.t(), k, Accumulate::Overwrite, dq, precision); // dQ = dS K
                }
            }
            if products == Products::WholeTiles {
                let dq = rows_mut(gradients.q.view_mut(), first..first + tile.rows);
                let ds = tile.part(ds, tile.keys.clone(), 0..tile.rows);
                matmul_serial(ds.t(), k, Accumulate::Overwrite, dq, precision);
            }
            for (keys, columns) in tile.blocks(products) {
                let queries = columns.start..columns.end.min(tile.rows);
                let [p, ds] = [&*p, &*ds].map(|x| tile.part(x, keys.clone(), queries.clone()));
                let dk = rows_mut(gradients.k.view_mut(), keys.clone());
                matmul_serial(ds, q.rows_of(queries.clone()), accumulate, dk, precision); // dK += dS^T Q
                let dv = rows_mut(gradients.v.view_mut(), keys);
                matmul_serial(p, dy.rows_of(queries), accumulate, dv, precision); // dV += P^T dY
            }
            accumulate = Accumulate::Add;
        }
    }

    /// Replaces the scores of stripe `v` in `p` with the weights, and `dL/dweights` in `ds` with
    /// `scale dL/dscores`.
    #[inline(always)]
    fn score_gradients<T: Number>(
        &self,
        bh: usize,
        tile: &Tile,
        v: usize,
        log_sums: [T; QUERIES_PER_STRIPE],
        (p, ds): (&mut [T], &mut [T]),
    ) {
        let (stripe, width, scale) = (&tile.stripes[v], tile.width, T::of(self.scale));
        let Dims { t_q, t_k, .. } = self.dims;
        let seen = (stripe.seen.start - tile.keys.start) * width..(stripe.seen.end - tile.keys.start) * width;
        // Zero the keys that this stripe does not see, because dK and dV are products over all
        // stripes.
        tile.zero_unseen(p, v);
        tile.zero_unseen(ds, v);
        let keys = stripe.seen.start as u32..;
        // sum_j weight_j dL/dweight_j, which the derivative of the softmax subtracts.
        let mut inner = [T::zero(); QUERIES_PER_STRIPE];
        // All reads come before the writes, which lets the compiler vectorise these loops.
        let rows =
            stripe_rows(&mut p[seen.clone()], width, v).zip(stripe_rows(&mut ds[seen.clone()], width, v));
        match self.dropout {
            None => {
                for (j, (p, ds)) in keys.clone().zip(rows) {
                    let (scores, dweights) = (*p, *ds);
                    let weights = array(
                        #[inline(always)]
                        |l| stripe.zero_unless_seen(j, l, (scores[l] - log_sums[l]).exp_fast()),
                    );
                    for l in 0..QUERIES_PER_STRIPE {
                        let dweight = stripe.zero_unless_seen(j, l, dweights[l]);
                        inner[l] = weights[l].fused_mul_add(dweight, inner[l]);
                    }
                    *p = weights;
                }
            }
            Some(dropout) => {
                let first = bh * t_q + tile.first + v * QUERIES_PER_STRIPE;
                let factor = dropout.factor_from::<T>((first * t_k) as u64);
                for (j, (p, ds)) in keys.clone().zip(rows) {
                    for l in 0..QUERIES_PER_STRIPE {
                        let factor = factor((l * t_k) as u32 + j);
                        let weight = stripe.zero_unless_seen(j, l, (p[l] - log_sums[l]).exp_fast());
                        let dweight = stripe.zero_unless_seen(j, l, ds[l] * factor);
                        inner[l] = weight.fused_mul_add(dweight, inner[l]);
                        // The sign marks dropped weights until the loop below.
                        p[l] = if factor == T::zero() { -weight } else { weight };
                        ds[l] = dweight;
                    }
                }
            }
        }
        let rows = stripe_rows(&mut p[seen.clone()], width, v).zip(stripe_rows(&mut ds[seen], width, v));
        for (j, (p, ds)) in keys.zip(rows) {
            let (weights, dweights) = (*p, *ds);
            *ds = array(
                #[inline(always)]
                |l| stripe.zero_unless_seen(j, l, weights[l].abs() * (dweights[l] - inner[l]) * scale),
            );
            // `<=`, because -0 marks a dropped weight too. NaN compares false and stays NaN.
            if let Some(dropout) = self.dropout {
                *p = array(
                    #[inline(always)]
                    |l| if weights[l] <= T::zero() { T::zero() } else { weights[l] * dropout.keep() },
                );
            }
        }
    }
}
