//! A mask: one yes or no per pixel.

/// `bits[y * width + x]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mask {
    pub width: usize,
    pub height: usize,
    pub bits: Vec<bool>,
}

impl Mask {
    /// A mask without a pixel set.
    pub fn empty(width: usize, height: usize) -> Self {
        Self { width, height, bits: vec![false; width * height] }
    }

    /// The mask of some pixels, given by their index.
    pub fn of(width: usize, height: usize, pixels: impl IntoIterator<Item = usize>) -> Self {
        let mut mask = Self::empty(width, height);
        pixels.into_iter().for_each(|pixel| mask.bits[pixel] = true);
        mask
    }

    /// The indices of the pixels that are set.
    pub fn pixels(&self) -> impl Iterator<Item = usize> {
        self.bits.iter().enumerate().filter(|&(_, &set)| set).map(|(pixel, _)| pixel)
    }

    /// The mask grown by `radius` pixels in all eight directions.
    pub fn grown(&self, radius: usize) -> Self {
        let mut grown = self.clone();
        let mut rim: Vec<usize> = self.pixels().collect();
        for _ in 0..radius {
            let mut next = Vec::new();
            for neighbour in rim.iter().flat_map(|&pixel| self.neighbours(pixel)) {
                if !grown.bits[neighbour] {
                    grown.bits[neighbour] = true;
                    next.push(neighbour);
                }
            }
            rim = next;
        }
        grown
    }

    /// The mask with rows and columns exchanged.
    pub fn transposed(&self) -> Self {
        let mut bits = Vec::with_capacity(self.bits.len());
        for x in 0..self.width {
            bits.extend(self.bits.iter().skip(x).step_by(self.width.max(1)));
        }
        Self { width: self.height, height: self.width, bits }
    }

    /// The pixels around `pixel`, up to eight, and the pixel itself.
    pub fn neighbours(&self, pixel: usize) -> impl Iterator<Item = usize> + use<> {
        let (x, y, width) = (pixel % self.width, pixel / self.width, self.width);
        let (right, bottom) = ((x + 1).min(width - 1), (y + 1).min(self.height - 1));
        (y.saturating_sub(1)..=bottom)
            .flat_map(move |y| (x.saturating_sub(1)..=right).map(move |x| y * width + x))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A mask drawn with `#`.
    pub fn drawn(rows: &[&str]) -> Mask {
        let bits = rows.iter().flat_map(|row| row.bytes().map(|b| b == b'#')).collect();
        Mask { width: rows[0].len(), height: rows.len(), bits }
    }

    #[test]
    fn grows_a_square_around_a_point() {
        let point = drawn(&[".....", ".....", "..#..", ".....", "....."]);
        assert_eq!(point.grown(0), point);
        assert_eq!(point.grown(1), drawn(&[".....", ".###.", ".###.", ".###.", "....."]));
        assert_eq!(point.grown(9).bits, [true; 25]);
    }

    #[test]
    fn transposing_twice_changes_nothing() {
        let mask = drawn(&["#..", ".##"]);
        assert_eq!(mask.transposed(), drawn(&["#.", ".#", ".#"]));
        assert_eq!(mask.transposed().transposed(), mask);
    }
}
