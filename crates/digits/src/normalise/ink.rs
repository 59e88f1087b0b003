//! Telling ink from paper.

use super::Shades;

/// Ink must differ from paper by this much at least, of 1 from black to white.
const LEAST_CONTRAST: f32 = 0.1;
/// Specks smaller than this share of the largest stroke are dirt.
const SPECK: f32 = 0.04;

/// How much ink there is at each pixel, 0 to 1; none if there is no ink.
pub(super) fn ink(picture: &Shades) -> Option<Shades> {
    // Most of the border is paper. If it is the lighter half, the ink is dark.
    let border = median(border(picture));
    let (darkest, lightest) = range(&picture.data);
    if lightest - darkest < LEAST_CONTRAST {
        return None;
    }
    let dark_ink = border - darkest > lightest - border;
    let mut ink = picture.clone();
    if dark_ink {
        ink.data.iter_mut().for_each(|v| *v = 1.0 - *v);
    }
    // A drawing has paper of one shade; the paper of a photo has light and shadow.
    let flat = picture.data.iter().filter(|v| (*v - border).abs() < 1.0 / 512.0).count();
    if flat * 2 < picture.data.len() {
        subtract_light(&mut ink);
    }

    let threshold = otsu(&ink.data);
    let paper: Vec<f32> = ink.data.iter().copied().filter(|&v| v <= threshold).collect();
    let strokes: Vec<f32> = ink.data.iter().copied().filter(|&v| v > threshold).collect();
    if paper.is_empty() || strokes.is_empty() {
        return None;
    }
    // Paper ends three typical deviations above its median; full ink is what
    // nearly all of the stroke's core reaches.
    let level = median(paper.clone());
    let noise = median(paper.iter().map(|v| (v - level).abs()).collect());
    let low = (level + 3.0 * 1.5 * noise).min(threshold);
    let high = quantile(strokes, 0.9);
    if high - low < LEAST_CONTRAST {
        return None;
    }
    let stroke: Vec<bool> = ink.data.iter().map(|&v| v > threshold).collect();
    ink.data.iter_mut().for_each(|v| *v = ((*v - low) / (high - low)).clamp(0.0, 1.0));
    remove_specks(&mut ink, &stroke);
    Some(ink)
}

/// The pixels at the edge of the picture.
fn border(picture: &Shades) -> Vec<f32> {
    let (w, h) = (picture.width, picture.height);
    let ends = |i: usize, n: usize| i == 0 || i == n - 1;
    (0..w * h).filter(|i| ends(i / w, h) || ends(i % w, w)).map(|i| picture.data[i]).collect()
}

fn range(data: &[f32]) -> (f32, f32) {
    data.iter().fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)))
}

fn median(values: Vec<f32>) -> f32 {
    quantile(values, 0.5)
}

fn quantile(mut values: Vec<f32>, share: f32) -> f32 {
    let i = ((values.len() - 1) as f32 * share) as usize;
    *values.select_nth_unstable_by(i, f32::total_cmp).1
}

/// Subtracts the light of the paper: a surface of second degree through what is not
/// ink, found by least squares in three rounds, each without what the one before
/// found to be ink.
fn subtract_light(picture: &mut Shades) {
    let (w, h) = (picture.width, picture.height);
    if w < 8 || h < 8 {
        return;
    }
    let terms = |i: usize| {
        let (x, y) = ((i % w) as f64 / w as f64 - 0.5, (i / w) as f64 / h as f64 - 0.5);
        [1.0, x, y, x * x, x * y, y * y]
    };
    let mut limit = f32::MAX;
    let mut light = vec![0.0_f32; w * h];
    for _ in 0..3 {
        let mut system = [[0.0_f64; 7]; 6];
        for (i, &v) in picture.data.iter().enumerate() {
            if v - light[i] <= limit {
                let t = terms(i);
                for r in 0..6 {
                    for c in 0..6 {
                        system[r][c] += t[r] * t[c];
                    }
                    system[r][6] += t[r] * f64::from(v);
                }
            }
        }
        let Some(weights) = solve(system) else { return };
        for (i, l) in light.iter_mut().enumerate() {
            *l = terms(i).iter().zip(weights).map(|(t, w)| t * w).sum::<f64>() as f32;
        }
        let rest: Vec<f32> = picture.data.iter().zip(&light).map(|(v, l)| v - l).collect();
        limit = otsu(&rest) * 0.5;
    }
    picture.data.iter_mut().zip(&light).for_each(|(v, l)| *v = (*v - l).max(0.0));
}

