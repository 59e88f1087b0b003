//! Weights as the generation of a token reads them: in the order in which it reads them,
//! in as few bytes as wanted.
//!
//! A token is one row `x`, and its product with a matrix uses every weight once: the speed
//! is that of the bytes. So the rows of W stand together in panels, column by column,
//!
//! ```text
//! w[0][0] w[1][0] .. w[63][0]   w[0][1] w[1][1] .. w[63][1]   ..
//! ```
//!
//! and each column of a panel is multiplied with its one number of `x` and added to as many
//! sums: one stream from the memory, and no sum over the lanes of a register.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::matmul::bf16;
use super::matvec::ONE_THREAD;
use super::{array, vectorised};
use crate::Float;

/// How weights are stored for generation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightFormat {
    /// As the model has them: four bytes.
    #[default]
    F32,
    /// Rounded to bf16, 8 bits of precision with the range of f32: two bytes.
    Bf16,
    /// Whole numbers from -127 to 127, times a scale that each row has for itself: one byte.
    Int8,
}

impl WeightFormat {
    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// Bytes of a weight.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
            Self::Int8 => 1,
        }
    }
}

/// Rows of a panel: as many sums as let none wait for its last addition.
const ROWS: usize = 64;
/// The bytes that a thread takes at least.
const PIECE: usize = 1 << 15;

/// A matrix `W` `(N, K)`, packed: see the [module](self).
#[derive(Debug)]
pub struct PackedWeights<T> {
    shape: [usize; 2],
    numbers: Numbers<T>,
    /// What the numbers of each row are to be multiplied with, `(N)`, if with anything.
    scales: Option<Vec<T>>,
}

/// The columns of all panels, panel by panel. Where the last sticks out there are zeros.
#[derive(Debug)]
enum Numbers<T> {
    F32(Vec<Column<T>>),
    Bf16(Vec<Column<Bf16>>),
    Int8(Vec<Column<i8>>),
}

/// A column of a panel, which begins at a cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Column<S>([S; ROWS]);

/// A number as it is stored.
trait Stored<T>: Copy + Default + Sync {
    /// The nearest number that can be stored.
    fn nearest(x: T) -> Self;
    /// The number that is stored.
    fn number(self) -> T;
}

impl<T: Float> Stored<T> for T {
    fn nearest(x: T) -> T {
        x
    }
    #[inline(always)]
    fn number(self) -> T {
        self
    }
}

/// The upper half of an `f32`.
#[derive(Debug, Clone, Copy, Default)]
struct Bf16(u16);

impl<T: Float> Stored<T> for Bf16 {
    fn nearest(x: T) -> Self {
        Self(bf16::round(x.as_f64() as f32))
    }
    #[inline(always)]
    fn number(self) -> T {
        T::of(f64::from(bf16::widen(self.0)))
    }
}

impl<T: Float> Stored<T> for i8 {
    /// NaN becomes 0.
    fn nearest(x: T) -> Self {
        x.as_f64().round_ties_even() as i8
    }
    #[inline(always)]
    fn number(self) -> T {
        T::of(f64::from(i32::from(self)))
    }
}

impl<T: Float> PackedWeights<T> {
    /// Packs a matrix of rows of `k` numbers.
    ///
    /// NaN and infinity stay what they are, but for [`WeightFormat::Int8`], where all of
    /// their row becomes NaN.
    pub fn new(w: &[T], k: usize, format: WeightFormat) -> Self {
        let shape = [w.len() / k.max(1), k];
        let (numbers, scales) = match format {
            WeightFormat::F32 => (Numbers::F32(pack(w, k, None)), None),
            WeightFormat::Bf16 => (Numbers::Bf16(pack(w, k, None)), None),
            WeightFormat::Int8 => {
                let scale = |row: &[T]| largest(row) / T::of(127.0);
                let scales: Vec<T> = w.chunks_exact(k.max(1)).map(scale).collect();
                (Numbers::Int8(pack(w, k, Some(&scales))), Some(scales))
            }
        };
        Self { shape, numbers, scales }
    }

