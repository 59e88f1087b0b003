//! Pictures as people take them, drawn around MNIST's digits: desks, rulings, boxes, shadows, several
//! digits. What is found must look like the originals.
#![allow(clippy::unwrap_used)]

mod marks;
mod refused;

use super::tests::{difference, mnist};
use super::{Area, Candidate, NormaliseError, Picture, Samples, digits};

/// A picture in the making: brightness, 0 to 255.
#[derive(Clone)]
struct Scene {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

/// A small generator of numbers from 0 to 1, the same in every run.
fn hash(i: usize) -> f32 {
    let i = (i as u32).wrapping_mul(2_654_435_769) ^ 0x9e37;
    let i = (i ^ (i >> 15)).wrapping_mul(0x85eb_ca6b);
    ((i ^ (i >> 13)) & 0xffff) as f32 / 65_535.0
}

impl Scene {
    fn new(width: usize, height: usize, level: f32) -> Self {
        Self { width, height, values: vec![level; width * height] }
    }

    /// A sheet with one digit in its middle.
    fn sheet(width: usize, height: usize, image: &[u8], size: usize) -> Self {
        let mut sheet = Self::new(width, height, 225.0);
        sheet.write(image, (width - size) / 2, (height - size) / 2, size, 30.0);
        sheet
    }

    /// Sets the level of each pixel to a function of x, y and the level so far.
    fn set(&mut self, f: impl Fn(f32, f32, f32) -> f32) {
        for (i, v) in self.values.iter_mut().enumerate() {
            *v = f((i % self.width) as f32, (i / self.width) as f32, *v);
        }
    }

    /// Draws an MNIST image of `size` pixels, with smooth edges.
    fn write(&mut self, image: &[u8], left: usize, top: usize, size: usize, level: f32) {
        let pixel = |x: isize, y: isize| {
            let inside = (0..28).contains(&x) && (0..28).contains(&y);
            if inside { f32::from(image[(y * 28 + x) as usize]) / 255.0 } else { 0.0 }
        };
        for y in 0..size {
            for x in 0..size {
                let (u, v) = (
                    (x as f32 + 0.5) * 28.0 / size as f32 - 0.5,
                    (y as f32 + 0.5) * 28.0 / size as f32 - 0.5,
                );
                let (u0, v0) = (u.floor(), v.floor());
                let (a, b, u0, v0) = (u - u0, v - v0, u0 as isize, v0 as isize);
                let ink = (1.0 - b) * ((1.0 - a) * pixel(u0, v0) + a * pixel(u0 + 1, v0))
                    + b * ((1.0 - a) * pixel(u0, v0 + 1) + a * pixel(u0 + 1, v0 + 1));
                let at = &mut self.values[(top + y) * self.width + left + x];
                *at += (level - *at) * ink;
            }
        }
    }

    /// A line of some thickness between two points; ink beneath it stays darker.
    fn line(&mut self, from: (f32, f32), to: (f32, f32), thickness: f32, level: f32) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        self.set(|x, y, v| {
            let along = ((x - from.0) * dx + (y - from.1) * dy) / length;
            let across = ((x - from.0) * dy - (y - from.1) * dx).abs() / length;
            if (0.0..=length).contains(&along) && across <= thickness / 2.0 { v.min(level) } else { v }
        });
    }

    /// The scene turned by an angle in degrees on a larger background.
    fn on(&self, background: &Self, degrees: f32) -> Self {
        let mut scene = background.clone();
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (cx, cy) = (background.width as f32 / 2.0, background.height as f32 / 2.0);
        let inner = |x: f32, y: f32| {
            let (x, y) = (x - cx, y - cy);
            let (u, v) =
                (x * cos + y * sin + self.width as f32 / 2.0, y * cos - x * sin + self.height as f32 / 2.0);
            let inside = u >= 0.0 && v >= 0.0 && (u as usize) < self.width && (v as usize) < self.height;
            inside.then(|| self.values[v as usize * self.width + u as usize])
        };
        scene.set(|x, y, v| inner(x, y).unwrap_or(v));
        scene
    }

