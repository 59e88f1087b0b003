//! A strip of the output, written block by block.
#![allow(unsafe_code)]

use ndarray::ArrayViewMut2;

use super::unit::{Block, Line, Prefetch, STRIP, TileUnit};
use crate::kernels::matmul::epilogue::Accumulate;

/// At most [`STRIP`] rows of the output.
pub struct OutputStrip<'a, U: TileUnit> {
    out: ArrayViewMut2<'a, f32>,
    /// Elements from one row to the next.
    row_stride: usize,
    /// The tiles are this thread's meanwhile.
    _session: &'a U::Session,
}

/// A block of C that is not written as it is.
#[repr(C, align(64))]
struct Aside([[f32; STRIP]; STRIP]);

impl<'a, U: TileUnit> OutputStrip<'a, U> {
    /// # Panics
    /// Unless `out` has one row to [`STRIP`] rows, from the first in memory to the last, and each is contiguous.
    pub fn new(out: ArrayViewMut2<'a, f32>, session: &'a U::Session) -> Self {
        let contiguous = out.ncols() == 1 || out.strides()[1] == 1;
        assert!(contiguous && (1..=STRIP).contains(&out.nrows()), "rows of an output");
        let row_stride = if out.nrows() == 1 { Ok(out.ncols()) } else { usize::try_from(out.strides()[0]) };
        let row_stride = row_stride.expect("rows of an output in reverse order");
        Self { out, row_stride, _session: session }
    }

    /// The prefetch of the block after `j`: the next one in this strip, or the first of the next strip.
    pub fn next_block(&self, j: usize) -> Prefetch {
        let next = match (j + 1) * STRIP < self.out.ncols() {
            true => (j + 1) * STRIP,
            false => STRIP * self.row_stride,
        };
        let next = self.out.as_ptr().wrapping_add(next);
        Prefetch { next, next_rows: 1, ahead: std::ptr::null(), ahead_lines: 0 }
    }

    /// `C = accumulate + A B` for block `j`; a bias starts at this strip.
    ///
    /// # Panics
    /// If there is no such block.
    pub fn multiply(
        &mut self,
        (a, b): (&[Line], &[Line]),
        j: usize,
        accumulate: Accumulate<'_, f32>,
        prefetch: Prefetch,
    ) {
        let (rows, first) = (self.out.nrows(), j * STRIP);
        assert!(first < self.out.ncols(), "a block of an output");
        let columns = STRIP.min(self.out.ncols() - first);
        let c = self.out.as_mut_ptr().wrapping_add(first);
        let c_stride = self.row_stride * size_of::<f32>();
        let whole = rows == STRIP && columns == STRIP;
        let block = Block { a, b, c, c_stride, start: std::ptr::null(), start_stride: 0, prefetch };
        // Where the sums start, if the block is written as it is.
        let start = match accumulate {
            Accumulate::Multiply => None,
            _ if !whole => None,
            Accumulate::Overwrite => Some((std::ptr::null(), 0)),
            Accumulate::Bias(bias) => Some((bias[first..][..STRIP].as_ptr(), 0)),
            Accumulate::Add => Some((c.cast_const(), c_stride)),
        };
        if let Some((start, start_stride)) = start {
            // SAFETY: the whole block lies in `out`, and so does the start, or it is a row of the bias.
            return unsafe { U::multiply(Block { start, start_stride, ..block }) };
        }
        let mut aside = Aside([[0.0; STRIP]; STRIP]);
        let row = |r: usize| {
            // SAFETY: `rows` x `columns` elements at `c` are in `out`, which nothing else uses now.
            unsafe { std::slice::from_raw_parts_mut(c.wrapping_add(r * self.row_stride), columns) }
        };
        // As in a whole block, the sums begin with the start: a neighbour changes no bit.
        for (r, aside) in aside.0[..rows].iter_mut().enumerate() {
            match accumulate {
                Accumulate::Add => aside[..columns].copy_from_slice(row(r)),
                Accumulate::Bias(bias) => aside[..columns].copy_from_slice(&bias[first..][..columns]),
                Accumulate::Overwrite | Accumulate::Multiply => {}
            }
        }
        let (c, c_stride) = (aside.0.as_mut_ptr().cast::<f32>(), STRIP * size_of::<f32>());
        // SAFETY: `aside` is a whole block.
        unsafe { U::multiply(Block { c, c_stride, start: c, start_stride: c_stride, ..block }) };
        U::run(
            #[inline(always)]
            || {
                for (r, sums) in aside.0[..rows].iter().enumerate() {
                    match accumulate {
                        Accumulate::Multiply => {
                            row(r).iter_mut().zip(sums).for_each(|(out, sum)| *out *= sum);
                        }
                        _ => row(r).copy_from_slice(&sums[..columns]),
                    }
                }
            },
        );
    }
}
