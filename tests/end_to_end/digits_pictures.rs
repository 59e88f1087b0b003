//! `m2g digits predict` on pictures as people take them: `tests/data/digits`, and some made here.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use image::{DynamicImage, GrayImage, ImageEncoder, Luma};
use serde_json::Value;

use crate::support::*;

/// Trains a network of about 98 %, in seconds and once for all tests here, and returns a folder to work in
/// with the network in runs/a.
fn trained() -> tempfile::TempDir {
    /// The names of its files, and what they hold.
    static RUN: LazyLock<Vec<(OsString, Vec<u8>)>> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        let settings = ["--config", "best", "--hidden", "200", "--distort", "affine", "--epochs", "8"];
        let train = [&["digits", "train", "--run", "a", "--json"][..], &settings].concat();
        let done = last_json(&ok(dir.path(), &train));
        assert!(done["test_accuracy"].as_f64().unwrap() > 0.975, "{done}");
        let files = fs::read_dir(dir.path().join("runs/a")).unwrap().map(Result::unwrap);
        files.map(|file| (file.file_name(), fs::read(file.path()).unwrap())).collect()
    });
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("runs/a");
    fs::create_dir_all(&run).unwrap();
    for (name, bytes) in RUN.iter() {
        fs::write(run.join(name), bytes).unwrap();
    }
    dir
}

/// The answer for each picture of a kind, with the digit that it shows.
fn answers(dir: &Path, kind: &str, expected: &Value) -> Vec<(Value, Value)> {
    let prefix = format!("{kind}/");
    let of_kind = expected.as_object().unwrap().iter().filter(|(name, _)| name.starts_with(&prefix));
    let (names, digits): (Vec<_>, Vec<_>) = of_kind.unzip();
    let folder = root().join("tests/data/digits");
    let files: Vec<String> = names.iter().map(|name| folder.join(name).display().to_string()).collect();
    let mut args = vec!["digits", "predict", "a", "--json"];
    args.extend(files.iter().map(String::as_str));
    let output = run(dir, &args);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), files.len());
    answers.into_iter().zip(digits.into_iter().cloned()).collect()
}

#[test]
fn pictures_of_every_kind_are_read() {
    let dir = trained();
    let text = fs::read_to_string(root().join("tests/data/digits/expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    for (least, kinds) in [
        (10, &["plain"][..]),
        (30, &["exif3", "exif6", "exif8"]),
        (28, &["desk-dark", "desk-wood", "canvas-on-grey"]),
        (36, &["ruled", "form-box", "edge-border", "underlined"]),
        (9, &["shadow"]),
        (10, &["white-on-transparent"]),
    ] {
        let all = kinds.iter().flat_map(|kind| answers(dir.path(), kind, &expected));
        let right = all.filter(|(answer, digit)| answer["digit"] == *digit).count();
        assert!(right >= least, "{kinds:?}: {right} right, {least} expected");
    }

    let several = answers(dir.path(), "two-digits", &expected);
    let both = several.iter().filter(|(answer, _)| answer["digits"].as_array().unwrap().len() == 2);
    assert!(both.count() >= 9);
    assert!(several.iter().all(|(answer, _)| answer["digit"].is_null() && answer["sure"] == false));

    let many = root().join("tests/data/digits/many.jpg").display().to_string();
    let text = ok(dir.path(), &["digits", "predict", "a", "--all", &many]);
    let headline = text.lines().next().unwrap().rsplit_once(": ").unwrap().1;
    let read: Vec<&str> = headline.split(' ').collect();
    assert_eq!(read.len(), 10, "{text}");
    let right = read.iter().enumerate().filter(|(i, digit)| **digit == i.to_string()).count();
    assert!(right >= 9, "{text}");
    assert!(text.lines().skip(1).all(|line| line.contains(" box ") && line.len() <= 80), "{text}");
    // Without --all, there is no answer, but a sentence and each digit.
    let output = run(dir.path(), &["digits", "predict", "a", &many]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("unsure: 10 digits found") && text.lines().count() == 11, "{text}");
}

/// A picture of a thick 1, brightest at the top.
fn one() -> GrayImage {
    GrayImage::from_fn(90, 150, |x, y| {
        Luma([if x.abs_diff(45) < 6 && y.abs_diff(70) < 50 { 20 } else { 240 }])
    })
}

#[test]
fn pictures_without_a_digit_get_a_sentence_and_the_others_are_read() {
    let dir = trained();
    let save = |name: &str, picture: &GrayImage| picture.save(dir.path().join(name)).unwrap();
    save("blank.png", &GrayImage::from_pixel(300, 200, Luma([235])));
    save("black.png", &GrayImage::new(300, 200));
    save("dot.png", &GrayImage::new(1, 1));
    let mut state = 1u32;
    save(
        "noise.png",
        &GrayImage::from_fn(300, 200, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Luma([(state >> 24) as u8])
        }),
    );
    save("one.png", &one());
    for name in ["blank.png", "black.png", "dot.png", "noise.png"] {
        let error = refused(dir.path(), &["digits", "predict", "a", name]);
        assert!(error.contains(&format!("{name}: no digit found in the picture")), "{error}");
    }
    let output = run(dir.path(), &["digits", "predict", "a", "blank.png", "one.png"]);
    assert_eq!(output.status.code(), Some(1));
    let table = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows.len() == 3 && rows[0].starts_with("file"), "{table}");
    assert!(rows[1].starts_with("blank.png") && rows[1].ends_with("no digit read"), "{table}");
    assert!(rows[2].starts_with("one.png    1 ") && rows[2].contains("next "), "{table}");

    let shown = ok(dir.path(), &["digits", "predict", "a", "one.png", "one.png", "--show"]);
    assert!(shown.matches("@@").count() > 40, "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
}

