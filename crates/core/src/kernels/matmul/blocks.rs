//! The outer loops: slices of the inner length, panels of columns, blocks of rows.

use std::ops::Range;

use ndarray::{ArrayViewMut2, Axis, Slice};
use rayon::prelude::*;

use super::factor::{Factor, with_buffer};
use super::operands::{Left, Order, Right};
use super::tile::{FEW, Out, ROWS, rows_times_panel};
use super::{Accumulate, Mat, Product, Then, pack};
use crate::Float;
use crate::kernels::{isa::Compiled, map};

/// Numbers of the inner length in a slice, so that a panel stays in the second-level cache.
const SLICE: usize = 512;

/// Bytes of B that stay in the second-level cache while all rows pass.
const CACHED: usize = 512 << 10;

/// Bytes of B that are copied at a time, to stay in the third-level cache.
const COPIED: usize = 4 << 20;

/// Tiles in a block of rows, at most.
const BLOCK: usize = 32;

/// Steps of the innermost loop at a time, in whole panels: enough that the jump and the check
/// for a cache line to ask for cost little, few enough that the loop stays small.
const STEPS: usize = 4;

impl<T: Float> Product<'_, '_, T> {
    /// Computes it with panels of at most V vectors of L lanes.
    pub(super) fn compute<F: Factor<T>, I: Compiled, const V: usize, const L: usize>(self) {
        let Self { a, b, start, mut out, turned, threads, .. } = self;
        let (m, inner, n, width) = (a.rows, a.cols, b.cols, V * L);
        if m == 0 || n == 0 {
            return;
        }
        if threads == 1
            && let Some((a, b)) = in_place::<T, F, L>(a, b, width)
        {
            return times::<T, F, I, V, L>(a, b, (start, turned), &mut out, None);
        }
        let slices = Slices::new(inner, matches!(start, Accumulate::Multiply));
        // Where both factors are stored slice after slice and the output is small, each thread takes
        // whole slices: what it copies is then in its own cache, and no thread waits for another's.
        let sums = (slices.count - 1) * m * n * size_of::<T>();
        let by_slices = threads > 1 && slices.count.is_multiple_of(threads) && sums <= COPIED;
        if by_slices && a.transposed && !b.transposed {
            return Self { out, ..self }.by_slices::<F, I, V, L>(slices);
        }
        // Copying B pays where each number is used often.
        let b_in_place = F::as_is(b.data).filter(|_| !b.transposed && m <= FEW && n.is_multiple_of(L));
        // Where A is small, each thread takes whole panels, which it copies itself and then still
        // has in its own cache. With one panel each, threads would write to the same lines of the
        // output all the time. Where A needs a copy, that pays if B is larger; where it needs none,
        // if B is too large for a few rows at a time to meet all of it.
        let room = Rows { a, rows: 0..m, inner: slices.range(0) }.room::<F>();
        let small = m * inner.div_ceil(F::DEPTH) * size_of::<F>() <= COPIED;
        let pays = if room == 0 { slices.length / F::DEPTH * n * size_of::<F>() > CACHED } else { m < n };
        let shared = n > threads * width && n.is_multiple_of(threads * width);
        if small && pays && shared && b_in_place.is_none() {
            with_buffer::<T, F, _>(slices.count * room, |copied| {
                Self { out, ..self }.by_panels::<F, I, V, L>(slices, copied);
            });
        } else {
            Self { out, ..self }.by_blocks::<F, I, V, L>(slices, b_in_place);
        }
    }

