//! Packs a right factor for many products, and computes them.

use std::marker::PhantomData;
use std::ops::Range;

use ndarray::{ArrayViewMut2, Axis};
use rayon::prelude::*;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use super::amx;
use super::blocks::{Panels, RowBlock, multiply_panels};
use super::epilogue::{Accumulate, RemainingEpilogue};
use super::factor::{Encoding, Exact};
use super::matrix::Mat;
use super::multiply::{Task, with_instructions};
use super::operands::ROWS_PER_TILE;
use super::pack;
use super::packed_factor::{Factors, PackedFactor};
use super::product::Product;
use super::slices::Slices;
use super::tile::ROWS_IN_L1;
use crate::kernels::aligned::Aligned;
use crate::kernels::isa::{Compiled, Isa, Plain};
use crate::kernels::parallel::{ForEachTask, for_each};
use crate::kernels::scratch::with_scratch;
use crate::number::PerType;
use crate::{Number, Precision};

impl PackedFactor {
    /// Packs `b` for products of this precision. Their bits are those of products that pack `b` each time.
    pub fn new<T: Number>(b: Mat<'_, T>, precision: Precision) -> Self {
        T::dispatch::<Pack<'_>>((b, precision))
    }
}

/// Packs a matrix of a [`Number`] type.
struct Pack<'a>(PhantomData<&'a ()>);

impl<'a> PerType for Pack<'a> {
    type Args<T: Number> = (Mat<'a, T>, Precision);
    type Output<T: Number> = PackedFactor;

    fn f32((b, precision): Self::Args<f32>) -> PackedFactor {
        let (width, factors) = with_instructions(PackTask(b), precision, Isa::in_use());
        PackedFactor { shape: (b.rows, b.cols), precision, width, factors }
    }

    /// As [`with_instructions`] is for f32: products of f64 have one instruction set.
    fn f64((b, precision): Self::Args<f64>) -> PackedFactor {
        let (width, factors) = in_panels::<f64, Exact, Plain, 2, 2>(b);
        PackedFactor { shape: (b.rows, b.cols), precision, width, factors }
    }
}

/// Packs a matrix; returns the width of its panels.
struct PackTask<'a>(Mat<'a, f32>);

impl Task for PackTask<'_> {
    type Output = (usize, Factors);

    fn run<E: Encoding<f32>, I: Compiled, const V: usize, const L: usize>(self) -> (usize, Factors) {
        in_panels::<f32, E, I, V, L>(self.0)
    }

    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    fn run_in_tiles(self) -> (usize, Factors) {
        amx::packed::<amx::hardware::Amx>(self.0)
    }
}

/// Packs panels of V vectors of L columns.
fn in_panels<T: Number, E: Encoding<T>, I: Compiled, const V: usize, const L: usize>(
    b: Mat<'_, T>,
) -> (usize, Factors) {
    let (width, panel) = (V * L, b.rows.div_ceil(E::DEPTH) * V * L);
    let mut packed = Aligned::<E::Factor>::new(b.cols.div_ceil(width) * panel);
    let panels = packed.as_mut_slice().par_chunks_exact_mut(panel.max(1)).enumerate();
    panels.for_each_task(&|(i, panel)| {
        let columns = i * width..b.cols.min((i + 1) * width);
        pack::padded_panel::<T, E, I>(panel, width, b, 0..b.rows, columns);
    });
    (width, Box::new(packed))
}

/// A part of a product: its rows, its first panel, the output and the epilogue.
type Block<'a, T> = (Range<usize>, usize, ArrayViewMut2<'a, T>, Option<RemainingEpilogue<'a, T>>);

/// The most rows of a block, whose factors are copied if they cannot be read in place.
const MAX_ROWS_PER_BLOCK: usize = 32 * ROWS_PER_TILE;

