//! Pictures that show no digit.

use super::{Scene, areas, hash, wood};

#[test]
fn what_shows_no_digit_is_refused_or_shows_several() {
    let refused = |name: &str, scene: &Scene| match scene.found() {
        Err(error) => assert!(error.to_string().contains("no digit found"), "{name}: {error}"),
        Ok(found) => assert!(found.len() > 1, "{name}: {:?}", areas(&found)),
    };
    refused("blank paper", &Scene::new(300, 400, 230.0));
    refused("black", &Scene::new(300, 400, 3.0));
    let mut lamp = Scene::new(300, 400, 0.0);
    lamp.set(|x, y, _| 90.0 + 0.4 * x + 0.1 * y);
    refused("a lamp on blank paper", &lamp);
    let mut noise = Scene::new(300, 400, 0.0);
    noise.set(|x, y, _| 255.0 * hash((y * 300.0 + x) as usize + 7));
    refused("noise", &noise);
    let mut pepper = Scene::new(300, 400, 0.0);
    pepper.set(|x, y, _| if hash((y * 300.0 + x) as usize) < 0.03 { 0.0 } else { 240.0 });
    refused("salt and pepper", &pepper);
    let mut blot = Scene::new(300, 400, 230.0);
    blot.set(|x, y, v| if (x - 150.0).hypot(y - 180.0) < 60.0 { 30.0 } else { v });
    refused("a blot", &blot);
    let mut form = Scene::new(300, 400, 230.0);
    form.set(|x, y, v| {
        let edge = (x - 150.0).abs().max(0.8 * (y - 200.0).abs());
        if (95.0..99.0).contains(&edge) { 40.0 } else { v }
    });
    refused("an empty box", &form);
    let mut boxes = Scene::new(900, 300, 240.0);
    boxes.set(|x, y, v| {
        let (across, down) = ((x - 60.0) % 150.0, y - 80.0);
        let inside =
            (0.0..130.0).contains(&across) && (0.0..140.0).contains(&down) && (60.0..800.0).contains(&x);
        let within = (3.0..127.0).contains(&across) && (3.0..137.0).contains(&down);
        if inside && !within { 90.0 } else { v }
    });
    assert!(boxes.found().is_err(), "a row of empty boxes");
    refused("a blank sheet on a desk", &Scene::new(200, 150, 230.0).on(&wood(420, 400, 70.0), 5.0));
}