#[test]
fn every_exif_orientation_and_every_colour_type_is_read() {
    let dir = trained();
    // A 7 of a test image, upright, and as a camera held in eight ways stores it.
    let test = m2g_core::data::mnist::load_test(&root().join("datasets/mnist"), None).unwrap().images;
    let upright = GrayImage::from_fn(168, 224, |x, y| {
        let (col, row) = (x as usize / 6, (y as usize).wrapping_sub(28) / 6);
        let ink = if row < 28 { test.image(0)[row * 28 + col] } else { 0 };
        Luma([235 - ink / 2])
    });
    let upright = DynamicImage::from(upright);
    let stored = [
        upright.clone(),
        upright.fliph(),
        upright.rotate180(),
        upright.flipv(),
        upright.rotate90().fliph(),
        upright.rotate270(),
        upright.rotate270().fliph(),
        upright.rotate90(),
    ];
    let answer = |name: &str| last_json(&ok(dir.path(), &["digits", "predict", "a", name, "--json"]));
    let expected = {
        upright.save(dir.path().join("upright.png")).unwrap();
        answer("upright.png")
    };
    assert_eq!(expected["digit"], 7);
    for (tag, picture) in (1u8..).zip(&stored) {
        // A TIFF header, and one entry: the tag Orientation (0x112), a short, 1 value.
        let exif = [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(), &[tag, 0, 0, 0, 0, 0, 0]]
            .concat();
        let file = fs::File::create(dir.path().join("turned.png")).unwrap();
        let mut encoder = image::codecs::png::PngEncoder::new(file);
        encoder.set_exif_metadata(exif.clone()).unwrap();
        picture.write_with_encoder(encoder).unwrap();
        let turned = answer("turned.png");
        assert_eq!(turned["digits"], expected["digits"], "orientation {tag}");
        let file = fs::File::create(dir.path().join("turned.jpg")).unwrap();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(file, 95);
        encoder.set_exif_metadata(exif).unwrap();
        picture.write_with_encoder(encoder).unwrap();
        assert_eq!(answer("turned.jpg")["digit"], 7, "orientation {tag}");
    }
    for (name, picture) in [
        ("gray-alpha.png", DynamicImage::from(upright.to_luma_alpha8())),
        ("gray-16.png", DynamicImage::from(upright.to_luma16())),
        ("rgb-16.png", DynamicImage::from(upright.to_rgb16())),
        ("rgba-16.png", DynamicImage::from(upright.to_rgba16())),
        ("rgb.png", DynamicImage::from(upright.to_rgb8())),
    ] {
        picture.save(dir.path().join(name)).unwrap();
        assert_eq!(answer(name)["digit"], 7, "{name}");
    }
}
