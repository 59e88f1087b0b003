//! Follows straight thin lines through a mask, from left to right.
//!
//! ```text
//!   ......##........
//!   ......##....          column by column: a thin run of ink continues the track,
//!   ----==##=======-      a stroke that crosses covers it for a while,
//!   ....##......          a short gap (dashes) does not end it
//! ```

use super::mask::Mask;

/// A run of ink in one column: the rows `top..bottom` of column `x`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub x: usize,
    pub top: usize,
    pub bottom: usize,
}

impl Run {
    fn centre(&self) -> f32 {
        (self.top + self.bottom) as f32 / 2.0
    }

    pub fn thickness(&self) -> usize {
        self.bottom - self.top
    }
}

/// A straight line, nearly horizontal.
#[derive(Clone, Debug)]
pub(super) struct Track {
    /// Its visible runs, from left to right.
    pub runs: Vec<Run>,
    /// The median thickness.
    pub thickness: usize,
    /// The centre in column x is `offset + slope * x`.
    slope: f32,
    offset: f32,
}

/// A line is thinner than this share of the picture's width.
const MAX_THICKNESS_SHARE: f32 = 1.0 / 32.0;
/// A line is at least this many times as long as it is thick.
const MIN_ELONGATION: usize = 6;
/// The slope of a line, 20 degrees.
const MAX_SLOPE: f32 = 0.36;
/// A line may miss this share of the width at a time: the gaps between dashes.
const MAX_GAP_SHARE: f32 = 1.0 / 25.0;
/// Ink may cover a line over this share of the width.
const MAX_COVERED_SHARE: f32 = 0.4;
/// A run this many times as thick as the line so far belongs to a stroke that crosses.
const MAX_THICKENING: f32 = 1.5;
/// The slope is measured over this many runs.
const SLOPE_RUNS: usize = 40;

impl Track {
    /// The columns from the first to the last run.
    pub fn length(&self) -> usize {
        self.runs[self.runs.len() - 1].x - self.runs[0].x + 1
    }

    /// The row of the centre in a column.
    pub fn row(&self, x: usize) -> f32 {
        self.offset + self.slope * x as f32
    }

    /// The track of some runs; `None` if they are not straight, or too short.
    fn of(runs: Vec<Run>) -> Option<Self> {
        let n = runs.len() as f32;
        let mut widths: Vec<usize> = runs.iter().map(Run::thickness).collect();
        let thickness = *widths.select_nth_unstable(runs.len() / 2).1;
        let mean_x = runs.iter().map(|run| run.x as f32).sum::<f32>() / n;
        let mean_y = runs.iter().map(Run::centre).sum::<f32>() / n;
        let (mut xx, mut xy) = (0.0, 0.0);
        for run in &runs {
            let dx = run.x as f32 - mean_x;
            (xx, xy) = (xx + dx * dx, xy + dx * (run.centre() - mean_y));
        }
        let slope = xy / xx.max(f32::MIN_POSITIVE);
        let track = Self { runs, thickness, slope, offset: mean_y - slope * mean_x };
        let errors = track.runs.iter().map(|run| (run.centre() - track.row(run.x)).powi(2));
        let error = (errors.sum::<f32>() / n).sqrt();
        let length = track.length();
        let straight = error <= 0.75 + 0.008 * length as f32 && slope.abs() <= MAX_SLOPE;
        let dense = track.runs.len() * 3 >= length;
        (straight && dense && length >= MIN_ELONGATION * thickness.max(2)).then_some(track)
    }
}

/// A track in the making.
struct Open {
    runs: Vec<Run>,
    slope: f32,
    thickness: usize,
    blank: usize,
    covered: usize,
}

