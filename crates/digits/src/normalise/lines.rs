//! Removes ruled lines, underlines and grids, and keeps the strokes that cross them.
//!
//! ```text
//!   ....##......            ....##......
//!   ----##------            ....##......       a line is longer than any digit it touches
//!   ...##.......      ->    ...##.......       is large: no digit has such a bar
//!   --##########-           ..####......
//! ```

use super::components::{self, Component, MAX_STROKE_SHARE, components, labels, stroke_width};
use super::mask::Mask;
use super::tracks::{Run, Track, tracks};

/// A line is at least this many times as long as the digits that it touches are large. The bar of a 4
/// or a 7 is not longer than the digit.
const MIN_LENGTH_RATIO: f32 = 1.25;
/// The same for an upright line: the stem of a 9 is twice as long as what is left of it.
const MIN_UPRIGHT_RATIO: f32 = 3.0;
/// A line that touches nothing is at least this many times as long as the largest digit: a 1 beside
/// small digits is not.
const MIN_FREE_RATIO: f32 = 1.6;
/// A digit beside a free upright line that does not span the page is at least this large, as a share of the line.
/// What is smaller is the dot or the comma after a 1.
const MIN_SHAPE_SHARE: f32 = 0.25;
/// A line that covers this share of the page spans it.
const SPAN_SHARE: f32 = 0.85;
/// As many lines that span the page are rulings or a grid, and no strokes.
const GRID_LINES: usize = 3;
/// On a smaller page, a bar of a digit would be mistaken for a line.
const MIN_PAGE_PIXELS: usize = 100;
/// Among more lines, no boxes are looked for.
const MAX_BOX_TRACKS: usize = 12;
/// The sides of a box meet at its corners, but for this share of a side.
const MAX_CORNER_GAP: f32 = 0.08;
/// What is written into a box is at least this large, as a share of its height.
const MIN_BOXED_SHARE: f32 = 0.25;
/// What is smaller, as a share of a box's height, is a scrap of its sides.
const MIN_PART_SHARE: f32 = 0.1;
/// A run this much thicker than its line belongs to a stroke.
const STROKE_RATIO: f32 = 1.6;

/// The mask without lines.
pub(super) fn without_lines(mask: &Mask) -> Mask {
    if mask.width.max(mask.height) < MIN_PAGE_PIXELS {
        return mask.clone();
    }
    let (mut level, mut upright) = (tracks(mask), tracks(&mask.transposed()));
    // Rulings and grids have several lines that span the page.
    let (across, down): (Vec<Track>, Vec<Track>) = (
        level.extract_if(.., |track| spans(track, mask.width)).collect(),
        upright.extract_if(.., |track| spans(track, mask.height)).collect(),
    );
    let mut rest = mask.clone();
    if across.len() + down.len() >= GRID_LINES {
        erase_all(&across, &down, &mut rest);
    } else {
        level.extend(across);
        upright.extend(down);
    }
    let rest = without_boxes(rest, &level, &upright);
    let rest = without(&rest, &level, Direction::Level);
    let rest = without(&rest.transposed(), &upright, Direction::Upright).transposed();
    // A page of lines alone is one of digits: 1 is a line.
    if rest.pixels().next().is_some() { rest } else { mask.clone() }
}

/// Whether a line spans a page of this size.
fn spans(track: &Track, page: usize) -> bool {
    track.length() as f32 >= SPAN_SHARE * page as f32
}

/// The mask without upright boxes that something is written into, and may touch.
fn without_boxes(mask: Mask, level: &[Track], upright: &[Track]) -> Mask {
    if level.len().max(upright.len()) > MAX_BOX_TRACKS {
        return mask;
    }
    let pairs = |tracks: &'_ [Track]| -> Vec<(usize, usize)> {
        (0..tracks.len())
            .flat_map(|i| (0..tracks.len()).map(move |j| (i, j)))
            .filter(|(i, j)| i != j)
            .collect()
    };
    let mut rest = mask.clone();
    for (top, bottom) in pairs(level) {
        for (left, right) in pairs(upright) {
            let [top, bottom] = [top, bottom].map(|i| &level[i]);
            let [left, right] = [left, right].map(|i| &upright[i]);
            if !are_box([top, bottom], [left, right]) {
                continue;
            }
            let mut inside = rest.clone();
            erase_all(&[top.clone(), bottom.clone()], &[left.clone(), right.clone()], &mut inside);
            let size = |part: &Component| part.area.longest() as f32 / left.length() as f32;
            let mut parts = components(&inside);
            if parts.iter().any(|part| size(part) >= MIN_BOXED_SHARE) {
                parts.retain(|part| size(part) >= MIN_PART_SHARE);
                rest = components::mask(&parts, &rest);
            }
        }
    }
    rest
}

/// Whether the ends of four lines meet: the top and the bottom of a box, and its left and right side.
fn are_box(level: [&Track; 2], upright: [&Track; 2]) -> bool {
    let ends = |track: &Track| [track.runs[0].x, track.runs[track.runs.len() - 1].x];
    // Where a line of one direction ends, the line of the other direction is.
    let meet = |line: &Track, others: [&Track; 2]| {
        let near = 3.0 + MAX_CORNER_GAP * line.length() as f32;
        let is_near = |(end, other): (usize, &Track)| {
            let row = line.row(end).max(0.0) as usize;
            (other.row(row) - end as f32).abs() <= near
        };
        ends(line).into_iter().zip(others).all(is_near)
    };
    level.into_iter().all(|line| meet(line, upright)) && upright.into_iter().all(|line| meet(line, level))
}

