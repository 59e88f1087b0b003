//! The factors that a matrix product multiplies: exact, or rounded to bf16.

use crate::kernels::isa::Compiled;
use crate::kernels::scratch::Scratch;
use crate::kernels::simd::array;
use crate::kernels::transpose::Transpose;

/// The operand type of the innermost loop, for sums of type `T`.
pub trait Factor<T>: Transpose + Scratch + Send + Sync {
    /// Elements per factor: neighbours in a row of A or a column of B.
    const DEPTH: usize;

    /// Packs `x` and, if a factor has two elements, `y`.
    fn pack(x: T, y: T) -> Self;

    /// The elements of `a` as factors, if a factor is stored as a plain element.
    fn as_is(a: &[T]) -> Option<&[Self]>;

    /// `sums + a b` for each lane of `b`, compiled for `I`.
    fn add_product<I: Compiled, const L: usize>(a: Self, b: [Self; L], sums: [T; L]) -> [T; L];
}

macro_rules! exact {
    ($t:ty) => {
        impl Factor<$t> for $t {
            const DEPTH: usize = 1;

            #[inline(always)]
            fn pack(x: $t, _: $t) -> $t {
                x
            }
            #[inline(always)]
            fn as_is(a: &[$t]) -> Option<&[$t]> {
                Some(a)
            }
            #[inline(always)]
            fn add_product<I: Compiled, const L: usize>(a: $t, b: [$t; L], sums: [$t; L]) -> [$t; L] {
                array(
                    #[inline(always)]
                    |l| if I::FUSED { a.mul_add(b[l], sums[l]) } else { a * b[l] + sums[l] },
                )
            }
        }
    };
}

exact!(f32);
exact!(f64);