    /// The scene on a larger background, seen at an angle: its far edge is `far` times as long as its near one.
    fn seen_from_below(&self, background: &Self, far: f32) -> Self {
        let mut scene = background.clone();
        let (width, height) = (self.width as f32, self.height as f32);
        let (cx, top) = (background.width as f32 / 2.0, (background.height as f32 - height) / 2.0);
        let inner = |x: f32, y: f32| {
            // Straight lines stay straight: the depth grows as 1 / width does.
            let down = (y - top) / height;
            let wide = far + (1.0 - far) * down;
            let (u, v) = ((x - cx) / wide + width / 2.0, height * down / wide);
            let inside = (0.0..width).contains(&u) && (0.0..height).contains(&v);
            inside.then(|| self.values[v as usize * self.width + u as usize])
        };
        scene.set(|x, y, v| inner(x, y).unwrap_or(v));
        scene
    }

    fn found(&self) -> Result<Vec<Candidate>, NormaliseError> {
        let noisy = self.values.iter().enumerate().map(|(i, v)| v + 8.0 * (hash(i) - 0.5));
        let bytes: Vec<u8> = noisy.map(|v| v.round().clamp(0.0, 255.0) as u8).collect();
        digits(&Picture::new(self.width, self.height, Samples::Gray, &bytes)?)
    }
}

fn wood(width: usize, height: usize, level: f32) -> Scene {
    let mut desk = Scene::new(width, height, level);
    desk.set(|x, y, v| v * (1.0 + 0.12 * (y * 0.11 + 2.0 * (x * 0.01).sin()).sin()));
    desk
}

/// Checks that a scene made from each of twelve digits shows that digit, at least eleven times.
fn assert_shows(name: &str, scene: impl Fn(&[u8]) -> Scene) {
    let images = mnist(12);
    let mut differences = Vec::new();
    let mut missed = Vec::new();
    for (i, image) in images.iter().enumerate() {
        match scene(image).found() {
            Ok(found) if found.len() == 1 => differences.push(difference(&found[0].image, image)),
            Ok(found) => missed.push(format!("image {i}: {:?}", areas(&found))),
            Err(error) => missed.push(format!("image {i}: {error}")),
        }
    }
    assert!(missed.len() <= 1, "{name}: {missed:?}");
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    // Different digits are 35 apart, and a shift by one pixel costs 20, as a turn by 9 degrees does.
    assert!(mean < 18.0, "{name}: {mean:.1} grey levels per pixel away from the originals");
}

fn areas(found: &[Candidate]) -> Vec<Area> {
    found.iter().map(|digit| digit.area).collect()
}

#[test]
fn a_sheet_on_a_desk() {
    let sheet = |image: &[u8]| Scene::sheet(260, 220, image, 150);
    for level in [25.0, 70.0, 110.0, 170.0] {
        assert_shows(&format!("a plain desk, {level}"), |image| {
            sheet(image).on(&Scene::new(480, 420, level), 0.0)
        });
        assert_shows(&format!("a wooden desk, {level}"), |image| {
            sheet(image).on(&wood(500, 420, level), 0.0)
        });
        // Grain nearly as light as the sheet runs into it once turned: such pictures are refused.
        if level < 150.0 {
            assert_shows(&format!("a turned sheet, {level}"), |image| {
                sheet(image).on(&wood(520, 460, level), 9.0)
            });
        }
    }
    // A sheet seen at an angle: its far edge looks shorter. The digit is that of one on endless paper.
    for far in [0.8, 0.65, 0.5] {
        for (i, image) in mnist(6).iter().enumerate() {
            let seen = |around: Scene| sheet(image).seen_from_below(&around, far).found().unwrap();
            let (found, plain) = (seen(wood(480, 420, 70.0)), seen(Scene::new(480, 420, 225.0)));
            assert_eq!(found.len(), 1, "{far}, image {i}: {:?}", areas(&found));
            let away = difference(&found[0].image, &plain[0].image);
            assert!(away < 18.0, "{far}, image {i}: {away:.1} grey levels per pixel away");
        }
    }
    // Chalk on a board on a light wall.
    assert_shows("a board", |image| {
        let mut board = Scene::new(260, 220, 40.0);
        board.write(image, 60, 40, 150, 230.0);
        board.on(&Scene::new(480, 420, 200.0), 0.0)
    });
}

