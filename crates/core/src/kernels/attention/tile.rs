//! A tile: queries of a head that are computed together, and the keys that they see.

use std::ops::Range;

use ndarray::{ArrayViewMut2, s};

use crate::kernels::matmul::{Accumulate, Mat, matmul_serial};
use crate::kernels::simd::vectorised;
use crate::kernels::transpose::rows_to_columns;
use crate::mask::Mask;
use crate::{Number, Precision};

/// Queries per tile.
pub const QUERIES_PER_TILE: usize = 64;

/// Queries per stripe: the f32 lanes of an AVX-512 register.
pub const QUERIES_PER_STRIPE: usize = 16;

/// Stripes per tile.
pub const STRIPES_PER_TILE: usize = QUERIES_PER_TILE / QUERIES_PER_STRIPE;

/// Keys per block. The products of a block skip the stripes that see none of its keys.
const KEYS_PER_BLOCK: usize = 48;

/// How the products of a tile are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Products {
    /// In f32, without the parts that no query sees.
    SeenParts,
    /// In bf16, all keys and queries of a tile at once.
    WholeTiles,
}

impl Products {
    /// The precision of the products.
    pub fn precision(self) -> Precision {
        match self {
            Self::SeenParts => Precision::F32,
            Self::WholeTiles => Precision::Bf16,
        }
    }
}

/// Consecutive queries of a head, and the keys that they see.
pub struct Tile {
    /// The first query.
    pub first: usize,
    /// The number of queries.
    pub rows: usize,
    /// Columns of the scores: the number of queries, padded to whole stripes.
    pub width: usize,
    /// The smallest range that contains all keys that a query of the tile sees.
    pub keys: Range<usize>,
    /// The queries, [`QUERIES_PER_STRIPE`] at a time.
    pub stripes: [Stripe; STRIPES_PER_TILE],
}

/// Queries of a tile that share a vector register.
#[derive(Clone, Default)]
pub struct Stripe {
    /// The smallest range that contains all keys that a query of the stripe sees.
    pub seen: Range<usize>,
    /// For each query, the first key that it sees.
    pub first_seen: [u32; QUERIES_PER_STRIPE],
    /// For each query, the number of keys that it sees.
    pub n_seen: [u32; QUERIES_PER_STRIPE],
}

impl Tile {
    /// The number of columns of a tile's scores, if there are `t_q` queries in all.
    pub fn width(t_q: usize) -> usize {
        t_q.min(QUERIES_PER_TILE).next_multiple_of(QUERIES_PER_STRIPE)
    }

    /// The tile of sequence `b` that starts at query `first` of `t_q`, with `t_k` keys.
    pub fn new(mask: &Mask, b: usize, first: usize, (t_q, t_k): (usize, usize)) -> Self {
        let rows = QUERIES_PER_TILE.min(t_q - first);
        let mut stripes: [Stripe; STRIPES_PER_TILE] = Default::default();
        for r in 0..rows {
            let seen = mask.visible(b, first + r, t_k);
            let (stripe, l) = (&mut stripes[r / QUERIES_PER_STRIPE], r % QUERIES_PER_STRIPE);
            (stripe.first_seen[l], stripe.n_seen[l]) = (seen.start as u32, seen.len() as u32);
            stripe.seen = hull(stripe.seen.clone(), seen);
        }
        let keys = stripes.iter().map(|stripe| stripe.seen.clone()).reduce(hull).unwrap_or_default();
        for stripe in stripes.iter_mut().filter(|stripe| stripe.seen.is_empty()) {
            stripe.seen = keys.start..keys.start;
        }
        Self { first, rows, width: Self::width(t_q), keys, stripes }
    }