    /// Slice by slice, each on one thread; then their sums are added in the order of the slices.
    fn by_slices<F: Factor<T>, I: Compiled, const V: usize, const L: usize>(self, slices: Slices) {
        let Self { a, b, start, mut out, turned, .. } = self;
        let (m, n) = out.dim();
        with_buffer::<T, T, _>((slices.count - 1) * m * n, |others| {
            let mut products = vec![(start, out.view_mut())];
            products.extend(others.chunks_exact_mut(m * n).map(|sums| {
                (Accumulate::Overwrite, ArrayViewMut2::from_shape((m, n), sums).expect("room for a product"))
            }));
            products.into_par_iter().enumerate().for_each(|(s, (start, out))| {
                let (a, b) = (a.t().rows_of(slices.range(s)).t(), b.rows_of(slices.range(s)));
                Product { a, b, start, out, turned, threads: 1, then: None }.compute::<F, I, V, L>();
            });
            let out = out.as_slice_mut().expect("what threads share lies in one piece");
            for sums in others.chunks_exact(m * n) {
                map::update(out, sums, |out, sum| out + sum);
            }
        });
    }

    /// Panel by panel. `copied` has room for the factors of A that need it.
    fn by_panels<F: Factor<T>, I: Compiled, const V: usize, const L: usize>(
        self,
        slices: Slices,
        copied: &mut [F],
    ) {
        let Self { a, b, start, mut out, turned, threads, .. } = self;
        let (width, panel) = (V * L, slices.length / F::DEPTH * V * L);
        let rows = |s| Rows { a, rows: 0..a.rows, inner: slices.range(s) };
        let room = copied.len() / slices.count;
        for (s, copied) in copied.chunks_exact_mut(room.max(1)).enumerate() {
            match threads {
                1 => rows(s).copy::<F, I>(copied),
                _ => rows(s).copy_parallel::<F, I>(copied),
            }
        }
        let task = |(i, mut out): (usize, ArrayViewMut2<'_, T>)| {
            with_buffer::<T, F, _>(panel, |packed| {
                for s in 0..slices.count {
                    pack_panel::<T, F, I, L>(packed, b, slices.range(s), i * width..(i + 1) * width);
                    let start = if s == 0 { start } else { Accumulate::Add };
                    let start = start.from(if turned { 0 } else { i * width });
                    let b = Panels { data: packed, next: panel, distance: 0 };
                    let a = rows(s).left(&copied[s * room..]);
                    times::<T, F, I, V, L>(a, b, (start, turned), &mut out, None);
                }
            });
        };
        let panels = out.axis_chunks_iter_mut(Axis(1), width).enumerate();
        match threads {
            1 => panels.for_each(task),
            _ => panels.collect::<Vec<_>>().into_par_iter().for_each(task),
        }
    }