#[test]
fn ruled_paper() {
    for (slope, thickness, level, distance) in
        [(0.0, 1.0, 140.0, 36.0), (0.0, 2.0, 90.0, 50.0), (0.06, 2.0, 120.0, 40.0), (-0.1, 3.0, 60.0, 70.0)]
    {
        assert_shows("ruled paper", |image| {
            let mut sheet = Scene::sheet(380, 380, image, 190);
            for i in -3..20 {
                let y = 11.0 + distance * i as f32;
                sheet.line((0.0, y), (380.0, y + 380.0 * slope), thickness, level);
            }
            sheet.line((50.0, 0.0), (50.0, 380.0), thickness, level);
            sheet
        });
    }
    assert_shows("graph paper", |image| {
        let mut sheet = Scene::sheet(400, 300, image, 190);
        for i in 0..12 {
            let at = 7.0 + 36.0 * i as f32;
            sheet.line((0.0, at), (400.0, at), 1.0, 130.0);
            sheet.line((at, 0.0), (at, 300.0), 1.0, 130.0);
        }
        sheet
    });
}

#[test]
fn boxes_circles_borders_and_underlines() {
    assert_shows("a form box", |image| {
        let mut sheet = Scene::sheet(380, 380, image, 150);
        let (a, b, c, d) = ((70.0, 72.0), (311.0, 66.0), (315.0, 300.0), (68.0, 305.0));
        [(a, b), (b, c), (c, d), (d, a)].into_iter().for_each(|(p, q)| sheet.line(p, q, 4.0, 50.0));
        sheet
    });
    for thickness in [3.0, 16.0] {
        assert_shows("a circle", |image| {
            let mut sheet = Scene::sheet(380, 380, image, 150);
            sheet.set(|x, y, v| {
                let distance = ((x - 190.0) / 1.1).hypot(y - 186.0);
                if (distance - 130.0).abs() < thickness / 2.0 { 50.0 } else { v }
            });
            sheet
        });
    }
    for thickness in [3.0, 9.0, 20.0] {
        assert_shows("a border at the edge", |image| {
            let mut sheet = Scene::sheet(380, 380, image, 190);
            sheet.set(|x, y, v| if x < thickness || y > 379.0 - thickness { 10.0 } else { v });
            sheet
        });
    }
    for (length, thickness, slope) in [(190.0, 4.0, 0.03), (120.0, 8.0, -0.05)] {
        assert_shows("an underline", |image| {
            let mut sheet = Scene::sheet(380, 380, image, 150);
            let (left, right) = (190.0 - length / 2.0, 190.0 + length / 2.0);
            sheet.line((left, 285.0), (right, 285.0 + slope * length), thickness, 30.0);
            sheet
        });
    }
}

#[test]
fn a_single_line_that_crosses_or_touches_a_digit() {
    // Much longer than the digit, so that it and the digit are one patch.
    for (left, right, y) in [(0.0, 500.0, 215.0), (60.0, 440.0, 215.0), (0.0, 500.0, 262.0)] {
        assert_shows("a line", |image| {
            let mut sheet = Scene::sheet(500, 400, image, 150);
            sheet.line((left, y), (right, y), 3.0, 90.0);
            sheet
        });
    }
}

