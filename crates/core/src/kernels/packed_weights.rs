//! Weights for generation, stored in the order in which they are read, in 4 bytes to half a byte each.
//!
//! Generating a token multiplies one row `x` by each matrix. This uses every weight once, so memory
//! bandwidth limits the speed. The rows of W are stored in panels, column by column:
//!
//! ```text
//! w[0][0] w[1][0] .. w[63][0]   w[0][1] w[1][1] .. w[63][1]   ..
//! ```
//!
//! Each column of a panel is multiplied by one element of `x` and added to the panel's sums. Memory
//! is read as a single stream, and no horizontal sums are needed.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::block_format::{BLOCK, BlockFormat};
use super::matmul::bf16;
use super::matvec::MAX_BYTES_ON_ONE_THREAD;
use super::packed_blocks::PackedBlocks;
use super::panels::{Column, ROWS_PER_PANEL};
use super::parallel::ForEachTask;
use super::simd::{array, vectorised};
use super::subnormals::flushing_subnormals;
use crate::Number;

/// How weights are stored for generation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightFormat {
    /// Unchanged: four bytes.
    #[default]
    F32,
    /// Rounded to bf16, 8 bits of precision with the range of f32: two bytes.
    Bf16,
    /// Integers from -127 to 127, times a scale of each row: one byte.
    Int8,
    /// Integers from -127 to 127, times a scale of every 32 weights, as in llama.cpp: one byte.
    #[serde(rename = "q8_0")]
    Q8_0,
    /// Integers from -8 to 7, times a scale of every 32 weights, as in llama.cpp: half a byte.
    #[serde(rename = "q4_0")]
    Q4_0,
}

impl WeightFormat {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::F32, Self::Bf16, Self::Int8, Self::Q8_0, Self::Q4_0];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
        }
    }

    /// The names of all formats.
    pub const NAMES: [&'static str; 5] = ["f32", "bf16", "int8", "q8_0", "q4_0"];

    /// Bytes per weight. In blocks, each scale adds 4 bytes for 32 weights.
    pub fn bytes(self) -> f64 {
        let scale = size_of::<f32>() as f64 / BLOCK as f64;
        match self {
            Self::F32 => 4.0,
            Self::Bf16 => 2.0,
            Self::Int8 => 1.0,
            Self::Q8_0 => 1.0 + scale,
            Self::Q4_0 => 0.5 + scale,
        }
    }
}

/// The minimum number of bytes per parallel task.
const MIN_BYTES_PER_TASK: usize = 1 << 15;

/// A matrix `W` `(N, K)`, packed: see the [module](self).
#[derive(Debug)]
pub struct PackedWeights<T> {
    shape: [usize; 2],
    columns: Columns<T>,
    /// The scale of each row, `(N)`, for integer weights.
    scales: Option<Vec<T>>,
}

/// The columns of all panels, panel by panel. The last panel is padded with zero rows.
#[derive(Debug)]
enum Columns<T> {
    F32(Vec<Column<T>>),
    Bf16(Vec<Column<Bf16>>),
    Int8(Vec<Column<i8>>),
    Blocks(PackedBlocks<T>),
}

/// A storage type of weights.
trait Stored<T>: Copy + Default + Sync {
    /// The stored weight nearest to `x`.
    fn nearest(x: T) -> Self;
    /// The value of the stored weight.
    fn value(self) -> T;
}

impl<T: Number> Stored<T> for T {
    fn nearest(x: T) -> T {
        x
    }
    #[inline(always)]
    fn value(self) -> T {
        self
    }
}

/// The upper half of an `f32`.
#[derive(Debug, Clone, Copy, Default)]
struct Bf16(u16);

impl<T: Number> Stored<T> for Bf16 {
    fn nearest(x: T) -> Self {
        Self(bf16::round(x.as_f64() as f32))
    }
    #[inline(always)]
    fn value(self) -> T {
        T::of(f64::from(bf16::widen(self.0)))
    }
}