    /// Block of rows by block of rows, once B has been copied, as far as it is not read where
    /// it is stored.
    fn by_blocks<F: Factor<T>, I: Compiled, const V: usize, const L: usize>(
        self,
        slices: Slices,
        b_in_place: Option<&[F]>,
    ) {
        let Self { a, b, start, mut out, turned, threads, then } = self;
        let (n, width, panel) = (b.cols, V * L, slices.length / F::DEPTH * V * L);
        let fit = COPIED / (panel * size_of::<F>());
        let panels_at_once = fit.clamp(1, n.div_ceil(width));
        let slices_at_once = (fit / panels_at_once).clamp(1, slices.count);
        // Two blocks for each thread, or one where that shares the tiles better. More of them
        // made a training step slower.
        let tiles = a.rows.div_ceil(ROWS);
        let blocks = [2, 1].map(|k| tiles.div_ceil(k * threads).min(BLOCK));
        let load = |block: &usize| tiles.div_ceil(*block).div_ceil(threads) * block;
        let block = ROWS * blocks.into_iter().min_by_key(load).unwrap_or(BLOCK);
        // A block's rows are complete after it only if all columns and slices come at once.
        let at_once = panels_at_once * width >= n && slices_at_once == slices.count;
        let mut then = then.filter(|_| at_once && !turned);

        for j0 in (0..n).step_by(panels_at_once * width) {
            let columns = j0..n.min(j0 + panels_at_once * width);
            let panels = columns.len().div_ceil(width);
            let mut out = out.slice_axis_mut(Axis(1), Slice::from(columns.clone()));
            for s0 in (0..slices.count).step_by(slices_at_once) {
                let now = s0..slices.count.min(s0 + slices_at_once);
                let copies = if b_in_place.is_some() { 0 } else { now.len() * panels };
                with_buffer::<T, F, _>(copies * panel, |packed| {
                    let pack = |(i, to): (usize, &mut [F])| {
                        let j = j0 + i % panels * width;
                        let columns = j..columns.end.min(j + width);
                        pack_panel::<T, F, I, L>(to, b, slices.range(s0 + i / panels), columns);
                    };
                    match threads {
                        1 => packed.chunks_exact_mut(panel).enumerate().for_each(pack),
                        _ => packed.par_chunks_exact_mut(panel).enumerate().for_each(pack),
                    }
                    let task = |(i, (mut out, mut then)): (usize, RowsOut<'_, T>)| {
                        for s in now.clone() {
                            let b = match b_in_place {
                                Some(data) => Panels {
                                    data: &data[s * slices.length * b.distance + j0..],
                                    next: width,
                                    distance: b.distance,
                                },
                                None => Panels {
                                    data: &packed[(s - s0) * panels * panel..],
                                    next: panel,
                                    distance: 0,
                                },
                            };
                            let first = i * block;
                            let start = if s == 0 { start } else { Accumulate::Add };
                            let start = start.from(if turned { first } else { j0 });
                            let rows = Rows { a, rows: first..first + out.nrows(), inner: slices.range(s) };
                            with_buffer::<T, F, _>(rows.room::<F>(), |copied| {
                                rows.copy::<F, I>(copied);
                                let then = then.take_if(|_| s + 1 == slices.count);
                                times::<T, F, I, V, L>(rows.left(copied), b, (start, turned), &mut out, then);
                            });
                        }
                    };
                    let blocks = out.axis_chunks_iter_mut(Axis(0), block).map(|out| {
                        let then = then.as_mut().map(|then| then.cut(out.len()));
                        (out, then)
                    });
                    let blocks = blocks.enumerate();
                    match threads {
                        1 => blocks.for_each(task),
                        _ => blocks.collect::<Vec<_>>().into_par_iter().for_each(task),
                    }
                });
            }
        }
    }
}

/// A block of rows of the output, and what follows them.
type RowsOut<'a, T> = (ArrayViewMut2<'a, T>, Option<Then<'a, T>>);

/// Slices of the inner length, of equal lengths, so that the last is not a mere rest.
#[derive(Clone, Copy)]
struct Slices {
    inner: usize,
    length: usize,
    count: usize,
}

impl Slices {
    /// Slices of `inner`. A sum to be multiplied by must be whole.
    fn new(inner: usize, whole: bool) -> Self {
        let count = if whole { 1 } else { inner.div_ceil(SLICE) };
        // Even ones, so that factors of two numbers are added up in the same order as those of one.
        Self { inner, length: inner.div_ceil(count).next_multiple_of(2), count }
    }

    /// Slice `s`.
    fn range(self, s: usize) -> Range<usize> {
        (s * self.length).min(self.inner)..((s + 1) * self.length).min(self.inner)
    }
}

/// Both factors where they are stored, if few rows are to be computed from factors that the
/// innermost loop can read there, with panels of `width` columns.
fn in_place<'a, T: Float, F: Factor<T>, const L: usize>(
    a: Mat<'a, T>,
    b: Mat<'a, T>,
    width: usize,
) -> Option<(Left<'a, F>, Panels<'a, F>)> {
    let whole_tiles = !a.transposed || a.rows >= ROWS;
    let whole_vectors = !b.transposed && b.cols.is_multiple_of(L);
    if a.rows > FEW || a.cols > SLICE || !whole_tiles || !whole_vectors {
        return None;
    }
    let (distance, depth) = (a.distance, a.cols);
    let order = if a.transposed { Order::Columns { distance } } else { Order::Rows { distance } };
    let left = Left { data: F::as_is(a.data)?, order, first: 0, rows: a.rows, depth };
    Some((left, Panels { data: F::as_is(b.data)?, next: width, distance: b.distance }))
}

