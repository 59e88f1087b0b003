//! The operands of the innermost loop, in the order in which it reads them.

use std::marker::PhantomData;

use crate::kernels::simd::array;

/// Rows per tile. With panels of four registers of the 32 of AVX-512 or NEON, or two of the 16
/// of AVX2, the sums fill all registers except those that the factors need.
pub const ROWS_PER_TILE: usize = 6;

/// The left operand: rows of A.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a, F> {
    /// The factors.
    pub data: &'a [F],
    /// The order of the factors.
    pub order: Order,
    /// The first row to use; with [`Order::Tiles`], the first row of a tile.
    pub first: usize,
    /// The number of rows, including the padding of a tile.
    pub rows: usize,
    /// Factors per row.
    pub depth: usize,
}

/// The index of factor `p` of row `r` of A.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// At `r * stride + p`: the factors of a row side by side.
    Rows {
        /// From one row to the next.
        stride: usize,
    },
    /// At `r + p * stride`: the factors of a column side by side.
    Columns {
        /// From one column to the next.
        stride: usize,
    },
    /// At `r * depth + p * ROWS_PER_TILE` for the first row `r` of a tile; the factors `p` of the
    /// tile's other rows follow.
    Tiles,
}

/// The right operand: a panel of B, row by row.
#[derive(Debug, Clone, Copy)]
pub struct Right<'a, F> {
    /// The factors, from the first of the first row on.
    pub data: &'a [F],
    /// From one row to the next.
    pub stride: usize,
}

/// Supplies the factors of each step of the innermost loop.
///
/// The loop is unrolled by S; the rest of the steps follow one at a time. It calls [`Steps::step`]
/// in this order.
pub trait Steps<const S: usize> {
    /// The factors of one step.
    type Factors;

    /// Step `u` of group `p` of S steps, or step `p` of the rest.
    fn step(&mut self, rest: bool, p: usize, u: usize) -> Self::Factors;
}

/// A tile whose factors are stored row by row.
#[derive(Clone, Copy)]
pub struct TileByRows<'a, F, const S: usize> {
    steps: [&'a [[F; S]]; ROWS_PER_TILE],
    rest: [&'a [F]; ROWS_PER_TILE],
}

impl<'a, F, const S: usize> TileByRows<'a, F, S> {
    /// The tile whose first row is `first`; rows are `stride` apart. Rows past the end repeat the
    /// last row.
    #[inline(always)]
    pub fn new(a: Left<'a, F>, first: usize, stride: usize) -> Self {
        let (mut steps, mut rest) = ([&[][..]; ROWS_PER_TILE], [&[][..]; ROWS_PER_TILE]);
        for r in 0..ROWS_PER_TILE {
            let row = &a.data[(first + r).min(a.rows - 1) * stride..][..a.depth];
            steps[r] = &row.as_chunks().0[..a.depth / S];
            rest[r] = &row.as_chunks::<S>().1[..a.depth % S];
        }
        Self { steps, rest }
    }
}

impl<F: Copy + Default, const S: usize> Steps<S> for TileByRows<'_, F, S> {
    type Factors = [F; ROWS_PER_TILE];

    #[inline(always)]
    fn step(&mut self, rest: bool, p: usize, u: usize) -> [F; ROWS_PER_TILE] {
        array(
            #[inline(always)]
            |r| if rest { self.rest[r][p] } else { self.steps[r][p][u] },
        )
    }
}

/// A packed tile, whose factors are stored column by column.
#[derive(Clone, Copy)]
pub struct PackedTile<'a, F, const S: usize> {
    steps: &'a [[[F; ROWS_PER_TILE]; S]],
    rest: &'a [[F; ROWS_PER_TILE]],
}

impl<'a, F, const S: usize> PackedTile<'a, F, S> {
    /// The tile whose first row is `first`.
    #[inline(always)]
    pub fn new(a: Left<'a, F>, first: usize) -> Self {
        let (steps, rest) = a.data[first * a.depth..].as_chunks().0[..a.depth].as_chunks();
        Self { steps, rest }
    }
}

impl<F: Copy, const S: usize> Steps<S> for PackedTile<'_, F, S> {
    type Factors = [F; ROWS_PER_TILE];

    #[inline(always)]
    fn step(&mut self, rest: bool, p: usize, u: usize) -> [F; ROWS_PER_TILE] {
        if rest { self.rest[p] } else { self.steps[p][u] }
    }
}

/// A tile of a matrix that is stored column by column. One step at a time.
pub struct TileByColumns<'a, F>(Strided<'a, F, 1, ROWS_PER_TILE>);