/// Solves six linear equations by elimination; none if they have no single solution.
fn solve(mut a: [[f64; 7]; 6]) -> Option<[f64; 6]> {
    for i in 0..6 {
        let pivot = (i..6).max_by(|&p, &q| a[p][i].abs().total_cmp(&a[q][i].abs()))?;
        a.swap(i, pivot);
        if a[i][i].abs() < 1e-9 {
            return None;
        }
        let pivot_row = a[i];
        for row in a.iter_mut().enumerate().filter(|(r, _)| *r != i).map(|(_, row)| row) {
            let factor = row[i] / pivot_row[i];
            row.iter_mut().zip(pivot_row).for_each(|(x, p)| *x -= factor * p);
        }
    }
    Some(std::array::from_fn(|i| a[i][6] / a[i][i]))
}

/// The threshold that divides the values into two groups most clearly (Otsu 1979).
fn otsu(data: &[f32]) -> f32 {
    const BINS: usize = 256;
    let (low, high) = range(data);
    let width = ((high - low) / BINS as f32).max(f32::MIN_POSITIVE);
    let mut counts = [0.0_f64; BINS];
    data.iter().for_each(|v| counts[(((v - low) / width) as usize).min(BINS - 1)] += 1.0);
    let total: f64 = counts.iter().sum();
    let sum: f64 = counts.iter().enumerate().map(|(i, c)| i as f64 * c).sum();
    let (mut below, mut sum_below, mut best, mut at) = (0.0, 0.0, -1.0, 0);
    for (i, c) in counts.iter().enumerate() {
        below += c;
        sum_below += i as f64 * c;
        let above = total - below;
        if below > 0.0 && above > 0.0 {
            let apart = sum_below / below - (sum - sum_below) / above;
            let clarity = below * above * apart * apart;
            if clarity > best {
                (best, at) = (clarity, i);
            }
        }
    }
    low + (at + 1) as f32 * width
}

/// Removes what is not near a stroke, and strokes that are only specks.
fn remove_specks(ink: &mut Shades, stroke: &[bool]) {
    let (w, h) = (ink.width, ink.height);
    let mut part = vec![usize::MAX; w * h];
    let mut sizes = Vec::new();
    for start in 0..w * h {
        if !stroke[start] || part[start] != usize::MAX {
            continue;
        }
        let name = sizes.len();
        let (mut open, mut size) = (vec![start], 0);
        part[start] = name;
        while let Some(i) = open.pop() {
            size += 1;
            for n in neighbours(i, w, h) {
                if stroke[n] && part[n] == usize::MAX {
                    part[n] = name;
                    open.push(n);
                }
            }
        }
        sizes.push(size);
    }
    let least = sizes.iter().copied().max().unwrap_or(0) as f32 * SPECK;
    // A soft edge is a few pixels wide, more in larger pictures.
    let reach = 1 + w.max(h) / 100;
    let mut keep: Vec<bool> = part.iter().map(|&p| p != usize::MAX && sizes[p] as f32 >= least).collect();
    for _ in 0..reach {
        let old = keep.clone();
        for i in (0..w * h).filter(|&i| !old[i]) {
            keep[i] = neighbours(i, w, h).any(|n| old[n]);
        }
    }
    ink.data.iter_mut().zip(keep).for_each(|(v, keep)| {
        if !keep {
            *v = 0.0;
        }
    });
}

/// The up to eight pixels around pixel `i`.
fn neighbours(i: usize, w: usize, h: usize) -> impl Iterator<Item = usize> {
    let (x, y) = ((i % w) as i64, (i / w) as i64);
    let around = (-1..=1).flat_map(move |dy| (-1..=1).map(move |dx| (x + dx, y + dy)));
    around
        .filter(move |&(nx, ny)| nx >= 0 && ny >= 0 && nx < w as i64 && ny < h as i64 && (nx, ny) != (x, y))
        .map(move |(nx, ny)| ny as usize * w + nx as usize)
}
