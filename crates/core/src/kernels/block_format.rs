//! The formats in which ggml, the library below llama.cpp, stores tensors: floats, and blocks of small
//! integers with a scale.
//!
//! A block holds 32 or 256 weights of a row in order. The integer of weight i is q_i, and a half-precision
//! scale d stands before them:
//!
//! ```text
//! Q8_0   d, 32 bytes                      w_i = d q_i           q_i from -127 to 127
//! Q4_0   d, 32 halves of a byte           w_i = d (q_i - 8)     q_i from 0 to 15
//! Q4_1   d, m, 32 halves                  w_i = d q_i + m
//! Q5_0   d, 32 high bits, 32 halves       w_i = d (q_i - 16)    q_i from 0 to 31
//! Q5_1   d, m, 32 high bits, 32 halves    w_i = d q_i + m
//! Q4_K   d, m, 8 pairs of 6 bits, 256 halves           w_i = d s q_i - m t, a pair (s, t) for 32 weights
//! Q5_K   d, m, 8 pairs, 256 high bits, 256 halves      w_i = d s q_i - m t
//! Q6_K   256 halves, 256 pairs of bits, 16 bytes, d    w_i = d s (q_i - 32), a byte s for 16 weights
//! ```
//!
//! Source: `ggml-quants.c` of llama.cpp. All numbers are little-endian.

use rayon::prelude::*;

use super::half::{f16_to_f32, f32_to_f16};
use super::matmul::bf16;
use super::parallel::ForEachTask;
use crate::Number;

/// A format of stored tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockFormat {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// 4 bits and a scale for 32 weights.
    Q4_0,
    /// 4 bits, a scale and a minimum for 32 weights.
    Q4_1,
    /// 5 bits and a scale for 32 weights.
    Q5_0,
    /// 5 bits, a scale and a minimum for 32 weights.
    Q5_1,
    /// 8 bits and a scale for 32 weights.
    Q8_0,
    /// 4 bits; the scales and minima have 6 bits.
    Q4K,
    /// 5 bits; the scales and minima have 6 bits.
    Q5K,
    /// 6 bits; the scales have 8 bits.
    Q6K,
}

/// Weights in a block of the older formats.
pub(super) const BLOCK: usize = 32;
/// Weights in a block of the K formats.
const K_BLOCK: usize = 256;

/// Weights that one task converts: a multiple of every block.
const WEIGHTS_PER_TASK: usize = 1 << 14;

