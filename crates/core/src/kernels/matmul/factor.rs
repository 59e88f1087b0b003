//! The factors that a matrix product multiplies, and how elements are encoded as factors.

use crate::kernels::isa::Compiled;
use crate::kernels::scratch::Scratch;
use crate::kernels::simd::array;
use crate::kernels::transpose::Transpose;

/// The operand type of the innermost loop, for sums of type `T`.
pub trait Factor<T>: Transpose + Scratch + Send + Sync {
    /// `sums + a b` for each lane of `b`, compiled for `I`.
    fn add_product<I: Compiled, const L: usize>(a: Self, b: [Self; L], sums: [T; L]) -> [T; L];
}

/// How elements become factors when a matrix is packed: unchanged, or rounded to bf16.
///
/// It is a type apart from the factor, so that encodings with the same factors share the innermost
/// loops, which are most of the compiled code.
pub trait Encoding<T> {
    /// The factors.
    type Factor: Factor<T>;

    /// Elements per factor: neighbours in a row of A or a column of B.
    const DEPTH: usize;

    /// Encodes `x` and, if a factor has two elements, `y`.
    fn encode(x: T, y: T) -> Self::Factor;

    /// The elements of `a` as factors, if they can be multiplied as they are stored.
    fn as_is(a: &[T]) -> Option<&[Self::Factor]>;
}

/// The elements themselves.
#[derive(Debug)]
pub struct Exact;

impl<T: Factor<T>> Encoding<T> for Exact {
    type Factor = T;

    const DEPTH: usize = 1;

    #[inline(always)]
    fn encode(x: T, _: T) -> T {
        x
    }
    #[inline(always)]
    fn as_is(a: &[T]) -> Option<&[T]> {
        Some(a)
    }
}

macro_rules! plain_factor {
    ($t:ty) => {
        impl Factor<$t> for $t {
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

plain_factor!(f32);
plain_factor!(f64);
