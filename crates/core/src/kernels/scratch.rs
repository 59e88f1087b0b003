//! Scratch buffers that each thread reuses from one kernel call to the next.

use std::cell::RefCell;
use std::thread::LocalKey;

use super::simd::BYTES_PER_CACHE_LINE;
use crate::Number;
use crate::number::PerType;

/// An element type with scratch buffers in every thread.
pub trait Scratch: Copy + Default + 'static {
    /// The free buffers of this thread.
    fn buffers() -> &'static LocalKey<RefCell<Vec<Vec<Self>>>>;
}

/// The body of [`Scratch::buffers`] for one type.
macro_rules! thread_buffers {
    ($t:ty) => {{
        thread_local!(
            static BUFFERS: std::cell::RefCell<Vec<Vec<$t>>> = const { std::cell::RefCell::new(Vec::new()) }
        );
        &BUFFERS
    }};
}
// Products of bf16 use it: only x86-64 has them.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_imports))]
pub(super) use thread_buffers;

/// Selects the buffers of a [`Number`] type.
struct FloatBuffers;

impl PerType for FloatBuffers {
    type Args<T: Number> = ();
    type Output<T: Number> = &'static LocalKey<RefCell<Vec<Vec<T>>>>;

    fn f32((): ()) -> Self::Output<f32> {
        thread_buffers!(f32)
    }
    fn f64((): ()) -> Self::Output<f64> {
        thread_buffers!(f64)
    }
}

impl<T: Number> Scratch for T {
    fn buffers() -> &'static LocalKey<RefCell<Vec<Vec<T>>>> {
        T::dispatch::<FloatBuffers>(())
    }
}

/// Calls `f` with `n` elements of this thread's scratch space, aligned to a cache line. Their
/// contents are unspecified.
pub fn with_scratch<F: Scratch, R>(n: usize, f: impl FnOnce(&mut [F]) -> R) -> R {
    let mut buffer = F::buffers().with_borrow_mut(Vec::pop).unwrap_or_default();
    let room = n + BYTES_PER_CACHE_LINE / size_of::<F>();
    if buffer.len() < room {
        buffer.resize(room, F::default());
    }
    let first = buffer.as_ptr().align_offset(BYTES_PER_CACHE_LINE).min(room - n);
    let result = f(&mut buffer[first..first + n]);
    F::buffers().with_borrow_mut(|buffers| buffers.push(buffer));
    result
}
