//! Finds the paper: the sheet on a desk, the canvas in a window, the inside of a thick frame.
//!
//! ```text
//!   +--------------+
//!   | wood  .----. |                  .----.
//!   |       | 7  | |        ->        | 7  |        the innermost convex zone
//!   |       '----' |                  '----'        that holds ink
//!   +--------------+
//! ```

use super::area::Area;
use super::components::{Component, components};
use super::hull::Hull;
use super::mask::Mask;
use super::plane::Plane;
use super::zones::{extended, zones};

/// The paper is looked for in a small copy whose longer side has at most this many pixels.
const MAX_SIDE_PIXELS: usize = 192;
/// In a smaller copy, there is nothing to look for.
const MIN_SIDE_PIXELS: usize = 48;
/// A zone of paper covers at least this share of the picture.
const MIN_PAPER_SHARE: f32 = 0.015;
/// A zone of paper, its holes filled, covers at least this share of its convex hull.
const MIN_SOLIDITY: f32 = 0.9;
/// A sheet's hull covers at least this share of the smallest rectangle around it, which may be turned:
/// an ellipse, the outline of a thick 0, covers 0.79.
const MIN_RECTANGULARITY: f32 = 0.88;
/// Or the largest quadrilateral in the hull covers this share of it: a sheet seen at an angle is a trapezium.
const MIN_QUADRILATERAL_SHARE: f32 = 0.88;
/// Paper covers at least this share of its hull; the rest is ink.
const MIN_BARE_SHARE: f32 = 0.6;
/// The largest step between neighbours within a zone, in grey levels and as a share of the range of
/// the picture's.
const MAX_STEP_LEVELS: f32 = 8.0;
const MAX_STEP_SHARE: f32 = 0.05;
/// Ink differs from the paper by at least this many levels, and by this many deviations of the paper.
const MIN_INK_LEVELS: f32 = 12.0;
const MIN_INK_DEVIATIONS: f32 = 5.0;
/// A stroke is at least this long, in pixels of the small copy.
const MIN_STROKE_PIXELS: usize = 4;
/// The paper reaches this share of the border of a picture that shows nothing else.
const WHOLE_BORDER_SHARE: f32 = 0.8;
/// A paper with something around it reaches less than this share of the border.
const SURROUNDED_BORDER_SHARE: f32 = 0.02;
/// Without papers, a zone counts as background if it reaches this share of the border.
const MIN_BORDER_SHARE: f32 = 0.03;
/// And if a square with this share of the picture's longer side fits into it.
const WIDE_SHARE: f32 = 0.4;
/// Of several papers, those count whose ink has this share of the strongest contrast.
const MIN_CONTRAST_SHARE: f32 = 0.4;

/// A part of a picture that shows one paper, with nothing around it.
pub(super) struct Page {
    /// Its pixels; those outside the paper have the level of the paper's edge.
    pub plane: Plane,
    /// The box of the picture that it shows.
    pub area: Area,
    /// Whether its ink is darker than the paper, where that is known.
    pub dark_on_light: Option<bool>,
}

/// A zone of the small copy that may be paper.
struct Paper {
    cells: Vec<usize>,
    hull_area: f32,
    /// The hull, without its rim.
    inside: Mask,
    /// Whether it lies inside the picture, with something else around it.
    is_surrounded: bool,
    /// The paper's level, also under the ink.
    level: Plane,
    dark_on_light: bool,
    /// The mean difference between ink and paper, in grey levels.
    contrast: f32,
}

/// What a picture may show.
pub(super) struct Pages {
    /// The picture itself.
    pub whole: Page,
    /// The papers in it; empty if it shows no more than one.
    pub papers: Vec<Page>,
    /// Whether all papers lie inside the picture, with something else around them.
    pub surrounded: bool,
}

/// Looks for papers in a picture.
pub(super) fn pages(picture: &Plane) -> Pages {
    let whole = |dark_on_light| Page {
        plane: picture.clone(),
        area: Area { left: 0, top: 0, width: picture.width, height: picture.height },
        dark_on_light,
    };
    let k = picture.width.max(picture.height).div_ceil(MAX_SIDE_PIXELS);
    let copy = picture.shrunk(k);
    if copy.width.min(copy.height) < MIN_SIDE_PIXELS {
        return Pages { whole: whole(None), papers: Vec::new(), surrounded: false };
    }
    let (papers, dark_on_light) = papers(&copy);
    let on_border: Vec<f32> = papers.iter().map(|paper| border_share(paper.inside.pixels(), &copy)).collect();
    if on_border.iter().any(|&share| share >= WHOLE_BORDER_SHARE) {
        return Pages { whole: whole(dark_on_light), papers: Vec::new(), surrounded: false };
    }
    Pages {
        whole: whole(dark_on_light),
        papers: papers.iter().map(|paper| page(picture, paper, k)).collect(),
        surrounded: papers.iter().all(|paper| paper.is_surrounded),
    }
}

