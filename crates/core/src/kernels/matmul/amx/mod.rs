//! Products in bf16 with tiles.
//!
//! A and B are cut into strips of 32 rows of A or 32 columns of B. A strip is a sequence of steps of
//! 32 elements of the inner dimension, a step is two tiles of 16 lines of 64 bytes:
//!
//! ```text
//! A: line i of a tile   row i:         k k+1 k+2 .. k+31                   (32 bf16)
//! B: line r of a tile   rows k+2r ..:  b[k][0] b[k+1][0] b[k][1] b[k+1][1] .. (16 columns x 2)
//! ```
//!
//! The innermost loop reads both in order, 2 KiB of each per step, and adds four products of tiles to
//! a block of 32 x 32 of C that stays in four tiles. Factors are rounded when they are packed, sums
//! are in f32.
//!
//! | file | holds |
//! | --- | --- |
//! | `plan.rs` | how a product is split |
//! | `pack.rs` | the factors, in the order of the tiles |
//! | `output.rs` | a strip of C, block by block |
//! | `unit.rs` | what all this needs of a processor: [`TileUnit`] |
//! | `hardware.rs` | the processor's tiles |
//! | `model.rs` | a plain model of them, for tests |
//!
//! A sum starts from what C is accumulated to and runs along the inner dimension, 32 elements at a
//! time: the same bits for any number of threads, any plan and any other rows.

#[cfg(target_os = "linux")]
#[cfg(target_arch = "x86_64")]
pub mod hardware;
#[cfg(test)]
mod model;
mod output;
mod pack;
mod plan;
#[cfg(test)]
mod tests;
mod unit;

use std::ops::Range;

use ndarray::{ArrayViewMut2, Axis};

use self::output::OutputStrip;
use self::pack::TileFactor;
use self::plan::{Plan, Tasks};
use self::unit::{LINES, Line, Prefetch, STRIP, TileUnit};
use super::epilogue::{Accumulate, RemainingEpilogue};
use super::matrix::Mat;
use super::packed_factor::Factors;
use super::product::Product;
use crate::kernels::aligned::Aligned;
use crate::kernels::parallel::for_each;
use crate::kernels::scratch::with_scratch;

/// Computes a product with tiles.
pub fn compute<U: TileUnit>(product: Product<'_, '_, f32>) {
    let Product { a, b, threads, .. } = product;
    if a.rows > 0 && b.cols > 0 {
        let plan = Plan::new((a.rows, a.cols, b.cols), threads);
        compute_by::<U>(product, plan);
    }
}

/// Computes a product that has elements, split by `plan`.
fn compute_by<U: TileUnit>(product: Product<'_, '_, f32>, plan: Plan) {
    let (a, b) = (TileFactor::left(product.a), TileFactor::right(product.b));
    let packed_b = product.b.packed.and_then(|packed| packed.factors(STRIP));
    if let (Tasks::Rows, Some(packed)) = (plan.tasks, packed_b) {
        return by_rows::<U>(product, packed, plan);
    }
    let whole = if plan.tasks == Tasks::Rows { b } else { a };
    with_scratch::<Line, _>(whole.strips() * whole.steps() * LINES, |packed| {
        whole.pack_all::<U>(packed, product.threads);
        match plan.tasks {
            Tasks::Rows => by_rows::<U>(product, packed, plan),
            Tasks::Columns => by_columns::<U>(product, packed, packed_b, plan),
        }
    });
}

/// Packs all strips of `b`; returns the number of columns of each.
pub(super) fn packed<U: TileUnit>(b: Mat<'_, f32>) -> (usize, Factors) {
    let b = TileFactor::right(b);
    let mut packed = Aligned::<Line>::new(b.strips() * b.steps() * LINES);
    if !packed.as_slice().is_empty() {
        b.pack_all::<U>(packed.as_mut_slice(), rayon::current_num_threads());
    }
    (STRIP, Box::new(packed))
}