fn erase_all(across: &[Track], down: &[Track], mask: &mut Mask) {
    across.iter().for_each(|track| erase(track, mask));
    let mut transposed = mask.transposed();
    down.iter().for_each(|track| erase(track, &mut transposed));
    *mask = transposed.transposed();
}

/// How a line runs on the page.
#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Level,
    /// The mask is transposed, so that the line runs along its rows.
    Upright,
}

/// The mask without those lines that are much longer than the largest digit that they touch is large, or
/// than the largest digit at all if they touch none.
fn without(mask: &Mask, tracks: &[Track], direction: Direction) -> Mask {
    let mut rest = mask.clone();
    tracks.iter().for_each(|track| erase(track, &mut rest));
    let digits = components(&rest);
    let largest = digits.iter().map(|digit| digit.area.longest()).max().unwrap_or(0);
    if largest == 0 {
        return mask.clone();
    }
    let label = labels(&digits, mask);
    // What a free line is compared with: patches that are more than lines. A ruling that crosses a digit
    // makes one patch with it, and is no part of the digit's size; a straight part of a 1 is.
    let kept =
        |part: &&Component| 2 * part.pixels.iter().filter(|&&i| rest.bits[i]).count() >= part.pixels.len();
    let patches = components(mask);
    let patch_of = labels(&patches, mask);
    let shapes = patches.iter().filter(kept);
    let largest_shape = match direction {
        Direction::Level => {
            let strokes = shapes.flat_map(|part| &part.pixels).filter_map(|&pixel| digits.get(label[pixel]));
            strokes.map(|digit| digit.area.longest()).max()
        }
        // A dot or a punched hole is no digit: the line beside it may be a 1.
        Direction::Upright => {
            shapes.filter(|part| !is_blob(part, mask)).map(|part| part.area.longest()).max()
        }
    };
    let ratio = match direction {
        Direction::Level => MIN_LENGTH_RATIO,
        Direction::Upright => MIN_UPRIGHT_RATIO,
    };
    let mut cleaned = mask.clone();
    for track in tracks {
        let length = track.length() as f32;
        // What is much smaller than the line may be a scrap of it.
        let size = touched(track, mask, &label, &digits).filter(|&size| 5 * size >= 2 * track.length());
        let is_line = match size {
            Some(size) => {
                // The base of a 2 is a part of its height.
                let run = &track.runs[track.runs.len() / 2];
                let patch = patches.get(patch_of[run.top * mask.width + run.x]);
                length >= ratio * patch.map_or(size, |patch| patch.area.height.max(size)) as f32
            }
            None => largest_shape.is_some_and(|size| {
                let may_be_one = direction == Direction::Upright && !spans(track, mask.width);
                length >= MIN_FREE_RATIO.min(ratio) * size as f32
                    && !(may_be_one && (size as f32) < MIN_SHAPE_SHARE * length)
            }),
        };
        if is_line {
            erase(track, &mut cleaned);
        }
    }
    cleaned
}

/// Whether a patch is too compact for strokes.
fn is_blob(patch: &Component, mask: &Mask) -> bool {
    stroke_width(&patch.pixels, mask) > MAX_STROKE_SHARE * patch.area.longest() as f32
}

/// The size of the digits that a line touches: the longer side of the largest patch, or the height of
/// all together, since the bar of a 4 cuts it into pieces.
fn touched(track: &Track, mask: &Mask, label: &[usize], digits: &[Component]) -> Option<usize> {
    let reach = track.thickness as f32 / 2.0 + 2.0;
    let (first, last) = (track.runs[0].x, track.runs[track.runs.len() - 1].x);
    let (first, last) = (first.saturating_sub(3), (last + 3).min(mask.width - 1));
    let mut patches: Vec<usize> = Vec::new();
    for x in first..=last {
        let row = track.row(x);
        let rows = (row - reach).max(0.0) as usize..((row + reach).max(0.0) as usize + 1).min(mask.height);
        patches.extend(rows.map(|y| label[y * mask.width + x]).filter(|&i| i < digits.len()));
    }
    let areas = || patches.iter().map(|&i| digits[i].area);
    let together = areas().reduce(|a, b| a.with(&b))?;
    areas().map(|area| area.longest()).max().map(|longest| longest.max(together.height))
}

/// Clears the runs of a line, except where a stroke crosses: where the run is thicker than the line,
/// or has ink above and below.
fn erase(track: &Track, mask: &mut Mask) {
    let thickest = (STROKE_RATIO * track.thickness as f32 + 0.5) as usize;
    let thin = || track.runs.iter().filter(|run| run.thickness() <= thickest);
    let set = |run: &Run, mask: &mut Mask, value| {
        (run.top..run.bottom).for_each(|y| mask.bits[y * mask.width + run.x] = value);
    };
    thin().for_each(|run| set(run, mask, false));
    for run in thin() {
        let near = run.x.saturating_sub(1)..(run.x + 2).min(mask.width);
        let ink = |y: usize| near.clone().any(|x| mask.bits[y * mask.width + x]);
        if run.top > 0 && run.bottom < mask.height && ink(run.top - 1) && ink(run.bottom) {
            set(run, mask, true);
        }
    }
}