    /// Blocks of keys, each with the range of columns whose queries see a key of the block.
    pub fn blocks(&self, products: Products) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let Range { start, end } = self.keys;
        let length = match products {
            Products::SeenParts => KEYS_PER_BLOCK,
            Products::WholeTiles => self.keys.len().max(1),
        };
        (start..end).step_by(length).map(move |from| {
            let keys = from..end.min(from + length);
            let sees = |stripe: &Stripe| stripe.seen.start < keys.end && keys.start < stripe.seen.end;
            let first = self.stripes.iter().position(sees).unwrap_or(0);
            let last = self.stripes.iter().rposition(sees).map_or(first, |last| last + 1);
            (keys, first * QUERIES_PER_STRIPE..last * QUERIES_PER_STRIPE)
        })
    }

    /// The stripes that have queries: for each, its index, its rows in the tile and the stripe.
    pub fn stripes(&self) -> impl Iterator<Item = (usize, Range<usize>, &Stripe)> {
        let rows = (0..self.rows)
            .step_by(QUERIES_PER_STRIPE)
            .map(|first| first..self.rows.min(first + QUERIES_PER_STRIPE));
        self.stripes.iter().zip(rows).enumerate().map(|(v, (stripe, rows))| (v, rows, stripe))
    }

    /// A range of keys and of columns of a matrix `(keys, width)`, such as the scores.
    pub fn part<'a, T: Number>(&self, x: &'a [T], keys: Range<usize>, columns: Range<usize>) -> Mat<'a, T> {
        let first = (keys.start - self.keys.start) * self.width + columns.start;
        Mat::with_row_stride(&x[first.min(x.len())..], (keys.len(), columns.len()), self.width)
    }

    /// Copies `factor rows` into the columns of `to`: `(rows, D) -> (D, width)`.
    pub fn rows_to_columns<T: Number>(&self, to: &mut [T], rows: Mat<'_, T>, factor: T) {
        vectorised(
            #[inline(always)]
            || {
                rows_to_columns(
                    to,
                    self.width,
                    self.rows,
                    #[inline(always)]
                    |r| rows.row(r),
                );
                if factor != T::one() {
                    to.iter_mut().for_each(|to| *to *= factor);
                }
            },
        );
    }

    /// The dot products of keys (or values) `k` and the columns of `q`, for the keys and
    /// queries that see each other: `(keys, D) (D, width) -> (keys, width)`.
    pub fn scalar_products<T: Number>(&self, out: &mut [T], k: Mat<'_, T>, q: &[T], products: Products) {
        let d = k.cols();
        let mut out =
            ArrayViewMut2::from_shape((self.keys.len(), self.width), out).expect("a row for each key");
        for (keys, columns) in self.blocks(products) {
            let rows = keys.start - self.keys.start..keys.end - self.keys.start;
            let q = Mat::with_row_stride(&q[columns.start..], (d, columns.len()), self.width);
            let part = out.slice_mut(s![rows.clone(), columns]);
            matmul_serial(k.rows_of(rows), q, Accumulate::Overwrite, part, products.precision());
        }
    }

    /// Sets `x`, `(keys, width)`, to zero where stripe `v` sees no key.
    #[inline(always)]
    pub fn zero_unseen<T: Number>(&self, x: &mut [T], v: usize) {
        let Range { start, end } = self.stripes[v].seen;
        let seen = (start - self.keys.start) * self.width..(end - self.keys.start) * self.width;
        let zero = [T::zero(); QUERIES_PER_STRIPE];
        stripe_rows(&mut x[..seen.start], self.width, v).for_each(|x| *x = zero);
        stripe_rows(&mut x[seen.end..], self.width, v).for_each(|x| *x = zero);
    }
}

/// The smallest range that contains both ranges.
fn hull(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b,
        (_, true) => a,
        _ => a.start.min(b.start)..a.end.max(b.end),
    }
}

impl Stripe {
    /// Whether query `l` of the stripe sees key `j`.
    #[inline(always)]
    pub fn sees(&self, j: u32, l: usize) -> bool {
        j.wrapping_sub(self.first_seen[l]) < self.n_seen[l]
    }

    /// `x` if query `l` sees key `j`, else 0.
    #[inline(always)]
    pub fn zero_unless_seen<T: Number>(&self, j: u32, l: usize, x: T) -> T {
        if self.sees(j, l) { x } else { T::zero() }
    }
}

/// The elements of stripe `v` in each row of a matrix of `width` columns.
#[inline(always)]
pub fn stripe_rows<T>(
    rows: &mut [T],
    width: usize,
    v: usize,
) -> impl Iterator<Item = &mut [T; QUERIES_PER_STRIPE]> {
    rows.chunks_exact_mut(width).map(
        #[inline(always)]
        move |row| &mut row.as_chunks_mut().0[v],
    )
}