#[test]
fn boxes_that_are_close_or_open() {
    let sides = |sheet: &mut Scene, (left, top, right, bottom): (f32, f32, f32, f32), gap: f32| {
        for (from, to) in [
            ((left + gap, top), (right - gap, top)),
            ((right, top + gap), (right, bottom - gap)),
            ((right - gap, bottom), (left + gap, bottom)),
            ((left, bottom - gap), (left, top + gap)),
        ] {
            sheet.line(from, to, 3.0, 60.0);
        }
    };
    // The digits are up to 107 pixels large; the box is close around them, and some touch it.
    for half in [57.0, 62.0, 75.0] {
        assert_shows("a close box", |image| {
            let mut sheet = Scene::sheet(380, 380, image, 150);
            let (low, high) = (190.0 - half, 190.0 + half);
            sides(&mut sheet, (low, low, high, high), 0.0);
            sheet
        });
    }
    assert_shows("a box without corners", |image| {
        let mut sheet = Scene::sheet(380, 380, image, 150);
        sides(&mut sheet, (80.0, 80.0, 300.0, 300.0), 20.0);
        sheet
    });
    assert_shows("the corners of a box", |image| {
        let mut sheet = Scene::sheet(380, 380, image, 150);
        for (x, y) in [(80.0, 80.0), (300.0, 80.0), (300.0, 300.0), (80.0, 300.0)] {
            let inward = |at: f32| if at < 190.0 { at + 38.0 } else { at - 38.0 };
            sheet.line((x, y), (inward(x), y), 3.0, 60.0);
            sheet.line((x, y), (x, inward(y)), 3.0, 60.0);
        }
        sheet
    });
    assert_shows("one box of a row", |image| {
        let mut form = Scene::new(560, 220, 225.0);
        form.write(image, 170, 55, 100, 30.0);
        sides(&mut form, (40.0, 50.0, 520.0, 165.0), 0.0);
        (1..4).for_each(|i| {
            form.line((40.0 + 120.0 * i as f32, 50.0), (40.0 + 120.0 * i as f32, 165.0), 3.0, 60.0)
        });
        form
    });
    assert_shows("a comb", |image| {
        let mut form = Scene::new(560, 220, 225.0);
        form.write(image, 170, 55, 100, 30.0);
        form.line((40.0, 175.0), (520.0, 175.0), 3.0, 60.0);
        (0..5).for_each(|i| {
            form.line((40.0 + 120.0 * i as f32, 115.0), (40.0 + 120.0 * i as f32, 175.0), 3.0, 60.0)
        });
        form
    });
}

#[test]
fn a_vignette_and_a_band_of_shadow() {
    assert_shows("a vignette", |image| {
        let mut sheet = Scene::sheet(400, 400, image, 190);
        sheet.set(|x, y, v| v * (1.0 - 0.75 * ((x - 200.0).hypot(y - 200.0) / 283.0).powi(4)));
        sheet
    });
    for (width, depth) in [(50.0, 0.5), (80.0, 0.4)] {
        assert_shows("a band", |image| {
            let mut sheet = Scene::sheet(400, 400, image, 190);
            let distance = |x: f32, y: f32| (0.5 * x - 0.87 * y + 74.0).abs();
            sheet.set(|x, y, v| v * (1.0 - depth / (1.0 + (0.4 * (distance(x, y) - width / 2.0)).exp())));
            sheet
        });
    }
}

#[test]
fn a_shadow_over_half_the_sheet() {
    for (softness, depth) in [(60.0, 0.5), (25.0, 0.4), (12.0, 0.5)] {
        assert_shows("a shadow", |image| {
            let mut sheet = Scene::sheet(380, 380, image, 190);
            sheet.set(|x, y, v| {
                let distance = (x - 0.6 * y - 70.0) / softness;
                v * (depth + (1.0 - depth) / (1.0 + (-4.0 * distance).exp()))
            });
            sheet
        });
    }
}