impl<T> Accumulate<'_, T> {
    /// The same for what begins at number `i` of the bias.
    fn from(self, i: usize) -> Self {
        match self {
            Self::Bias(bias) => Self::Bias(&bias[i..]),
            start => start,
        }
    }
}

/// Copies a panel of B: of `inner` the factors of `columns`, in as many vectors of L as
/// they need.
fn pack_panel<T: Float, F: Factor<T>, I: Compiled, const L: usize>(
    panel: &mut [F],
    b: Mat<'_, T>,
    inner: Range<usize>,
    columns: Range<usize>,
) {
    let width = columns.len().next_multiple_of(L);
    let panel = &mut panel[..inner.len().div_ceil(F::DEPTH) * width];
    I::run(
        #[inline(always)]
        || match b.transposed {
            false => pack::from_rows(
                panel,
                width,
                inner.len(),
                #[inline(always)]
                |p| b.stored_row(inner.start + p, columns.start, columns.len()),
            ),
            true => pack::from_columns(
                panel,
                width,
                columns.len(),
                #[inline(always)]
                |j| b.stored_row(columns.start + j, inner.start, inner.len()),
            ),
        },
    );
}

/// Panels of B, of a slice of the inner length.
#[derive(Clone, Copy)]
struct Panels<'a, F> {
    /// The factors, from the first of the first panel on.
    data: &'a [F],
    /// From one panel to the next.
    next: usize,
    /// From one row of a panel to the next; 0 where they follow one another.
    distance: usize,
}

/// A block of rows of A, a slice of the inner length.
struct Rows<'a, T> {
    a: Mat<'a, T>,
    rows: Range<usize>,
    inner: Range<usize>,
}

impl<'a, T: Float> Rows<'a, T> {
    /// How many factors a row has.
    fn depth<F: Factor<T>>(&self) -> usize {
        self.inner.len().div_ceil(F::DEPTH)
    }

    /// The factors of all of A, if rows of them are stored.
    fn as_is<F: Factor<T>>(&self) -> Option<&'a [F]> {
        F::as_is(self.a.data).filter(|_| !self.a.transposed)
    }

    /// How many factors have to be copied, with those that fill the last tile.
    fn room<F: Factor<T>>(&self) -> usize {
        match self.as_is::<F>() {
            Some(_) => 0,
            None => self.rows.len().next_multiple_of(ROWS) * self.depth::<F>(),
        }
    }

    /// Copies as many factors as there is [`Self::room`] for.
    fn copy<F: Factor<T>, I: Compiled>(&self, copied: &mut [F]) {
        let Self { a, ref rows, ref inner } = *self;
        let copied = &mut copied[..self.room::<F>()];
        I::run(
            #[inline(always)]
            || match a.transposed {
                true => {
                    let columns = &a.data[inner.start * a.distance + rows.start..];
                    pack::tiles(copied, Mat::spaced(columns, (inner.len(), rows.len()), a.distance));
                }
                false => pack::rows(
                    copied,
                    self.depth::<F>(),
                    #[inline(always)]
                    |i| a.stored_row(rows.start + i.min(rows.len() - 1), inner.start, inner.len()),
                ),
            },
        );
    }

    /// The same on all threads.
    fn copy_parallel<F: Factor<T>, I: Compiled>(&self, copied: &mut [F]) {
        const PIECE: usize = 4 * ROWS;
        let copied = &mut copied[..self.room::<F>()];
        copied.par_chunks_mut(PIECE * self.depth::<F>()).enumerate().for_each(|(i, copied)| {
            let first = self.rows.start + i * PIECE;
            let rows = first..self.rows.end.min(first + PIECE);
            Rows { rows, inner: self.inner.clone(), ..*self }.copy::<F, I>(copied);
        });
    }

    /// Their factors, of which those that are not stored have been `copied`.
    fn left<'b, F: Factor<T>>(&self, copied: &'b [F]) -> Left<'b, F>
    where
        'a: 'b,
    {
        let (a, depth) = (self.a, self.depth::<F>());
        match self.as_is() {
            Some(data) => {
                let (data, order) = (&data[self.inner.start..], Order::Rows { distance: a.distance });
                Left { data, order, first: self.rows.start, rows: a.rows, depth }
            }
            None if a.transposed => Left {
                data: copied,
                order: Order::Tiles,
                first: 0,
                rows: self.rows.len().next_multiple_of(ROWS),
                depth,
            },
            None => {
                let order = Order::Rows { distance: depth };
                Left { data: copied, order, first: 0, rows: self.rows.len(), depth }
            }
        }
    }
}