impl<T: Number> Stored<T> for i8 {
    /// NaN becomes 0.
    fn nearest(x: T) -> Self {
        x.as_f64().round_ties_even() as i8
    }
    #[inline(always)]
    fn value(self) -> T {
        T::of(f64::from(i32::from(self)))
    }
}

impl<T: Number> PackedWeights<T> {
    /// Packs a matrix whose rows have `k` elements.
    ///
    /// NaN and infinity are kept in f32 and bf16. With [`WeightFormat::Int8`] they turn their whole row into
    /// NaN. The formats in blocks have no code for them: their block then holds no useful numbers.
    pub fn new(w: &[T], k: usize, format: WeightFormat) -> Self {
        let shape = [w.len() / k.max(1), k];
        let (columns, scales) = match format {
            WeightFormat::F32 => (Columns::F32(pack(w, k, None)), None),
            WeightFormat::Bf16 => (Columns::Bf16(pack(w, k, None)), None),
            WeightFormat::Int8 => {
                let scale = |row: &[T]| largest_magnitude(row) / T::of(127.0);
                let scales = w.chunks_exact(k.max(1)).map(scale);
                let scales: Vec<T> = flushing_subnormals(|| scales.collect());
                (Columns::Int8(pack(w, k, Some(&scales))), Some(scales))
            }
            WeightFormat::Q8_0 => (in_blocks(w, k, BlockFormat::Q8_0), None),
            WeightFormat::Q4_0 => (in_blocks(w, k, BlockFormat::Q4_0), None),
        };
        Self { shape, columns, scales }
    }

    /// Takes over a matrix of N rows of K elements in blocks of Q8_0 or Q4_0, unchanged; `None` for other
    /// formats.
    ///
    /// # Panics
    /// Unless K is whole blocks and `bytes` are whole rows.
    pub fn from_blocks(format: BlockFormat, bytes: &[u8], k: usize) -> Option<Self> {
        if !matches!(format, BlockFormat::Q8_0 | BlockFormat::Q4_0) {
            return None;
        }
        assert!(k.is_multiple_of(BLOCK), "whole blocks");
        let n = bytes.len() / format.bytes(k).max(1);
        let columns = Columns::Blocks(PackedBlocks::new(format, bytes, k / BLOCK));
        Some(Self { shape: [n, k], columns, scales: None })
    }

    /// `(N, K)`.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The size of the weights in bytes.
    pub fn bytes(&self) -> usize {
        let scales = self.scales.as_ref().map_or(0, |scales| size_of_val(&scales[..]));
        scales
            + match &self.columns {
                Columns::F32(columns) => size_of_val(&columns[..]),
                Columns::Bf16(columns) => size_of_val(&columns[..]),
                Columns::Int8(columns) => size_of_val(&columns[..]),
                Columns::Blocks(blocks) => blocks.bytes(),
            }
    }

    /// Writes the rounded matrix row by row.
    ///
    /// # Panics
    /// Unless `w` has N K elements.
    pub fn unpack(&self, w: &mut [T]) {
        let [n, k] = self.shape;
        assert_eq!(w.len(), n * k, "length of a matrix");
        match &self.columns {
            Columns::F32(columns) => unpack(columns, k, w),
            Columns::Bf16(columns) => unpack(columns, k, w),
            Columns::Int8(columns) => unpack(columns, k, w),
            Columns::Blocks(blocks) => blocks.unpack(k, w),
        }
        if let Some(scales) = &self.scales {
            flushing_subnormals(|| {
                for (row, &scale) in w.chunks_exact_mut(k.max(1)).zip(scales) {
                    row.iter_mut().for_each(|w| *w *= scale);
                }
            });
        }
    }

    /// `out = x W^T + b` for each row of K elements of `x`; `b` is optional.
    ///
    /// # Panics
    /// If the lengths of a row of `x`, of `b` and of a row of `out` do not match the matrix.
    pub fn multiply_rows(&self, x: &[T], b: Option<&[T]>, out: &mut [T]) {
        let [n, k] = self.shape;
        let rows = x.chunks_exact(k.max(1)).zip(out.chunks_exact_mut(n.max(1)));
        rows.for_each(|(x, out)| self.multiply_row(x, b, out));
    }

