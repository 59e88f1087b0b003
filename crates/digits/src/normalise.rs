//! Finds the digits in a person's own picture, and turns each into an image like those of MNIST.
//!
//! A network does well only on images like those it was trained on. MNIST's digits are light on
//! black, scaled "in a 20x20 pixel box while preserving their aspect ratio", with grey levels from
//! anti-aliasing, and centred in 28x28 "by computing the center of mass of the pixels" (Y. LeCun,
//! C. Cortes, C. Burges, *The MNIST database of handwritten digits*). A photo shows more: a desk, a
//! shadow, ruled lines, several digits. The recipe, one file per step, each with its picture:
//!
//! | step | file |
//! | --- | --- |
//! | average a large picture down, turn it upright | `picture.rs` |
//! | put transparent ink on a background that contrasts | `transparency.rs` |
//! | enlarge a tiny picture smoothly | `enlarge.rs` |
//! | find the paper: the sheet on a desk, the canvas in a window | `paper.rs`, `zones.rs`, `hull.rs` |
//! | remove uneven light | `light.rs` |
//! | separate ink from paper | `ink.rs` |
//! | remove ruled lines and underlines | `lines.rs`, `tracks.rs` |
//! | drop borders, form boxes and circles | `frames.rs`, `outline.rs`, `components.rs` |
//! | group strokes into digits | `group.rs` |
//! | scale each into 20x20, centre it in 28x28 | `place.rs` |
//!
//! Callers should show the result, so that people see what the network saw.

mod area;
mod components;
mod enlarge;
mod error;
mod frames;
mod group;
mod hull;
mod ink;
mod light;
mod lines;
mod mask;
mod outline;
mod paper;
mod picture;
mod place;
mod plane;
mod tracks;
mod transparency;
mod zones;

pub use area::Area;
pub use error::NormaliseError;
pub use picture::{Picture, Samples};
pub use place::{PIXELS, SIDE};

use group::Group;
use hull::Hull;
use mask::Mask;
use outline::Outline;
use paper::Page;
use plane::Plane;

/// More candidates than this are not digits that someone wants to have read.
const MAX_DIGITS: usize = 100;
/// The stroke of a digit is at most this many times as long as the digit is large: that of an 8, 4 times.
const MAX_LENGTH_RATIO: f32 = 8.0;
/// An 8 has two holes; strokes that cross may close another.
const MAX_HOLES: usize = 4;
/// A smaller hole, as a share of the box, is a pinhole.
const MIN_HOLE_SHARE: f32 = 0.002;
/// The digits of a picture are written with pens of similar width; scraps of a thin frame are thinner.
const MIN_WIDTH_SHARE: f32 = 0.25;
/// A thin frame may have gaps of this many pixels.
const MAX_LINKED_GAP: usize = 4;
/// The strokes of a digit cover less than this share of its hull, unless it is as narrow as a 1.
const MAX_FILLED_SHARE: f32 = 0.88;
const MAX_BAR_SHARE: f32 = 0.5;

/// What may be a digit in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The box around it, in pixels of the upright picture.
    pub area: Area,
    /// The image for the network: light digit on black, longer side 20 pixels, centre of mass in
    /// pixel (14, 14), brightest pixel 255.
    pub image: [u8; PIXELS],
}

/// The digits in a picture, at least one, in reading order.
///
/// # Errors
/// [`NormaliseError`] if no digit is visible.
pub fn digits(picture: &Picture) -> Result<Vec<Candidate>, NormaliseError> {
    let brightness = picture.brightness();
    let factor = enlarge::factor(&brightness);
    let read = |plane: &Plane| -> Result<Vec<Candidate>, NormaliseError> {
        let found = in_plane(&enlarge::enlarged(plane, factor))?;
        let original = |(area, image)| Candidate { area: picture.original(&area, factor), image };
        Ok(found.into_iter().map(original).collect())
    };
    // Ink as bright as its paper may differ in one colour.
    read(&brightness)
        .or_else(|error| picture.colours().iter().find_map(|colour| read(colour).ok()).ok_or(error))
}

