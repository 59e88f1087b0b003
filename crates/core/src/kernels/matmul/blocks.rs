//! The outer loops of the matrix product: slices of the inner dimension, panels of columns, blocks
//! of rows.

use std::ops::Range;

use ndarray::{ArrayViewMut2, Axis, Slice};
use rayon::prelude::*;

use super::epilogue::{Accumulate, RemainingEpilogue};
use super::factor::{Encoding, Factor};
use super::matrix::Mat;
use super::operands::{Left, Order, ROWS_PER_TILE, Right};
use super::pack;
use super::product::Product;
use super::slices::{DEPTH_PER_SLICE, Slices};
use super::tile::{OutputPart, ROWS_IN_L1, rows_times_panel};
use crate::Number;
use crate::kernels::elementwise::add_assign;
use crate::kernels::isa::Compiled;
use crate::kernels::parallel::{ForEachTask, for_each};
use crate::kernels::scratch::with_scratch;

/// Bytes of B that stay in the L2 cache while all rows are multiplied with them.
const BYTES_IN_L2: usize = 512 << 10;

/// Bytes of B that are packed together and stay in the L3 cache.
const BYTES_IN_L3: usize = 4 << 20;

/// The maximum number of tiles per block of rows.
const MAX_TILES_PER_BLOCK: usize = 32;

/// Unrolled steps of the innermost loop, for whole panels: enough that the jump and the check for a
/// cache line to prefetch cost little, few enough that the loop stays small.
const UNROLLED_STEPS: usize = 4;

impl<T: Number> Product<'_, '_, T> {
    /// Computes the product with panels of at most V vectors of L lanes.
    pub(super) fn compute<E: Encoding<T>, I: Compiled, const V: usize, const L: usize>(self) {
        if let Some(packed) = self.b.packed.and_then(|packed| packed.factors(V * L)) {
            return self.compute_packed::<E, I, V, L>(packed);
        }
        let product = self.in_faster_order();
        let Self { a, b, accumulate, mut out, transposed, threads, .. } = product;
        let (m, inner, n, width) = (a.rows, a.cols, b.cols, V * L);
        if m == 0 || n == 0 {
            return;
        }
        if threads == 1
            && let Some((a, b)) = in_place::<T, E, L>(a, b, width)
        {
            return multiply_panels::<T, _, I, V, L>(a, b, (accumulate, transposed), &mut out, None);
        }
        let slices = Slices::new(inner, matches!(accumulate, Accumulate::Multiply));
        // If both matrices are stored slice after slice and the output is small, each thread
        // computes whole slices: its packed copies stay in its cache, and no thread waits for
        // another.
        let sums = (slices.count - 1) * m * n * size_of::<T>();
        let by_slices = threads > 1 && slices.count.is_multiple_of(threads) && sums <= BYTES_IN_L3;
        if by_slices && a.transposed && !b.transposed {
            return Self { out, ..product }.compute_by_slices::<E, I, V, L>(slices);
        }
        // Packing B pays off if each element is used often.
        let b_in_place = E::as_is(b.data).filter(|_| !b.transposed && m <= ROWS_IN_L1 && n.is_multiple_of(L));
        // If A is small, each thread computes whole panels, whose packed copies stay in its cache.
        // With one panel each, threads would keep writing to the same cache lines of the output. If
        // A must be packed, this pays off if B is larger; otherwise, if B is too large for the L2
        // cache.
        let room = RowBlock { a, rows: 0..m, inner: slices.range(0) }.packed_len::<E>();
        let small = m * inner.div_ceil(E::DEPTH) * size_of::<E::Factor>() <= BYTES_IN_L3;
        let pays = if room == 0 {
            slices.length / E::DEPTH * n * size_of::<E::Factor>() > BYTES_IN_L2
        } else {
            m < n
        };
        let shared = n > threads * width && n.is_multiple_of(threads * width);
        if small && pays && shared && b_in_place.is_none() {
            with_scratch::<E::Factor, _>(slices.count * room, |copied| {
                Self { out, ..product }.compute_by_panels::<E, I, V, L>(slices, copied);
            });
        } else {
            Self { out, ..product }.compute_by_blocks::<E, I, V, L>(slices, b_in_place);
        }
    }