/// Blocks of rows side by side, each packed by the thread that multiplies it.
fn by_rows<U: TileUnit>(product: Product<'_, '_, f32>, b: &[Line], plan: Plan) {
    let Product { a, accumulate, mut out, threads, epilogue, .. } = product;
    let (a, columns) = (TileFactor::left(a), out.ncols().div_ceil(STRIP));
    let mut epilogue = epilogue;
    let tasks = out.axis_chunks_iter_mut(Axis(0), plan.strips * STRIP).enumerate().map(|(i, out)| {
        let epilogue = epilogue.as_mut().map(|epilogue| epilogue.take(out.len()));
        (i * plan.strips, out, epilogue)
    });
    for_each(threads, tasks, |(first, mut out, mut epilogue): Rows<'_>| {
        let strips = first..first + out.nrows().div_ceil(STRIP);
        let slices = Slices::new(&a, plan, accumulate);
        with_scratch::<Line, _>(strips.len() * slices.longest() * LINES, |packed| {
            for steps in slices.ranges() {
                let packed = &mut packed[..strips.len() * steps.len() * LINES];
                a.pack::<U>(packed, strips.clone(), steps.clone());
                let accumulate = if steps.start == 0 { accumulate } else { Accumulate::Add };
                let mut ahead = a.address_of_row(strips.end * STRIP);
                let ahead_lines = if ahead.is_null() { 0 } else { plan.ahead_lines };
                let session = U::begin();
                let rows = out.axis_chunks_iter_mut(Axis(0), STRIP);
                for (mut out, a) in rows.zip(packed.chunks_exact(steps.len() * LINES)) {
                    let mut strip = OutputStrip::<U>::new(out.view_mut(), &session);
                    for j in 0..columns {
                        let b = part_of(b, j, slices.steps, &steps);
                        let prefetch =
                            Prefetch { next_rows: plan.next_rows, ahead_lines, ahead, ..strip.next_block(j) };
                        strip.multiply((a, b), j, accumulate, prefetch);
                        ahead = ahead.wrapping_byte_add(ahead_lines * size_of::<Line>() * steps.len());
                    }
                    if let Some(epilogue) = epilogue.as_mut().filter(|_| steps.end == slices.steps) {
                        let elements = out.as_slice_mut().expect("whole rows are contiguous");
                        epilogue.take(elements.len()).apply(elements);
                    }
                }
            }
        });
    });
}

/// Panels of columns side by side, each packed by the thread that multiplies it, unless all of B is packed.
fn by_columns<U: TileUnit>(product: Product<'_, '_, f32>, a: &[Line], packed_b: Option<&[Line]>, plan: Plan) {
    let Product { b, accumulate, mut out, threads, .. } = product;
    let b = TileFactor::right(b);
    let tasks = out.axis_chunks_iter_mut(Axis(1), plan.strips * STRIP).enumerate();
    for_each(threads, tasks, |(i, mut out): (usize, ArrayViewMut2<'_, f32>)| {
        let strips = i * plan.strips..i * plan.strips + out.ncols().div_ceil(STRIP);
        let slices = Slices::new(&b, plan, accumulate);
        let room = if packed_b.is_some() { 0 } else { strips.len() * slices.longest() * LINES };
        with_scratch::<Line, _>(room, |packed| {
            for steps in slices.ranges() {
                if packed_b.is_none() {
                    let packed = &mut packed[..strips.len() * steps.len() * LINES];
                    b.pack::<U>(packed, strips.clone(), steps.clone());
                }
                let strip_of_b = |j: usize| match packed_b {
                    Some(all) => part_of(all, strips.start + j, slices.steps, &steps),
                    None => part_of(packed, j, steps.len(), &(0..steps.len())),
                };
                let accumulate = match steps.start {
                    0 => accumulate.starting_at(strips.start * STRIP),
                    _ => Accumulate::Add,
                };
                let session = U::begin();
                for (i, out) in out.axis_chunks_iter_mut(Axis(0), STRIP).enumerate() {
                    let a = part_of(a, i, slices.steps, &steps);
                    let mut strip = OutputStrip::<U>::new(out, &session);
                    for j in 0..strips.len() {
                        let b = strip_of_b(j);
                        let prefetch = Prefetch { next_rows: plan.next_rows, ..strip.next_block(j) };
                        strip.multiply((a, b), j, accumulate, prefetch);
                    }
                }
            }
        });
    });
}

/// The first strip of a block of rows, the rows, and their epilogue.
type Rows<'a> = (usize, ArrayViewMut2<'a, f32>, Option<RemainingEpilogue<'a, f32>>);

/// Some steps of strip `i` of a factor that is packed whole, with `all` steps per strip.
fn part_of<'a>(packed: &'a [Line], i: usize, all: usize, steps: &Range<usize>) -> &'a [Line] {
    &packed[(i * all + steps.start) * LINES..(i * all + steps.end) * LINES]
}

/// Slices of the inner dimension of nearly equal lengths.
#[derive(Debug, Clone, Copy)]
struct Slices {
    /// The steps of all slices.
    steps: usize,
    count: usize,
}

impl Slices {
    fn new(factor: &TileFactor<'_>, plan: Plan, accumulate: Accumulate<'_, f32>) -> Self {
        let steps = factor.steps();
        // C can only be multiplied by complete sums.
        let single = matches!(accumulate, Accumulate::Multiply);
        Self { steps, count: if single { 1 } else { steps.div_ceil(plan.steps) } }
    }

    /// The steps of the longest slice.
    fn longest(self) -> usize {
        self.steps.div_ceil(self.count)
    }

    /// The steps of each slice.
    fn ranges(self) -> impl Iterator<Item = Range<usize>> {
        let length = self.longest();
        (0..self.steps).step_by(length).map(move |start| start..self.steps.min(start + length))
    }
}
