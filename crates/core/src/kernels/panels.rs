//! The storage of packed weights: panels of 64 rows, column by column.

/// Rows per panel: enough independent sums to hide the latency of an addition.
pub const ROWS_PER_PANEL: usize = 64;

/// A column of a panel, aligned to a cache line.
#[derive(Debug)]
#[repr(align(64))]
pub struct Column<S>(pub [S; ROWS_PER_PANEL]);
