//! Drops what is printed around digits and is no closed frame: corners of boxes, bars between boxes, combs.
//!
//! ```text
//!   |__|__|__|        .--        --.       straight, thin, and several of a kind: 11 by hand
//!                                          is neither so straight nor so equal
//!                     '--        --'
//! ```

use super::area::Area;
use super::components::{Component, stroke_width};
use super::mask::Mask;

/// The sides of a box lie within this many stroke widths of its outline...
const REACH: f32 = 1.2;
/// ...with this share of all pixels.
const MIN_SHARE: f32 = 0.95;
/// A printed bar is this many times as long as it is wide, and fills this share of the box around it.
const BAR_RATIO: usize = 10;
const MIN_BAR_SHARE: f32 = 0.85;
/// The ends of two printed bars differ by at most this share of their length.
const MAX_DIFFERENCE: f32 = 0.04;
/// A bar with this many twins is printed even if there is nothing else: 11 may be two straight lines.
const MIN_TWINS_ALONE: usize = 2;
/// A bar that is thinner than this share of the widest strokes, and this many times as high as the highest
/// of the others, is no 1.
const MAX_PRINT_WIDTH: f32 = 0.5;
const MIN_PRINT_HEIGHT: f32 = 1.3;

/// How ink lies in the box around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outline {
    /// Along all four sides, with ink in all corners.
    Box,
    /// Along some of the sides: a corner of a box.
    Corner,
    /// It fills the box, which is long and upright or level.
    Bar,
    /// As that of digits.
    Other,
}

impl Outline {
    /// The outline of pixels of a page, given the box around them and the mean width of their strokes.
    pub fn of(pixels: &[usize], area: &Area, stroke: f32, page_width: usize) -> Self {
        let (shorter, longer) = (area.width.min(area.height), area.longest());
        let filled = pixels.len() as f32 >= MIN_BAR_SHARE * (area.width * area.height) as f32;
        if longer >= BAR_RATIO * shorter && filled {
            return Self::Bar;
        }
        let reach = (REACH * stroke) as usize + 1;
        let (mut along, mut corners) = (0, [false; 4]);
        for &pixel in pixels {
            let (x, y) = (pixel % page_width, pixel / page_width);
            let (left, right) = (x < area.left + reach, x + reach >= area.right());
            let (top, bottom) = (y < area.top + reach, y + reach >= area.bottom());
            along += usize::from(left || right || top || bottom);
            let here = [left && top, right && top, left && bottom, right && bottom];
            corners.iter_mut().zip(here).for_each(|(corner, here)| *corner |= here);
        }
        let is_along = along as f32 >= MIN_SHARE * pixels.len() as f32;
        // A thick stroke fills most of a small box, whatever its shape.
        match is_along && shorter >= 6 * reach {
            true if corners == [true; 4] => Self::Box,
            true => Self::Corner,
            false => Self::Other,
        }
    }
}

/// The components without those that are printed.
pub(super) fn without_print(parts: Vec<Component>, page: &Mask) -> Vec<Component> {
    let widths: Vec<f32> = parts.iter().map(|part| stroke_width(&part.pixels, page)).collect();
    let outlines: Vec<Outline> = parts
        .iter()
        .zip(&widths)
        .map(|(part, &width)| Outline::of(&part.pixels, &part.area, width, page.width))
        .collect();
    let widest = widths.iter().fold(0.0f32, |widest, &width| widest.max(width));
    let twins = |i: usize| {
        let is_twin =
            |&j: &usize| j != i && outlines[j] == Outline::Bar && are_twins(&parts[i].area, &parts[j].area);
        (0..parts.len()).filter(is_twin).count()
    };
    let others = parts.iter().zip(&outlines).filter(|(_, outline)| **outline == Outline::Other);
    let Some(highest) = others.map(|(part, _)| part.area.height).max() else {
        // The sides of a row of empty boxes.
        let are_sides = (0..parts.len()).all(|i| outlines[i] == Outline::Bar && twins(i) >= MIN_TWINS_ALONE);
        return if are_sides { Vec::new() } else { parts };
    };
    let of_kind = |kind: Outline| outlines.iter().filter(move |&&outline| outline == kind).count();
    let several_corners = of_kind(Outline::Corner) > 1;
    let is_printed = |i: usize| match outlines[i] {
        Outline::Corner => several_corners || widths[i] < MAX_PRINT_WIDTH * widest,
        Outline::Bar => {
            let high = parts[i].area.height as f32 > MIN_PRINT_HEIGHT * highest as f32;
            twins(i) > 0 || (high && widths[i] < MAX_PRINT_WIDTH * widest)
        }
        Outline::Box | Outline::Other => false,
    };
    let mut printed = (0..parts.len()).map(is_printed).collect::<Vec<_>>().into_iter();
    parts.into_iter().filter(|_| !printed.next().unwrap_or(false)).collect()
}

/// Whether two bars are beside each other or one above the other, and equally long.
fn are_twins(a: &Area, b: &Area) -> bool {
    let near = |a: usize, b: usize| a.abs_diff(b) as f32 <= 1.0 + MAX_DIFFERENCE * b.max(a) as f32;
    let most = 1.0 + MAX_DIFFERENCE * a.longest() as f32;
    let ends = |first: (usize, usize), second: (usize, usize)| {
        first.0.abs_diff(second.0) as f32 <= most && first.1.abs_diff(second.1) as f32 <= most
    };
    if a.height > a.width {
        b.height > b.width && near(a.width, b.width) && ends((a.top, a.bottom()), (b.top, b.bottom()))
    } else {
        b.width > b.height && near(a.height, b.height) && ends((a.left, a.right()), (b.left, b.right()))
    }
}
