//! The tiles of the processor.
#![allow(unsafe_code)]

use std::arch::asm;
use std::arch::x86_64::*;

use super::unit::{Block, LINES, Line, STEP, TILE, TileUnit};
use crate::kernels::amx::Tiles;
use crate::kernels::isa::{Avx512Bf16, Compiled};

/// Prefetches eight cache lines of the next step of B, from this byte on.
macro_rules! prefetch_b {
    ($from:literal) => {
        concat!(
            "prefetcht0 [{b} + 2048 + ",
            $from,
            "]\nprefetcht0 [{b} + 2112 + ",
            $from,
            "]\n",
            "prefetcht0 [{b} + 2176 + ",
            $from,
            "]\nprefetcht0 [{b} + 2240 + ",
            $from,
            "]\n",
            "prefetcht0 [{b} + 2304 + ",
            $from,
            "]\nprefetcht0 [{b} + 2368 + ",
            $from,
            "]\n",
            "prefetcht0 [{b} + 2432 + ",
            $from,
            "]\nprefetcht0 [{b} + 2496 + ",
            $from,
            "]\n",
        )
    };
}

/// AMX, with AVX-512 to pack the factors.
///
/// Rounding flushes subnormal elements to zero, as the products do.
#[derive(Debug)]
pub struct Amx;

impl TileUnit for Amx {
    type Register = __m512i;
    type Session = Tiles;

    #[inline(always)]
    fn run<R>(f: impl FnOnce() -> R) -> R {
        Avx512Bf16::run(f)
    }

    #[inline(always)]
    fn elements(x: &[f32]) -> __m512i {
        let (low, high) = (sixteen(x), sixteen(x.get(TILE..).unwrap_or(&[])));
        // SAFETY: called only within `run`, as the trait asks, which has checked the instruction; both types are 64
        // bytes of plain data.
        unsafe { std::mem::transmute(_mm512_cvtne2ps_pbh(high, low)) }
    }