impl<'a, F> TileByColumns<'a, F> {
    /// The tile whose first row is `first`; columns are `stride` apart.
    #[inline(always)]
    pub fn new(a: Left<'a, F>, first: usize, stride: usize) -> Self {
        Self(Strided::new(Right { data: &a.data[first..], stride }, a.depth))
    }
}

impl<F: Copy> Steps<1> for TileByColumns<'_, F> {
    type Factors = [F; ROWS_PER_TILE];

    #[inline(always)]
    fn step(&mut self, rest: bool, p: usize, u: usize) -> [F; ROWS_PER_TILE] {
        self.0.step(rest, p, u)[0]
    }
}

/// A panel whose rows are contiguous.
#[derive(Clone, Copy)]
pub struct Contiguous<'a, F, const V: usize, const L: usize, const S: usize> {
    steps: &'a [[[[F; L]; V]; S]],
    rest: &'a [[[F; L]; V]],
}

impl<'a, F, const V: usize, const L: usize, const S: usize> Contiguous<'a, F, V, L, S> {
    /// The panel `b`, of `depth` rows.
    #[inline(always)]
    pub fn new(b: Right<'a, F>, depth: usize) -> Self {
        let (steps, rest) = b.data.as_chunks().0.as_chunks().0[..depth].as_chunks();
        Self { steps, rest }
    }
}

impl<'a, F: Copy, const V: usize, const L: usize, const S: usize> Steps<S> for Contiguous<'a, F, V, L, S> {
    type Factors = &'a [[F; L]; V];

    #[inline(always)]
    fn step(&mut self, rest: bool, p: usize, u: usize) -> &'a [[F; L]; V] {
        if rest { &self.rest[p] } else { &self.steps[p][u] }
    }
}

/// A panel whose rows may have gaps between them. One step at a time.
///
/// Checks the bounds of all rows once, then walks from row to row with a pointer: with slices,
/// finding the rows took a quarter of the loop's instructions.
pub struct Strided<'a, F, const V: usize, const L: usize> {
    next_row: *const [[F; L]; V],
    stride: usize,
    rows_left: usize,
    factors: PhantomData<&'a [F]>,
}

impl<'a, F, const V: usize, const L: usize> Strided<'a, F, V, L> {
    /// The panel `b`, of `depth` rows.
    ///
    /// # Panics
    /// If `b` is too short.
    #[inline(always)]
    pub fn new(b: Right<'a, F>, depth: usize) -> Self {
        let Right { data, stride } = b;
        let last = depth.saturating_sub(1).saturating_mul(stride);
        assert!(depth == 0 || last.saturating_add(V * L) <= data.len(), "a panel is too short");
        Self { next_row: data.as_ptr().cast(), stride, rows_left: depth, factors: PhantomData }
    }
}

impl<'a, F, const V: usize, const L: usize> Steps<1> for Strided<'a, F, V, L> {
    type Factors = &'a [[F; L]; V];

    #[inline(always)]
    #[allow(unsafe_code)]
    fn step(&mut self, _: bool, _: usize, _: usize) -> &'a [[F; L]; V] {
        assert!(self.rows_left > 0, "read past the last row of a panel");
        self.rows_left -= 1;
        // SAFETY: `new` checked that all `depth` rows lie within the factors, which live for 'a and
        // have the alignment of arrays of them; `rows_left` shows that this is one of these rows.
        let row = unsafe { &*self.next_row };
        self.next_row = self.next_row.cast::<F>().wrapping_add(self.stride).cast();
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_is_read_row_by_row() {
        let data: Vec<u32> = (0..23).collect();
        for (stride, depth) in [(6, 3), (8, 3), (9, 2), (17, 2), (0, 4), (6, 0)] {
            let mut rows = Strided::<_, 2, 3>::new(Right { data: &data, stride }, depth);
            for p in 0..depth {
                let want = &data[p * stride..][..6];
                assert_eq!(rows.step(false, p, 0).as_flattened(), want, "row {p}, {stride} apart");
            }
        }
        let columns = Left { data: &data, order: Order::Columns { stride: 7 }, first: 2, rows: 8, depth: 3 };
        let mut columns = TileByColumns::new(columns, 1, 7);
        assert_eq!([0, 1, 2].map(|p| columns.step(false, p, 0)[5]), [6, 13, 20]);
    }

    #[test]
    #[should_panic(expected = "a panel is too short")]
    fn a_panel_that_is_too_short_panics() {
        Strided::<_, 2, 3>::new(Right { data: &[0; 23], stride: 9 }, 3);
    }

    #[test]
    #[should_panic(expected = "read past the last row of a panel")]
    fn reading_past_the_last_row_panics() {
        let mut rows = Strided::<_, 2, 3>::new(Right { data: &[0; 23], stride: 9 }, 2);
        (0..3).for_each(|p| _ = rows.step(false, p, 0));
    }
}