/// The straight, thin, nearly horizontal lines of a mask.
pub(super) fn tracks(mask: &Mask) -> Vec<Track> {
    let (w, h) = (mask.width, mask.height);
    let share = |share: f32| (share * w as f32).ceil() as usize;
    let max_thickness = share(MAX_THICKNESS_SHARE).max(3);
    let (max_blank, max_covered) = (share(MAX_GAP_SHARE).max(2), share(MAX_COVERED_SHARE));
    let (mut open, mut found): (Vec<Open>, Vec<Track>) = (Vec::new(), Vec::new());
    for x in 0..w {
        // The thin run that covers each row, if any.
        let mut run_at: Vec<Option<usize>> = vec![None; h];
        let runs: Vec<Run> =
            runs(mask, x).into_iter().filter(|run| run.thickness() <= max_thickness).collect();
        for (i, run) in runs.iter().enumerate() {
            run_at[run.top..run.bottom].fill(Some(i));
        }
        let mut taken = vec![false; runs.len()];
        for track in &mut open {
            let last = track.runs[track.runs.len() - 1];
            let row = last.centre() + track.slope * (x - last.x) as f32;
            let reach = 1.5 + 0.1 * (x - last.x) as f32 + last.thickness() as f32 / 8.0;
            let rows = (row - reach).max(0.0) as usize..((row + reach).max(0.0).ceil() as usize + 1).min(h);
            let fits = |i: &usize| {
                !taken[*i]
                    && (runs[*i].centre() - row).abs() <= reach
                    && runs[*i].thickness() as f32 <= MAX_THICKENING * track.mean_thickness() + 1.5
            };
            let next = rows.clone().filter_map(|y| run_at[y]).find(fits);
            if let Some(i) = next {
                taken[i] = true;
                track.push(runs[i]);
            } else if rows.clone().any(|y| mask.bits[y * w + x]) {
                track.covered += 1;
            } else {
                track.blank += 1;
            }
        }
        for i in (0..open.len()).rev() {
            if open[i].blank > max_blank || open[i].covered > max_covered {
                found.extend(Track::of(open.swap_remove(i).runs));
            }
        }
        let new = runs.into_iter().zip(taken).filter(|&(_, taken)| !taken);
        open.extend(new.map(|(run, _)| Open::new(run)));
        // The longest first: they take the runs that several tracks would continue with.
        open.sort_by_key(|track| std::cmp::Reverse(track.runs.len()));
    }
    found.extend(open.into_iter().filter_map(|track| Track::of(track.runs)));
    joined(found, max_covered)
}

/// Joins tracks that lie on one straight line: what crosses a line may have led its track astray.
fn joined(mut tracks: Vec<Track>, max_gap: usize) -> Vec<Track> {
    tracks.sort_by_key(|track| track.runs[0].x);
    let mut lines: Vec<Track> = Vec::new();
    for track in tracks {
        let fits = |line: &Track| {
            let (end, start) = (line.runs[line.runs.len() - 1], track.runs[0]);
            let reach = 2.0 + line.thickness.max(track.thickness) as f32 / 2.0;
            if start.x <= end.x
                || start.x - end.x > max_gap
                || (line.row(start.x) - start.centre()).abs() > reach
            {
                return None;
            }
            Track::of([&line.runs[..], &track.runs].concat())
        };
        match lines.iter_mut().find_map(|line| fits(line).map(|whole| (line, whole))) {
            Some((line, whole)) => *line = whole,
            None => lines.push(track),
        }
    }
    lines
}

impl Open {
    fn new(run: Run) -> Self {
        Self { runs: vec![run], slope: 0.0, thickness: run.thickness(), blank: 0, covered: 0 }
    }

    fn mean_thickness(&self) -> f32 {
        self.thickness as f32 / self.runs.len() as f32
    }

    fn push(&mut self, run: Run) {
        self.runs.push(run);
        self.thickness += run.thickness();
        (self.blank, self.covered) = (0, 0);
        let n = self.runs.len();
        if n >= SLOPE_RUNS / 2 {
            let before = self.runs[n.saturating_sub(SLOPE_RUNS)];
            self.slope = (run.centre() - before.centre()) / (run.x - before.x) as f32;
        }
    }
}

/// The runs of ink in a column, from the top.
fn runs(mask: &Mask, x: usize) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut top = None;
    for y in 0..=mask.height {
        let ink = y < mask.height && mask.bits[y * mask.width + x];
        match (ink, top) {
            (true, None) => top = Some(y),
            (false, Some(start)) => {
                runs.push(Run { x, top: start, bottom: y });
                top = None;
            }
            _ => {}
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slanted_line_is_followed_across_a_stroke_and_a_gap() {
        let (w, h) = (200, 100);
        let mut mask = Mask::empty(w, h);
        for x in (0..200).filter(|x| !(120..126).contains(x)) {
            let y = 40 + x / 10;
            mask.bits[y * w + x] = true;
            mask.bits[(y + 1) * w + x] = true;
        }
        for y in 10..90 {
            mask.bits[y * w + 60..][..12].fill(true); // a stroke, 12 wide
        }
        let found = tracks(&mask);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].length(), found[0].thickness), (200, 2));
        assert!((found[0].row(60) - 47.0).abs() < 1.5);
    }

    #[test]
    fn an_arc_is_no_line() {
        let (w, h) = (120, 120);
        let ring = (0..w * h).filter(|i| {
            let (dx, dy) = ((i % w) as f32 - 60.0, (i / w) as f32 - 60.0);
            (35.0..40.0).contains(&dx.hypot(dy))
        });
        let found = tracks(&Mask::of(w, h, ring));
        assert!(found.iter().all(|track| track.length() < 45), "{found:?}");
    }
}