impl<T: Number> Product<'_, '_, T> {
    /// Computes the product with a B that [`in_panels`] has packed: blocks of rows side by side, or blocks of
    /// columns if there are few rows.
    pub(super) fn compute_packed<E: Encoding<T>, I: Compiled, const V: usize, const L: usize>(
        self,
        packed: &[E::Factor],
    ) {
        let Self { a, accumulate, mut out, threads, mut epilogue, .. } = self;
        if out.is_empty() {
            return;
        }
        let (width, panel) = (V * L, a.cols.div_ceil(E::DEPTH) * V * L);
        let slices = Slices::new(a.cols, matches!(accumulate, Accumulate::Multiply));
        let multiply = |rows: Range<usize>,
                        first_panel: usize,
                        mut out: ArrayViewMut2<'_, T>,
                        mut epilogue: Option<RemainingEpilogue<'_, T>>| {
            for s in 0..slices.count {
                let inner = slices.range(s);
                let first = first_panel * panel + inner.start / E::DEPTH * width;
                let b = Panels { data: &packed[first..], panel_stride: panel, row_stride: width };
                let accumulate = match s {
                    0 => accumulate.starting_at(first_panel * width),
                    _ => Accumulate::Add,
                };
                let epilogue = epilogue.take_if(|_| s + 1 == slices.count);
                let rows = RowBlock { a, rows: rows.clone(), inner };
                with_scratch::<E::Factor, _>(rows.packed_len::<E>(), |copied| {
                    rows.copy::<E, I>(copied);
                    let a = rows.left::<E>(copied);
                    multiply_panels::<T, _, I, V, L>(a, b, (accumulate, false), &mut out, epilogue);
                });
            }
        };
        // If there are few rows, threads take panels, so that each factor of B is read by one thread. If there are fewer
        // panels than threads, the rows are split as well.
        let (rows, panels) = (a.rows, out.ncols().div_ceil(width));
        let (row_blocks, column_blocks) = match rows >= threads * ROWS_IN_L1 {
            true => (threads, 1),
            false => (threads.div_ceil(panels), threads.min(panels)),
        };
        let row_blocks = row_blocks.max(rows.div_ceil(MAX_ROWS_PER_BLOCK));
        let block = rows.div_ceil(row_blocks).next_multiple_of(ROWS_PER_TILE);
        let panels = panels.div_ceil(column_blocks);
        let mut tasks = Vec::new();
        for (i, mut out) in out.axis_chunks_iter_mut(Axis(0), block).enumerate() {
            let rows = i * block..i * block + out.nrows();
            // An epilogue needs complete rows.
            let epilogue = match column_blocks {
                1 => epilogue.as_mut().map(|epilogue| epilogue.take(out.len())),
                _ => None,
            };
            let mut first_panel = 0;
            while out.ncols() > panels * width {
                let (left, right) = out.split_at(Axis(1), panels * width);
                tasks.push((rows.clone(), first_panel, left, None));
                (out, first_panel) = (right, first_panel + panels);
            }
            tasks.push((rows, first_panel, out, epilogue));
        }
        let task =
            |(rows, first_panel, out, epilogue): Block<'_, T>| multiply(rows, first_panel, out, epilogue);
        for_each(threads, tasks.into_iter(), task);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kernels::matmul::{Epilogue, HiddenActivation, RowBits, matmul_with_epilogue};
    use crate::threads::with_threads;