impl BlockFormat {
    /// All formats.
    pub const ALL: [Self; 11] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// The name that ggml gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// Weights in a block. A row is a whole number of blocks.
    pub fn weights_per_block(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => BLOCK,
            Self::Q4K | Self::Q5K | Self::Q6K => K_BLOCK,
        }
    }

    /// Bytes of a block.
    pub fn bytes_per_block(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q4_0 => 2 + 16,
            Self::Q4_1 => 4 + 16,
            Self::Q5_0 => 2 + 4 + 16,
            Self::Q5_1 => 4 + 4 + 16,
            Self::Q8_0 => 2 + 32,
            Self::Q4K => 4 + 12 + 128,
            Self::Q5K => 4 + 12 + 32 + 128,
            Self::Q6K => 128 + 64 + 16 + 2,
        }
    }

    /// The bytes of this number of weights, which must be whole blocks.
    pub fn bytes(self, weights: usize) -> usize {
        weights / self.weights_per_block() * self.bytes_per_block()
    }

    /// The values of stored weights.
    ///
    /// # Panics
    /// Unless `bytes` are whole blocks and `out` has their weights.
    pub fn dequantise(self, bytes: &[u8], out: &mut [f32]) {
        assert!(out.len().is_multiple_of(self.weights_per_block()), "whole blocks");
        assert_eq!(bytes.len(), self.bytes(out.len()), "bytes of the blocks");
        let tasks = bytes.par_chunks(self.bytes(WEIGHTS_PER_TASK)).zip(out.par_chunks_mut(WEIGHTS_PER_TASK));
        tasks.for_each_task(&|(bytes, out)| {
            let blocks = bytes.chunks_exact(self.bytes_per_block());
            let blocks = blocks.zip(out.chunks_exact_mut(self.weights_per_block()));
            match self {
                Self::F32 => Number::from_le_bytes(bytes, out),
                Self::F16 => blocks.for_each(|(b, w)| w[0] = f16_at(b, 0)),
                Self::Bf16 => blocks.for_each(|(b, w)| w[0] = bf16::widen(u16::from_le_bytes([b[0], b[1]]))),
                Self::Q8_0 => blocks.for_each(|(b, w)| q8_0(b, w)),
                Self::Q4_0 => blocks.for_each(|(b, w)| q4(f16_at(b, 0), -8, None, 0, &b[2..], w)),
                Self::Q4_1 => {
                    blocks.for_each(|(b, w)| q4(f16_at(b, 0), 0, Some(f16_at(b, 2)), 0, &b[4..], w))
                }
                Self::Q5_0 => blocks.for_each(|(b, w)| q4(f16_at(b, 0), -16, None, u32_at(b, 2), &b[6..], w)),
                Self::Q5_1 => blocks
                    .for_each(|(b, w)| q4(f16_at(b, 0), 0, Some(f16_at(b, 2)), u32_at(b, 4), &b[8..], w)),
                Self::Q4K => blocks.for_each(|(b, w)| q4_k(b, None, &b[16..], w)),
                Self::Q5K => blocks.for_each(|(b, w)| q4_k(b, Some(&b[16..48]), &b[48..], w)),
                Self::Q6K => blocks.for_each(|(b, w)| q6_k(b, w)),
            }
        });
    }

    /// Appends the weights in this format, with the bytes that ggml's reference gives them. Of the formats
    /// with blocks, only Q8_0 and Q4_0 are written.
    ///
    /// # Panics
    /// If the format is not written, or `w` is not whole blocks.
    pub fn quantise(self, w: &[f32], out: &mut Vec<u8>) {
        assert!(w.len().is_multiple_of(self.weights_per_block()), "whole blocks");
        let start = out.len();
        out.resize(start + self.bytes(w.len()), 0);
        let tasks =
            out[start..].par_chunks_mut(self.bytes(WEIGHTS_PER_TASK)).zip(w.par_chunks(WEIGHTS_PER_TASK));
        tasks.for_each_task(&|(out, w)| {
            let blocks = out.chunks_exact_mut(self.bytes_per_block());
            let blocks = blocks.zip(w.chunks_exact(self.weights_per_block()));
            match self {
                Self::F32 => blocks.for_each(|(b, w)| b.copy_from_slice(&w[0].to_le_bytes())),
                Self::F16 => blocks.for_each(|(b, w)| b.copy_from_slice(&f32_to_f16(w[0]).to_le_bytes())),
                Self::Bf16 => blocks.for_each(|(b, w)| b.copy_from_slice(&bf16::round(w[0]).to_le_bytes())),
                Self::Q8_0 => blocks.for_each(|(b, w)| to_q8_0(w, b)),
                Self::Q4_0 => blocks.for_each(|(b, w)| to_q4_0(w, b)),
                _ => panic!("{} is only read", self.name()),
            }
        });
    }
}

