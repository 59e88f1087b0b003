//! Gathers rows of an embedding table, and adds up their gradients.

use super::elementwise::add_assign;
use super::parallel::by_rows;
use crate::Number;

/// `out[n] = table[ids[n]]`, rows of `cols` elements.
pub fn gather_rows<T: Number>(out: &mut [T], table: &[T], ids: &[u32], cols: usize) {
    by_rows(out, cols, |first, rows| {
        for (row, &id) in rows.chunks_exact_mut(cols.max(1)).zip(&ids[first..]) {
            row.copy_from_slice(&table[id as usize * cols..][..cols]);
        }
    });
}

/// `table[ids[n]] += rows[n]` in the order of `n`, so that each sum has a fixed order.
pub fn scatter_add_rows<T: Number>(table: &mut [T], rows: &[T], ids: &[u32], cols: usize) {
    for (row, &id) in rows.chunks_exact(cols.max(1)).zip(ids) {
        add_assign(&mut table[id as usize * cols..][..cols], row);
    }
}