/// The innermost zones with ink; and whether the ink is darker than the paper, if known.
fn papers(copy: &Plane) -> (Vec<Paper>, Option<bool>) {
    let radius = ((copy.width.max(copy.height) + 40) / 80).max(1);
    // Closing removes thin dark lines, opening thin light ones: what stays are large patches.
    let patches = copy.sliding_max(radius).sliding_min(radius).opened(radius);
    let (least, greatest) = patches.range();
    let max_step = (MAX_STEP_SHARE * (greatest - least)).clamp(1.0, MAX_STEP_LEVELS);
    let min_cells = (MIN_PAPER_SHARE * copy.values.len() as f32) as usize;
    let zones = zones(&patches, max_step, min_cells);
    let share = |zone: &[usize]| border_share(zone.iter().copied(), copy);
    let on_border: Vec<usize> =
        zones.iter().filter(|zone| share(zone) >= MIN_BORDER_SHARE).flatten().copied().collect();
    // What surrounds ink that leaves no paper whole, such as a digit that fills the picture.
    let border_zones: Vec<usize> = zones
        .iter()
        .filter(|zone| share(zone) >= MIN_BORDER_SHARE && is_wide(zone, copy))
        .flatten()
        .copied()
        .collect();
    let mut papers: Vec<Paper> =
        zones.into_iter().filter_map(|cells| Paper::with_ink(cells, copy, &patches)).collect();
    papers.sort_by(|a, b| b.hull_area.total_cmp(&a.hull_area));
    // The hole of a 0 has the level of the paper around it: it is no paper of its own.
    let around = extended(&patches, &on_border);
    let papers = chosen(papers, |papers, i| {
        let outer = papers[..i].iter().filter(|outer| outer.holds(&papers[i]));
        let mut levels = outer.map(|outer| &outer.level).chain(papers[i].is_surrounded.then_some(&around));
        levels.all(|level| papers[i].differs(level))
    });
    // A desk holds its sheets.
    let papers = chosen(papers, |papers, i| !papers[i + 1..].iter().any(|inner| papers[i].holds(inner)));
    let strongest = papers.iter().fold(0.0f32, |most, paper| most.max(paper.contrast));
    let papers = chosen(papers, |papers, i| papers[i].contrast >= MIN_CONTRAST_SHARE * strongest);

    let dark_on_light = match &papers[..] {
        [] if 2.0 * border_share(border_zones.iter().copied(), copy) > 1.0 => {
            let level = extended(&patches, &border_zones);
            Some(copy.values.iter().zip(&level.values).map(|(v, level)| v - level).sum::<f32>() < 0.0)
        }
        [] => None,
        papers => Some(papers[0].dark_on_light),
    };
    (papers, dark_on_light)
}

/// The papers whose index a rule accepts.
fn chosen(papers: Vec<Paper>, accepts: impl Fn(&[Paper], usize) -> bool) -> Vec<Paper> {
    let accepted: Vec<bool> = (0..papers.len()).map(|i| accepts(&papers, i)).collect();
    papers.into_iter().zip(accepted).filter(|(_, accepted)| *accepted).map(|(paper, _)| paper).collect()
}

