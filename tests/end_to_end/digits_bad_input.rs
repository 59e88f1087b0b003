//! Bad input to the digit commands: each gives one clear sentence and an exit code, and no data is lost.

use std::fs;
use std::path::Path;

use crate::support::*;
use m2g_core::data::idx::{self, Idx};

/// A folder with small data and a trained run called `a`.
fn trained() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    small_mnist(dir.path(), 600, 100);
    ok(dir.path(), &["digits", "train", "--data", "small", "--epochs", "1", "--run", "a"]);
    dir
}

fn train_on(dir: &Path, data: &str) -> String {
    let error = refused(dir, &["digits", "train", "--data", data, "--epochs", "1", "--run", "bad"]);
    assert!(!dir.join("runs/bad").exists(), "no run is created");
    error
}

#[test]
fn missing_or_damaged_data_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = small_mnist(dir.path(), 600, 100);
    assert!(!train_on(dir.path(), "nowhere").contains("did you mean"));
    assert!(
        train_on(dir.path(), "minst")
            .contains("minst: there is no such folder or dataset (did you mean mnist?)")
    );
    fs::write(dir.path().join("letter.txt"), "dear").unwrap();
    assert!(train_on(dir.path(), "letter.txt").contains("set --data to the folder of the four files"));
    let whole = fs::read(data.join(FILES[0])).unwrap();

    fs::remove_file(data.join(FILES[0])).unwrap();
    assert!(train_on(dir.path(), "small").contains(FILES[0]));
    for (content, expected) in [
        (&whole[..whole.len() / 2], "truncated"),
        (&whole[..0], "truncated"),
        (b"these are not images, but words", "not an IDX file"),
        (&[&whole[..], b"!"].concat(), "more than the"),
        (b"\x1f\x8b\x08\x00garbage garbage garbage", "damaged"),
    ] {
        fs::write(data.join(FILES[0]), content).unwrap();
        let error = train_on(dir.path(), "small");
        assert!(error.contains(expected) && error.contains(FILES[0]), "{error}");
    }
    // Images and labels swapped; then a label that is not a digit.
    fs::write(data.join(FILES[0]), fs::read(data.join(FILES[1])).unwrap()).unwrap();
    assert!(train_on(dir.path(), "small").contains("swapped"));
    fs::write(data.join(FILES[0]), &whole).unwrap();
    let mut labels: Idx = idx::read(&data.join(FILES[1])).unwrap();
    labels.data[42] = 200;
    save(&data.join(FILES[1]), &labels);
    assert!(train_on(dir.path(), "small").contains("label number 42 is 200"));
}

#[test]
fn swapped_train_and_test_files_of_mnist_are_detected() {
    let dir = tempfile::tempdir().unwrap();
    let mnist = dir.path().join("mnist");
    fs::create_dir(&mnist).unwrap();
    for (from, to) in [(0, 2), (1, 3), (2, 0), (3, 1)] {
        let name = |i: usize| format!("{}.gz", FILES[i]);
        fs::copy(root().join("datasets/mnist").join(name(from)), mnist.join(name(to))).unwrap();
    }
    assert!(train_on(dir.path(), "mnist").contains("two files were swapped"));
}

#[test]
fn invalid_flags_are_rejected() {
    let dir = tempfile::tempdir().unwrap();
    small_mnist(dir.path(), 600, 100);
    let cases: [(&[&str], &str); 15] = [
        (&["--learning-rate", "nan"], "--learning-rate is NaN"),
        (&["--lr", "-3"], "--lr is -3"),
        (&["--learning-rate", "fast"], "invalid value 'fast' for '--learning-rate"),
        (&["--hidden", "0"], "--hidden is 0"),
        (&["--hidden", "30,,10"], "--hidden"),
        (&["--hidden", "99999999999"], "--hidden"),
        (&["--mini-batch", "501"], "--mini-batch is 501"),
        (&["--batch-size", "0"], "--batch-size is 0"),
        // More than there are, and not too large for the memory.
        (&["--batch-size", "16777216"], "--batch-size is 16777216: the data has only 500 images"),
        (
            &["--batch-size", "100", "--shards", "6"],
            "--shards is 6: a step takes 600 images in batches of 100, but the data has only 500",
        ),
        (&["--epochs", "0"], "--epochs is 0"),
        (&["--cost", "quadratik"], "'quadratic'"),
        (&["--epohcs", "3"], "'--epochs'"),
        (&["--threads", "0"], "--threads"),
        (&["--dropout", "1.5"], "--dropout is 1.5"),
    ];
    for (flags, expected) in cases {
        let error =
            refused(dir.path(), &[&["digits", "train", "--data", "small", "--run", "b"][..], flags].concat());
        assert!(error.contains(expected), "{flags:?}: {error}");
        assert!(!dir.path().join("runs/b").exists(), "{flags:?}");
    }
    assert!(refused(dir.path(), &["digits", "trian"]).contains("'train'"));
    assert!(refused(dir.path(), &["data", "get", "minst"]).contains(" (did you mean mnist?); "));
}