    fn noise(n: usize, step: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * step).sin()).collect()
    }

    /// Few and many rows, parts of panels, several slices; the last product is large enough for threads.
    const SHAPES: [(usize, usize, usize); 9] = [
        (1, 1, 1),
        (1, 70, 200),
        (5, 33, 64),
        (7, 2, 130),
        (48, 513, 70),
        (100, 512, 16),
        (13, 1100, 65),
        (3, 7, 0),
        (200, 130, 150),
    ];

    #[test]
    fn a_packed_factor_changes_no_bit_with_any_instruction_set() {
        for (m, k, n) in SHAPES {
            let (a, w, bias) = (noise(m * k, 0.37), noise(n * k, 0.23), noise(n, 0.5));
            for b in [Mat::new(&w, (n, k)).t(), Mat::new(&w, (k, n))] {
                for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                    for precision in [Precision::F32, Precision::Bf16] {
                        let (width, factors) = with_instructions(PackTask(b), precision, isa);
                        let packed = PackedFactor { shape: (k, n), precision, width, factors };
                        for accumulate in [
                            Accumulate::Overwrite,
                            Accumulate::Bias(&bias),
                            Accumulate::Add,
                            Accumulate::Multiply,
                        ] {
                            let product = |b, threads| {
                                let mut out = noise(m * n, 0.7);
                                let view = ArrayViewMut2::from_shape((m, n), &mut out).unwrap();
                                let product =
                                    Product::new(Mat::new(&a, (m, k)), b, accumulate, view, threads);
                                with_threads(threads, || with_instructions(product, precision, isa)).unwrap();
                                out
                            };
                            let want = product(b, 1);
                            for threads in [1, 2, 3] {
                                let got = product(b.with_packed(Some(&packed), precision), threads);
                                assert!(
                                    got == want,
                                    "{m} {k} {n} {isa:?} {precision:?} {accumulate:?} {threads}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_packed_copy_is_read_and_epilogues_are_applied_once() {
        let (k, n) = (130, 150);
        let (w, other, bias) = (noise(n * k, 0.23), noise(n * k, 0.29), noise(n, 0.5));
        for precision in [Precision::F32, Precision::Bf16] {
            // The copy of another matrix shows whether it is read.
            let packed = PackedFactor::new(Mat::new(&other, (n, k)).t(), precision);
            for m in [60, 200] {
                let (a, residual) = (noise(m * k, 0.37), noise(m * n, 0.11));
                let product = |w: &[f32], packed: Option<&PackedFactor>, activate: bool, threads| {
                    let b = Mat::new(w, (n, k)).t().with_packed(packed, precision);
                    let (mut out, mut activation) = (vec![9.0; m * n], vec![9.0; m * n]);
                    let epilogue = match activate {
                        true => Epilogue::Activate {
                            function: HiddenActivation::Gelu,
                            activation: &mut activation,
                        },
                        false => Epilogue::AddResidual { residual: &residual, dropout: None },
                    };
                    let (a, options) = (Mat::new(&a, (m, k)), (precision, RowBits::Fixed));
                    with_threads(threads, || {
                        matmul_with_epilogue(a, b, Accumulate::Bias(&bias), &mut out, options, epilogue);
                    })
                    .unwrap();
                    [out, activation]
                };
                for (activate, threads) in [(true, 1), (true, 2), (false, 1), (false, 2)] {
                    let want = product(&other, None, activate, 1);
                    let got = product(&w, Some(&packed), activate, threads);
                    assert!(got == want, "{m} rows, {precision:?}, {activate}, {threads} threads");
                }
            }
        }
        // Products of another precision do not read it.
        let packed = PackedFactor::new(Mat::new(&w, (n, k)).t(), Precision::F32);
        assert!(Mat::new(&w, (n, k)).t().with_packed(Some(&packed), Precision::Bf16).packed.is_none());
    }

    #[test]
    fn products_of_f64_read_it_too() {
        let (m, k, n) = (9, 70, 30);
        let noise = |n, step| noise(n, step).into_iter().map(f64::from).collect::<Vec<_>>();
        let (a, w) = (noise(m * k, 0.37), noise(n * k, 0.23));
        let b = Mat::new(&w, (n, k)).t();
        let packed = PackedFactor::new(b, Precision::F32);
        let product = |b| {
            let mut out = vec![0.0; m * n];
            let options = (Precision::F32, RowBits::Fixed);
            let a = Mat::new(&a, (m, k));
            matmul_with_epilogue(a, b, Accumulate::Overwrite, &mut out, options, Epilogue::None);
            out
        };
        assert_eq!(product(b.with_packed(Some(&packed), Precision::F32)), product(b));
    }
}