    /// Computes each slice on one thread, then adds up the slices in order.
    fn compute_by_slices<E: Encoding<T>, I: Compiled, const V: usize, const L: usize>(self, slices: Slices) {
        let Self { a, b, accumulate, mut out, transposed, .. } = self;
        let (m, n) = out.dim();
        with_scratch::<T, _>((slices.count - 1) * m * n, |others| {
            let mut products = vec![(accumulate, out.view_mut())];
            products.extend(others.chunks_exact_mut(m * n).map(|sums| {
                (Accumulate::Overwrite, ArrayViewMut2::from_shape((m, n), sums).expect("room for a product"))
            }));
            products.into_par_iter().enumerate().for_each_task(&|(s, (accumulate, out))| {
                let (a, b) = (a.t().rows_of(slices.range(s)).t(), b.rows_of(slices.range(s)));
                Product { a, b, accumulate, out, transposed, threads: 1, epilogue: None }
                    .compute::<E, I, V, L>();
            });
            let out = out.as_slice_mut().expect("an output that threads share is contiguous");
            for sums in others.chunks_exact(m * n) {
                add_assign(out, sums);
            }
        });
    }

    /// Computes panel by panel. `copied` is scratch space for the factors of A that must be packed.
    fn compute_by_panels<E: Encoding<T>, I: Compiled, const V: usize, const L: usize>(
        self,
        slices: Slices,
        copied: &mut [E::Factor],
    ) {
        let Self { a, b, accumulate, mut out, transposed, threads, .. } = self;
        let (width, panel) = (V * L, slices.length / E::DEPTH * V * L);
        let rows = |s| RowBlock { a, rows: 0..a.rows, inner: slices.range(s) };
        let room = copied.len() / slices.count;
        for (s, copied) in copied.chunks_exact_mut(room.max(1)).enumerate() {
            match threads {
                1 => rows(s).copy::<E, I>(copied),
                _ => rows(s).copy_parallel::<E, I>(copied),
            }
        }
        let task = |(i, mut out): (usize, ArrayViewMut2<'_, T>)| {
            with_scratch::<E::Factor, _>(panel, |packed| {
                for s in 0..slices.count {
                    pack::panel::<T, E, I, L>(packed, b, slices.range(s), i * width..(i + 1) * width);
                    let accumulate = if s == 0 { accumulate } else { Accumulate::Add };
                    let accumulate = accumulate.starting_at(if transposed { 0 } else { i * width });
                    let b = Panels { data: packed, panel_stride: panel, row_stride: 0 };
                    let a = rows(s).left::<E>(&copied[s * room..]);
                    multiply_panels::<T, _, I, V, L>(a, b, (accumulate, transposed), &mut out, None);
                }
            });
        };
        for_each(threads, out.axis_chunks_iter_mut(Axis(1), width).enumerate(), task);
    }

