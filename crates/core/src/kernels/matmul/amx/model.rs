//! A plain model of the tiles: all but the instruction itself can then be tested on any processor.
#![allow(unsafe_code)]

use super::unit::{Block, LINES, Line, STRIP, TILE, TileUnit};
use crate::kernels::matmul::bf16::{round, widen};
use crate::kernels::simd::vectorised;

/// The model of [`Amx`](super::hardware::Amx).
#[derive(Debug)]
pub struct Model;

impl TileUnit for Model {
    type Register = Line;
    type Session = ();

    fn run<R>(f: impl FnOnce() -> R) -> R {
        f()
    }

    fn elements(x: &[f32]) -> Line {
        Line(std::array::from_fn(|i| x.get(i).map_or(0, |&x| round(x))))
    }

    fn pairs(even: &[f32], odd: &[f32]) -> Line {
        Line(std::array::from_fn(|i| [even, odd][i % 2].get(i / 2).map_or(0, |&x| round(x))))
    }

    fn write(to: &mut Line, line: Line) {
        *to = line;
    }

    fn write_transposed(to: &mut [Line; TILE], lines: [Line; TILE]) {
        for (i, to) in to.iter_mut().enumerate() {
            *to = Line(std::array::from_fn(|j| lines[j / 2].0[2 * i + j % 2]));
        }
    }

    fn begin() {}

    unsafe fn multiply(block: Block<'_>) {
        let Block { a, b, c, c_stride, start, start_stride, .. } = block;
        let mut sums = [[0.0_f32; STRIP]; STRIP];
        for (r, sums) in sums.iter_mut().enumerate().filter(|_| !start.is_null()) {
            // SAFETY: the caller has a whole block of C and of the start.
            unsafe { start.byte_add(r * start_stride).copy_to(sums.as_mut_ptr(), STRIP) };
        }
        vectorised(
            #[inline(always)]
            || {
                for (a, b) in a.chunks_exact(LINES).zip(b.chunks_exact(LINES)) {
                    for (sums, a) in sums.iter_mut().zip(a) {
                        for (sums, b) in sums.chunks_exact_mut(TILE).zip(b.chunks_exact(TILE)) {
                            let b = b.first_chunk().expect("the lines of a tile");
                            add_row(sums.first_chunk_mut().expect("the sums of a tile"), a, b);
                        }
                    }
                }
            },
        );
        for (r, sums) in sums.iter().enumerate() {
            // SAFETY: the same.
            unsafe { c.byte_add(r * c_stride).copy_from(sums.as_ptr(), STRIP) };
        }
    }
}

/// What `tdpbf16ps` adds to a row of sums, bit by bit (Intel's manual, TDPBF16PS): the products of the
/// even and of the odd elements are summed separately, each product and its addition with one
/// rounding; then the two sums are added, and their sum is added to C. What is too small for a normal
/// f32 is 0, before and after each operation.
#[inline(always)]
pub fn add_row(sums: &mut [f32; TILE], a: &Line, b: &[Line; TILE]) {
    let (mut even, mut odd) = ([0.0_f32; TILE], [0.0_f32; TILE]);
    for (p, b) in b.iter().enumerate() {
        let [a_even, a_odd] = [2 * p, 2 * p + 1].map(|i| flushed(widen(a.0[i])));
        for j in 0..TILE {
            even[j] = flushed(a_even.mul_add(flushed(widen(b.0[2 * j])), even[j]));
            odd[j] = flushed(a_odd.mul_add(flushed(widen(b.0[2 * j + 1])), odd[j]));
        }
    }
    for j in 0..TILE {
        sums[j] = flushed(flushed(sums[j]) + flushed(even[j] + odd[j]));
    }
}

/// `x`, or a zero of its sign if it is subnormal.
#[inline(always)]
fn flushed(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { 0.0_f32.copysign(x) } else { x }
}