#[test]
fn several_digits_are_read_in_order() {
    let images = mnist(10);
    let order = |found: &[Candidate]| -> Vec<usize> {
        let nearest = |digit: &Candidate| {
            (0..10).min_by(|&a, &b| {
                difference(&digit.image, &images[a]).total_cmp(&difference(&digit.image, &images[b]))
            })
        };
        found.iter().filter_map(nearest).collect()
    };
    // Two rows, the first rising.
    let mut page = Scene::new(640, 320, 225.0);
    for (i, image) in images.iter().enumerate() {
        let (column, row) = (i % 5, i / 5);
        page.write(image, 20 + 120 * column, 40 + 140 * row - 6 * (1 - row) * column, 100, 30.0);
    }
    let found = page.found().unwrap();
    assert_eq!(order(&found), (0..10).collect::<Vec<_>>(), "{:?}", areas(&found));
    let first = found[0].area;
    assert!((20..120).contains(&first.left) && (40..140).contains(&first.top), "{first:?}");

    // A date in the boxes of a form.
    let mut form = Scene::new(560, 200, 225.0);
    for (i, image) in images[..4].iter().enumerate() {
        let left = 40.0 + 125.0 * i as f32;
        form.write(image, left as usize + 12, 52, 80, 30.0);
        for (from, to) in [
            ((0.0, 0.0), (104.0, 0.0)),
            ((104.0, 0.0), (104.0, 100.0)),
            ((104.0, 100.0), (0.0, 100.0)),
            ((0.0, 100.0), (0.0, 0.0)),
        ] {
            form.line((left + from.0, 45.0 + from.1), (left + to.0, 45.0 + to.1), 2.0, 90.0);
        }
    }
    assert_eq!(order(&form.found().unwrap()), [0, 1, 2, 3]);

    // Two sheets, the right one larger.
    let mut desk = wood(900, 420, 70.0);
    let sheets = [Scene::sheet(220, 220, &images[5], 150), Scene::sheet(300, 280, &images[6], 150)];
    for (sheet, left) in sheets.iter().zip([100, 480]) {
        for (i, &v) in sheet.values.iter().enumerate() {
            desk.values[(60 + i / sheet.width) * 900 + left + i % sheet.width] = v;
        }
    }
    assert_eq!(order(&desk.found().unwrap()), [5, 6]);
}

#[test]
fn tiny_pictures() {
    for size in [12, 16, 20, 27] {
        let images = mnist(20);
        let mut total = 0.0;
        for image in &images {
            let mut tiny = Scene::new(size, size, 0.0);
            // The mean over the area of each pixel, in steps of a tenth.
            let at = |v: usize, i: usize| ((v * 10 + i) as f32 + 0.5) * 2.8 / size as f32;
            tiny.set(|x, y, _| {
                let pixel =
                    |i: usize| image[at(y as usize, i / 10) as usize * 28 + at(x as usize, i % 10) as usize];
                (0..100).map(|i| f32::from(pixel(i))).sum::<f32>() / 100.0
            });
            let bytes: Vec<u8> = tiny.values.iter().map(|&v| v as u8).collect();
            let found = digits(&Picture::new(size, size, Samples::Gray, &bytes).unwrap()).unwrap();
            total += difference(&found[0].image, image) / images.len() as f64;
        }
        assert!(total < 18.0, "{size} pixels: {total:.1} grey levels per pixel away from the originals");
    }
}

#[test]
fn ink_as_bright_as_its_paper_is_found_by_its_colour() {
    let image = &mnist(1)[0];
    let mask = Scene::sheet(200, 200, image, 140);
    // Red on green of the same brightness.
    let rgb: Vec<u8> =
        mask.values.iter().flat_map(|&v| if v < 128.0 { [235, 20, 20] } else { [20, 88, 20] }).collect();
    let found = digits(&Picture::new(200, 200, Samples::Rgb, &rgb).unwrap()).unwrap();
    assert_eq!(found.len(), 1);
    assert!(difference(&found[0].image, image) < 18.0);
}