#[test]
fn unusable_runs_are_refused() {
    let dir = trained();
    assert!(refused(dir.path(), &["digits", "eval", "b"]).contains("there is no run in runs/b"));
    assert!(refused(dir.path(), &["digits", "train", "--resume", "b"]).contains("there is no run in runs/b"));
    let best = dir.path().join("runs/a/best.safetensors");
    let last = dir.path().join("runs/a/last.safetensors");
    let whole = fs::read(&last).unwrap();
    for content in [&whole[..whole.len() - 7], &whole[..9], &[][..], &[0xa5; 4000]] {
        fs::write(&best, content).unwrap();
        fs::write(&last, content).unwrap();
        for command in [&["digits", "eval", "a"][..], &["digits", "train", "--resume", "a", "--epochs", "2"]]
        {
            let error = refused(dir.path(), command);
            assert!(error.contains(".safetensors is not a usable checkpoint"), "{error}");
        }
    }
    // A checkpoint of another network: the shapes do not match the settings in the file.
    let text = String::from_utf8_lossy(&whole).into_owned();
    assert!(text.contains(r#"\"hidden\":[30]"#));
    let at = whole
        .windows(14)
        .position(|w| w == br#"\"hidden\":[30"#.as_slice())
        .unwrap_or_else(|| whole.windows(13).position(|w| w == br#"\"hidden\":[3"#.as_slice()).unwrap());
    let mut other = whole.clone();
    let digit = at + br#"\"hidden\":["#.len();
    other[digit] = b'4';
    fs::write(&best, &other).unwrap();
    let error = refused(dir.path(), &["digits", "eval", "a"]);
    assert!(error.contains("its header does not match its checksum"), "{error}");
    fs::write(&best, without_checksum(&other)).unwrap();
    let error = refused(dir.path(), &["digits", "eval", "a"]);
    assert!(error.contains("has shape [30, 784], but this model needs [40, 784]"), "{error}");
    // A run that stopped before its first checkpoint, as on a full disk.
    fs::remove_file(&last).unwrap();
    let error = refused(dir.path(), &["digits", "train", "--resume", "a"]);
    assert!(error.contains("runs/a has saved no last.safetensors: train it again"), "{error}");
}

#[test]
fn unreadable_pictures_are_refused() {
    let dir = trained();
    let file = dir.path().join("p.png");
    let predict = ["digits", "predict", "a", "p.png"];
    assert!(refused(dir.path(), &predict).contains("p.png"));
    fs::write(&file, b"").unwrap();
    assert!(refused(dir.path(), &predict).contains("0 bytes"));
    fs::write(&file, b"not a picture").unwrap();
    assert!(refused(dir.path(), &predict).contains("PNG or JPEG"));
    image::GrayImage::new(20_000, 3).save(&file).unwrap();
    assert!(refused(dir.path(), &predict).contains("20000x3 pixels"));
    image::GrayImage::from_pixel(50, 50, image::Luma([255])).save(&file).unwrap();
    assert!(refused(dir.path(), &predict).contains("p.png: no digit found in the picture"));
    // A network that reads images of another size than MNIST's.
    for name in [FILES[0], FILES[2]] {
        let path = dir.path().join("small").join(name);
        let mut images = idx::read(&path).unwrap();
        images.shape[1..].copy_from_slice(&[14, 56]);
        save(&path, &images);
    }
    ok(dir.path(), &["digits", "train", "--data", "small", "--epochs", "1", "--run", "wide"]);
    let error = refused(dir.path(), &["digits", "predict", "wide", "p.png"]).replace("\n  ", " ");
    assert!(
        error.contains("wide was trained on images of 14x56 pixels, but pictures are scaled to 28x28"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn unwritable_folders_are_reported() {
    let dir = trained();
    // A file where a folder is needed.
    fs::write(dir.path().join("file"), b"").unwrap();
    let error =
        refused(dir.path(), &["digits", "train", "--data", "small", "--epochs", "1", "--run", "./file/x"]);
    assert!(error.contains("file"), "{error}");
    // A file system without write access and a device that is always full, where they exist.
    if Path::new("/proc").is_dir() {
        let error =
            refused(dir.path(), &["digits", "train", "--data", "small", "--epochs", "1", "--run", "/proc/x"]);
        assert!(error.contains("/proc"), "{error}");
    }
    if Path::new("/dev/full").exists() {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = m2g(dir.path(), &["digits", "eval", "a"]).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.starts_with("error: "), "{stderr}");
    }
}