    /// `out = W x + b`.
    ///
    /// Each sum runs from the first element to the last, so the result is bitwise identical for any
    /// number of threads.
    fn multiply_row(&self, x: &[T], b: Option<&[T]>, out: &mut [T]) {
        let [n, k] = self.shape;
        assert_eq!([out.len(), x.len(), b.map_or(n, <[T]>::len)], [n, k, n], "lengths of a product");
        match &self.columns {
            Columns::F32(columns) => self.by_panels(
                b,
                out,
                #[inline(always)]
                |panel| multiply_panel(&columns[panel * k..][..k], x),
            ),
            Columns::Bf16(columns) => self.by_panels(
                b,
                out,
                #[inline(always)]
                |panel| multiply_panel(&columns[panel * k..][..k], x),
            ),
            Columns::Int8(columns) => self.by_panels(
                b,
                out,
                #[inline(always)]
                |panel| multiply_panel(&columns[panel * k..][..k], x),
            ),
            Columns::Blocks(blocks) => self.by_panels(
                b,
                out,
                #[inline(always)]
                |panel| blocks.multiply_panel(panel, x),
            ),
        }
    }

    /// `out = sums + b`, where `sums_of(i)` gives the sums of panel i.
    #[inline(always)]
    fn by_panels(
        &self,
        b: Option<&[T]>,
        out: &mut [T],
        sums_of: impl Fn(usize) -> [T; ROWS_PER_PANEL] + Sync,
    ) {
        let block = |first: usize, out: &mut [T]| {
            vectorised(
                #[inline(always)]
                || {
                    for (i, out) in out.chunks_mut(ROWS_PER_PANEL).enumerate() {
                        let sums = sums_of(first / ROWS_PER_PANEL + i);
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
        let bytes = self.bytes();
        if bytes <= MAX_BYTES_ON_ONE_THREAD || rayon::current_num_threads() == 1 {
            return block(0, out);
        }
        let panels = out.len().div_ceil(ROWS_PER_PANEL);
        let rows = (MIN_BYTES_PER_TASK * panels).div_ceil(bytes) * ROWS_PER_PANEL;
        out.par_chunks_mut(rows).enumerate().for_each_task(&|(i, out)| block(i * rows, out));
    }
}

/// Rounds a matrix to blocks, and packs them. Rows are filled up to whole blocks with zeros.
fn in_blocks<T: Number>(w: &[T], k: usize, format: BlockFormat) -> Columns<T> {
    let blocks = k.div_ceil(BLOCK);
    let mut bytes = Vec::new();
    let mut row = vec![0.0_f32; blocks * BLOCK];
    for w in w.chunks_exact(k.max(1)) {
        row.iter_mut().zip(w).for_each(|(to, w)| *to = w.as_f64() as f32);
        format.quantise(&row, &mut bytes);
    }
    Columns::Blocks(PackedBlocks::new(format, &bytes, blocks))
}

/// The dot product of `x` and each row of a panel.
///
/// All loops but one have constant bounds: this compiles to loads, conversions and multiply-adds
/// only, with the sums in registers. Check the machine code after a change here.
#[inline(always)]
fn multiply_panel<T: Number, S: Stored<T>>(columns: &[Column<S>], x: &[T]) -> [T; ROWS_PER_PANEL] {
    let mut sums = [T::zero(); ROWS_PER_PANEL];
    for (column, &x) in columns.iter().zip(x) {
        for (sum, w) in sums.iter_mut().zip(&column.0) {
            *sum = w.value().fused_mul_add(x, *sum);
        }
    }
    sums
}

/// Packs rows of `k` elements into panels. Divides each element by the scale of its row, if there
/// are scales.
fn pack<T: Number, S: Stored<T> + Send>(w: &[T], k: usize, scales: Option<&[T]>) -> Vec<Column<S>> {
    let panels = w.par_chunks((ROWS_PER_PANEL * k).max(1)).enumerate();
    let stored = move |row: usize, w: T| match scales {
        // In a row of zeros, 0 / 0 is stored as 0.
        Some(scales) => S::nearest(w / scales[row]),
        None => S::nearest(w),
    };
    let column = move |i: usize, panel: &[T], c: usize| {
        Column(array(|r| panel.get(r * k + c).map_or(S::default(), |&w| stored(i * ROWS_PER_PANEL + r, w))))
    };
    panels.flat_map_iter(|(i, panel)| (0..k).map(move |c| column(i, panel, c))).collect()
}

fn unpack<T: Number, S: Stored<T>>(columns: &[Column<S>], k: usize, w: &mut [T]) {
    for (panel, columns) in w.chunks_mut((ROWS_PER_PANEL * k).max(1)).zip(columns.chunks(k.max(1))) {
        for (c, column) in columns.iter().enumerate() {
            for (row, stored) in panel.chunks_exact_mut(k).zip(column.0) {
                row[c] = stored.value();
            }
        }
    }
}

/// The largest absolute value of a row, or NaN if the row contains NaN.
fn largest_magnitude<T: Number>(row: &[T]) -> T {
    row.iter().fold(T::zero(), |most, w| if w.abs() > most || w.is_nan() { w.abs() } else { most })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(n: usize, k: usize) -> Vec<f32> {
        (0..n * k).map(|i| (i as f32 * 0.37).sin() * 0.1).collect()
    }

    #[test]
    fn weights_are_rounded_to_the_nearest_stored_value() {
        let (n, k) = (70, 33);
        let w = weights(n, k);
        // bf16 has 8 bits of precision; int8 rounds by at most half of 1/127 of the row's largest
        // weight. Blocks round their scale too, and q4_0 cuts the second largest weight off at 7.
        for (format, max_error) in [
            (WeightFormat::F32, 0.0),
            (WeightFormat::Bf16, 0.1 / 256.0),
            (WeightFormat::Int8, 0.0501 / 127.0),
            (WeightFormat::Q8_0, 0.1 / 127.0),
            (WeightFormat::Q4_0, 0.1 / 7.0),
        ] {
            let mut rounded = vec![0.0; n * k];
            PackedWeights::new(&w, k, format).unpack(&mut rounded);
            let error = w.iter().zip(&rounded).map(|(w, r)| (w - r).abs()).fold(0.0, f32::max);
            assert!(error <= max_error, "{format:?}: {error}");
            if matches!(format, WeightFormat::Q8_0 | WeightFormat::Q4_0) {
                continue;
            }
            // Rounding again changes nothing.
            let mut again = vec![0.0; n * k];
            PackedWeights::new(&rounded, k, format).unpack(&mut again);
            let same = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-7 * a.abs();
            assert!(rounded.iter().zip(&again).all(same), "{format:?}");
        }
    }

    #[test]
    fn zero_rows_and_non_finite_weights() {
        let w = [0.0, 0.0, f32::NAN, 1.0, f32::INFINITY, 1.0_f32];
        for format in WeightFormat::ALL {
            let mut out = [1.0; 3];
            PackedWeights::new(&w, 2, format).multiply_rows(&[1.0, 1.0], None, &mut out);
            assert_eq!(out[0], 0.0, "{format:?}");
            assert!(!out[1].is_finite() && !out[2].is_finite(), "{format:?}: {out:?}");
        }
        let mut out: [f32; 0] = [];
        PackedWeights::new(&[], 0, WeightFormat::Int8).multiply_rows(&[], None, &mut out);
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let (n, k) = (5000, 100);
        let (w, x) = (weights(n, k), weights(1, k));
        for format in WeightFormat::ALL {
            let packed = PackedWeights::new(&w, k, format);
            assert!(packed.bytes() > MAX_BYTES_ON_ONE_THREAD, "{format:?} is not split");
            let product = |threads| {
                let mut out = vec![0.0; n];
                crate::threads::with_threads(threads, || packed.multiply_rows(&x, None, &mut out))
                    .map(|()| out)
                    .map_err(|error| error.to_string())
            };
            let one = product(1);
            assert!(one.is_ok() && one == product(3), "{format:?}");
        }
    }
}
