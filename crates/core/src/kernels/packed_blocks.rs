//! Packed weights of 8 or 4 bits, with a scale for every 32 weights of a row: the formats Q8_0 and Q4_0 of
//! [`block_format`](super::block_format).
//!
//! A panel holds 64 rows. Its block i holds the weights of columns 32 i to 32 i + 31, as integers column by
//! column, and the 64 scales of these blocks. Two columns of Q4_0, c and c + 16, share bytes.

use rayon::prelude::*;

use super::block_format::{BLOCK, BlockFormat, integers};
use super::panels::{Column, ROWS_PER_PANEL};
use super::simd::array;
use crate::Number;

/// A matrix `(N, K)` in blocks. K is filled up to a multiple of 32 with zeros.
#[derive(Debug)]
pub struct PackedBlocks<T> {
    /// Blocks of a row.
    blocks: usize,
    /// The scales of block i of each panel: (panels, blocks).
    scales: Vec<Column<T>>,
    integers: Integers,
}

#[derive(Debug)]
enum Integers {
    /// (panels, blocks, 32)
    Q8_0(Vec<Column<i8>>),
    /// (panels, blocks, 16): column c in the low half of a byte, c + 16 in the high half, both plus 8.
    Q4_0(Vec<Column<u8>>),
}

impl<T: Number> PackedBlocks<T> {
    /// Packs N rows of `blocks` blocks each, in Q8_0 or Q4_0.
    ///
    /// # Panics
    /// If `bytes` are not whole rows.
    pub fn new(format: BlockFormat, bytes: &[u8], blocks: usize) -> Self {
        let row = (blocks * format.bytes_per_block()).max(1);
        assert!(bytes.len().is_multiple_of(row), "whole rows of blocks");
        // The blocks at index `i` of all rows of a panel; missing rows are zeros.
        let panels = || bytes.par_chunks(ROWS_PER_PANEL * row);
        let of_panel = move |panel: &[u8], i: usize| -> [(f32, [i8; BLOCK]); ROWS_PER_PANEL] {
            array(|r| match panel.get(r * row..(r + 1) * row) {
                Some(row) => {
                    integers(format, &row[i * format.bytes_per_block()..][..format.bytes_per_block()])
                }
                None => (0.0, [0; BLOCK]),
            })
        };
        let scales = panels().flat_map_iter(|panel| {
            (0..blocks).map(move |i| {
                let rows = of_panel(panel, i);
                Column(array(|r| T::of(f64::from(rows[r].0))))
            })
        });
        let scales = scales.collect();
        let integers = match format {
            BlockFormat::Q8_0 => {
                let columns = panels().flat_map_iter(|panel| {
                    (0..blocks).flat_map(move |i| {
                        let rows = of_panel(panel, i);
                        (0..BLOCK).map(move |c| Column(array(|r| rows[r].1[c])))
                    })
                });
                Integers::Q8_0(columns.collect())
            }
            _ => {
                let columns = panels().flat_map_iter(|panel| {
                    (0..blocks).flat_map(move |i| {
                        let rows = of_panel(panel, i);
                        let half = move |r: usize, c: usize| (rows[r].1[c] + 8) as u8;
                        (0..BLOCK / 2)
                            .map(move |c| Column(array(|r| half(r, c) | half(r, c + BLOCK / 2) << 4)))
                    })
                });
                Integers::Q4_0(columns.collect())
            }
        };
        Self { blocks, scales, integers }
    }

    /// The size in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.scales[..])
            + match &self.integers {
                Integers::Q8_0(columns) => size_of_val(&columns[..]),
                Integers::Q4_0(columns) => size_of_val(&columns[..]),
            }
    }

    /// The scalar product of `x` and each row of panel `panel`. Each sum runs over the blocks in order.
    ///
    /// Both loops over 64 rows have constant bounds: they compile to loads, conversions and multiply-adds,
    /// with the sums of a block in registers. Check the machine code after a change here.
    #[inline(always)]
    pub fn multiply_panel(&self, panel: usize, x: &[T]) -> [T; ROWS_PER_PANEL] {
        let scales = &self.scales[panel * self.blocks..][..self.blocks];
        let mut sums = [T::zero(); ROWS_PER_PANEL];
        match &self.integers {
            Integers::Q8_0(columns) => {
                let columns = &columns[panel * self.blocks * BLOCK..][..self.blocks * BLOCK];
                for ((scale, columns), x) in
                    scales.iter().zip(columns.chunks_exact(BLOCK)).zip(x.chunks(BLOCK))
                {
                    let mut block = [T::zero(); ROWS_PER_PANEL];
                    for (column, &x) in columns.iter().zip(x) {
                        for (sum, &q) in block.iter_mut().zip(&column.0) {
                            *sum = value::<T>(q).fused_mul_add(x, *sum);
                        }
                    }
                    add_scaled(&mut sums, &block, scale);
                }
            }
            Integers::Q4_0(columns) => {
                let columns = &columns[panel * self.blocks * BLOCK / 2..][..self.blocks * BLOCK / 2];
                let blocks = scales.iter().zip(columns.chunks_exact(BLOCK / 2)).zip(x.chunks(BLOCK));
                for ((scale, columns), x) in blocks {
                    // The last block may be filled up.
                    let x: [T; BLOCK] = array(|i| x.get(i).copied().unwrap_or_default());
                    let (low, high) = x.split_at(BLOCK / 2);
                    let mut block = [T::zero(); ROWS_PER_PANEL];
                    for ((column, &low), &high) in columns.iter().zip(low).zip(high) {
                        for (sum, &byte) in block.iter_mut().zip(&column.0) {
                            let (a, b) = ((byte & 0xf) as i8 - 8, (byte >> 4) as i8 - 8);
                            *sum = value::<T>(a).fused_mul_add(low, *sum);
                            *sum = value::<T>(b).fused_mul_add(high, *sum);
                        }
                    }
                    add_scaled(&mut sums, &block, scale);
                }
            }
        }
        sums
    }

    /// Writes the values row by row, K of each.
    pub fn unpack(&self, k: usize, w: &mut [T]) {
        for (r, row) in w.chunks_exact_mut(k.max(1)).enumerate() {
            let (panel, r) = (r / ROWS_PER_PANEL, r % ROWS_PER_PANEL);
            for (i, w) in row.chunks_mut(BLOCK).enumerate() {
                let block = panel * self.blocks + i;
                for (c, w) in w.iter_mut().enumerate() {
                    let q = match &self.integers {
                        Integers::Q8_0(columns) => columns[block * BLOCK + c].0[r],
                        Integers::Q4_0(columns) => {
                            let byte = columns[(block * BLOCK / 2) + c % (BLOCK / 2)].0[r];
                            (if c < BLOCK / 2 { byte & 0xf } else { byte >> 4 }) as i8 - 8
                        }
                    };
                    *w = value::<T>(q) * self.scales[block].0[r];
                }
            }
        }
    }
}

#[inline(always)]
fn value<T: Number>(q: i8) -> T {
    T::of(f64::from(i32::from(q)))
}

/// `sums += scale block`, row by row.
#[inline(always)]
fn add_scaled<T: Number>(sums: &mut [T; ROWS_PER_PANEL], block: &[T; ROWS_PER_PANEL], scale: &Column<T>) {
    for ((sum, &block), &scale) in sums.iter_mut().zip(block).zip(&scale.0) {
        *sum = block.fused_mul_add(scale, *sum);
    }
}
