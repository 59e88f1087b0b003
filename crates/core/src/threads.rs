//! How many threads the kernels use.

use crate::Error;

/// Runs `f` with the kernels using `threads` threads; 0 means one per core.
///
/// Enter it once around a whole training. The number of threads changes the
/// speed and never a bit of the result: work is split by shape.
///
/// # Errors
/// If the threads cannot be started.
pub fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> Result<R, Error> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::Other(format!("cannot start {threads} threads: {e}").into()))?;
    Ok(pool.install(f))
}

/// How many threads the kernels use here.
pub fn current() -> usize {
    rayon::current_num_threads()
}