    #[inline(always)]
    fn pairs(even: &[f32], odd: &[f32]) -> __m512i {
        const ORDER: [u16; STEP] = {
            let mut order = [0; STEP];
            let mut i = 0;
            while i < STEP {
                order[i] = (i / 2 + i % 2 * TILE) as u16;
                i += 1;
            }
            order
        };
        let (even, odd) = (sixteen(even), sixteen(odd));
        // SAFETY: as in `elements`.
        unsafe {
            let rounded = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(odd, even));
            _mm512_permutexvar_epi16(std::mem::transmute::<[u16; STEP], __m512i>(ORDER), rounded)
        }
    }

    #[inline(always)]
    fn write(to: &mut Line, line: __m512i) {
        // SAFETY: a line has 64 bytes and their alignment.
        unsafe { _mm512_store_si512(std::ptr::from_mut(to).cast(), line) };
    }

    #[inline(always)]
    fn write_transposed(to: &mut [Line; TILE], r: [__m512i; TILE]) {
        // SAFETY: as in `elements`.
        unsafe {
            let mut t = r;
            for i in (0..TILE).step_by(2) {
                t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
                t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
            }
            let mut q = t;
            for i in (0..TILE).step_by(4) {
                q[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
                q[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
                q[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
                q[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
            }
            for i in 0..4 {
                let a = _mm512_shuffle_i32x4::<0x88>(q[i], q[i + 4]);
                let b = _mm512_shuffle_i32x4::<0xdd>(q[i], q[i + 4]);
                let c = _mm512_shuffle_i32x4::<0x88>(q[i + 8], q[i + 12]);
                let d = _mm512_shuffle_i32x4::<0xdd>(q[i + 8], q[i + 12]);
                Self::write(&mut to[i], _mm512_shuffle_i32x4::<0x88>(a, c));
                Self::write(&mut to[i + 8], _mm512_shuffle_i32x4::<0xdd>(a, c));
                Self::write(&mut to[i + 4], _mm512_shuffle_i32x4::<0x88>(b, d));
                Self::write(&mut to[i + 12], _mm512_shuffle_i32x4::<0xdd>(b, d));
            }
        }
    }

    fn begin() -> Tiles {
        Tiles::new()
    }

    #[inline]
    unsafe fn multiply(block: Block<'_>) {
        let Block { a, b, c, c_stride, start, start_stride, prefetch } = block;
        let steps = a.len() / LINES;
        assert!(steps > 0 && a.len() == steps * LINES && b.len() == a.len(), "strips of a product");
        // SAFETY: the tiles are configured, all of `a`, `b`, `c` and `start` is there, and what is
        // prefetched need not be.
        unsafe {
            asm!(
                "test {start}, {start}",
                "jnz 3f",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "jmp 2f",
                "3:",
                "tileloadd tmm0, [{start} + {start_stride}*1]",
                "tileloadd tmm1, [{start} + {start_stride}*1 + 64]",
                "mov {i}, {start_stride}",
                "shl {i}, 4",
                "add {start}, {i}",
                "tileloadd tmm2, [{start} + {start_stride}*1]",
                "tileloadd tmm3, [{start} + {start_stride}*1 + 64]",
                // A step. The next step of B is prefetched into the L1 cache.
                "2:",
                "tileloadd tmm4, [{a} + {line}*1]",
                prefetch_b!("0"),
                "tileloadd tmm6, [{b} + {line}*1]",
                prefetch_b!("512"),
                "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                prefetch_b!("1024"),
                "tileloadd tmm5, [{a} + {line}*1 + 1024]",
                "mov {i}, [{prefetch} + {AHEAD_LINES}]",
                "test {i}, {i}",
                "jz 5f",
                "4:",
                "prefetcht1 [{ahead}]",
                "add {ahead}, 64",
                "dec {i}",
                "jnz 4b",
                "5:",
                "tdpbf16ps tmm1, tmm4, tmm7",
                prefetch_b!("1536"),
                "mov {i}, [{prefetch} + {NEXT_ROWS}]",
                "6:",
                "prefetchw [{next}]",
                "prefetchw [{next} + 64]",
                "add {next}, {c_stride}",
                "dec {i}",
                "jnz 6b",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a}, 2048",
                "add {b}, 2048",
                "dec {steps}",
                "jnz 2b",
                "mov {i}, {c_stride}",
                "shl {i}, 4",
                "add {i}, {c}",
                "tilestored [{c} + {c_stride}*1], tmm0",
                "tilestored [{c} + {c_stride}*1 + 64], tmm1",
                "tilestored [{i} + {c_stride}*1], tmm2",
                "tilestored [{i} + {c_stride}*1 + 64], tmm3",
                AHEAD_LINES = const std::mem::offset_of!(PerStep, ahead_lines),
                NEXT_ROWS = const std::mem::offset_of!(PerStep, next_rows),
                a = inout(reg) a.as_ptr() => _,
                b = inout(reg) b.as_ptr() => _,
                steps = inout(reg) steps => _,
                start = inout(reg) start => _,
                start_stride = in(reg) start_stride,
                c = in(reg) c,
                c_stride = in(reg) c_stride,
                line = in(reg) size_of::<Line>(),
                prefetch = in(reg) &PerStep {
                    ahead_lines: prefetch.ahead_lines,
                    next_rows: prefetch.next_rows.max(1),
                },
                ahead = inout(reg) prefetch.ahead => _,
                next = inout(reg) prefetch.next => _,
                i = out(reg) _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

/// What each step prefetches, in memory because registers are scarce.
#[repr(C)]
struct PerStep {
    ahead_lines: usize,
    next_rows: usize,
}

/// The first 16 elements, padded with zeros.
#[inline(always)]
fn sixteen(x: &[f32]) -> __m512 {
    // SAFETY: called only within `Amx::run`, as its callers are; reads only elements that exist.
    unsafe {
        if x.len() >= TILE {
            _mm512_loadu_ps(x.as_ptr())
        } else {
            _mm512_maskz_loadu_ps((1 << x.len()) - 1, x.as_ptr())
        }
    }
}