    /// Computes the output in blocks of rows, after packing B unless it is read in place.
    fn compute_by_blocks<E: Encoding<T>, I: Compiled, const V: usize, const L: usize>(
        self,
        slices: Slices,
        b_in_place: Option<&[E::Factor]>,
    ) {
        let Self { a, b, accumulate, mut out, transposed, threads, epilogue } = self;
        let (n, width, panel) = (b.cols, V * L, slices.length / E::DEPTH * V * L);
        let fit = BYTES_IN_L3 / (panel * size_of::<E::Factor>());
        let panels_at_once = fit.clamp(1, n.div_ceil(width));
        let slices_at_once = (fit / panels_at_once).clamp(1, slices.count);
        // Two blocks per thread, or one if that balances the tiles better. More blocks made a
        // training step slower.
        let tiles = a.rows.div_ceil(ROWS_PER_TILE);
        let blocks = [2, 1].map(|k| tiles.div_ceil(k * threads).min(MAX_TILES_PER_BLOCK));
        let load = |block: &usize| tiles.div_ceil(*block).div_ceil(threads) * block;
        let block = ROWS_PER_TILE * blocks.into_iter().min_by_key(load).unwrap_or(MAX_TILES_PER_BLOCK);
        // A block completes its rows only if all columns and slices are processed at once.
        let at_once = panels_at_once * width >= n && slices_at_once == slices.count;
        let mut epilogue = epilogue.filter(|_| at_once && !transposed);

        for j0 in (0..n).step_by(panels_at_once * width) {
            let columns = j0..n.min(j0 + panels_at_once * width);
            let panels = columns.len().div_ceil(width);
            let mut out = out.slice_axis_mut(Axis(1), Slice::from(columns.clone()));
            for s0 in (0..slices.count).step_by(slices_at_once) {
                let now = s0..slices.count.min(s0 + slices_at_once);
                let copies = if b_in_place.is_some() { 0 } else { now.len() * panels };
                with_scratch::<E::Factor, _>(copies * panel, |packed| {
                    let pack = |(i, to): (usize, &mut [E::Factor])| {
                        let j = j0 + i % panels * width;
                        let columns = j..columns.end.min(j + width);
                        pack::panel::<T, E, I, L>(to, b, slices.range(s0 + i / panels), columns);
                    };
                    match threads {
                        1 => packed.chunks_exact_mut(panel).enumerate().for_each(pack),
                        _ => packed.par_chunks_exact_mut(panel).enumerate().for_each_task(&pack),
                    }
                    let task = |(i, (mut out, mut epilogue)): (usize, OutputRows<'_, T>)| {
                        for s in now.clone() {
                            let b = match b_in_place {
                                Some(data) => Panels {
                                    data: &data[s * slices.length * b.row_stride + j0..],
                                    panel_stride: width,
                                    row_stride: b.row_stride,
                                },
                                None => Panels {
                                    data: &packed[(s - s0) * panels * panel..],
                                    panel_stride: panel,
                                    row_stride: 0,
                                },
                            };
                            let first = i * block;
                            let accumulate = if s == 0 { accumulate } else { Accumulate::Add };
                            let accumulate = accumulate.starting_at(if transposed { first } else { j0 });
                            let rows =
                                RowBlock { a, rows: first..first + out.nrows(), inner: slices.range(s) };
                            with_scratch::<E::Factor, _>(rows.packed_len::<E>(), |copied| {
                                rows.copy::<E, I>(copied);
                                let epilogue = epilogue.take_if(|_| s + 1 == slices.count);
                                let a = rows.left::<E>(copied);
                                multiply_panels::<T, _, I, V, L>(
                                    a,
                                    b,
                                    (accumulate, transposed),
                                    &mut out,
                                    epilogue,
                                );
                            });
                        }
                    };
                    let blocks = out.axis_chunks_iter_mut(Axis(0), block).map(|out| {
                        let epilogue = epilogue.as_mut().map(|epilogue| epilogue.take(out.len()));
                        (out, epilogue)
                    });
                    for_each(threads, blocks.enumerate(), task);
                });
            }
        }
    }
}

/// A block of rows of the output, and their epilogue.
type OutputRows<'a, T> = (ArrayViewMut2<'a, T>, Option<RemainingEpilogue<'a, T>>);

/// Both operands, read as they are stored.
type InPlace<'a, F> = (Left<'a, F>, Panels<'a, F>);

