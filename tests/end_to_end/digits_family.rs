//! Data sets like MNIST: EMNIST's names, classes and transposed images, QMNIST's labels, sorted images,
//! other formats.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::*;
use m2g_core::data::idx::{self, Idx};

/// The first `n` images and labels of MNIST's training or test file.
fn mnist(part: &str, n: usize) -> (Vec<u8>, Vec<u8>) {
    let read =
        |name: &str| idx::read(&root().join(format!("datasets/mnist/{part}-{name}-ubyte.gz"))).unwrap().data;
    (read("images-idx3")[..n * 784].to_vec(), read("labels-idx1")[..n].to_vec())
}

fn transposed(images: &[u8]) -> Vec<u8> {
    images.chunks(784).flat_map(|image| (0..784).map(|i| image[i % 28 * 28 + i / 28])).collect()
}

/// Writes the four files of a data set with this prefix; `train` and `test` are images and labels.
fn save_family(folder: &Path, prefix: &str, [train, test]: [(Vec<u8>, Vec<u8>); 2]) {
    fs::create_dir_all(folder).unwrap();
    for (part, (images, labels)) in [("train", train), ("test", test)] {
        let n = labels.len();
        save(
            &folder.join(format!("{prefix}-{part}-images-idx3-ubyte")),
            &Idx { shape: vec![n, 28, 28], data: images },
        );
        save(
            &folder.join(format!("{prefix}-{part}-labels-idx1-ubyte")),
            &Idx { shape: vec![n], data: labels },
        );
    }
}

/// Digits as letters: 26 classes with labels from 1, of which I, L, S and Z look as they do.
fn letters(part: &str, n: usize) -> (Vec<u8>, Vec<u8>) {
    let (images, labels) = mnist(part, n);
    let letter = |(i, digit): (usize, u8)| match digit {
        1 => [9, 12][i % 2],
        5 => 19,
        2 => 26,
        other => [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 24, 25]
            [(usize::from(other) * 3 + i % 3) % 22],
    };
    (images, labels.into_iter().enumerate().map(letter).collect())
}

