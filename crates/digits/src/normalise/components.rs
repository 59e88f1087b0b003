//! Connected components: the patches of ink that hang together.
//!
//! ```text
//!   .##...#      .11...2
//!   .##..#.  ->  .11..2.     two components: corners that touch connect
//!   .#.....      .1.....
//! ```

use super::area::Area;
use super::error::NormaliseError;
use super::mask::Mask;

/// A patch smaller than this share of the page's longer side is dust.
const DUST_SIZE_SHARE: f32 = 0.008;
/// Among more patches than this, the largest...
const MANY_COMPONENTS: usize = 150;
/// ...is this many times as large as nine in ten of them: the patches of noise are of all sizes.
const MIN_DIGIT_RATIO: f32 = 6.0;
/// A page with more patches shows a text, a texture or noise.
const MAX_COMPONENTS: usize = 1000;
/// The strokes of a digit are thinner than this share of its longer side. A disc has 0.5.
pub(super) const MAX_STROKE_SHARE: f32 = 0.42;

/// A patch of ink whose pixels touch each other, by an edge or a corner.
#[derive(Clone, Debug)]
pub(super) struct Component {
    /// The indices of its pixels in the mask.
    pub pixels: Vec<usize>,
    /// The smallest box around it.
    pub area: Area,
}

/// The components of a mask, in the order of their first pixel. The search uses a queue instead of
/// recursion, so that no picture overflows the stack.
pub(super) fn components(mask: &Mask) -> Vec<Component> {
    let mut seen = vec![false; mask.bits.len()];
    let mut found = Vec::new();
    for start in mask.pixels() {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        let mut pixels = vec![start];
        let mut next = 0;
        while let Some(&pixel) = pixels.get(next) {
            next += 1;
            for neighbour in mask.neighbours(pixel) {
                if mask.bits[neighbour] && !seen[neighbour] {
                    seen[neighbour] = true;
                    pixels.push(neighbour);
                }
            }
        }
        if let Some(area) = Area::around(pixels.iter().copied(), mask.width) {
            found.push(Component { pixels, area });
        }
    }
    found
}

/// The mask of some components.
pub(super) fn mask(components: &[Component], like: &Mask) -> Mask {
    Mask::of(like.width, like.height, components.iter().flat_map(|part| part.pixels.iter().copied()))
}

/// The index of the component of each pixel; [`usize::MAX`] for paper.
pub(super) fn labels(parts: &[Component], mask: &Mask) -> Vec<usize> {
    let mut label = vec![usize::MAX; mask.bits.len()];
    for (i, part) in parts.iter().enumerate() {
        part.pixels.iter().for_each(|&pixel| label[pixel] = i);
    }
    label
}

/// The components of a mask once gaps of up to twice `reach` pixels are closed: a thin line that is
/// broken in places is one.
pub(super) fn linked(mask: &Mask, reach: usize) -> Vec<Component> {
    let mut parts = components(&mask.grown(reach));
    for part in &mut parts {
        part.pixels.retain(|&pixel| mask.bits[pixel]);
        part.area = Area::around(part.pixels.iter().copied(), mask.width).unwrap_or(part.area);
    }
    parts
}

/// Those of some components that may be strokes: larger than specks of dust.
///
/// # Errors
/// [`NormaliseError::TooMany`] if there are more than any page of digits has, or if the largest is not much
/// larger than the many others.
pub(super) fn large(all: Vec<Component>, mask: &Mask) -> Result<Vec<Component>, NormaliseError> {
    let least = mask.width.max(mask.height) as f32 * DUST_SIZE_SHARE;
    let marks = all.len();
    if marks > MANY_COMPONENTS {
        let mut sizes: Vec<usize> = all.iter().map(|part| part.area.longest()).collect();
        sizes.sort_unstable();
        if (sizes[marks - 1] as f32) < MIN_DIGIT_RATIO * sizes[marks * 9 / 10] as f32 {
            return Err(NormaliseError::TooMany { marks });
        }
    }
    let large: Vec<Component> = all.into_iter().filter(|part| part.area.longest() as f32 >= least).collect();
    if large.len() > MAX_COMPONENTS { Err(NormaliseError::TooMany { marks }) } else { Ok(large) }
}

/// The mean width of some strokes in pixels. A stroke of width w and length L has area w L and
/// boundary 2 L, hence w = 2 area / boundary. The boundary is counted in pixel edges, which
/// overestimate it by 4/pi on average over all directions.
pub(super) fn stroke_width(pixels: &[usize], mask: &Mask) -> f32 {
    let (w, h) = (mask.width, mask.height);
    let edges = |&pixel: &usize| {
        let (x, y) = (pixel % w, pixel / w);
        usize::from(x == 0 || !mask.bits[pixel - 1])
            + usize::from(x + 1 == w || !mask.bits[pixel + 1])
            + usize::from(y == 0 || !mask.bits[pixel - w])
            + usize::from(y + 1 == h || !mask.bits[pixel + w])
    };
    let edges: usize = pixels.iter().map(edges).sum();
    2.0 * pixels.len() as f32 / (edges as f32 * std::f32::consts::FRAC_PI_4).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::mask::tests::drawn;
    use super::*;

    #[test]
    fn corners_connect_and_lines_do_not_wrap_around() {
        assert_eq!(components(&drawn(&["#..", ".#.", "..#"])).len(), 1);
        assert_eq!(components(&drawn(&["..#.", "....", "#..."])).len(), 2);
        assert_eq!(components(&drawn(&["...#", "#..."])).len(), 2);
        assert_eq!(components(&drawn(&["...", "..."])).len(), 0);
    }

    #[test]
    fn a_component_knows_its_box_and_its_stroke() {
        let mask = Mask::of(60, 50, (10..40).flat_map(|y| (20..26).map(move |x| y * 60 + x)));
        let found = components(&mask);
        assert_eq!(found[0].area, Area { left: 20, top: 10, width: 6, height: 30 });
        let width = stroke_width(&found[0].pixels, &mask);
        assert!((5.0..7.0).contains(&width), "{width}");
    }
}
