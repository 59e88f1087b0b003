//! Flat zones: regions within which brightness changes only gradually.
//!
//! ```text
//!   desk   | sheet   | desk       1 1 | 2 2 2 | 1 1      the light falls off within a zone;
//!   90  92 | 201 210 | 95    ->   1 1 | 2 2 2 | 1 1      at the edge of a sheet it jumps
//! ```

use super::plane::Plane;

/// The pixels of each zone of at least `least` pixels. Neighbours belong to the same zone if they
/// differ by at most `max_step` levels.
pub(super) fn zones(plane: &Plane, max_step: f32, least: usize) -> Vec<Vec<usize>> {
    let (w, values) = (plane.width, &plane.values);
    let mut seen = vec![false; values.len()];
    let mut zones = Vec::new();
    for start in 0..values.len() {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        let mut zone = vec![start];
        let mut next = 0;
        while let Some(&pixel) = zone.get(next) {
            next += 1;
            for neighbour in neighbours(pixel, w, values.len()) {
                if !seen[neighbour] && (values[neighbour] - values[pixel]).abs() <= max_step {
                    seen[neighbour] = true;
                    zone.push(neighbour);
                }
            }
        }
        if zone.len() >= least {
            zones.push(zone);
        }
    }
    zones
}

/// The pixels left, right, above and below a pixel, in a plane of `pixels` pixels and this width.
fn neighbours(pixel: usize, width: usize, pixels: usize) -> impl Iterator<Item = usize> {
    let x = pixel % width;
    let around = [
        (x > 0).then(|| pixel - 1),
        (x + 1 < width).then(|| pixel + 1),
        pixel.checked_sub(width),
        Some(pixel + width).filter(|&below| below < pixels),
    ];
    around.into_iter().flatten()
}

/// The plane with each pixel outside a zone set to the value of the zone's nearest pixel, counted in
/// steps along rows and columns.
pub(super) fn extended(plane: &Plane, zone: &[usize]) -> Plane {
    let (w, n) = (plane.width, plane.values.len());
    let mut extended = plane.clone();
    let mut known = vec![false; n];
    zone.iter().for_each(|&pixel| known[pixel] = true);
    let mut queue = zone.to_vec();
    let mut next = 0;
    while let Some(&pixel) = queue.get(next) {
        next += 1;
        for neighbour in neighbours(pixel, w, n) {
            if !known[neighbour] {
                known[neighbour] = true;
                extended.values[neighbour] = extended.values[pixel];
                queue.push(neighbour);
            }
        }
    }
    extended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_is_one_zone_and_a_step_makes_two() {
        let ramp = Plane { width: 6, height: 1, values: vec![0.0, 4.0, 8.0, 50.0, 54.0, 58.0] };
        assert_eq!(zones(&ramp, 5.0, 1), [vec![0, 1, 2], vec![3, 4, 5]]);
        assert_eq!(zones(&ramp, 50.0, 1).len(), 1);
        assert!(zones(&ramp, 5.0, 4).is_empty());
        assert_eq!(extended(&ramp, &[0, 1]).values, [0.0, 4.0, 4.0, 4.0, 4.0, 4.0]);
    }
}