/// `out = start + A B`, whose rows are those of `a` and whose columns those of the panels `b`.
///
/// A few rows at a time meet all panels, as long as these stay in the second-level cache:
/// the rows stay in the first one meanwhile, and the output is written in nearly the order in
/// which it is stored.
///
/// Then they meet what follows, which needs whole rows of an output that is not turned.
fn times<T: Float, F: Factor<T>, I: Compiled, const V: usize, const L: usize>(
    a: Left<'_, F>,
    b: Panels<'_, F>,
    (start, turned): (Accumulate<'_, T>, bool),
    out: &mut ArrayViewMut2<'_, T>,
    mut then: Option<Then<'_, T>>,
) {
    let (rows, n) = out.dim();
    let cached = a.depth * n * size_of::<F>() <= CACHED;
    // What is turned is written by whole columns.
    let few = if turned || !cached { rows.max(1) } else { FEW };
    let room = if turned { rows } else { 0 };
    let mut run = |buffer: &mut [T]| {
        I::run(
            #[inline(always)]
            || {
                for (i, mut out) in out.axis_chunks_iter_mut(Axis(0), few).enumerate() {
                    let a = Left { first: a.first + i * few, ..a };
                    for (i, j) in (0..n).step_by(V * L).enumerate() {
                        let columns = j..n.min(j + V * L);
                        let width = columns.len().next_multiple_of(L);
                        let distance = if b.distance == 0 { width } else { b.distance };
                        let b = Right { data: &b.data[i * b.next..], distance };
                        let start = if turned { start } else { start.from(j) };
                        let turned = &mut buffer[..room * width];
                        let part = out.slice_axis_mut(Axis(1), Slice::from(columns));
                        times_panel::<T, F, I, V, L>(a, b, Out { part, start, turned });
                    }
                    if let Some(then) = &mut then {
                        let numbers = out.as_slice_mut().expect("whole rows lie in one piece");
                        then.cut(numbers.len()).run(numbers);
                    }
                }
            },
        );
    };
    match turned {
        true => with_buffer::<T, T, _>(room * V * L, run),
        false => run(&mut []),
    }
}

/// [`rows_times_panel`] with as many vectors as the columns need.
#[inline(always)]
fn times_panel<T: Float, F: Factor<T>, I: Compiled, const V: usize, const L: usize>(
    a: Left<'_, F>,
    b: Right<'_, F>,
    out: Out<'_, T>,
) {
    match out.part.ncols().div_ceil(L) {
        vectors if vectors >= V => rows_times_panel::<T, F, I, V, L, STEPS>(a, b, out),
        1 => rows_times_panel::<T, F, I, 1, L, 1>(a, b, out),
        2 => rows_times_panel::<T, F, I, 2, L, 1>(a, b, out),
        _ => rows_times_panel::<T, F, I, 3, L, 1>(a, b, out),
    }
}