fn train(dir: &Path, data: &str, more: &[&str]) -> (serde_json::Value, String) {
    let epochs = if more.contains(&"--epochs") { &[][..] } else { &["--epochs", "2"] };
    let args = ["digits", "train", "--data", data, "--run", "a", "--overwrite", "--json"];
    let output = run(dir, &[&args[..], epochs, more].concat());
    let stderr = one_line(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    (last_json(&String::from_utf8(output.stdout).unwrap()), stderr)
}

fn picture(dir: &Path, image: &[u8]) -> PathBuf {
    let big = image::GrayImage::from_fn(280, 280, |x, y| {
        image::Luma([255 - image[(y / 10 * 28 + x / 10) as usize]])
    });
    let path = dir.join("picture.png");
    big.save(&path).unwrap();
    path
}

#[test]
fn letters_train_with_26_outputs_and_are_turned_upright() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let [train_part, test_part] = [letters("train", 3000), letters("t10k", 500)];
    let turned = [&train_part, &test_part].map(|(images, labels)| (transposed(images), labels.clone()));
    save_family(&dir.join("gzip"), "emnist-letters", turned.clone());
    save_family(&dir.join("gzip"), "emnist-digits", [mnist("train", 600), mnist("t10k", 100)]);
    save_family(&dir.join("upright"), "emnist-letters", [train_part, test_part.clone()]);

    let several = refused(dir, &["digits", "train", "--data", "gzip", "--run", "x"]);
    assert!(several.contains("(emnist-digits, emnist-letters): choose one"), "{several}");
    let (done, stderr) = train(dir, "gzip/emnist-letters", &[]);
    assert!(stderr.contains("[784, 30, 26]") && stderr.contains("they were turned upright"), "{stderr}");
    let bits = weights(&dir.join("runs/a"));

    let eval = last_json(&ok(dir, &["digits", "eval", "a", "--json"]));
    assert_eq!(eval["test_accuracy"], done["test_accuracy"]);
    assert_eq!((&eval["classes"][0], &eval["classes"][25]), (&"A".into(), &"Z".into()));
    assert_eq!(eval["confusion"].as_array().unwrap().len(), 26);
    let text = ok(dir, &["digits", "eval", "a"]);
    assert!(text.contains("right, by class") && text.contains(" read as "), "{text}");
    assert!(
        text.lines().filter(|line| !line.contains("mistakes.png")).all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert_eq!(ok(dir, &["digits", "plot", "a"]).lines().count(), 10);

    // The answer has the name of the class.
    let index = test_part.1.iter().position(|&label| label == 19).unwrap();
    let file = picture(dir, &test_part.0[index * 784..][..784]);
    let said = last_json(&ok(dir, &["digits", "predict", "a", file.to_str().unwrap(), "--json"]));
    let class = said["class"].as_str().unwrap();
    assert!(class.len() == 1 && class.as_bytes()[0].is_ascii_uppercase(), "{said}");
    assert_eq!(said["probabilities"].as_array().unwrap().len(), 26);

    // So has the class that a user gives.
    let inspect = ["inspect", "a", "--image", file.to_str().unwrap(), "--label"];
    assert_eq!(last_json(&ok(dir, &[&inspect[..], &["S", "--json"]].concat()))["prediction"]["truth"], "S");
    let error = refused(dir, &[&inspect[..], &["19"]].concat());
    assert!(error.contains("--label is 19: the network knows A to Z"), "{error}");

    // The same letters, upright: the same network, without a word. What the user says is done.
    let (_, stderr) = train(dir, "upright", &[]);
    assert!(!stderr.contains("swapped") && !stderr.contains("turned"), "{stderr}");
    assert!(weights(&dir.join("runs/a")) == bits);
    let (_, stderr) = train(dir, "gzip/emnist-letters", &["--transposed"]);
    assert!(!stderr.contains("turned"), "{stderr}");
    assert!(weights(&dir.join("runs/a")) == bits);
    train(dir, "gzip/emnist-letters", &["--transposed", "no"]);
    assert!(weights(&dir.join("runs/a")) != bits);
    // Read as in training, not as a comparison would.
    let eval = last_json(&ok(dir, &["digits", "eval", "a", "--json"]));
    assert!(eval["test_accuracy"].as_f64().unwrap() > 0.3, "{eval}");
    let other = refused(dir, &["digits", "eval", "a", "--data", "gzip/emnist-digits"]);
    assert!(other.contains("has the class") && other.contains("26 classes, A to Z"), "{other}");
}

#[test]
fn transposed_digits_are_noticed_and_upright_ones_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let parts = [mnist("train", 1200), mnist("t10k", 300)];
    save_family(&dir.join("upright"), "own", parts.clone());
    save_family(
        &dir.join("turned"),
        "emnist-digits",
        parts.map(|(images, labels)| (transposed(&images), labels)),
    );
    let (upright, stderr) = train(dir, "upright", &[]);
    assert!(!stderr.contains("swapped"), "{stderr}");
    let bits = weights(&dir.join("runs/a"));
    let (turned, stderr) = train(dir, "turned", &[]);
    assert!(stderr.contains("rows and columns of the images are swapped"), "{stderr}");
    assert!(weights(&dir.join("runs/a")) == bits && upright["test_accuracy"] == turned["test_accuracy"]);
    // A resumed run reads its data as before; other data is compared anew.
    let resumed = last_json(&ok(dir, &["digits", "train", "--resume", "a", "--epochs", "3", "--json"]));
    assert_eq!(resumed["epochs"], 3);
    let [own, other] = [&[][..], &["--data", "upright"]].map(|more| {
        last_json(&ok(dir, &[&["digits", "eval", "a", "--json"], more].concat()))["correct"].clone()
    });
    assert_eq!(own, other);

    // With one class of digits, nothing can be told: EMNIST's name is a reason to doubt.
    let fours = |part: &str| {
        let (images, labels) = mnist(part, 600);
        let some =
            images.chunks(784).zip(&labels).filter(|(_, l)| **l == 4).flat_map(|(image, _)| image.to_vec());
        let images: Vec<u8> = some.collect();
        let n = images.len() / 784;
        (images, vec![4; n])
    };
    save_family(&dir.join("doubt"), "emnist-digits", [fours("train"), fours("t10k")]);
    let (_, stderr) = train(dir, "doubt", &[]);
    assert!(
        stderr.contains("may be swapped") && stderr.contains("set --transposed to yes or no"),
        "{stderr}"
    );
    assert!(!train(dir, "doubt", &["--transposed=no"]).1.contains("swapped"));
}

