//! The threads of the kernels: their number, and a spinner that keeps them awake between ops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::Error;

/// The largest number of threads that is accepted.
pub const MAX_THREADS: usize = 1024;

/// The environment variable with the number of threads, for a caller that gives none.
pub const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Runs `f` with the kernels using `threads` threads; 0 means [`default_number`].
///
/// Call it once around a whole training run. The number of threads affects the speed but no bit of
/// the result: the work is split by shape alone.
///
/// # Errors
/// If the threads cannot be started; those of [`default_number`].
pub fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> Result<R, Error> {
    let threads = if threads == 0 { default_number()? } else { threads };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::Other(format!("cannot start {threads} threads: {e}").into()))?;
    Ok(pool.install(f))
}

/// The number of threads that [`VARIABLE`] asks for; one per core if it is unset, empty or 0.
///
/// # Errors
/// [`Error::Setting`] if it is not a number from 0 to [`MAX_THREADS`].
pub fn default_number() -> Result<usize, Error> {
    let given = std::env::var_os(VARIABLE).unwrap_or_default();
    let number = parse_number(&given.to_string_lossy())?;
    Ok(number.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)))
}

/// The number of threads in a text; `None` stands for one per core.
fn parse_number(text: &str) -> Result<Option<usize>, Error> {
    match text.parse() {
        _ if text.is_empty() => Ok(None),
        Ok(0) => Ok(None),
        Ok(number @ 1..=MAX_THREADS) => Ok(Some(number)),
        _ => Err(Error::Setting {
            name: VARIABLE,
            value: text.into(),
            rule: "it must be a whole number from 1 to 1024, or 0 for one thread per core",
        }),
    }
}

/// Runs `a` and `b`, on two threads if there are any, and returns both results.
pub fn join<A: Send, B: Send>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    rayon::join(a, b)
}

/// Calls `f(scratch, i, chunk)` for each chunk `i` of `len` elements of `out`, in parallel. A thread
/// takes at least `min_chunks` chunks at a time and keeps its scratch space between them.
pub fn for_each_chunk<T: Send, S: Default>(
    out: &mut [T],
    len: usize,
    min_chunks: usize,
    f: impl Fn(&mut S, usize, &mut [T]) + Sync,
) {
    let chunks = out.par_chunks_exact_mut(len).enumerate().with_min_len(min_chunks);
    chunks.for_each_init(S::default, |scratch, (i, chunk)| f(scratch, i, chunk));
}

/// The results of `f(0)`, `f(1)`, .. `f(n - 1)`. They begin in this order: a thread takes the next number when it is
/// free, and at most `at_once` run at a time. After the first error, none begins.
///
/// A thread that waits inside a kernel does not begin another `f`, as it might in other parallel loops.
///
/// # Errors
/// The first error in the order of the numbers.
pub fn in_turns<R: Send, E: Send>(
    n: usize,
    at_once: usize,
    f: impl Fn(usize) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let (next, workers) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut done = Vec::new();
        if workers.fetch_add(1, Relaxed) >= at_once.max(1) {
            return done;
        }
        loop {
            let i = next.fetch_add(1, Relaxed);
            if i >= n {
                return done;
            }
            let result = f(i);
            if result.is_err() {
                next.fetch_max(n, Relaxed);
            }
            done.push((i, result));
        }
    };
    let mut all = match n.min(at_once).min(current()) {
        0 | 1 => work(),
        _ => rayon::broadcast(|_| work()).into_iter().flatten().collect(),
    };
    all.sort_unstable_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, result)| result).collect()
}

/// The number of threads that kernels use here.
pub fn current() -> usize {
    rayon::current_num_threads()
}

/// Keeps the threads of the pool spinning from one op to the next, and to the next step.
///
/// A thread without work goes to sleep after about 30 us, and waking it takes about as long. In a
/// training step of a small model, this would happen 40 times.
#[derive(Debug, Default)]
pub struct Spinner {
    /// Whether each thread of the pool is spinning.
    spinning: Arc<[AtomicBool]>,
}

/// How long a thread spins without finding work.
const MAX_SPIN: Duration = Duration::from_millis(1);

/// Steps that use fewer bytes have too little work to share.
const MIN_BYTES: usize = 16 << 20;

