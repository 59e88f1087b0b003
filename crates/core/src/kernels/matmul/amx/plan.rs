//! How a product is split.

use super::unit::{STEP, STRIP};

/// Steps from which on a product with a small output is split along the inner dimension: the gradient
/// of a weight. Its blocks of C stay in the L2 cache from slice to slice.
const MANY_STEPS: usize = 64;

/// Strips of the longer side of an output that is small in this sense.
const SMALL_OUTPUT_STRIPS: usize = 256;

/// Strips of a task whose blocks of C stay in the L2 cache.
const STRIPS_IN_L2: usize = 18;

/// How a product is split. No choice changes a bit of the result, so it may depend on the number of
/// threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What each task packs, unless it was packed before, and multiplies with the other factor, which is packed
    /// whole before.
    pub tasks: Tasks,
    /// Strips per task.
    pub strips: usize,
    /// The maximum number of steps per slice of the inner dimension.
    pub steps: usize,
    /// Rows of the next block of C that are prefetched per step: all of them in about half a block.
    pub next_rows: usize,
    /// Cache lines of the next rows of A that are prefetched per step: while a strip of A meets all
    /// of B, the rows of the next strip arrive.
    pub ahead_lines: usize,
}

/// What the tasks of a product compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tasks {
    /// Blocks of rows.
    Rows,
    /// Panels of columns.
    Columns,
}

impl Plan {
    /// The plan of an `m` x `inner` times `inner` x `n` product.
    pub fn new((m, inner, n): (usize, usize, usize), threads: usize) -> Self {
        let (rows, columns, steps) = (m.div_ceil(STRIP), n.div_ceil(STRIP), inner.div_ceil(STEP));
        let (longer, halves) = (rows.max(columns), 2 * threads);
        let (tasks, strips, steps_at_once) = if steps > MANY_STEPS && longer <= SMALL_OUTPUT_STRIPS {
            let count = longer.div_ceil(STRIPS_IN_L2).next_multiple_of(threads);
            let tasks = if rows >= columns { Tasks::Rows } else { Tasks::Columns };
            (tasks, longer.div_ceil(count), 16)
        } else if rows < columns / 2 {
            (Tasks::Columns, columns.div_ceil(halves).clamp(1, 8), 24)
        } else {
            (Tasks::Rows, rows.div_ceil(halves).clamp(1, if steps <= 8 { 4 } else { 2 }), 48)
        };
        let next_rows = match steps.div_ceil(steps.div_ceil(steps_at_once)) {
            24.. => 1,
            10.. => 3,
            _ => 8,
        };
        let ahead_lines = if n <= 512 { 6 } else { 2 };
        Self { tasks, strips, steps: steps_at_once, next_rows, ahead_lines }
    }
}