#[test]
fn labels_decide_the_number_of_outputs() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (images, digits) = mnist("train", 940);
    let labelled = |n: usize| (images.clone(), (0..940).map(|i| (i % n) as u8).collect::<Vec<u8>>());
    for (name, n) in [("emnist-balanced", 47), ("emnist-byclass", 62), ("own", 47), ("four", 4)] {
        let folder = dir.join(name);
        save_family(&folder, name, [labelled(n), labelled(n)]);
        let (_, stderr) = train(dir, name, &["--epochs", "1"]);
        assert!(stderr.contains(&format!("[784, 30, {n}]")), "{name}: {stderr}");
    }
    let eval = last_json(&ok(dir, &["digits", "eval", "a", "--data", "four", "--json"]));
    assert_eq!(eval["classes"], serde_json::json!(["0", "1", "2", "3"]));
    // A class without a test image is neither right nor wrong.
    save_family(&dir.join("three"), "own", [labelled(3), labelled(3)]);
    let text = ok(dir, &["digits", "eval", "a", "--data", "three"]);
    let row = text.lines().find(|line| line.starts_with("  3 ")).unwrap();
    assert!(text.contains("true class") && row.ends_with(" -") && !row.contains('%'), "{text}");

    // QMNIST: integers in eight columns.
    save_family(
        &dir.join("q"),
        "qmnist",
        [(images.clone(), digits.clone()), (images.clone(), digits.clone())],
    );
    let mut bytes = vec![0, 0, 12, 2];
    bytes.extend([940_u32, 8].iter().flat_map(|n| n.to_be_bytes()));
    for &digit in &digits {
        bytes.extend([i32::from(digit), 0, 3000, 7, -1, 5, 0, 0].iter().flat_map(|n: &i32| n.to_be_bytes()));
    }
    for part in ["train", "test"] {
        fs::remove_file(dir.join(format!("q/qmnist-{part}-labels-idx1-ubyte"))).unwrap();
        fs::write(dir.join(format!("q/qmnist-{part}-labels-idx2-int")), &bytes).unwrap();
    }
    save_family(&dir.join("plain"), "own", [(images.clone(), digits.clone()), (images, digits)]);
    train(dir, "q", &[]);
    let bits = weights(&dir.join("runs/a"));
    train(dir, "plain", &[]);
    assert!(weights(&dir.join("runs/a")) == bits);
}

#[test]
fn sorted_images_are_mixed_before_the_split() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (images, labels) = mnist("train", 1200);
    let mut order: Vec<usize> = (0..1200).collect();
    order.sort_by_key(|&i| labels[i]);
    let sorted = (
        order.iter().flat_map(|&i| images[i * 784..][..784].to_vec()).collect::<Vec<u8>>(),
        order.iter().map(|&i| labels[i]).collect::<Vec<u8>>(),
    );
    save_family(&dir.join("sorted"), "own", [sorted, mnist("t10k", 300)]);
    let (done, stderr) = train(dir, "sorted", &["--epochs", "5"]);
    assert!(stderr.contains("sorted by class: they were mixed before the split"), "{stderr}");
    // Without mixing, all validation images would show a 9 or an 8 that training lacks.
    assert!(done["validation_accuracy"].as_f64().unwrap() > 0.5, "{done}");
    ok(dir, &["digits", "train", "--resume", "a", "--epochs", "6"]);
    // A class that is too rare for the validation images is named.
    let (images, mut labels) = mnist("train", 60);
    labels.iter_mut().for_each(|label| *label %= 5);
    labels[3] = 9;
    save_family(&dir.join("rare"), "own", [(images, labels), mnist("t10k", 50)]);
    let (_, stderr) = train(dir, "rare", &[]);
    assert!(stderr.contains("the validation images lack 1 of 10 classes: 9"), "{stderr}");
}

