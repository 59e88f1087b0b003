//! Rows that become columns.

use super::array;
use crate::Real;

/// Rows at a time: what a column gets of them is stored at once.
const SIDE: usize = 8;

/// Writes rows of numbers as the columns of `to`, whose rows are `width` numbers: `row(r)`
/// is row `r` of `rows`, of as many numbers as `to` has rows. Columns up to the next
/// multiple of 8 become zeros, as far as there are any.
#[inline(always)]
pub fn rows_to_columns<'a, T: Real>(to: &mut [T], width: usize, rows: usize, row: impl Fn(usize) -> &'a [T]) {
    let length = to.len() / width.max(1);
    for first in (0..rows).step_by(SIDE) {
        let here = SIDE.min(rows - first);
        let side: [&[T]; SIDE] = array(
            #[inline(always)]
            |r| &row(first + r.min(here - 1))[..length],
        );
        for c in 0..length {
            let to = &mut to[c * width + first..(c + 1) * width];
            match to.first_chunk_mut::<SIDE>() {
                Some(to) if here == SIDE => {
                    *to = array(
                        #[inline(always)]
                        |r| side[r][c],
                    );
                }
                _ => {
                    let numbers = side[..here].iter().map(|row| row[c]).chain(std::iter::repeat(T::zero()));
                    to.iter_mut().zip(numbers.take(SIDE)).for_each(|(to, x)| *to = x);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::vectorised;

    #[test]
    fn every_number_finds_its_place() {
        for (rows, length, width) in
            [(16, 16, 16), (1, 1, 1), (5, 3, 5), (40, 70, 48), (33, 17, 33), (64, 32, 64), (2, 100, 16)]
        {
            let x: Vec<f32> = (0..rows * length).map(|i| i as f32 + 1.0).collect();
            let mut to = vec![-1.0; length * width];
            vectorised(
                #[inline(always)]
                || rows_to_columns(&mut to, width, rows, |r| &x[r * length..][..length]),
            );
            for (i, &got) in to.iter().enumerate() {
                let (c, r) = (i / width, i % width);
                let want = match r {
                    r if r < rows => x[r * length + c],
                    r if r < rows.next_multiple_of(SIDE) => 0.0,
                    _ => -1.0,
                };
                assert_eq!(got, want, "({r}, {c}) of {rows} x {length} into {width}");
            }
        }
    }
}
