//! The entry points of the matrix product, and its dispatch by instruction set.

use std::marker::PhantomData;

use ndarray::ArrayViewMut2;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use super::amx;
#[cfg(target_arch = "x86_64")]
use super::bf16::DotPair;
use super::bf16::Rounded;
use super::epilogue::{Accumulate, Epilogue, RemainingEpilogue};
use super::factor::{Encoding, Exact};
use super::matrix::Mat;
use super::product::Product;
#[cfg(target_arch = "x86_64")]
use crate::kernels::bf16_path::has_fast_dot_products;
#[cfg(target_arch = "aarch64")]
use crate::kernels::isa::Neon;
#[cfg(target_arch = "x86_64")]
use crate::kernels::isa::{Avx2, Avx512, Avx512Bf16};
use crate::kernels::isa::{Compiled, Isa, Plain};
use crate::kernels::matvec::matvec;
use crate::kernels::small_matmul::{self, rows_times_rows};
use crate::number::PerType;
use crate::{Number, Precision};

/// Below this many multiplications, a second thread costs more than it gains.
const MIN_PARALLEL_MULTIPLICATIONS: usize = 1 << 20;

/// `out = accumulate + a b`; `out` is row-major.
///
/// The result is bitwise identical for any number of threads.
///
/// # Panics
/// If the shapes do not match.
pub fn matmul<T: Number>(
    a: Mat<T>,
    b: Mat<T>,
    accumulate: Accumulate<T>,
    out: &mut [T],
    precision: Precision,
) {
    matmul_with_epilogue(a, b, accumulate, out, (precision, RowBits::Free), Epilogue::None);
}

/// Whether the bits of a row of a product may depend on the number of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RowBits {
    /// They may: the fastest kernel for this number of rows adds in its own order.
    #[default]
    Free,
    /// They do not: one kernel computes every number of rows.
    Fixed,
}

/// [`matmul`], followed by the epilogue, with a choice of [`RowBits`].
///
/// # Panics
/// If the shapes do not match, or the slices of the epilogue do not have the length of the product.
pub fn matmul_with_epilogue<T: Number>(
    a: Mat<T>,
    b: Mat<T>,
    accumulate: Accumulate<T>,
    out: &mut [T],
    (precision, row_bits): (Precision, RowBits),
    epilogue: Epilogue<'_, T>,
) {
    assert!(epilogue.fits(out.len()), "lengths of an epilogue");
    assert_eq!(a.cols, b.rows, "inner lengths of a matrix product");
    assert_eq!(out.len(), a.rows * b.cols, "length of a matrix product");
    let mut epilogue = match epilogue {
        Epilogue::None => None,
        epilogue => Some(RemainingEpilogue::new(epilogue)),
    };
    let work = a.rows * a.cols * b.cols;
    let free = row_bits == RowBits::Free && precision == Precision::F32;
    let in_place = free && a.is_dense(false) && b.is_dense(true) && !out.is_empty();
    let small = work < MIN_PARALLEL_MULTIPLICATIONS && small_matmul::is_faster(a.rows, a.cols, b.cols);
    if in_place && (a.rows == 1 || small) && !matches!(accumulate, Accumulate::Multiply) {
        if let Accumulate::Bias(bias) = accumulate {
            out.chunks_exact_mut(bias.len()).for_each(|row| row.copy_from_slice(bias));
        }
        let add = !matches!(accumulate, Accumulate::Overwrite);
        match a.rows {
            1 => matvec(b.data, a.data, out, add),
            _ => rows_times_rows(a.data, b.data, a.cols, out, add),
        };
    } else {
        let threads = if work < MIN_PARALLEL_MULTIPLICATIONS { 1 } else { rayon::current_num_threads() };
        let view = ArrayViewMut2::from_shape((a.rows, b.cols), &mut *out).expect("the length was checked");
        let mut product = Product::new(a, b, accumulate, view, threads);
        product.epilogue = epilogue.as_mut();
        compute(product, precision);
    }
    if let Some(epilogue) = epilogue {
        epilogue.apply_to_rest(out);
    }
}