#[test]
fn other_formats_and_wrong_pairs_get_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for name in ["mnist.npz", "mnist_train.csv", "mnist.pkl.gz"] {
        fs::create_dir(dir.join("folder")).unwrap();
        fs::write(dir.join("folder").join(name), "x").unwrap();
        for data in ["folder".to_string(), format!("folder/{name}")] {
            let said = refused(dir, &["digits", "train", "--data", &data, "--run", "x"]);
            assert!(said.contains(name) && said.contains("python3 datasets/to_idx.py"), "{said}");
        }
        fs::remove_dir_all(dir.join("folder")).unwrap();
    }
    let (images, labels) = mnist("train", 50);
    save_family(&dir.join("short"), "emnist-letters", [(images.clone(), labels.clone()), (images, labels)]);
    save(&dir.join("short/emnist-letters-test-labels-idx1-ubyte"), &Idx { shape: vec![4], data: vec![1; 4] });
    let said = refused(dir, &["digits", "train", "--data", "short", "--run", "x"]);
    assert!(
        said.contains("emnist-letters-test-labels-idx1-ubyte: it holds 4 labels for 50 images"),
        "{said}"
    );
    fs::remove_file(dir.join("short/emnist-letters-test-labels-idx1-ubyte")).unwrap();
    let said = refused(dir, &["digits", "train", "--data", "short", "--run", "x"]);
    assert!(said.contains("has no emnist-letters-test-labels-idx1-ubyte"), "{said}");
}

/// The script in `datasets/` makes the four files of a CSV; skipped where Python is not installed.
#[test]
fn a_csv_can_be_converted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (images, labels) = mnist("train", 140);
    let row = |(image, label): (&[u8], &u8)| {
        let pixels: Vec<String> = image.iter().map(u8::to_string).collect();
        format!("{label},{}\n", pixels.join(","))
    };
    let csv: String = images.chunks(784).zip(&labels).map(row).collect();
    fs::write(dir.join("digits.csv"), format!("label,{}\n{csv}", vec!["pixel"; 784].join(","))).unwrap();
    let convert = |csv: &str| {
        let script = root().join("datasets/to_idx.py");
        std::process::Command::new("python3").current_dir(dir).arg(script).args([csv, "out"]).output()
    };
    let Ok(output) = convert("digits.csv") else {
        eprintln!("python3 is not installed: skipped");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let train = idx::read(&dir.join("out/train-images-idx3-ubyte")).unwrap();
    assert_eq!((train.shape, &train.data[..]), (vec![120, 28, 28], &images[..120 * 784]));
    assert_eq!(idx::read(&dir.join("out/t10k-labels-idx1-ubyte")).unwrap().data, labels[120..]);
    ok(dir, &["digits", "train", "--data", "out", "--epochs", "1", "--run", "a"]);

    // Pixels from 0 to 1 are scaled, and a first row as numpy writes it is a row.
    for (row, pixel) in [("5.000e+00,0,0.25,0.9,1", [0, 64, 230, 255]), ("5,0,1,1,0", [0, 255, 255, 0])] {
        fs::write(dir.join("few.csv"), format!("{row}\n").repeat(14)).unwrap();
        assert!(convert("few.csv").unwrap().status.success());
        let train = idx::read(&dir.join("out/train-images-idx3-ubyte")).unwrap();
        assert_eq!((train.shape, &train.data[..4]), (vec![12, 2, 2], &pixel[..]));
    }
    // What cannot be right gets one line.
    for (row, why) in [
        ("5,0,1,1,300", "its pixels go from 0 to 300, not from 0 to 255"),
        ("5,0,1,1,-1", "its pixels go from -1 to 1, not from 0 to 255"),
        ("5,0,1,1", "3 pixels after its label, which is no square"),
        ("0.5,0,1,1,1", "line 1 is not a row of numbers"),
    ] {
        fs::write(dir.join("few.csv"), format!("{row}\n").repeat(14)).unwrap();
        let output = convert("few.csv").unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
        assert!(stderr.contains(why), "{stderr}");
    }
    let stderr = String::from_utf8(convert("none.csv").unwrap().stderr).unwrap();
    assert!(stderr.starts_with("cannot convert none.csv: ") && stderr.lines().count() == 1, "{stderr}");
}
