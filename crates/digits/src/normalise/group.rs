//! Groups strokes into candidates for digits.
//!
//! ```text
//!    ===   /|             [===]  [/|]
//!   |__   / |      ->     [|__]  [/|]        the bar of a 5 belongs to its body,
//!   ___|    |             [___]  [ |]        a 1 beside it does not
//! ```

use super::area::Area;
use super::components::Component;
use super::error::NormaliseError;

/// A patch below this share of the largest patch's area is dust. The detached bar of a 5 or a 7 has
/// 10 % or more.
const DUST_SHARE: f32 = 0.03;
/// A patch below this share of the height of another beside it is only a part of a digit.
const PART_SHARE: f32 = 0.6;
/// A candidate below this share of the size of the largest is a dot or a comma.
const MIN_DIGIT_SHARE: f32 = 0.3;
/// How far apart, as a share of the taller one's height, the parts of a digit may lie: one above
/// the other, and side by side.
const MAX_GAP_ABOVE: f32 = 0.25;
const MAX_GAP_BESIDE: f32 = 0.1;
/// Two large patches this close, one above the other, belong together: the pen, or a line, has broken
/// the stroke. Rows of digits are farther apart.
const MAX_BREAK: f32 = 0.15;
/// Two halves of a digit are together at most this many times as tall as another digit.
const MAX_HALVES: f32 = 1.1;
/// In rows of digits, which have at least this many of about the same height, two that are together this
/// many times as tall are two digits.
const MIN_ROW_DIGITS: usize = 4;
const MAX_ROW_RATIO: f32 = 1.3;
/// What is smaller is no edge of a sheet, but a part of a digit.
const MIN_SHEET_PIXELS: f32 = 200.0;
/// A bar below a digit belongs to it only if it is this close.
const MAX_GAP_BELOW: f32 = 0.05;
/// A digit has at most this many patches, however often its stroke is broken.
const MAX_DIGIT_PARTS: usize = 10;
/// A picture with more patches shows a text, a texture or noise.
const MAX_PARTS: usize = 300;

/// Strokes that may form one digit.
pub(super) struct Group {
    /// The indices of its pixels in the mask.
    pub pixels: Vec<usize>,
    /// The box around it.
    pub area: Area,
    /// The number of patches.
    parts: usize,
}

impl Group {
    /// Whether its ink keeps away from the box of another that may be a digit, as the edge of a sheet bends
    /// around what is written on it.
    fn bends_around(&self, other: &Self, width: usize) -> bool {
        let (size, inner) = (self.area.longest() as f32, other.area.longest() as f32);
        if size < MIN_SHEET_PIXELS || inner < MIN_DIGIT_SHARE * size {
            return false;
        }
        let near = other.area.grown((MAX_GAP_ABOVE * inner) as usize, usize::MAX, usize::MAX);
        !self.pixels.iter().any(|pixel| {
            let (x, y) = (pixel % width, pixel / width);
            (near.left..near.right()).contains(&x) && (near.top..near.bottom()).contains(&y)
        })
    }
}

/// The candidates on a page of some width.
pub(super) fn groups(mut parts: Vec<Component>, width: usize) -> Result<Vec<Group>, NormaliseError> {
    let largest = parts.iter().map(|part| part.pixels.len()).max().unwrap_or(0);
    parts.retain(|part| part.pixels.len() as f32 >= DUST_SHARE * largest as f32);
    if parts.len() > MAX_PARTS {
        return Err(NormaliseError::TooMany { marks: parts.len() });
    }
    let group = |part: Component| Group { pixels: part.pixels, area: part.area, parts: 1 };
    let mut groups: Vec<Group> = parts.into_iter().map(group).collect();
    let row = height_of_rows(&groups);
    while let Some((i, j)) = pair(&groups, row, width) {
        let other = groups.swap_remove(j);
        groups[i].area = groups[i].area.with(&other.area);
        groups[i].pixels.extend(other.pixels);
        groups[i].parts += other.parts;
    }
    let least = least_size(&groups);
    groups.retain(|group| group.area.longest() as f32 >= least);
    if groups.iter().any(|group| !group.area.is_bar()) {
        groups.retain(|group| !group.area.is_bar());
    }
    groups.retain(|group| group.parts <= MAX_DIGIT_PARTS && !(group.parts > 2 && group.area.width == width));
    Ok(groups)
}

/// The size of the smallest group that may be a digit beside the largest.
fn least_size(groups: &[Group]) -> f32 {
    MIN_DIGIT_SHARE * groups.iter().map(|group| group.area.longest()).max().unwrap_or(0) as f32
}

/// The height of most parts, if there are enough of about the same: those of rows of digits. Punched holes and
/// dots make no row.
fn height_of_rows(groups: &[Group]) -> Option<usize> {
    let least = least_size(groups);
    let digits = groups.iter().filter(|group| group.area.longest() as f32 >= least);
    let mut heights: Vec<usize> = digits.map(|group| group.area.height).collect();
    heights.sort_unstable();
    let median = *heights.get(heights.len() / 2)?;
    let similar = heights.iter().filter(|&&height| 4 * height >= 3 * median && 3 * height <= 4 * median);
    (similar.count() >= MIN_ROW_DIGITS).then_some(median)
}

/// Two groups that belong to one digit.
fn pair(groups: &[Group], row: Option<usize>, width: usize) -> Option<(usize, usize)> {
    let tallest = groups.iter().map(|group| group.area.height).max()?;
    let pairs = (0..groups.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
    pairs.into_iter().find(|&(i, j)| {
        let (a, b) = (&groups[i], &groups[j]);
        // Two digits of rows that are close.
        let are_two = row.is_some_and(|row| {
            a.area.height.min(b.area.height) as f32 >= PART_SHARE * row as f32
                && a.area.with(&b.area).height as f32 > MAX_ROW_RATIO * row as f32
        });
        !are_two
            && belong_together(&a.area, &b.area, tallest)
            && !(a.area.gaps(&b.area) == (0, 0) && (a.bends_around(b, width) || b.bends_around(a, width)))
    })
}

fn belong_together(a: &Area, b: &Area, tallest: usize) -> bool {
    let taller = a.height.max(b.height) as f32;
    // Two halves are together as tall as the whole digit beside them.
    let halves = a.with(b).height as f32 <= MAX_HALVES * tallest as f32;
    let whole = if halves { tallest as f32 } else { taller };
    let (across, down) = a.gaps(b);
    let (across, down) = (across as f32 / taller, down as f32 / taller);
    let shared_columns = a.shared_columns(b) as f32 / a.width.min(b.width) as f32;
    let shared_rows = a.shared_rows(b) as f32 / a.height.min(b.height) as f32;
    let smaller = a.height.min(b.height) as f32;
    let (upper, lower) = if a.top <= b.top { (a, b) } else { (b, a) };
    // An underline: no digit has a bar below it.
    if lower.is_bar() && !upper.is_bar() && down > MAX_GAP_BELOW {
        return false;
    }
    let one_is_part = smaller < PART_SHARE * taller;
    let overlap = across == 0.0 && down == 0.0 && shared_columns.min(shared_rows) >= 0.5;
    let broken = down * taller <= MAX_BREAK * whole;
    let above = shared_columns >= 0.5 && (broken || (one_is_part && down <= MAX_GAP_ABOVE));
    let beside = one_is_part && shared_rows > 0.0 && across <= MAX_GAP_BESIDE;
    let corner = one_is_part && across <= MAX_GAP_BESIDE && down <= MAX_GAP_BESIDE;
    overlap || above || beside || corner
}
