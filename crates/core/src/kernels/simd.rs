//! Run-time dispatch to the best instruction set, and helpers for vectorised loops.

use std::sync::OnceLock;

use super::isa::Isa;
use super::subnormals::flushing_subnormals;

/// Bytes of a cache line, and of the longest vector register (AVX-512).
pub const BYTES_PER_CACHE_LINE: usize = 64;

/// Runs `f` compiled for the instruction set in use (SSE2, AVX2, AVX-512, NEON). Only code that is
/// inlined into `f` is compiled for it. Subnormal numbers are zero inside.
#[inline(always)]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    static ARCH: OnceLock<pulp::Arch> = OnceLock::new();
    let arch = ARCH.get_or_init(arch);
    flushing_subnormals(
        #[inline(always)]
        || arch.dispatch(f),
    )
}

/// The instruction set in use, as pulp calls it.
fn arch() -> pulp::Arch {
    match Isa::in_use() {
        Isa::Plain => pulp::Arch::Scalar,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => pulp::x86::V3::try_new().map_or(pulp::Arch::Scalar, pulp::Arch::V3),
        _ => pulp::Arch::new(),
    }
}

/// `[f(0), f(1), ..]`. Unlike `std::array::from_fn`, it is always inlined: `f` is then compiled
/// for the instruction set of its caller, which is many times faster.
#[inline(always)]
pub fn array<T: Copy + Default, const N: usize>(f: impl Fn(usize) -> T) -> [T; N] {
    let mut all = [T::default(); N];
    for (i, x) in all.iter_mut().enumerate() {
        *x = f(i);
    }
    all
}

/// Prefetches the cache line of the first of `elements`.
#[inline(always)]
#[allow(unsafe_code)]
pub fn prefetch<T>(elements: &[T]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch has no observable effect, and every x86-64 processor supports it; the
    // address is valid.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(elements.as_ptr().cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = elements;
}