fn f16_at(bytes: &[u8], at: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The scale of a block of Q8_0 or Q4_0, and its integers: of Q4_0 less 8.
pub(super) fn integers(format: BlockFormat, block: &[u8]) -> (f32, [i8; BLOCK]) {
    let mut q = [0; BLOCK];
    let quants = &block[2..];
    match format {
        BlockFormat::Q8_0 => q.iter_mut().zip(quants).for_each(|(q, &byte)| *q = byte as i8),
        _ => {
            let (low, high) = q.split_at_mut(BLOCK / 2);
            for ((low, high), byte) in low.iter_mut().zip(high).zip(quants) {
                (*low, *high) = ((byte & 0xf) as i8 - 8, (byte >> 4) as i8 - 8);
            }
        }
    }
    (f16_at(block, 0), q)
}

fn q8_0(block: &[u8], w: &mut [f32]) {
    let d = f16_at(block, 0);
    w.iter_mut().zip(&block[2..]).for_each(|(w, &q)| *w = f32::from(q as i8) * d);
}

/// `(q + offset) d`, or `q d + m`. Bit i of `high` is bit 4 of q_i.
fn q4(d: f32, offset: i32, m: Option<f32>, high: u32, quants: &[u8], w: &mut [f32]) {
    let (low_half, high_half) = w.split_at_mut(BLOCK / 2);
    for (i, ((a, b), byte)) in low_half.iter_mut().zip(high_half).zip(quants).enumerate() {
        let bit = |i: usize| ((high >> i) & 1) << 4;
        let value = |q: u32| {
            let q = (q as i32 + offset) as f32;
            m.map_or(q * d, |m| q * d + m)
        };
        *a = value(u32::from(byte & 0xf) | bit(i));
        *b = value(u32::from(byte >> 4) | bit(i + BLOCK / 2));
    }
}

/// The scale and the minimum of 32 weights: 6 bits each, in 12 bytes for 8 of both.
fn scale_and_minimum(packed: &[u8], i: usize) -> (f32, f32) {
    let (scale, minimum) = match i {
        0..4 => (packed[i] & 63, packed[i + 4] & 63),
        _ => (packed[i + 4] & 0xf | (packed[i - 4] >> 6) << 4, packed[i + 4] >> 4 | (packed[i] >> 6) << 4),
    };
    (f32::from(scale), f32::from(minimum))
}

/// Q4_K, and with high bits Q5_K. 64 weights share 32 bytes: the low halves come first.
fn q4_k(block: &[u8], high: Option<&[u8]>, quants: &[u8], w: &mut [f32]) {
    let (d, m) = (f16_at(block, 0), f16_at(block, 2));
    for (i, w) in w.chunks_exact_mut(BLOCK).enumerate() {
        let (scale, minimum) = scale_and_minimum(&block[4..16], i);
        let (d, m) = (d * scale, m * minimum);
        let bytes = &quants[i / 2 * BLOCK..];
        for (l, w) in w.iter_mut().enumerate() {
            let half = if i % 2 == 0 { bytes[l] & 0xf } else { bytes[l] >> 4 };
            let bit = high.map_or(0, |high| (high[l] >> i & 1) << 4);
            *w = d * f32::from(half | bit) - m;
        }
    }
}

/// Q6_K. 128 weights share 64 bytes of low halves and 32 bytes of high pairs of bits.
fn q6_k(block: &[u8], w: &mut [f32]) {
    let d = f16_at(block, 208);
    for (i, w) in w.chunks_exact_mut(BLOCK).enumerate() {
        let (half, part) = (i / 4, i % 4);
        let low = &block[half * 64 + part % 2 * 32..];
        let high = &block[128 + half * 32..];
        for (l, w) in w.iter_mut().enumerate() {
            let four = if part < 2 { low[l] & 0xf } else { low[l] >> 4 };
            let two = high[l] >> (2 * part) & 3;
            let scale = block[192 + half * 8 + part * 2 + l / 16] as i8;
            *w = d * f32::from(scale) * f32::from((four | two << 4) as i8 - 32);
        }
    }
}

/// The first weight of the largest magnitude, or NaN if there is one.
fn largest(w: &[f32]) -> f32 {
    w.iter().fold(0.0_f32, |most, &w| if w.is_nan() || w.abs() > most.abs() { w } else { most })
}

/// `d = max |w| / 127`, `q = round(w / d)`, halves away from zero.
fn to_q8_0(w: &[f32], block: &mut [u8]) {
    let d = largest(w).abs() / 127.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    block[..2].copy_from_slice(&f32_to_f16(d).to_le_bytes());
    block[2..].iter_mut().zip(w).for_each(|(q, w)| *q = (w * inverse).round() as i8 as u8);
}

/// `d = w_max / -8` with the first weight of the largest magnitude, so that it becomes -8 exactly;
/// `q = floor(w / d + 8.5)`, at most 15.
fn to_q4_0(w: &[f32], block: &mut [u8]) {
    let d = largest(w) / -8.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let q = |w: f32| ((w * inverse + 8.5) as u8).min(15);
    block[..2].copy_from_slice(&f32_to_f16(d).to_le_bytes());
    let (low, high) = w.split_at(BLOCK / 2);
    let pairs = low.iter().zip(high).map(|(&low, &high)| q(low) | q(high) << 4);
    block[2..].iter_mut().zip(pairs).for_each(|(byte, pair)| *byte = pair);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(format: BlockFormat, bytes: &[u8]) -> Vec<f32> {
        let weights = bytes.len() / format.bytes_per_block() * format.weights_per_block();
        let mut out = vec![0.0; weights];
        format.dequantise(bytes, &mut out);
        out
    }

    #[test]
    fn a_block_by_hand() {
        // The largest weight is -4: Q8_0 has d = 4 / 127, Q4_0 has d = -4 / -8 = 0.5.
        let mut w = [0.0_f32; 32];
        (w[0], w[1], w[2], w[16], w[31]) = (-4.0, 1.0, 0.26, 3.9, -0.2);
        let mut bytes = Vec::new();
        BlockFormat::Q8_0.quantise(&w, &mut bytes);
        assert_eq!(bytes.len(), 34);
        assert_eq!(bytes[..2], f32_to_f16(4.0 / 127.0).to_le_bytes());
        // 1 / d = 31.75, 0.26 / d = 8.26, 3.9 / d = 123.8, -0.2 / d = -6.35
        assert_eq!([2, 3, 4, 18, 33].map(|i| bytes[i] as i8), [-127, 32, 8, 124, -6]);
        bytes.clear();
        BlockFormat::Q4_0.quantise(&w, &mut bytes);
        assert_eq!(bytes.len(), 18);
        assert_eq!(f16_at(&bytes, 0), 0.5);
        // -8 + 8; 2 + 8; 0.52 + 8.5 = 9.02; 7.8 + 8.5 = 16.3, at most 15; -0.4 + 8.5 = 8.1
        assert_eq!(
            [bytes[2] & 0xf, bytes[3] & 0xf, bytes[4] & 0xf, bytes[2] >> 4, bytes[17] >> 4],
            [0, 10, 9, 15, 8]
        );
        let back = values(BlockFormat::Q4_0, &bytes);
        assert_eq!([back[0], back[1], back[2], back[16], back[31]], [-4.0, 1.0, 0.5, 3.5, 0.0]);
    }

    #[test]
    fn zeros_and_weights_without_a_value() {
        for format in [BlockFormat::Q8_0, BlockFormat::Q4_0] {
            let mut bytes = Vec::new();
            format.quantise(&[0.0; 32], &mut bytes);
            assert!(values(format, &bytes).iter().all(|w| *w == 0.0));
            let mut w = [1.0; 32];
            (w[3], w[4], w[5]) = (f32::NAN, f32::INFINITY, 1e-44);
            format.quantise(&w, &mut bytes);
        }
    }

    #[test]
    fn floats_keep_their_bits() {
        let w: Vec<f32> = (0..97).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
        let mut bytes = Vec::new();
        BlockFormat::F32.quantise(&w, &mut bytes);
        assert_eq!(values(BlockFormat::F32, &bytes), w);
        for (format, digits) in [(BlockFormat::F16, 11), (BlockFormat::Bf16, 8)] {
            bytes.clear();
            format.quantise(&w, &mut bytes);
            let worst = w.iter().zip(values(format, &bytes)).map(|(w, v)| ((w - v) / w).abs());
            assert!(worst.filter(|x| !x.is_nan()).fold(0.0, f32::max) <= 0.5_f32.powi(digits), "{format:?}");
        }
    }
}
