//! Where the innermost loop finds its factors.

use std::marker::PhantomData;

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
/// time. The steps are asked for in this order.
pub trait Steps<const S: usize> {
    /// What one step reads.
    type Factors;

    /// Step `u` of the S steps number `p`, or step `p` of the rest.
    fn step(&mut self, rest: bool, p: usize, u: usize) -> Self::Factors;
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
    fn step(&mut self, rest: bool, p: usize, u: usize) -> [F; ROWS] {
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
    fn step(&mut self, rest: bool, p: usize, u: usize) -> [F; ROWS] {
        if rest { self.rest[p] } else { self.steps[p][u] }
    }
}

/// A tile whose factors lie column by column, as those of the rows beside it do. One step at
/// a time.
pub struct InColumns<'a, F>(Spaced<'a, F, 1, ROWS>);

impl<'a, F> InColumns<'a, F> {
    /// The tile whose first row is `first`, of columns that are `distance` apart.
    #[inline(always)]
    pub fn new(a: Left<'a, F>, first: usize, distance: usize) -> Self {
        Self(Spaced::new(Right { data: &a.data[first..], distance }, a.depth))
    }
}

impl<F: Copy> Steps<1> for InColumns<'_, F> {
    type Factors = [F; ROWS];

    #[inline(always)]
    fn step(&mut self, rest: bool, p: usize, u: usize) -> [F; ROWS] {
        self.0.step(rest, p, u)[0]
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
    fn step(&mut self, rest: bool, p: usize, u: usize) -> &'a [[F; L]; V] {
        if rest { &self.rest[p] } else { &self.steps[p][u] }
    }
}

/// A panel whose rows may be apart. One step at a time.
///
/// It goes from row to row by itself, without a check of each: in a slice, to find the rows took a
/// quarter of the loop's instructions.
pub struct Spaced<'a, F, const V: usize, const L: usize> {
    next: *const [[F; L]; V],
    distance: usize,
    left: usize,
    factors: PhantomData<&'a [F]>,
}

impl<'a, F, const V: usize, const L: usize> Spaced<'a, F, V, L> {
    /// The panel `b`, of `depth` rows.
    ///
    /// # Panics
    /// If it has not got them.
    #[inline(always)]
    pub fn new(b: Right<'a, F>, depth: usize) -> Self {
        let Right { data, distance } = b;
        let last = depth.saturating_sub(1).saturating_mul(distance);
        assert!(depth == 0 || last.saturating_add(V * L) <= data.len(), "rows of a panel");
        Self { next: data.as_ptr().cast(), distance, left: depth, factors: PhantomData }
    }
}

impl<'a, F, const V: usize, const L: usize> Steps<1> for Spaced<'a, F, V, L> {
    type Factors = &'a [[F; L]; V];

    #[inline(always)]
    #[allow(unsafe_code)]
    fn step(&mut self, _: bool, _: usize, _: usize) -> &'a [[F; L]; V] {
        assert!(self.left > 0, "no row is left");
        self.left -= 1;
        // SAFETY: `new` has seen that all rows that were left then lie in the factors, which live as long
        // as 'a and are aligned as their arrays are; `left` says that this is one of them.
        let row = unsafe { &*self.next };
        self.next = self.next.cast::<F>().wrapping_add(self.distance).cast();
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a panel one by one, as slices find them.
    #[test]
    fn a_panel_is_read_row_by_row() {
        let data: Vec<u32> = (0..23).collect();
        for (distance, depth) in [(6, 3), (8, 3), (9, 2), (17, 2), (0, 4), (6, 0)] {
            let mut rows = Spaced::<_, 2, 3>::new(Right { data: &data, distance }, depth);
            for p in 0..depth {
                let want = &data[p * distance..][..6];
                assert_eq!(rows.step(false, p, 0).as_flattened(), want, "row {p}, {distance} apart");
            }
        }
        let columns =
            Left { data: &data, order: Order::Columns { distance: 7 }, first: 2, rows: 8, depth: 3 };
        let mut columns = InColumns::new(columns, 1, 7);
        assert_eq!([0, 1, 2].map(|p| columns.step(false, p, 0)[5]), [6, 13, 20]);
    }

    #[test]
    #[should_panic(expected = "rows of a panel")]
    fn a_panel_that_is_too_short_is_refused() {
        Spaced::<_, 2, 3>::new(Right { data: &[0; 23], distance: 9 }, 3);
    }

    #[test]
    #[should_panic(expected = "no row is left")]
    fn a_panel_ends() {
        let mut rows = Spaced::<_, 2, 3>::new(Right { data: &[0; 23], distance: 9 }, 2);
        (0..3).for_each(|p| _ = rows.step(false, p, 0));
    }
}
