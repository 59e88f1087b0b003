//! What the products of this module need of a processor, so that all else can be tested on any.

use std::cell::RefCell;
use std::thread::LocalKey;

use crate::kernels::scratch::{Scratch, thread_buffers};

/// Rows of a tile.
pub const TILE: usize = 16;

/// Rows of A, or columns of B, in a strip: two tiles side by side.
pub const STRIP: usize = 2 * TILE;

/// Elements of the inner dimension in a step: those of a line.
pub const STEP: usize = 32;

/// Lines of a step of a strip: those of its two tiles.
pub const LINES: usize = 2 * TILE;

/// A row of a tile: 32 elements in bf16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line(pub [u16; STEP]);

impl Default for Line {
    fn default() -> Self {
        Self([0; STEP])
    }
}

impl Scratch for Line {
    fn buffers() -> &'static LocalKey<RefCell<Vec<Vec<Self>>>> {
        thread_buffers!(Line)
    }
}

/// A processor with tiles, or a plain model of one.
///
/// Registers are made and written only within [`TileUnit::run`]: elsewhere, the processor may lack the instructions.
pub trait TileUnit {
    /// A line in a register.
    type Register: Copy;

    /// The right to use the tiles of this thread. See [`Tiles`](crate::kernels::amx::Tiles) for what
    /// must not happen while it lives.
    type Session;

    /// Runs `f` compiled for the processor.
    fn run<R>(f: impl FnOnce() -> R) -> R;

    /// The first 32 elements in bf16, padded with zeros.
    fn elements(x: &[f32]) -> Self::Register;

    /// The first 16 elements of each in bf16, padded with zeros: `even[0] odd[0] even[1] odd[1] ..`.
    fn pairs(even: &[f32], odd: &[f32]) -> Self::Register;

    /// Writes a line.
    fn write(to: &mut Line, line: Self::Register);

    /// Writes the transpose: pair `i` of line `j` becomes pair `j` of line `i`.
    fn write_transposed(to: &mut [Line; TILE], lines: [Self::Register; TILE]);

    /// Configures the tiles of this thread.
    fn begin() -> Self::Session;

    /// Multiplies a strip of A with a strip of B: a block of [`STRIP`] x [`STRIP`] sums.
    ///
    /// # Safety
    /// The caller has a [`TileUnit::Session`]; all addresses but those to prefetch are valid for what
    /// [`Block`] says.
    #[allow(unsafe_code)]
    unsafe fn multiply(block: Block<'_>);
}

/// A block of the product: `C = start + A B`.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// A strip of A: the [`LINES`] of each step.
    pub a: &'a [Line],
    /// A strip of B, with as many steps.
    pub b: &'a [Line],
    /// The first element of C.
    pub c: *mut f32,
    /// Bytes from one row of C to the next.
    pub c_stride: usize,
    /// The first element that the sums start from; null to start from zero.
    pub start: *const f32,
    /// Bytes from one row of the start to the next; 0 to use the same row for all.
    pub start_stride: usize,
    /// What to prefetch meanwhile.
    pub prefetch: Prefetch,
}

/// What a block prefetches while it multiplies. The addresses need not be valid.
#[derive(Debug, Clone, Copy)]
pub struct Prefetch {
    /// The block of C that comes next, to be written.
    pub next: *const f32,
    /// Its rows per step.
    pub next_rows: usize,
    /// What will be packed next.
    pub ahead: *const f32,
    /// Its cache lines per step.
    pub ahead_lines: usize,
}
