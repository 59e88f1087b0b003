//! Scratch space that each thread keeps from one kernel call to the next.

use std::cell::RefCell;
use std::thread::LocalKey;

use super::simd::BYTES_PER_CACHE_LINE;

/// An element type of which every thread keeps buffers.
pub trait Scratch: Copy + Default + 'static {
    /// The buffers of this thread that are not in use.
    fn buffers() -> &'static LocalKey<RefCell<Vec<Vec<Self>>>>;
}

/// Implements [`Scratch`] for a type.
macro_rules! scratch {
    ($t:ty) => {
        impl $crate::kernels::scratch::Scratch for $t {
            fn buffers() -> &'static std::thread::LocalKey<std::cell::RefCell<Vec<Vec<Self>>>> {
                thread_local!(
                    static BUFFERS: std::cell::RefCell<Vec<Vec<$t>>> =
                        const { std::cell::RefCell::new(Vec::new()) }
                );
                &BUFFERS
            }
        }
    };
}
pub(super) use scratch;

scratch!(f32);
scratch!(f64);

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