impl Paper {
    /// The paper of a zone; `None` if the zone is not convex or holds no ink.
    fn with_ink(cells: Vec<usize>, copy: &Plane, patches: &Plane) -> Option<Self> {
        let hull = Hull::of(&cells, copy.width, copy.height);
        let bare = cells.len() as f32 / hull.area.max(1.0);
        if hull.solidity < MIN_SOLIDITY || bare < MIN_BARE_SHARE || !is_sheet(&hull) {
            return None;
        }
        let outline = without_rim(&hull.mask(copy.width, copy.height));
        let inside = without_rim(&outline);
        let level = extended(patches, &cells);
        let difference = |cell: usize| copy.values[cell] - level.values[cell];
        let mut noise: Vec<f32> = cells.iter().map(|&cell| difference(cell).abs()).collect();
        let middle = noise.len() / 2;
        // For normal noise, the median of the absolute values is 0.67 deviations.
        let deviation = *noise.select_nth_unstable_by(middle, f32::total_cmp).1 / 0.67;
        let least = MIN_INK_LEVELS.max(MIN_INK_DEVIATIONS * deviation);
        let is_ink = inside.pixels().filter(|&cell| difference(cell).abs() > least);
        let marks = components(&Mask::of(copy.width, copy.height, is_ink));
        let strokes = marks.iter().filter(|mark| mark.area.longest() >= MIN_STROKE_PIXELS);
        // Ink that reaches beyond the paper shows that it is none: a bay between strokes, or the lit part
        // of a sheet in a shadow.
        let is_surrounded = border_share(inside.pixels(), copy) < SURROUNDED_BORDER_SHARE;
        let (crossing, strokes): (Vec<&Component>, Vec<&Component>) = strokes.partition(|stroke| {
            !is_surrounded
                && stroke.pixels.iter().any(|&cell| outline.neighbours(cell).any(|near| !inside.bits[near]))
        });
        let count = |marks: &[&Component]| marks.iter().map(|mark| mark.pixels.len()).sum::<usize>();
        if strokes.is_empty() || count(&crossing) >= count(&strokes) {
            return None;
        }
        let ink: Vec<f32> =
            strokes.iter().flat_map(|stroke| &stroke.pixels).map(|&cell| difference(cell)).collect();
        let sum: f32 = ink.iter().sum();
        let contrast = ink.iter().map(|d| d.abs()).sum::<f32>() / ink.len() as f32;
        let (hull_area, dark_on_light) = (hull.area, sum < 0.0);
        Some(Self { cells, hull_area, inside, is_surrounded, level, dark_on_light, contrast })
    }

    /// Whether the paper's level differs from that of what surrounds it.
    fn differs(&self, around: &Plane) -> bool {
        let sum: f32 = self.cells.iter().map(|&cell| self.level.values[cell] - around.values[cell]).sum();
        (sum / self.cells.len() as f32).abs() > MIN_INK_LEVELS
    }

    /// Whether another paper lies inside this one.
    fn holds(&self, other: &Self) -> bool {
        other.cells.iter().filter(|&&cell| self.inside.bits[cell]).count() * 20 >= other.cells.len() * 19
    }
}

/// Whether a hull has the shape of a sheet, also of one seen at an angle.
fn is_sheet(hull: &Hull) -> bool {
    hull.rectangularity() >= MIN_RECTANGULARITY || hull.quadrilateral_share() >= MIN_QUADRILATERAL_SHARE
}

/// The mask without the pixels at its edge. The border of the picture is no edge.
fn without_rim(mask: &Mask) -> Mask {
    let kept = mask.pixels().filter(|&pixel| mask.neighbours(pixel).all(|near| mask.bits[near]));
    Mask::of(mask.width, mask.height, kept)
}

/// The share of the picture's border that some pixels cover.
fn border_share(pixels: impl Iterator<Item = usize>, picture: &Plane) -> f32 {
    let (w, h) = (picture.width, picture.height);
    let on_border = |pixel: &usize| {
        let (x, y) = (pixel % w, pixel / w);
        x == 0 || y == 0 || x + 1 == w || y + 1 == h
    };
    pixels.filter(on_border).count() as f32 / (2 * (w + h) - 4) as f32
}

/// Whether a zone is wider than a stroke: a square fits into it.
fn is_wide(zone: &[usize], copy: &Plane) -> bool {
    let mut plane = copy.map(|_| 0.0);
    zone.iter().for_each(|&pixel| plane.values[pixel] = 1.0);
    let side = copy.width.max(copy.height) as f32;
    plane.sliding_min((WIDE_SHARE * side / 2.0) as usize).range().1 > 0.5
}

/// The paper in full size. A pixel of the small copy stands for k x k of the picture.
fn page(picture: &Plane, paper: &Paper, k: usize) -> Page {
    let cells = Area::around(paper.inside.pixels(), paper.inside.width);
    let area =
        cells.map_or(Area { left: 0, top: 0, width: picture.width, height: picture.height }, |cells| {
            let (left, top) = (cells.left * k, cells.top * k);
            let (right, bottom) =
                ((cells.right() * k).min(picture.width), (cells.bottom() * k).min(picture.height));
            Area { left, top, width: right - left, height: bottom - top }
        });
    let mut plane = picture.cropped(&area);
    for (i, v) in plane.values.iter_mut().enumerate() {
        let (x, y) = (area.left + i % area.width, area.top + i / area.width);
        let cell = y / k * paper.inside.width + x / k;
        if !paper.inside.bits[cell] {
            *v = paper.level.values[cell];
        }
    }
    Page { plane, area, dark_on_light: Some(paper.dark_on_light) }
}
