//! Connected patches of ink: drops dust, keeps separate strokes.

/// A patch below this share of the largest patch's area is dust. The detached bar of a 5 or a 7 has
/// 10 % or more.
const DUST_SHARE: f64 = 0.03;

/// The mask without dust. Patches are 8-connected: touching corners are enough. The search uses a
/// queue instead of recursion, so that no picture overflows the stack.
pub(super) fn without_specks(mask: &[bool], width: usize) -> Vec<bool> {
    let patches = patches(mask, width);
    let largest = patches.iter().map(Vec::len).max().unwrap_or(0);
    let mut kept = vec![false; mask.len()];
    for patch in patches.iter().filter(|patch| patch.len() as f64 >= DUST_SHARE * largest as f64) {
        for &pixel in patch {
            kept[pixel] = true;
        }
    }
    kept
}

/// The pixels of each 8-connected patch of the mask.
fn patches(mask: &[bool], width: usize) -> Vec<Vec<usize>> {
    let mut seen = vec![false; mask.len()];
    let mut patches = Vec::new();
    for start in 0..mask.len() {
        if !mask[start] || seen[start] {
            continue;
        }
        seen[start] = true;
        let mut patch = vec![start];
        let mut next = 0;
        while let Some(&pixel) = patch.get(next) {
            next += 1;
            for neighbour in neighbours(pixel, width, mask.len()) {
                if mask[neighbour] && !seen[neighbour] {
                    seen[neighbour] = true;
                    patch.push(neighbour);
                }
            }
        }
        patches.push(patch);
    }
    patches
}

/// The pixels around `pixel`, up to eight, and the pixel itself.
fn neighbours(pixel: usize, width: usize, len: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (pixel % width, pixel / width);
    let (right, bottom) = ((x + 1).min(width - 1), (y + 1).min(len / width - 1));
    (y.saturating_sub(1)..=bottom)
        .flat_map(move |y| (x.saturating_sub(1)..=right).map(move |x| y * width + x))
}

/// The mask grown by `radius` pixels in all eight directions.
pub(super) fn grown(mask: &[bool], width: usize, radius: usize) -> Vec<bool> {
    let mut grown = mask.to_vec();
    let mut rim: Vec<usize> = (0..mask.len()).filter(|&pixel| mask[pixel]).collect();
    for _ in 0..radius {
        let mut next = Vec::new();
        for neighbour in rim.iter().flat_map(|&pixel| neighbours(pixel, width, mask.len())) {
            if !grown[neighbour] {
                grown[neighbour] = true;
                next.push(neighbour);
            }
        }
        rim = next;
    }
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rows: &[&str]) -> Vec<bool> {
        rows.iter().flat_map(|row| row.bytes().map(|b| b == b'#')).collect()
    }

    #[test]
    fn the_separate_bar_stays_and_the_dust_goes() {
        let (width, height) = (40, 40);
        let mut picture = vec![false; width * height];
        for y in 10..38 {
            for x in 18..22 {
                picture[y * width + x] = true; // the body: 112 pixels
            }
        }
        for x in 24..36 {
            picture[8 * width + x] = true; // the bar: 12
        }
        let clean = picture.clone();
        for dust in [0, 39, 37 * width + 3] {
            picture[dust] = true;
        }
        assert_eq!(without_specks(&picture, width), clean);
    }

    #[test]
    fn corners_connect_and_lines_do_not_wrap_around() {
        assert_eq!(patches(&mask(&["#..", ".#.", "..#"]), 3).len(), 1);
        assert_eq!(patches(&mask(&["..#.", "....", "#..."]), 4).len(), 2);
        assert_eq!(patches(&mask(&["...#", "#..."]), 4).len(), 2);
    }

    #[test]
    fn grows_a_square_around_a_point() {
        let point = mask(&[".....", ".....", "..#..", ".....", "....."]);
        assert_eq!(grown(&point, 5, 0), point);
        assert_eq!(grown(&point, 5, 1), mask(&[".....", ".###.", ".###.", ".###.", "....."]));
        assert_eq!(grown(&point, 5, 9), [true; 25]);
    }
}
