//! The threads that the kernels use: how many, and that they stay awake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

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

/// Keeps the threads of the pool awake from one op to the next, and to the next step.
///
/// A thread without work falls asleep after some 30 us, and to wake it takes about as long
/// again, which in a training step of a small model would happen 40 times.
#[derive(Debug, Default)]
pub struct Awake {
    /// Which threads of the pool look for work all the time.
    looking: Arc<[AtomicBool]>,
}

/// How long a thread looks for work in vain before it falls asleep after all.
const PATIENCE: Duration = Duration::from_millis(1);

/// Ops that read and write fewer bytes in all have little to share out.
const LITTLE: usize = 16 << 20;

impl Awake {
    /// Lets all threads of the pool but this one look for work until there has been none for
    /// a millisecond. Does nothing for what goes through few `bytes`, nor where there is no
    /// other thread or no pool, which is that of [`with_threads`].
    pub fn keep(&mut self, bytes: usize) {
        if bytes < LITTLE {
            return;
        }
        let (Some(this), threads @ 2..) = (rayon::current_thread_index(), current()) else { return };
        if self.looking.len() != threads {
            self.looking = (0..threads).map(|_| AtomicBool::new(false)).collect();
        }
        if self.looking.iter().enumerate().all(|(i, looks)| i == this || looks.load(Relaxed)) {
            return;
        }
        let looking = self.looking.clone();
        rayon::spawn_broadcast(move |thread| {
            let looks = &looking[thread.index()];
            if thread.index() != this && !looks.swap(true, Relaxed) {
                look_for_work();
                looks.store(false, Relaxed);
            }
        });
    }
}

/// Does what others have to share out. It must end by itself: a thread may begin with it while
/// another one waits for what it was doing before.
fn look_for_work() {
    let mut last = Instant::now();
    while last.elapsed() < PATIENCE {
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

    /// Waits until as many threads as are wanted look for work, ten seconds at most.
    fn looking(awake: &mut Awake, wanted: usize, between: impl Fn(&mut Awake)) -> usize {
        let began = Instant::now();
        loop {
            let looking = awake.looking.iter().filter(|looks| looks.load(Relaxed)).count();
            if looking == wanted || began.elapsed() > Duration::from_secs(10) {
                return looking;
            }
            between(awake);
        }
    }

    #[test]
    fn threads_look_for_work_and_give_up() {
        with_threads(2, || {
            let mut awake = Awake::default();
            assert_eq!(looking(&mut awake, 1, |awake| awake.keep(LITTLE)), 1, "nobody looks for work");
            assert_eq!(rayon::join(|| 1, || rayon::join(|| 2, || 3)), (1, (2, 3)));
            assert_eq!(looking(&mut awake, 0, |_| std::thread::yield_now()), 0, "somebody never gives up");
        })
        .unwrap();
    }

    #[test]
    fn without_other_threads_or_much_to_do_nobody_looks_for_work() {
        let mut awake = Awake::default();
        awake.keep(LITTLE);
        with_threads(1, || awake.keep(LITTLE)).unwrap();
        with_threads(2, || awake.keep(LITTLE - 1)).unwrap();
        assert!(awake.looking.is_empty());
        with_threads(2, || awake.keep(LITTLE)).unwrap();
        assert_eq!(awake.looking.len(), 2);
    }
}
