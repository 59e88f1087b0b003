//! Copies between the rows of tokens, `(B, T, parts H D)`, and the rows of heads, `(B, H, T, D)`.

use super::parallel::by_rows;
use crate::Number;

/// The position of the heads in the rows of the tokens.
#[derive(Debug, Clone, Copy)]
pub struct HeadLayout {
    /// H: heads.
    pub h: usize,
    /// T: tokens per sequence.
    pub t: usize,
    /// D: elements per head.
    pub d: usize,
    /// The part of a token's row that holds the heads: of 3 parts, 0 is Q, 1 is K and 2 is V.
    pub part: usize,
    /// The number of parts of a token's row.
    pub parts: usize,
}

impl HeadLayout {
    /// Elements of a token's row.
    fn width(self) -> usize {
        self.parts * self.h * self.d
    }

    /// Elements of a token's row before the part.
    fn offset(self) -> usize {
        self.part * self.h * self.d
    }

    /// The index in the tokens' rows at which row `head_row = (b H + h) T + t` of the heads begins.
    fn start_of(self, head_row: usize) -> usize {
        let (b, h, t) = (head_row / (self.t * self.h), head_row / self.t % self.h, head_row % self.t);
        (b * self.t + t) * self.width() + self.offset() + h * self.d
    }
}

/// `heads[b, h, t] = tokens[b, t, part, h]`.
pub fn split<T: Number>(heads: &mut [T], tokens: &[T], layout: HeadLayout) {
    let d = layout.d;
    by_rows(heads, d, |first, rows| {
        for (i, row) in rows.chunks_exact_mut(d).enumerate() {
            row.copy_from_slice(&tokens[layout.start_of(first + i)..][..d]);
        }
    });
}

/// `tokens[b, t, part, h] = heads[b, h, t]`.
pub fn merge<T: Number>(tokens: &mut [T], heads: &[T], layout: HeadLayout) {
    merge_with(tokens, heads, layout, |to, from| to.copy_from_slice(from));
}

/// `tokens[b, t, part, h] += heads[b, h, t]`.
pub fn merge_add<T: Number>(tokens: &mut [T], heads: &[T], layout: HeadLayout) {
    merge_with(tokens, heads, layout, |to, from| to.iter_mut().zip(from).for_each(|(to, &x)| *to += x));
}

fn merge_with<T: Number>(
    tokens: &mut [T],
    heads: &[T],
    layout: HeadLayout,
    write: impl Fn(&mut [T], &[T]) + Sync,
) {
    let HeadLayout { h: n_head, t: length, d, .. } = layout;
    let (width, offset) = (layout.width(), layout.offset());
    by_rows(tokens, width, |first, rows| {
        for (i, row) in rows.chunks_exact_mut(width).enumerate() {
            let (b, t) = ((first + i) / length, (first + i) % length);
            let part = &mut row[offset..][..n_head * d];
            for (h, to) in part.chunks_exact_mut(d).enumerate() {
                write(to, &heads[((b * n_head + h) * length + t) * d..][..d]);
            }
        }
    });
}
