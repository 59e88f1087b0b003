//! A box in a picture.

/// A bar is this many times as wide as it is high.
const BAR_RATIO: usize = 4;

/// A box in a picture, in pixels: the columns `left..left + width` of the rows
/// `top..top + height`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// The first column.
    pub left: usize,
    /// The first row.
    pub top: usize,
    /// The number of columns.
    pub width: usize,
    /// The number of rows.
    pub height: usize,
}

impl Area {
    /// The smallest box around some pixels, given by their index in a picture of this width; `None` if there are none.
    pub(super) fn around(pixels: impl Iterator<Item = usize>, width: usize) -> Option<Self> {
        let point = |pixel: usize| Self { left: pixel % width, top: pixel / width, width: 1, height: 1 };
        pixels.map(point).reduce(|a, b| a.with(&b))
    }

    /// The first column on the right of the box.
    pub(super) fn right(&self) -> usize {
        self.left + self.width
    }

    /// The first row below the box.
    pub(super) fn bottom(&self) -> usize {
        self.top + self.height
    }

    /// The longer side.
    pub(crate) fn longest(&self) -> usize {
        self.width.max(self.height)
    }

    /// Whether it is the box of a dash or an underline.
    pub(super) fn is_bar(&self) -> bool {
        self.width >= BAR_RATIO * self.height
    }

    /// The smallest box around both.
    pub(super) fn with(&self, other: &Self) -> Self {
        let (left, top) = (self.left.min(other.left), self.top.min(other.top));
        let (right, bottom) = (self.right().max(other.right()), self.bottom().max(other.bottom()));
        Self { left, top, width: right - left, height: bottom - top }
    }

    /// The box with a margin, as far as a picture of this size goes.
    pub(super) fn grown(&self, margin: usize, width: usize, height: usize) -> Self {
        let (left, top) = (self.left.saturating_sub(margin), self.top.saturating_sub(margin));
        let (right, bottom) = ((self.right() + margin).min(width), (self.bottom() + margin).min(height));
        Self { left, top, width: right - left, height: bottom - top }
    }

    /// The columns that both boxes share.
    pub(super) fn shared_columns(&self, other: &Self) -> usize {
        self.right().min(other.right()).saturating_sub(self.left.max(other.left))
    }

    /// The rows that both boxes share.
    pub(super) fn shared_rows(&self, other: &Self) -> usize {
        self.bottom().min(other.bottom()).saturating_sub(self.top.max(other.top))
    }

    /// The number of empty columns and of empty rows between two boxes.
    pub(super) fn gaps(&self, other: &Self) -> (usize, usize) {
        let gap = |a: (usize, usize), b: (usize, usize)| b.0.saturating_sub(a.1).max(a.0.saturating_sub(b.1));
        (
            gap((self.left, self.right()), (other.left, other.right())),
            gap((self.top, self.bottom()), (other.top, other.bottom())),
        )
    }
}