impl Spinner {
    /// Makes all threads of the pool but this one spin until they have found no work for a
    /// millisecond. Does nothing for a step that uses few `bytes`, without other threads, or outside
    /// the pool of [`with_threads`].
    pub fn spin(&mut self, bytes: usize) {
        if bytes < MIN_BYTES {
            return;
        }
        let (Some(this), threads @ 2..) = (rayon::current_thread_index(), current()) else { return };
        if self.spinning.len() != threads {
            self.spinning = (0..threads).map(|_| AtomicBool::new(false)).collect();
        }
        if self.spinning.iter().enumerate().all(|(i, spins)| i == this || spins.load(Relaxed)) {
            return;
        }
        let spinning = self.spinning.clone();
        rayon::spawn_broadcast(move |thread| {
            let spins = &spinning[thread.index()];
            if thread.index() != this && !spins.swap(true, Relaxed) {
                spin_for_work();
                spins.store(false, Relaxed);
            }
        });
    }
}

/// Runs work from other threads until there has been none for [`MAX_SPIN`]. It must end, because a
/// thread may start to spin in the middle of a task for which another thread waits.
fn spin_for_work() {
    let mut last = Instant::now();
    while last.elapsed() < MAX_SPIN {
        match rayon::yield_now() {
            Some(rayon::Yield::Executed) => last = Instant::now(),
            _ => std::hint::spin_loop(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Waits until `wanted` threads are spinning, ten seconds at most.
    fn count_spinning(spinner: &mut Spinner, wanted: usize, between: impl Fn(&mut Spinner)) -> usize {
        let began = Instant::now();
        loop {
            let spinning = spinner.spinning.iter().filter(|spins| spins.load(Relaxed)).count();
            if spinning == wanted || began.elapsed() > Duration::from_secs(10) {
                return spinning;
            }
            between(spinner);
        }
    }

    #[test]
    fn threads_spin_and_go_to_sleep() {
        with_threads(2, || {
            let mut spinner = Spinner::default();
            assert_eq!(
                count_spinning(&mut spinner, 1, |spinner| spinner.spin(MIN_BYTES)),
                1,
                "no thread spins"
            );
            assert_eq!(rayon::join(|| 1, || rayon::join(|| 2, || 3)), (1, (2, 3)));
            assert_eq!(
                count_spinning(&mut spinner, 0, |_| std::thread::yield_now()),
                0,
                "a thread spins for ever"
            );
        })
        .unwrap();
    }

    #[test]
    fn work_begins_in_order_and_ends_with_the_first_error() {
        for (threads, at_once) in [(1, 1), (1, 4), (3, 1), (3, 2), (3, 9)] {
            with_threads(threads, || {
                let (running, most, begun) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
                let run = |fails: usize| {
                    begun.store(0, Relaxed);
                    in_turns(20, at_once, |i| {
                        most.fetch_max(running.fetch_add(1, Relaxed) + 1, Relaxed);
                        begun.fetch_add(1, Relaxed);
                        // What a kernel does.
                        let sum: usize = (0..1000).into_par_iter().map(|k| k * i).sum();
                        running.fetch_sub(1, Relaxed);
                        if i >= fails { Err(i) } else { Ok(sum) }
                    })
                };
                assert_eq!(run(20).unwrap(), (0..20).map(|i| 499_500 * i).collect::<Vec<_>>());
                assert_eq!(run(5).unwrap_err(), 5);
                assert!(begun.load(Relaxed) < 6 + threads, "{} have begun", begun.load(Relaxed));
                assert!(most.load(Relaxed) <= at_once.min(threads));
            })
            .unwrap();
        }
        assert_eq!(in_turns(0, 3, |_| Ok::<(), ()>(())), Ok(Vec::new()));
    }

    #[test]
    fn the_number_of_threads_in_the_environment_is_checked() {
        for (text, number) in [("", None), ("0", None), ("1", Some(1)), ("1024", Some(1024))] {
            assert_eq!(parse_number(text).unwrap(), number, "{text}");
        }
        for text in ["-1", "abc", "1025", "100000", "99999999999999999999", "2.5", " 2"] {
            let error = parse_number(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("RAYON_NUM_THREADS is {text}: it must")), "{error}");
        }
    }

    #[test]
    fn without_other_threads_or_much_work_no_thread_spins() {
        let mut spinner = Spinner::default();
        spinner.spin(MIN_BYTES);
        with_threads(1, || spinner.spin(MIN_BYTES)).unwrap();
        with_threads(2, || spinner.spin(MIN_BYTES - 1)).unwrap();
        assert!(spinner.spinning.is_empty());
        with_threads(2, || spinner.spin(MIN_BYTES)).unwrap();
        assert_eq!(spinner.spinning.len(), 2);
    }
}
