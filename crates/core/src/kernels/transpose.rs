//! Matrix transposition in registers.

use super::simd::{BYTES_PER_CACHE_LINE, array, prefetch};
use crate::Number;
use crate::number::PerType;

/// Rows, and columns, of a block that is transposed in registers.
pub const BLOCK_SIDE: usize = 8;

/// A square block, as an array of rows.
pub type Block<T> = [[T; BLOCK_SIDE]; BLOCK_SIDE];

/// An element type whose blocks can be transposed.
pub trait Transpose: Copy + Default {
    /// The transpose of a block.
    #[inline(always)]
    fn transposed(block: Block<Self>) -> Block<Self> {
        element_by_element(block)
    }
}

/// Selects the transposition of a [`Number`] type.
struct TransposeFloat;

impl PerType for TransposeFloat {
    type Args<T: Number> = Block<T>;
    type Output<T: Number> = Block<T>;

    #[inline(always)]
    fn f32(block: Block<f32>) -> Block<f32> {
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = pulp::x86::V3::try_new() {
            return pulp::cast(in_registers(v3.avx, pulp::cast(block)));
        }
        element_by_element(block)
    }
    #[inline(always)]
    fn f64(block: Block<f64>) -> Block<f64> {
        element_by_element(block)
    }
}

impl<T: Number> Transpose for T {
    #[inline(always)]
    fn transposed(block: Block<T>) -> Block<T> {
        T::dispatch::<TransposeFloat>(block)
    }
}

#[inline(always)]
fn element_by_element<T: Copy + Default>(block: Block<T>) -> Block<T> {
    array(
        #[inline(always)]
        |c| {
            array(
                #[inline(always)]
                |r| block[r][c],
            )
        },
    )
}

/// Swaps 1 x 1 blocks within blocks of 2 x 2, then these within 4 x 4, then these within 8 x 8: 24
/// instructions for 64 elements. The compiler does not find this sequence.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn in_registers(
    avx: pulp::core_arch::x86::Avx,
    rows: [std::arch::x86_64::__m256; BLOCK_SIDE],
) -> [std::arch::x86_64::__m256; BLOCK_SIDE] {
    const LOW: i32 = 0x44;
    const HIGH: i32 = 0xee;
    let [a, b, c, d, e, f, g, h] = rows;
    let [ab, cd] = [avx._mm256_unpacklo_ps(a, b), avx._mm256_unpacklo_ps(c, d)];
    let [ef, gh] = [avx._mm256_unpacklo_ps(e, f), avx._mm256_unpacklo_ps(g, h)];
    let [ab_high, cd_high] = [avx._mm256_unpackhi_ps(a, b), avx._mm256_unpackhi_ps(c, d)];
    let [ef_high, gh_high] = [avx._mm256_unpackhi_ps(e, f), avx._mm256_unpackhi_ps(g, h)];
    let upper = [
        avx._mm256_shuffle_ps::<LOW>(ab, cd),
        avx._mm256_shuffle_ps::<HIGH>(ab, cd),
        avx._mm256_shuffle_ps::<LOW>(ab_high, cd_high),
        avx._mm256_shuffle_ps::<HIGH>(ab_high, cd_high),
    ];
    let lower = [
        avx._mm256_shuffle_ps::<LOW>(ef, gh),
        avx._mm256_shuffle_ps::<HIGH>(ef, gh),
        avx._mm256_shuffle_ps::<LOW>(ef_high, gh_high),
        avx._mm256_shuffle_ps::<HIGH>(ef_high, gh_high),
    ];
    [
        avx._mm256_permute2f128_ps::<0x20>(upper[0], lower[0]),
        avx._mm256_permute2f128_ps::<0x20>(upper[1], lower[1]),
        avx._mm256_permute2f128_ps::<0x20>(upper[2], lower[2]),
        avx._mm256_permute2f128_ps::<0x20>(upper[3], lower[3]),
        avx._mm256_permute2f128_ps::<0x31>(upper[0], lower[0]),
        avx._mm256_permute2f128_ps::<0x31>(upper[1], lower[1]),
        avx._mm256_permute2f128_ps::<0x31>(upper[2], lower[2]),
        avx._mm256_permute2f128_ps::<0x31>(upper[3], lower[3]),
    ]
}

/// Writes `rows` rows as the columns of `to`, whose rows have `width` elements. `row(r)` returns
/// row `r`, which has one element for each row of `to`. If `to` has more columns, those up to the
/// next multiple of [`BLOCK_SIDE`] are set to zero.
#[inline(always)]
pub fn rows_to_columns<'a, T: Number>(
    to: &mut [T],
    width: usize,
    rows: usize,
    row: impl Fn(usize) -> &'a [T],
) {
    let length = to.len() / width.max(1);
    for first in (0..rows).step_by(BLOCK_SIDE) {
        let here = BLOCK_SIDE.min(rows - first);
        let [side, next]: [[&[T]; BLOCK_SIDE]; 2] = array(
            #[inline(always)]
            |n| {
                array(
                    #[inline(always)]
                    |r| &row((first + n * BLOCK_SIDE + r).min(rows - 1))[..length],
                )
            },
        );
        let whole = if here == BLOCK_SIDE { length / BLOCK_SIDE * BLOCK_SIDE } else { 0 };
        for c in (0..whole).step_by(BLOCK_SIDE) {
            // The rows may be far apart in memory: prefetch each of their cache lines.
            if c.is_multiple_of(BYTES_PER_CACHE_LINE / size_of::<T>()) {
                next.iter().for_each(|row| prefetch(&row[c..]));
            }
            let block = array(
                #[inline(always)]
                |r| *side[r][c..].first_chunk().expect("a whole block"),
            );
            let to = to[c * width..].chunks_exact_mut(width);
            for (to, column) in to.zip(T::transposed(block)) {
                *to[first..].first_chunk_mut().expect("a whole block") = column;
            }
        }
        for c in whole..length {
            let to = &mut to[c * width + first..(c + 1) * width];
            let elements = side[..here].iter().map(|row| row[c]).chain(std::iter::repeat(T::zero()));
            to.iter_mut().zip(elements.take(BLOCK_SIDE)).for_each(|(to, x)| *to = x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::vectorised;

    #[test]
    fn vectorised_and_scalar_block_transposes_agree() {
        let block = array(|r| array(|c| (r * BLOCK_SIDE + c) as f32));
        let want = array(|r| array(|c| (c * BLOCK_SIDE + r) as f32));
        assert_eq!([f32::transposed(block), element_by_element(block)], [want; 2]);
    }

    #[test]
    fn rows_become_columns_of_any_shape() {
        for (rows, length, width) in
            [(16, 16, 16), (1, 1, 1), (5, 3, 5), (40, 70, 48), (33, 17, 33), (64, 32, 64), (2, 100, 16)]
        {
            let x: Vec<f32> = (0..rows * length).map(|i| i as f32 + 1.0).collect();
            let mut to = vec![-1.0; length * width];
            vectorised(
                #[inline(always)]
                || rows_to_columns(&mut to, width, rows, |r| &x[r * length..][..length]),
            );
            for (i, &got) in to.iter().enumerate() {
                let (c, r) = (i / width, i % width);
                let want = match r {
                    r if r < rows => x[r * length + c],
                    r if r < rows.next_multiple_of(BLOCK_SIDE) => 0.0,
                    _ => -1.0,
                };
                assert_eq!(got, want, "({r}, {c}) of {rows} x {length} into {width}");
            }
        }
    }
}
