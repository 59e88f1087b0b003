//! Where the innermost loop finds its factors.

use super::tile::ROWS;
use crate::kernels::array;

/// Rows of A, as the loop reads them.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a, F> {
    /// The factors.
    pub data: &'a [F],
    /// Where they are.
    pub order: Order,
    /// The row to begin with; in tiles, the first of one.
    pub first: usize,
    /// How many rows there are, with those that fill a tile.
    pub rows: usize,
    /// How many factors a row has.
    pub depth: usize,
}

/// Where factor `p` of row `r` of A is.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// At `r * distance + p`: the factors of a row side by side.
    Rows {
        /// From one row to the next.
        distance: usize,
    },
    /// At `r + p * distance`: the factors of a column side by side.
    Columns {
        /// From one column to the next.
        distance: usize,
    },
    /// At `r * depth + p * ROWS`, for `r` the first row of a tile, and those of the tile's
    /// other rows after it.
    Tiles,
}

/// A panel of B, as the loop reads it: the factors of a row side by side.
#[derive(Debug, Clone, Copy)]
pub struct Right<'a, F> {
    /// The factors, from the first one of the first row on.
    pub data: &'a [F],
    /// From one row to the next.
    pub distance: usize,
}

/// What the loop reads in each of its steps.
///
/// It takes S steps at a time, one after the other without a jump, and then the rest one at a
/// time.
pub trait Steps<const S: usize>: Copy {
    /// What one step reads.
    type Factors;

    /// Step `u` of the S steps number `p`, or step `p` of the rest.
    fn step(self, rest: bool, p: usize, u: usize) -> Self::Factors;
}

/// A tile whose factors lie row by row.
#[derive(Clone, Copy)]
pub struct InRows<'a, F, const S: usize> {
    steps: [&'a [[F; S]]; ROWS],
    rest: [&'a [F]; ROWS],
}

impl<'a, F, const S: usize> InRows<'a, F, S> {
    /// The tile whose first row is `first`, of rows that are `distance` apart. Rows after the
    /// last one are the last one again.
    #[inline(always)]
    pub fn new(a: Left<'a, F>, first: usize, distance: usize) -> Self {
        let (mut steps, mut rest) = ([&[][..]; ROWS], [&[][..]; ROWS]);
        for r in 0..ROWS {
            let row = &a.data[(first + r).min(a.rows - 1) * distance..][..a.depth];
            steps[r] = &row.as_chunks().0[..a.depth / S];
            rest[r] = &row.as_chunks::<S>().1[..a.depth % S];
        }
        Self { steps, rest }
    }
}

impl<F: Copy + Default, const S: usize> Steps<S> for InRows<'_, F, S> {
    type Factors = [F; ROWS];

    #[inline(always)]
    fn step(self, rest: bool, p: usize, u: usize) -> [F; ROWS] {
        array(
            #[inline(always)]
            |r| if rest { self.rest[r][p] } else { self.steps[r][p][u] },
        )
    }
}

/// A tile of its own, whose factors lie column by column.
#[derive(Clone, Copy)]
pub struct InTile<'a, F, const S: usize> {
    steps: &'a [[[F; ROWS]; S]],
    rest: &'a [[F; ROWS]],
}

impl<'a, F, const S: usize> InTile<'a, F, S> {
    /// The tile whose first row is `first`.
    #[inline(always)]
    pub fn new(a: Left<'a, F>, first: usize) -> Self {
        let (steps, rest) = a.data[first * a.depth..].as_chunks().0[..a.depth].as_chunks();
        Self { steps, rest }
    }
}

impl<F: Copy, const S: usize> Steps<S> for InTile<'_, F, S> {
    type Factors = [F; ROWS];

    #[inline(always)]
    fn step(self, rest: bool, p: usize, u: usize) -> [F; ROWS] {
        if rest { self.rest[p] } else { self.steps[p][u] }
    }
}

/// A tile whose factors lie column by column, as those of the rows beside it do. One step at
/// a time.
#[derive(Clone, Copy)]
pub struct InColumns<'a, F> {
    rows: [&'a [F]; ROWS],
    distance: usize,
}

impl<'a, F> InColumns<'a, F> {
    /// The tile whose first row is `first`, of columns that are `distance` apart.
    #[inline(always)]
    pub fn new(a: Left<'a, F>, first: usize, distance: usize) -> Self {
        let mut rows = [&[][..]; ROWS];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = &a.data[first + r..][..(a.depth - 1) * distance + 1];
        }
        Self { rows, distance }
    }
}

impl<F: Copy + Default> Steps<1> for InColumns<'_, F> {
    type Factors = [F; ROWS];

    #[inline(always)]
    fn step(self, _: bool, p: usize, _: usize) -> [F; ROWS] {
        array(
            #[inline(always)]
            |r| self.rows[r][p * self.distance],
        )
    }
}

/// A panel whose rows follow one another.
#[derive(Clone, Copy)]
pub struct Dense<'a, F, const V: usize, const L: usize, const S: usize> {
    steps: &'a [[[[F; L]; V]; S]],
    rest: &'a [[[F; L]; V]],
}

impl<'a, F, const V: usize, const L: usize, const S: usize> Dense<'a, F, V, L, S> {
    /// The panel `b`, of `depth` rows.
    #[inline(always)]
    pub fn new(b: Right<'a, F>, depth: usize) -> Self {
        let (steps, rest) = b.data.as_chunks().0.as_chunks().0[..depth].as_chunks();
        Self { steps, rest }
    }
}

impl<'a, F: Copy, const V: usize, const L: usize, const S: usize> Steps<S> for Dense<'a, F, V, L, S> {
    type Factors = &'a [[F; L]; V];

    #[inline(always)]
    fn step(self, rest: bool, p: usize, u: usize) -> &'a [[F; L]; V] {
        if rest { &self.rest[p] } else { &self.steps[p][u] }
    }
}

/// A panel whose rows may be apart. One step at a time.
#[derive(Clone, Copy)]
pub struct Spaced<'a, F, const V: usize, const L: usize>(pub Right<'a, F>);

impl<'a, F: Copy, const V: usize, const L: usize> Steps<1> for Spaced<'a, F, V, L> {
    type Factors = &'a [[F; L]; V];

    #[inline(always)]
    fn step(self, _: bool, p: usize, _: usize) -> &'a [[F; L]; V] {
        self.0.data[p * self.0.distance..].as_chunks().0.first_chunk().expect("a whole row")
    }
}