/// Turns a grey picture of one digit into a 28x28 image like those of MNIST: light digit on
/// black, longer side 20 pixels, centre of mass in pixel (14, 14), brightest pixel 255.
///
/// `gray` holds `height` rows of `width` values, from 0, black, to 255, white. MNIST's own images
/// come back nearly unchanged.
///
/// # Errors
/// [`NormaliseError`] if the sizes do not match, or if no digit or several are visible.
///
/// # Example
/// ```
/// // A dark stroke on light paper, 60 x 80.
/// let mut gray = vec![230; 60 * 80];
/// for y in 10..70 {
///     gray[y * 60 + 26..y * 60 + 34].fill(30);
/// }
/// let image = m2g_digits::normalise::normalise(&gray, 60, 80)?;
/// assert_eq!((image[0], image[14 * 28 + 14]), (0, 255));
/// # Ok::<(), m2g_digits::normalise::NormaliseError>(())
/// ```
pub fn normalise(gray: &[u8], width: usize, height: usize) -> Result<[u8; PIXELS], NormaliseError> {
    let found = digits(&Picture::new(width, height, Samples::Gray, gray)?)?;
    match &found[..] {
        [digit] => Ok(digit.image),
        several => Err(NormaliseError::Several { digits: several.len() }),
    }
}

/// The box and the image of a digit.
type Digit = (Area, [u8; PIXELS]);

/// The digits in a plane.
fn in_plane(plane: &Plane) -> Result<Vec<Digit>, NormaliseError> {
    let pages = paper::pages(plane);
    let whole = || on_page(&pages.whole);
    if pages.papers.is_empty() {
        return whole();
    }
    let on_papers = on_pages(&pages.papers);
    // What looks like the edge of a sheet may be that of a shadow: ink may cross it.
    if !pages.surrounded
        && let Ok(digits) = whole()
        && on_papers.as_ref().is_ok_and(|clipped| continues(&digits, clipped))
    {
        return Ok(digits);
    }
    on_papers.or_else(|_| whole())
}

/// Whether each of the clipped digits, which may be a part of one, lies in a digit; and whether the other
/// digits are about as large as these.
fn continues(digits: &[Digit], clipped: &[Digit]) -> bool {
    let contains = |(a, _): &Digit, (b, _): &Digit| {
        a.shared_columns(b) * 5 >= b.width * 4 && a.shared_rows(b) * 5 >= b.height * 4
    };
    let (whole, others): (Vec<&Digit>, Vec<&Digit>) =
        digits.iter().partition(|digit| clipped.iter().any(|part| contains(digit, part)));
    let sizes = || whole.iter().map(|(area, _)| area.longest());
    let (Some(least), Some(most)) = (sizes().min(), sizes().max()) else { return false };
    let similar = |(area, _): &&Digit| 3 * area.longest() >= 2 * least && 2 * area.longest() <= 3 * most;
    clipped.iter().all(|part| whole.iter().any(|digit| contains(digit, part))) && others.iter().all(similar)
}

