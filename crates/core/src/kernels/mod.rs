//! The fast inner loops, on slices. Threads and SIMD live here and nowhere else.
//!
//! Every loop is split by the length of its data, never by the number of
//! threads, and every reduction adds in a fixed order: the same numbers come
//! out of 1, 2 or N threads, bit for bit.

pub mod attention;
pub mod dropout;
pub mod isa;
pub mod layer_norm;
pub mod map;
pub mod matmul;
pub mod matvec;
pub mod packed_weights;
pub mod pairs;
pub mod reduce;
mod small_matmul;
pub mod softmax;
pub mod transpose;

use std::sync::OnceLock;

use rayon::prelude::*;

/// Slices longer than this are worth a second thread.
pub const PARALLEL_FROM: usize = 1 << 16;
/// How many numbers a thread takes at a time: small enough for the L1 cache.
pub const CHUNK: usize = 1 << 13;
/// Bytes of a cache line, and of the longest register.
pub const LINE: usize = 64;

/// Runs `f` compiled for the best instruction set of this machine (SSE2, AVX2,
/// AVX-512, NEON). The loops of `f` must be inlined into it.
#[inline(always)]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    static ARCH: OnceLock<pulp::Arch> = OnceLock::new();
    ARCH.get_or_init(pulp::Arch::new).dispatch(f)
}

/// `[f(0), f(1), ..]`. As `std::array::from_fn`, which however is not always inlined, and
/// then `f` is compiled for no instruction set in particular, many times slower.
#[inline(always)]
pub fn array<T: Copy + Default, const N: usize>(f: impl Fn(usize) -> T) -> [T; N] {
    let mut all = [T::default(); N];
    for (i, x) in all.iter_mut().enumerate() {
        *x = f(i);
    }
    all
}

/// Asks for the cache line in which `numbers` begin.
#[inline(always)]
#[allow(unsafe_code)]
pub fn prefetch<T>(numbers: &[T]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: an instruction without effects, of every x86-64; the address is valid.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(numbers.as_ptr().cast());
    }
}

/// The name of the instruction set that the kernels use on this machine.
pub fn instruction_set() -> &'static str {
    isa::Isa::best().name()
}

/// Calls `f(first, rows)` for pieces of whole rows of `cols` numbers, in parallel
/// where that pays; `first` is the number of the piece's first row.
pub fn by_rows<T: Send>(out: &mut [T], cols: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    let rows = (CHUNK / cols.max(1)).max(1);
    if out.len() < PARALLEL_FROM / 4 {
        f(0, out);
    } else {
        out.par_chunks_mut(rows * cols).enumerate().for_each(|(i, piece)| f(i * rows, piece));
    }
}
