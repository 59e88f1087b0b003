//! How loops over elements are split among threads.

use rayon::prelude::*;

use super::subnormals::flushing_subnormals;

/// The minimum number of elements for which a loop uses several threads.
pub const MIN_PARALLEL_ELEMENTS: usize = 1 << 16;
/// Elements per parallel task: few enough for the L1 cache.
pub const ELEMENTS_PER_CHUNK: usize = 1 << 13;

/// Parallel loops whose bodies are called through a pointer.
///
/// For each closure that it is given, rayon compiles once more how work is split and stolen. Through a pointer,
/// it does so once per type of task, which makes the code of this crate a quarter smaller. A task is thousands of
/// elements long, so that the call costs nothing that could be measured.
pub trait ForEachTask: IndexedParallelIterator {
    /// Calls `run` with each item, in parallel.
    fn for_each_task(self, run: &(dyn Fn(Self::Item) + Sync)) {
        self.for_each(run);
    }
}

impl<I: IndexedParallelIterator> ForEachTask for I {}

/// Calls `f` with each task: in order on this thread if `threads` is 1, otherwise in parallel.
pub fn for_each<T: Send>(threads: usize, tasks: impl Iterator<Item = T>, f: impl Fn(T) + Sync) {
    match threads {
        1 => tasks.for_each(f),
        _ => tasks.collect::<Vec<_>>().into_par_iter().for_each_task(&f),
    }
}

/// Calls `f(first_row, rows)` for blocks of whole rows of `cols` elements, in parallel if there are
/// enough elements. Subnormal numbers are zero inside.
pub fn by_rows<T: Send>(out: &mut [T], cols: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    let rows = (ELEMENTS_PER_CHUNK / cols.max(1)).max(1);
    let run = |first: usize, rows: &mut [T]| flushing_subnormals(|| f(first, rows));
    if out.len() < MIN_PARALLEL_ELEMENTS / 4 {
        run(0, out);
    } else {
        out.par_chunks_mut(rows * cols).enumerate().for_each_task(&|(i, block)| run(i * rows, block));
    }
}
