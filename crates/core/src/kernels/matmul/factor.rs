//! The numbers that a matrix product multiplies: exact, or rounded to bf16.

use std::cell::RefCell;
use std::thread::LocalKey;

use crate::kernels::{LINE, array, isa::Compiled, transpose::Transpose};

/// What the innermost loop multiplies, for sums of type `T`.
pub trait Factor<T>: Transpose + Send + Sync + 'static {
    /// How many numbers one factor holds: neighbours in a row of A or a column of B.
    const DEPTH: usize;

    /// A factor of the number `x` and, if it holds two, of `y`.
    fn pack(x: T, y: T) -> Self;

    /// Numbers of `a` that already are factors, if factors are nothing else.
    fn as_is(a: &[T]) -> Option<&[Self]>;

    /// `sums + a b` for each lane of `b`, compiled for `I`.
    fn add_product<I: Compiled, const L: usize>(a: Self, b: [Self; L], sums: [T; L]) -> [T; L];

    /// Memory that this thread has used before.
    fn buffers() -> &'static LocalKey<RefCell<Vec<Vec<Self>>>>;
}

/// Calls `f` with `n` factors of this thread's memory, which begin with a cache line; they
/// hold old numbers.
pub fn with_buffer<T, F: Factor<T>, R>(n: usize, f: impl FnOnce(&mut [F]) -> R) -> R {
    let mut buffer = F::buffers().with_borrow_mut(Vec::pop).unwrap_or_default();
    let room = n + LINE / size_of::<F>();
    if buffer.len() < room {
        buffer.resize(room, F::default());
    }
    let first = buffer.as_ptr().align_offset(LINE).min(room - n);
    let result = f(&mut buffer[first..first + n]);
    F::buffers().with_borrow_mut(|buffers| buffers.push(buffer));
    result
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
            fn buffers() -> &'static LocalKey<RefCell<Vec<Vec<$t>>>> {
                thread_local!(static BUFFERS: RefCell<Vec<Vec<$t>>> = const { RefCell::new(Vec::new()) });
                &BUFFERS
            }
        }
    };
}

exact!(f32);
exact!(f64);
