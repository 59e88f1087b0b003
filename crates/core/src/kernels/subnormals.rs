//! In the kernels, subnormal numbers are zero: on every thread, in every op.
//!
//! Below 1.2e-38 in `f32`, and 2.2e-308 in `f64`, numbers have fewer digits the smaller they are, and a
//! processor takes over a hundred cycles for an instruction that meets one. Saturated neurons multiply
//! small derivatives until most of them are such numbers, which made an epoch of digits take twice as
//! long. So the kernels tell the processor to read and write them as zero.
//!
//! The mode belongs to a thread. Each piece of work sets it where it starts and restores it where it
//! ends, on whatever thread that is: neither the number of threads nor the mode of the caller changes a
//! bit of a result, and the caller's own arithmetic stays as it was. The arithmetic on tensors
//! therefore runs inside [`vectorised`](super::simd::vectorised),
//! [`Compiled::run`](super::isa::Compiled::run) or [`by_rows`](super::parallel::by_rows), which call
//! [`flushing_subnormals`]. Only the conversion of stored weights ([`block_format`](super::block_format)) keeps
//! subnormal numbers, as the programs that wrote them do.
//!
//! Rust compiles arithmetic for the default mode. By its rules, to compute in another one is undefined
//! behaviour (std's page on `_mm_setcsr`): the compiler may move arithmetic past the instructions that change
//! the mode, or do it beforehand. Work is therefore a call that is never inlined, and reads its numbers from
//! memory, which these instructions seem to change: no arithmetic has a reason to move out. That of a closure
//! which only uses numbers that it has captured would have one. The test of every op checks that none lets a
//! subnormal number through.

/// Runs `f` with subnormal operands and results taken as zero, with their sign. A thread that
/// `f` uses has its own mode; one that it starts begins with a copy of this.
#[inline(always)]
pub fn flushing_subnormals<R>(f: impl FnOnce() -> R) -> R {
    /// Restores the mode at the end of the work, and after a panic.
    struct Restore(control::Bits);

    impl Drop for Restore {
        #[inline(always)]
        fn drop(&mut self) {
            control::write(self.0);
        }
    }

    let before = control::read();
    if before & control::FLUSH == control::FLUSH {
        return apart(f);
    }
    control::write(before | control::FLUSH);
    let _restore = Restore(before);
    apart(f)
}

/// Whether this processor can do so.
pub const ARE_ZERO: bool = control::FLUSH != 0;