/// The digits on several papers.
fn on_pages(pages: &[Page]) -> Result<Vec<Digit>, NormaliseError> {
    let mut found = Vec::new();
    let mut first_error = None;
    for page in pages {
        match on_page(page) {
            Ok(digits) => found.extend(digits),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(in_reading_order(found)),
    }
}

/// Row by row from the top, each from left to right. A row may rise or fall: each digit is compared
/// with the one on its left.
fn in_reading_order(mut digits: Vec<Digit>) -> Vec<Digit> {
    digits.sort_by_key(|(area, _)| area.left);
    let mut rows: Vec<Vec<Digit>> = Vec::new();
    for digit in digits {
        let same_row = |row: &&mut Vec<Digit>| {
            row.last()
                .is_some_and(|(last, _)| 2 * last.shared_rows(&digit.0) >= last.height.min(digit.0.height))
        };
        match rows.iter_mut().find(same_row) {
            Some(row) => row.push(digit),
            None => rows.push(vec![digit]),
        }
    }
    let height =
        |row: &Vec<Digit>| row.iter().map(|(area, _)| 2 * area.top + area.height).sum::<usize>() / row.len();
    rows.sort_by_key(height);
    rows.into_iter().flatten().collect()
}

/// The digits on one paper.
fn on_page(page: &Page) -> Result<Vec<Digit>, NormaliseError> {
    let ink = ink::separate(&page.plane, page.dark_on_light)?;
    components::large(components::components(&ink.mask), &ink.mask)?;
    let parts = components::large(components::linked(&ink.mask, MAX_LINKED_GAP / 2), &ink.mask)?;
    let parts = frames::without_frames(parts, &ink.mask);
    let strokes = lines::without_lines(&components::mask(&parts, &ink.mask));
    // Without lines, boxes with open corners and broken circles show.
    let parts = components::large(components::components(&strokes), &strokes)?;
    let parts = frames::without_frames(parts, &strokes);
    let parts = outline::without_print(parts, &strokes);
    let groups = group::groups(parts, strokes.width)?;
    if groups.len() > MAX_DIGITS {
        return Err(NormaliseError::TooMany { marks: groups.len() });
    }
    // What each pixel of ink belongs to; nothing for dust.
    let mut owner = vec![None; strokes.bits.len()];
    for (i, group) in groups.iter().enumerate() {
        group.pixels.iter().for_each(|&pixel| owner[pixel] = Some(i));
    }
    let mut digits = Vec::new();
    let widths: Vec<f32> =
        groups.iter().map(|group| components::stroke_width(&group.pixels, &strokes)).collect();
    let widest = widths.iter().fold(0.0f32, |widest, &width| widest.max(width));
    for (i, group) in groups.iter().enumerate() {
        if widths[i] < MIN_WIDTH_SHARE * widest || !is_stroke(group, widths[i], &strokes) {
            continue;
        }
        let is_line = |pixel: usize| ink.mask.bits[pixel] && !strokes.bits[pixel];
        let is_other = |pixel: usize| owner[pixel].map_or(is_line(pixel), |owner| owner != i);
        if let Some(image) = place::place(&ink.stretched(group, is_other)) {
            let (left, top) = (group.area.left + page.area.left, group.area.top + page.area.top);
            digits.push((Area { left, top, ..group.area }, image));
        }
    }
    if digits.is_empty() { Err(NormaliseError::NoStroke) } else { Ok(in_reading_order(digits)) }
}

/// Whether a group with strokes of this mean width has the shape of a digit, and not that of a patch or of
/// a texture.
fn is_stroke(group: &Group, width: f32, strokes: &Mask) -> bool {
    let hull = Hull::of(&group.pixels, strokes.width, strokes.height);
    let (shorter, longer) = hull.rectangle();
    let wide = shorter > MAX_BAR_SHARE * longer;
    let filled = wide && group.pixels.len() as f32 > MAX_FILLED_SHARE * hull.area;
    let size = group.area.longest() as f32;
    let length = group.pixels.len() as f32 / width;
    let thin = width <= components::MAX_STROKE_SHARE * size && length <= MAX_LENGTH_RATIO * size;
    let outline = Outline::of(&group.pixels, &group.area, width, strokes.width);
    thin && !filled && outline != Outline::Box && holes(group, strokes) <= MAX_HOLES
}

/// The number of holes in a group, not counting pinholes.
fn holes(group: &Group, strokes: &Mask) -> usize {
    let area = group.area;
    let (width, height) = (area.width + 2, area.height + 2);
    let mut paper = Mask { width, height, bits: vec![true; width * height] };
    for &pixel in &group.pixels {
        let (x, y) = (pixel % strokes.width - area.left + 1, pixel / strokes.width - area.top + 1);
        paper.bits[y * width + x] = false;
    }
    let least = MIN_HOLE_SHARE * (area.width * area.height) as f32;
    // The paper around the group is one of the patches.
    components::components(&paper)
        .iter()
        .filter(|patch| patch.pixels.len() as f32 > least)
        .count()
        .saturating_sub(1)
}

#[cfg(test)]
mod scenes;
#[cfg(test)]
mod tests;