/// Both matrices in place, if there are few rows and the innermost loop can read both as they
/// are stored, with panels of `width` columns.
fn in_place<'a, T: Number, E: Encoding<T>, const L: usize>(
    a: Mat<'a, T>,
    b: Mat<'a, T>,
    width: usize,
) -> Option<InPlace<'a, E::Factor>> {
    let whole_tiles = !a.transposed || a.rows >= ROWS_PER_TILE;
    let whole_vectors = !b.transposed && b.cols.is_multiple_of(L);
    if a.rows > ROWS_IN_L1 || a.cols > DEPTH_PER_SLICE || !whole_tiles || !whole_vectors {
        return None;
    }
    let (stride, depth) = (a.row_stride, a.cols);
    let order = if a.transposed { Order::Columns { stride } } else { Order::Rows { stride } };
    let left = Left { data: E::as_is(a.data)?, order, first: 0, rows: a.rows, depth };
    Some((left, Panels { data: E::as_is(b.data)?, panel_stride: width, row_stride: b.row_stride }))
}

/// The panels of B in a slice of the inner dimension.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a, F> {
    /// The factors, from the first of the first panel on.
    pub data: &'a [F],
    /// Factors from one panel to the next.
    pub panel_stride: usize,
    /// Factors from one row of a panel to the next; 0 if the rows are contiguous.
    pub row_stride: usize,
}

/// A block of rows of A in a slice of the inner dimension.
pub(super) struct RowBlock<'a, T> {
    pub a: Mat<'a, T>,
    pub rows: Range<usize>,
    pub inner: Range<usize>,
}

impl<'a, T: Number> RowBlock<'a, T> {
    /// Factors per row.
    fn depth<E: Encoding<T>>(&self) -> usize {
        self.inner.len().div_ceil(E::DEPTH)
    }

    /// The factors of all of A, if they can be read in place, row by row.
    fn as_is<E: Encoding<T>>(&self) -> Option<&'a [E::Factor]> {
        E::as_is(self.a.data).filter(|_| !self.a.transposed)
    }

    /// The number of factors to pack, including the padding of the last tile; 0 if A is read in
    /// place.
    pub(super) fn packed_len<E: Encoding<T>>(&self) -> usize {
        match self.as_is::<E>() {
            Some(_) => 0,
            None => self.rows.len().next_multiple_of(ROWS_PER_TILE) * self.depth::<E>(),
        }
    }

    /// Packs the block into the first [`Self::packed_len`] elements of `copied`.
    pub(super) fn copy<E: Encoding<T>, I: Compiled>(&self, copied: &mut [E::Factor]) {
        let Self { a, ref rows, ref inner } = *self;
        let copied = &mut copied[..self.packed_len::<E>()];
        I::run(
            #[inline(always)]
            || match a.transposed {
                true => {
                    let columns = &a.data[inner.start * a.row_stride + rows.start..];
                    pack::tiles::<T, E>(
                        copied,
                        Mat::with_row_stride(columns, (inner.len(), rows.len()), a.row_stride),
                    );
                }
                false => pack::rows::<T, E>(
                    copied,
                    self.depth::<E>(),
                    #[inline(always)]
                    |i| a.stored_row(rows.start + i.min(rows.len() - 1), inner.start, inner.len()),
                ),
            },
        );
    }

    /// [`Self::copy`] on all threads.
    fn copy_parallel<E: Encoding<T>, I: Compiled>(&self, copied: &mut [E::Factor]) {
        const ROWS_PER_TASK: usize = 4 * ROWS_PER_TILE;
        let copied = &mut copied[..self.packed_len::<E>()];
        copied.par_chunks_mut(ROWS_PER_TASK * self.depth::<E>()).enumerate().for_each_task(&|(i, copied)| {
            let first = self.rows.start + i * ROWS_PER_TASK;
            let rows = first..self.rows.end.min(first + ROWS_PER_TASK);
            RowBlock { rows, inner: self.inner.clone(), ..*self }.copy::<E, I>(copied);
        });
    }

    /// The operand of the innermost loop: A in place, or the packed factors `copied`.
    pub(super) fn left<'b, E: Encoding<T>>(&self, copied: &'b [E::Factor]) -> Left<'b, E::Factor>
    where
        'a: 'b,
    {
        let (a, depth) = (self.a, self.depth::<E>());
        match self.as_is::<E>() {
            Some(data) => {
                let (data, order) = (&data[self.inner.start..], Order::Rows { stride: a.row_stride });
                Left { data, order, first: self.rows.start, rows: a.rows, depth }
            }
            None if a.transposed => Left {
                data: copied,
                order: Order::Tiles,
                first: 0,
                rows: self.rows.len().next_multiple_of(ROWS_PER_TILE),
                depth,
            },
            None => {
                let order = Order::Rows { stride: depth };
                Left { data: copied, order, first: 0, rows: self.rows.len(), depth }
            }
        }
    }
}

