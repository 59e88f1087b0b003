//! Drops what surrounds digits: the border of a photo, form boxes, circles.
//!
//! ```text
//!   +-------+
//!   |  ##   |            ##
//!   | # #   |    ->     # #        seen from the digit, the frame lies on all sides
//!   |   #   |             #
//!   +-------+
//! ```

use super::area::Area;
use super::components::{self, Component, labels};
use super::mask::Mask;
use super::outline::Outline;

/// A border covers at least this share of a side of the page.
const BORDER_SHARE: f32 = 0.4;
/// A piece of a border that is shorter is thinner than this share of the page, and lies along its edge.
const BORDER_THICKNESS_SHARE: f32 = 0.03;
/// Something else on the page is at least this large, as a share of the page's shorter side.
const MIN_DIGIT_SHARE: f32 = 0.03;
/// A digit is at least this large, as a share of the frame around it.
const MIN_ENCLOSED_SHARE: f32 = 0.25;
/// The same for a frame around the page.
const MIN_ENCLOSED_BY_PAGE: f32 = 0.06;
/// A frame around the page spans this share of it.
const PAGE_FRAME_SHARE: f32 = 0.8;
/// A frame, or a part of one, is at least this many times as large as the digit in it.
const MIN_FRAME_RATIO: f32 = 1.3;
/// An upright box may be as close around a digit as this.
const MIN_BOX_RATIO: f32 = 1.02;
/// A frame has at most this many parts: the sides of a box.
const MAX_FRAME_PARTS: usize = 4;
/// A frame lies on this many of eight sides: a drawn circle may have a gap.
const MIN_SIDES: usize = 7;

/// The components that are no borders or frames.
pub(super) fn without_frames(components: Vec<Component>, page: &Mask) -> Vec<Component> {
    let smallest = MIN_DIGIT_SHARE * page.width.min(page.height) as f32;
    let is_border: Vec<bool> = components.iter().map(|part| is_border(part, page)).collect();
    let mut large =
        components.iter().zip(&is_border).filter(|(part, _)| part.area.longest() as f32 >= smallest);
    // Without anything else, the border is a digit that fills the page.
    let others = large.any(|(_, &border)| !border);
    let mut is_border = is_border.into_iter();
    let mut parts: Vec<Component> =
        components.into_iter().filter(|_| !(others && is_border.next().unwrap_or(false))).collect();
    let label = labels(&parts, page);
    let mut frames = vec![false; parts.len()];
    // A piece of a ruling in the hole of a 0 makes the 0 no frame.
    for digit in parts.iter().filter(|part| part.area.longest() as f32 >= smallest && !part.area.is_bar()) {
        around(digit, &parts, &label, page).into_iter().for_each(|frame| frames[frame] = true);
    }
    let mut frames = frames.into_iter();
    parts.retain(|_| !frames.next().unwrap_or(false));
    parts
}

/// Whether a component lies along a side of the page, or in a corner, as a vignette and a desk beside the
/// sheet do.
fn is_border(part: &Component, page: &Mask) -> bool {
    let (w, h) = (page.width, page.height);
    let corners = [0, w - 1, w * (h - 1), w * h - 1];
    let mut sides = [0usize; 4];
    for &pixel in &part.pixels {
        let (x, y) = (pixel % w, pixel / w);
        sides[0] += usize::from(x == 0);
        sides[1] += usize::from(x + 1 == w);
        sides[2] += usize::from(y == 0);
        sides[3] += usize::from(y + 1 == h);
    }
    let covers = |pixels: usize, side: usize| pixels as f32 >= BORDER_SHARE * side as f32;
    let thin = |across: usize, along: usize, side: usize| {
        across as f32 <= BORDER_THICKNESS_SHARE * side as f32 && along >= 4 * across
    };
    let (across, along) = (part.area.width, part.area.height);
    part.pixels.iter().any(|pixel| corners.contains(pixel))
        || covers(sides[0].max(sides[1]), h)
        || covers(sides[2].max(sides[3]), w)
        || (sides[0].max(sides[1]) * 2 > along && thin(across, along, w))
        || (sides[2].max(sides[3]) * 2 > across && thin(along, across, h))
}

/// The indices of the parts that together surround a digit. A thin frame may be broken into several.
fn around(digit: &Component, parts: &[Component], label: &[usize], page: &Mask) -> Vec<usize> {
    let size = digit.area.longest() as f32;
    let is_closed = |part: &Component| {
        let width = components::stroke_width(&part.pixels, page);
        Outline::of(&part.pixels, &part.area, width, page.width) == Outline::Box
    };
    let may_be_frame = |part: &Component| {
        let (w, h) = (part.area.width as f32, part.area.height as f32);
        let spans = w >= PAGE_FRAME_SHARE * page.width as f32 && h >= PAGE_FRAME_SHARE * page.height as f32;
        let least = if spans { MIN_ENCLOSED_BY_PAGE } else { MIN_ENCLOSED_SHARE };
        let longest = part.area.longest() as f32;
        let ratio = if is_closed(part) { MIN_BOX_RATIO } else { MIN_FRAME_RATIO };
        longest >= ratio * size && size >= least * longest
    };
    let large: Vec<usize> = (0..parts.len()).filter(|&i| may_be_frame(&parts[i])).collect();
    let outline = large.iter().map(|&i| parts[i].area).reduce(|a, b| a.with(&b));
    let inside = |outline: Area| {
        outline.left < digit.area.left
            && outline.top < digit.area.top
            && outline.right() > digit.area.right()
            && outline.bottom() > digit.area.bottom()
    };
    if !outline.is_some_and(inside) {
        return Vec::new();
    }
    let mut is_large = vec![false; parts.len()];
    large.iter().for_each(|&i| is_large[i] = true);
    let centre = (digit.area.left + digit.area.width / 2, digit.area.top + digit.area.height / 2);
    let directions = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)];
    let large_at = |x: usize, y: usize| {
        let part = *label.get(y * page.width + x).filter(|_| x < page.width && y < page.height)?;
        (*is_large.get(part)?).then_some(part)
    };
    let mut frame: Vec<usize> =
        directions.into_iter().filter_map(|direction| first_met(large_at, centre, direction, page)).collect();
    if frame.len() < MIN_SIDES {
        return Vec::new();
    }
    frame.sort_unstable();
    frame.dedup();
    // More are digits in rows.
    if frame.len() > MAX_FRAME_PARTS { Vec::new() } else { frame }
}

/// The first large part on a ray.
fn first_met(
    large_at: impl Fn(usize, usize) -> Option<usize>,
    from: (usize, usize),
    (dx, dy): (isize, isize),
    page: &Mask,
) -> Option<usize> {
    let (mut x, mut y) = from;
    while x < page.width && y < page.height {
        // Two pixels next to each other, or a diagonal ray slips through a diagonal line.
        if let Some(part) = large_at(x, y).or_else(|| large_at(x + 1, y)) {
            return Some(part);
        }
        (x, y) = (x.checked_add_signed(dx)?, y.checked_add_signed(dy)?);
    }
    None
}