/// Calls `f` where no arithmetic can move out of it.
#[inline(never)]
fn apart<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// MXCSR, the control register of SSE and AVX (Intel's manual, volume 1, 10.2.3).
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod control {
    use std::arch::asm;

    pub type Bits = u32;

    /// Results are flushed to zero (bit 15), and operands read as zero (bit 6).
    pub const FLUSH: Bits = 1 << 15 | 1 << 6;

    #[inline(always)]
    #[allow(unsafe_code)]
    pub fn read() -> Bits {
        let mut bits = 0;
        // SAFETY: it writes the 4 bytes of a local variable.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut bits, options(nostack, preserves_flags)) };
        bits
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    pub fn write(bits: Bits) {
        // SAFETY: it reads a local variable. The bits are those that `read` returned, with or without two that
        // every x86-64 processor has: no exception is unmasked. The compiler sees a write to all memory, so loads
        // and stores stay on their side. Rust itself allows no other mode: see the module for what holds in spite
        // of that.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const bits, options(nostack)) };
    }
}

/// FPCR, the control register of floating-point and NEON instructions (Arm's manual, C5.2.8).
#[cfg(all(target_arch = "aarch64", not(miri)))]
mod control {
    use std::arch::asm;

    pub type Bits = u64;

    /// FZ: operands and results are flushed to zero.
    pub const FLUSH: Bits = 1 << 24;

    #[inline(always)]
    #[allow(unsafe_code)]
    pub fn read() -> Bits {
        let bits;
        // SAFETY: it only reads the register.
        unsafe { asm!("mrs {}, fpcr", out(reg) bits, options(nostack, preserves_flags)) };
        bits
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    pub fn write(bits: Bits) {
        // SAFETY: the bits are those that `read` returned, with or without FZ. The compiler sees a write to all
        // memory, so loads and stores stay on their side. Rust itself allows no other mode: see the module for what
        // holds in spite of that.
        unsafe { asm!("msr fpcr, {}", in(reg) bits, options(nostack)) };
    }
}

/// A processor without such a mode.
#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod control {
    pub type Bits = u32;

    pub const FLUSH: Bits = 0;

    pub fn read() -> Bits {
        0
    }

    pub fn write(_: Bits) {}
}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::hint::black_box;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::Number;
    use crate::kernels::{elementwise, gelu_exact, optimizer, softmax};
    use crate::threads::with_threads;

    /// A normal number whose square is subnormal.
    const SMALL: f32 = 1e-20;

    /// `SMALL^2`, in the mode of this thread.
    fn square() -> f32 {
        apart(|| black_box(SMALL) * black_box(SMALL))
    }

    #[test]
    fn the_mode_ends_with_the_work_and_after_a_panic() {
        let subnormal = square();
        assert!(subnormal > 0.0 && !subnormal.is_normal());
        let before = control::read();
        let inside = flushing_subnormals(|| {
            // Work inside of work ends no sooner.
            let inner = flushing_subnormals(square);
            let operand = black_box(subnormal) * black_box(1e30);
            [inner, square(), operand]
        });
        assert_eq!((inside, square()), ([0.0; 3], subnormal));
        let panics = || flushing_subnormals(|| panic!("{}", square()));
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert_eq!((square(), control::read() & control::FLUSH), (subnormal, before & control::FLUSH));
        // A caller who chose the mode keeps it.
        control::write(before | control::FLUSH);
        flushing_subnormals(square);
        let (kept, mode) = (square(), control::read());
        control::write(before);
        assert_eq!((kept, mode & control::FLUSH), (0.0, control::FLUSH));
    }

    /// Squares of normal numbers that underflow, partly to normal and partly to subnormal numbers.
    fn squares<T: Number>(threads: usize, smallest: f64) -> Vec<T> {
        let x: Vec<T> = (0..100_000).map(|i| T::of(smallest * f64::from(1 + i % 1000))).collect();
        let mut out = vec![T::one(); x.len()];
        with_threads(threads, || elementwise::multiply(&mut out, &x, &x)).unwrap();
        out
    }

    #[test]
    fn products_are_flushed_on_every_thread() {
        fn check<T: Number + PartialEq>(smallest: f64) {
            let one = squares::<T>(1, smallest);
            assert!(one.iter().all(|x| !x.is_subnormal()));
            assert!(one.contains(&T::zero()) && one.iter().any(|x| *x > T::zero()));
            for threads in [2, 3, 4] {
                assert!(squares::<T>(threads, smallest) == one, "{threads} threads");
            }
        }
        check::<f32>(1e-21);
        check::<f64>(1e-156);
        // Functions of the standard library, too.
        let mut out = [9.0; 2];
        softmax::softmax_rows(&mut out, &[0.0, -740.0], 2);
        assert_eq!(out, [1.0, 0.0]);
        gelu_exact::gelu_exact(&mut out, &[-37.9, -38.2]);
        assert_eq!(out[1], 0.0);
        // Weights that shrink end at zero.
        let (mut w, step) = ([2e-38_f32], optimizer::SgdStep { rate: 0.75, scale: 1.0, l2: 1.0 });
        optimizer::sgd(&mut w, &[0.0], step);
        assert_eq!(w, [0.0]);
        // Threads return to their mode between two pieces of work.
        let kept = with_threads(2, || {
            let mut out = vec![0.0; 1 << 17];
            elementwise::multiply(&mut out, &vec![SMALL; 1 << 17], &vec![SMALL; 1 << 17]);
            (out.iter().all(|x| *x == 0.0), rayon::broadcast(|_| square() > 0.0))
        });
        assert_eq!(kept.unwrap(), (true, vec![true; 2]));
    }
}