    /// `(N, K)`.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// How much memory the numbers take.
    pub fn bytes(&self) -> usize {
        let scales = self.scales.as_ref().map_or(0, |scales| size_of_val(&scales[..]));
        scales
            + match &self.numbers {
                Numbers::F32(columns) => size_of_val(&columns[..]),
                Numbers::Bf16(columns) => size_of_val(&columns[..]),
                Numbers::Int8(columns) => size_of_val(&columns[..]),
            }
    }

    /// Writes the matrix row by row, every number as it was rounded.
    ///
    /// # Panics
    /// If `w` has another length.
    pub fn unpack(&self, w: &mut [T]) {
        let [n, k] = self.shape;
        assert_eq!(w.len(), n * k, "length of a matrix");
        match &self.numbers {
            Numbers::F32(columns) => unpack(columns, k, w),
            Numbers::Bf16(columns) => unpack(columns, k, w),
            Numbers::Int8(columns) => unpack(columns, k, w),
        }
        if let Some(scales) = &self.scales {
            for (row, &scale) in w.chunks_exact_mut(k.max(1)).zip(scales) {
                row.iter_mut().for_each(|w| *w *= scale);
            }
        }
    }

    /// `out = W x + b`; nothing stands for no `b`.
    ///
    /// Each sum goes from the first number to the last: it is the same bits for any number
    /// of threads.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn times(&self, x: &[T], b: Option<&[T]>, out: &mut [T]) {
        match &self.numbers {
            Numbers::F32(columns) => self.times_columns(columns, x, b, out),
            Numbers::Bf16(columns) => self.times_columns(columns, x, b, out),
            Numbers::Int8(columns) => self.times_columns(columns, x, b, out),
        }
    }

    fn times_columns<S: Stored<T>>(&self, columns: &[Column<S>], x: &[T], b: Option<&[T]>, out: &mut [T]) {
        let [n, k] = self.shape;
        assert_eq!([out.len(), x.len(), b.map_or(n, <[T]>::len)], [n, k, n], "lengths of a product");
        let piece = |first: usize, out: &mut [T]| {
            vectorised(
                #[inline(always)]
                || {
                    for (i, out) in out.chunks_mut(ROWS).enumerate() {
                        let sums = times_panel(&columns[(first / ROWS + i) * k..][..k], x);
                        out.copy_from_slice(&sums[..out.len()]);
                    }
                    if let Some(scales) = &self.scales {
                        out.iter_mut().zip(&scales[first..]).for_each(|(out, &scale)| *out *= scale);
                    }
                    if let Some(b) = b {
                        out.iter_mut().zip(&b[first..]).for_each(|(out, &b)| *out += b);
                    }
                },
            );
        };
        if size_of_val(columns) <= ONE_THREAD || rayon::current_num_threads() == 1 {
            return piece(0, out);
        }
        let rows = PIECE.div_ceil(size_of::<Column<S>>() * k) * ROWS;
        out.par_chunks_mut(rows).enumerate().for_each(|(i, out)| piece(i * rows, out));
    }
}

/// `x` times each row of a panel.
///
/// All loops but one have constant bounds: so it is compiled to loads, conversions and
/// multiply-adds alone, with the sums in registers. Look at the machine code after a
/// change here.
#[inline(always)]
fn times_panel<T: Float, S: Stored<T>>(columns: &[Column<S>], x: &[T]) -> [T; ROWS] {
    let mut sums = [T::zero(); ROWS];
    for (column, &x) in columns.iter().zip(x) {
        for (sum, w) in sums.iter_mut().zip(&column.0) {
            *sum = w.number().fused_mul_add(x, *sum);
        }
    }
    sums
}