/// `out = accumulate + A B`, for the rows of `a` and the columns of all panels `b`.
///
/// If the panels fit in the L2 cache, a few rows at a time are multiplied with all of them: these
/// rows stay in the L1 cache, and the output is written nearly in the order in which it is stored.
///
/// The epilogue is then applied to these rows. It needs complete rows of an output that is not
/// transposed.
pub(super) fn multiply_panels<T: Number, F: Factor<T>, I: Compiled, const V: usize, const L: usize>(
    a: Left<'_, F>,
    b: Panels<'_, F>,
    (accumulate, transposed): (Accumulate<'_, T>, bool),
    out: &mut ArrayViewMut2<'_, T>,
    mut epilogue: Option<RemainingEpilogue<'_, T>>,
) {
    let (rows, n) = out.dim();
    let cached = a.depth * n * size_of::<F>() <= BYTES_IN_L2;
    // A transposed output is written in whole columns.
    let rows_at_once = if transposed || !cached { rows.max(1) } else { ROWS_IN_L1 };
    let room = if transposed { rows } else { 0 };
    let mut run = |buffer: &mut [T]| {
        I::run(
            #[inline(always)]
            || {
                for (i, mut out) in out.axis_chunks_iter_mut(Axis(0), rows_at_once).enumerate() {
                    let a = Left { first: a.first + i * rows_at_once, ..a };
                    for (i, j) in (0..n).step_by(V * L).enumerate() {
                        let columns = j..n.min(j + V * L);
                        let width = columns.len().next_multiple_of(L);
                        let stride = if b.row_stride == 0 { width } else { b.row_stride };
                        let b = Right { data: &b.data[i * b.panel_stride..], stride };
                        let accumulate = if transposed { accumulate } else { accumulate.starting_at(j) };
                        let transpose_buffer = &mut buffer[..room * width];
                        let part = out.slice_axis_mut(Axis(1), Slice::from(columns));
                        multiply_panel::<T, F, I, V, L>(
                            a,
                            b,
                            OutputPart { part, accumulate, transpose_buffer },
                        );
                    }
                    if let Some(epilogue) = &mut epilogue {
                        let elements = out.as_slice_mut().expect("whole rows are contiguous");
                        epilogue.take(elements.len()).apply(elements);
                    }
                }
            },
        );
    };
    match transposed {
        true => with_scratch::<T, _>(room * V * L, run),
        false => run(&mut []),
    }
}

/// [`rows_times_panel`] for one panel, with as few vectors as its columns need.
#[inline(always)]
fn multiply_panel<T: Number, F: Factor<T>, I: Compiled, const V: usize, const L: usize>(
    a: Left<'_, F>,
    b: Right<'_, F>,
    out: OutputPart<'_, T>,
) {
    match out.part.ncols().div_ceil(L) {
        vectors if vectors >= V => rows_times_panel::<T, F, I, V, L, UNROLLED_STEPS>(a, b, out),
        // The constants drop loops that no panel needs before they are compiled.
        3 if const { V > 3 } => rows_times_panel::<T, F, I, 3, L, 1>(a, b, out),
        2 if const { V > 2 } => rows_times_panel::<T, F, I, 2, L, 1>(a, b, out),
        _ => rows_times_panel::<T, F, I, 1, L, 1>(a, b, out),
    }
}
