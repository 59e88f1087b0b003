//! Marks beside a digit that are none: dots and punched holes.

use super::super::tests::{difference, mnist};
use super::{Scene, areas};

/// The first images of MNIST's test set that show a 1.
const ONES: [usize; 6] = [2, 5, 14, 29, 31, 37];

#[test]
fn a_one_beside_a_dot_or_punched_holes_is_no_line() {
    let images = mnist(38);
    let blob = |sheet: &mut Scene, (cx, cy): (f32, f32), radius: f32| {
        sheet.set(|x, y, v| if (x - cx).hypot(y - cy) <= radius { 45.0 } else { v });
    };
    for i in ONES {
        let sheet = Scene::sheet(500, 500, &images[i], 150);
        let (mut dot, mut holes) = (sheet.clone(), sheet);
        blob(&mut dot, (300.0, 298.0), 7.0);
        blob(&mut holes, (40.0, 100.0), 20.0);
        blob(&mut holes, (40.0, 400.0), 20.0);
        for (name, sheet) in [("a dot", &dot), ("holes", &holes)] {
            let found = sheet.found().unwrap();
            assert_eq!(found.len(), 1, "{name}, image {i}: {:?}", areas(&found));
            let away = difference(&found[0].image, &images[i]);
            assert!(away < 18.0, "{name}, image {i}: {away:.1} grey levels per pixel away");
        }
    }
}

#[test]
fn punched_holes_make_no_row_of_digits() {
    // A 5 whose bar is apart from its body, beside four holes as high as the bar.
    let mut sheet = Scene::new(400, 500, 225.0);
    for (from, to) in [
        ((180.0, 110.0), (300.0, 150.0)),
        ((180.0, 170.0), (180.0, 260.0)),
        ((172.0, 260.0), (300.0, 260.0)),
        ((292.0, 260.0), (292.0, 380.0)),
        ((180.0, 380.0), (300.0, 380.0)),
    ] {
        sheet.line(from, to, 16.0, 30.0);
    }
    let alone = sheet.found().unwrap();
    for row in [60.0, 180.0, 300.0, 420.0] {
        sheet.set(|x, y, v| if (x - 40.0).hypot(y - row) <= 25.0 { 45.0 } else { v });
    }
    let found = sheet.found().unwrap();
    assert_eq!((areas(&alone), alone.len()), (areas(&found), 1));
}