/// [`matmul`] on this thread alone, for kernels that run many products in parallel.
///
/// # Panics
/// If the shapes do not match, or the rows of `out` are not contiguous.
pub fn matmul_serial<T: Number>(
    a: Mat<T>,
    b: Mat<T>,
    accumulate: Accumulate<T>,
    out: ArrayViewMut2<T>,
    precision: Precision,
) {
    assert_eq!(a.cols, b.rows, "inner lengths of a matrix product");
    assert_eq!(out.dim(), (a.rows, b.cols), "shape of a matrix product");
    compute(Product::new(a, b, accumulate, out, 1), precision);
}

/// Computes a product with the best instructions of this machine.
fn compute<T: Number>(product: Product<'_, '_, T>, precision: Precision) {
    if product.a.cols > 0 {
        return T::dispatch::<ComputeWith<'_, '_>>((product, precision, Isa::in_use()));
    }
    // With an empty inner dimension, all sums are zero.
    let Product { accumulate, mut out, .. } = product;
    match accumulate {
        Accumulate::Overwrite | Accumulate::Multiply => out.fill(T::zero()),
        Accumulate::Add => {}
        Accumulate::Bias(bias) => out.into_iter().zip(bias.iter().cycle()).for_each(|(out, &b)| *out = b),
    }
}

/// Computes a product of a [`Number`] type with an instruction set that this machine supports.
struct ComputeWith<'a, 'b>(PhantomData<(&'a (), &'b ())>);

impl<'a, 'b: 'a> PerType for ComputeWith<'a, 'b> {
    type Args<T: Number> = (Product<'a, 'b, T>, Precision, Isa);
    type Output<T: Number> = ();

    fn f32((product, precision, isa): Self::Args<f32>) {
        with_instructions(product, precision, isa);
    }

    /// Computes in f64, whatever the precision. Only gradient checks do, so one instruction set is
    /// enough.
    fn f64((product, _, _): Self::Args<f64>) {
        product.compute::<Exact, Plain, 2, 2>();
    }
}

/// Work on f32 with the encoding, the instructions and the panels that a precision has on a machine.
pub(super) trait Task {
    /// The result.
    type Output;

    /// With panels of at most V vectors of L lanes.
    fn run<E: Encoding<f32>, I: Compiled, const V: usize, const L: usize>(self) -> Self::Output;

    /// With tiles.
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    fn run_in_tiles(self) -> Self::Output;
}

impl Task for Product<'_, '_, f32> {
    type Output = ();

    fn run<E: Encoding<f32>, I: Compiled, const V: usize, const L: usize>(self) {
        self.compute::<E, I, V, L>();
    }

    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    fn run_in_tiles(self) {
        amx::compute::<amx::hardware::Amx>(self);
    }
}

/// Does a task with the instructions of `isa`, which this machine must support.
pub(super) fn with_instructions<K: Task>(task: K, precision: Precision, isa: Isa) -> K::Output {
    match (precision, isa) {
        #[cfg(target_arch = "x86_64")]
        (Precision::F32, Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx) => task.run::<Exact, Avx512, 4, 16>(),
        #[cfg(target_arch = "x86_64")]
        (Precision::F32, Isa::Avx2) => task.run::<Exact, Avx2, 2, 8>(),
        #[cfg(target_arch = "aarch64")]
        (Precision::F32, Isa::Neon) => task.run::<Exact, Neon, 4, 4>(),
        (Precision::F32, _) => task.run::<Exact, Plain, 2, 4>(),
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        (Precision::Bf16, Isa::Amx) => task.run_in_tiles(),
        #[cfg(target_arch = "x86_64")]
        (Precision::Bf16, Isa::Avx512Bf16) if has_fast_dot_products() => {
            task.run::<DotPair, Avx512Bf16, 4, 16>()
        }
        #[cfg(target_arch = "x86_64")]
        (Precision::Bf16, Isa::Avx512 | Isa::Avx512Bf16) => task.run::<Rounded, Avx512, 4, 16>(),
        #[cfg(target_arch = "x86_64")]
        (Precision::Bf16, Isa::Avx2) => task.run::<Rounded, Avx2, 2, 8>(),
        #[cfg(target_arch = "aarch64")]
        (Precision::Bf16, Isa::Neon) => task.run::<Rounded, Neon, 4, 4>(),
        (Precision::Bf16, _) => task.run::<Rounded, Plain, 2, 4>(),
    }
}
