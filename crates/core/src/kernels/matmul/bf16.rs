//! Factors in bf16: the upper half of an f32, with its range and 8 bits of precision.
//!
//! A product in bf16 rounds both factors and accumulates in f32. It reads half as many bytes and,
//! on processors with bf16 instructions, multiplies twice as many elements at a time.

use super::factor::Encoding;
#[cfg(target_arch = "x86_64")]
use super::factor::Factor;
#[cfg(target_arch = "x86_64")]
use crate::kernels::{
    isa::Compiled,
    scratch::{Scratch, thread_buffers},
    simd::array,
    transpose::{Block, Transpose},
};

/// `x` rounded to the nearest bf16, ties to even; NaN stays NaN.
#[inline(always)]
pub fn round(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    let bits = if x.is_nan() { bits | 0x0040_0000 } else { rounded };
    (bits >> 16) as u16
}

/// The f32 value of the bf16 `bits`.
#[inline(always)]
pub fn widen(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Elements rounded to bf16 and widened again, which any machine can multiply.
///
/// The product of two is exact in f32, so fused and separate multiply-adds give the same result.
#[derive(Debug)]
pub struct Rounded;

impl Encoding<f32> for Rounded {
    type Factor = f32;

    const DEPTH: usize = 1;

    #[inline(always)]
    fn encode(x: f32, _: f32) -> f32 {
        widen(round(x))
    }
    #[inline(always)]
    fn as_is(_: &[f32]) -> Option<&[f32]> {
        None
    }
}

/// Applies `f` to each element.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn map_block<A: Copy, B: Copy + Default>(block: Block<A>, f: impl Fn(A) -> B) -> Block<B> {
    array(
        #[inline(always)]
        |r| {
            array(
                #[inline(always)]
                |c| f(block[r][c]),
            )
        },
    )
}

/// Two bf16 elements, for the x86-64 instruction that multiplies 16 pairs at a time.
///
/// The instruction adds the product of the upper halves first (Intel's manual, VDPBF16PS). The
/// first of two neighbouring elements is stored there, so that sums have the same order as with
/// [`Rounded`].
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, Default)]
#[repr(transparent)]
pub struct DotPair(u32);

#[cfg(target_arch = "x86_64")]
impl Scratch for DotPair {
    fn buffers() -> &'static std::thread::LocalKey<std::cell::RefCell<Vec<Vec<Self>>>> {
        thread_buffers!(DotPair)
    }
}

#[cfg(target_arch = "x86_64")]
impl Transpose for DotPair {
    #[inline(always)]
    fn transposed(block: Block<Self>) -> Block<Self> {
        map_block(f32::transposed(map_block(block, |x| f32::from_bits(x.0))), |x| Self(x.to_bits()))
    }
}

#[cfg(target_arch = "x86_64")]
impl Encoding<f32> for DotPair {
    type Factor = Self;

    const DEPTH: usize = 2;

    #[inline(always)]
    fn encode(x: f32, y: f32) -> Self {
        Self(u32::from(round(x)) << 16 | u32::from(round(y)))
    }
    #[inline(always)]
    fn as_is(_: &[f32]) -> Option<&[Self]> {
        None
    }
}

#[cfg(target_arch = "x86_64")]
impl Factor<f32> for DotPair {
    #[inline(always)]
    #[allow(unsafe_code)]
    fn add_product<I: Compiled, const L: usize>(a: Self, b: [Self; L], sums: [f32; L]) -> [f32; L] {
        use std::arch::x86_64::{__m512, __m512bh, _mm512_dpbf16_ps};
        const { assert!(L == 16) };
        // SAFETY: L is 16, so that all of these are 64 bytes of plain data; these factors are only
        // multiplied under `Isa::Avx512Bf16`, which has the instruction.
        unsafe {
            let a: __m512bh = std::mem::transmute_copy(&[a; L]);
            let b: __m512bh = std::mem::transmute_copy(&b);
            let sums: __m512 = std::mem::transmute_copy(&sums);
            std::mem::transmute_copy(&_mm512_dpbf16_ps(sums, a, b))
        }
    }
}