/// The columns of the panels of rows of `k` numbers, each divided by its row's scale.
fn pack<T: Float, S: Stored<T> + Send>(w: &[T], k: usize, scales: Option<&[T]>) -> Vec<Column<S>> {
    let panels = w.par_chunks((ROWS * k).max(1)).enumerate();
    let number = move |row: usize, w: T| match scales {
        // In a row of zeros, 0 / 0 is stored as 0.
        Some(scales) => S::nearest(w / scales[row]),
        None => S::nearest(w),
    };
    let column = move |i: usize, panel: &[T], c: usize| {
        Column(array(|r| panel.get(r * k + c).map_or(S::default(), |&w| number(i * ROWS + r, w))))
    };
    panels.flat_map_iter(|(i, panel)| (0..k).map(move |c| column(i, panel, c))).collect()
}

fn unpack<T: Float, S: Stored<T>>(columns: &[Column<S>], k: usize, w: &mut [T]) {
    for (panel, columns) in w.chunks_mut((ROWS * k).max(1)).zip(columns.chunks(k.max(1))) {
        for (c, column) in columns.iter().enumerate() {
            for (row, number) in panel.chunks_exact_mut(k).zip(column.0) {
                row[c] = number.number();
            }
        }
    }
}

/// The largest absolute value; NaN if there is one.
fn largest<T: Float>(row: &[T]) -> T {
    row.iter().fold(T::zero(), |most, w| if w.abs() > most || w.is_nan() { w.abs() } else { most })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(n: usize, k: usize) -> Vec<f32> {
        (0..n * k).map(|i| (i as f32 * 0.37).sin() * 0.1).collect()
    }

    #[test]
    fn rounding_is_to_the_nearest_that_can_be_stored() {
        let (n, k) = (70, 33);
        let w = weights(n, k);
        // 8 bits of precision; half a step of 1/127 of the largest of the row.
        for (format, most) in [
            (WeightFormat::F32, 0.0),
            (WeightFormat::Bf16, 0.1 / 256.0),
            (WeightFormat::Int8, 0.0501 / 127.0),
        ] {
            let mut rounded = vec![0.0; n * k];
            PackedWeights::new(&w, k, format).unpack(&mut rounded);
            let error = w.iter().zip(&rounded).map(|(w, r)| (w - r).abs()).fold(0.0, f32::max);
            assert!(error <= most, "{format:?}: {error}");
            // What was rounded once is not rounded further.
            let mut again = vec![0.0; n * k];
            PackedWeights::new(&rounded, k, format).unpack(&mut again);
            let same = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-7 * a.abs();
            assert!(rounded.iter().zip(&again).all(same), "{format:?}");
        }
    }

    #[test]
    fn zeros_and_what_is_not_finite_are_stored_too() {
        let w = [0.0, 0.0, f32::NAN, 1.0, f32::INFINITY, 1.0_f32];
        for format in [WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8] {
            let mut out = [1.0; 3];
            PackedWeights::new(&w, 2, format).times(&[1.0, 1.0], None, &mut out);
            assert_eq!(out[0], 0.0, "{format:?}");
            assert!(!out[1].is_finite() && !out[2].is_finite(), "{format:?}: {out:?}");
        }
        let mut out: [f32; 0] = [];
        PackedWeights::new(&[], 0, WeightFormat::Int8).times(&[], None, &mut out);
    }

    #[test]
    fn the_bits_do_not_depend_on_the_number_of_threads() {
        let (n, k) = (3000, 100);
        let (w, x) = (weights(n, k), weights(1, k));
        for format in [WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8] {
            let packed = PackedWeights::new(&w, k, format);
            let product = |threads| {
                let mut out = vec![0.0; n];
                crate::threads::with_threads(threads, || packed.times(&x, None, &mut out)).map(|()| out)
            };
            assert_eq!(product(1).ok(), product(3).ok(), "{format:?}");
        }
    }
}
