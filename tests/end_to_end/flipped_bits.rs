//! One flipped bit in a checkpoint is refused by every command that reads it.

use std::fs;
use std::path::Path;

use crate::gpt_sample::char_run;
use crate::support::*;

/// A command that reads a checkpoint, and which.
type Reader = (&'static [&'static str], &'static str);

/// All of them, for GPTs called `a` and `g`, a network of digits called `d` and a translation model called `t`.
const READERS: [Reader; 30] = [
    (&["gpt", "eval", "a", "--tokens", "t.json"], "a/best"),
    (&["gpt", "eval", "a", "--tokens", "t.json", "--last"], "a/last"),
    (&["gpt", "sample", "a"], "a/best"),
    (&["gpt", "sample", "a", "--last"], "a/last"),
    (&["gpt", "chat", "a"], "a/best"),
    (&["gpt", "export", "a", "out"], "a/best"),
    (&["gpt", "export", "a", "out", "--last"], "a/last"),
    (&["gpt", "train", "--init-from", "a", "--data", "t.txt", "--run", "b"], "a/best"),
    (&["gpt", "train", "--resume", "g", "--max-iters", "3"], "g/last"),
    (&["params", "a"], "a/best"),
    (&["inspect", "a"], "a/best"),
    (&["compare", "a", "a"], "a/last"),
    (&["digits", "eval", "d"], "d/best"),
    (&["digits", "eval", "d", "--last"], "d/last"),
    (&["digits", "predict", "d", "one.png"], "d/best"),
    (&["digits", "plot", "d"], "d/best"),
    (&["digits", "train", "--resume", "d", "--epochs", "2"], "d/last"),
    (&["params", "d"], "d/best"),
    (&["inspect", "d"], "d/best"),
    (&["compare", "g", "d"], "d/last"),
    (&["translate", "eval", "t"], "t/best"),
    (&["translate", "eval", "t", "--last"], "t/last"),
    (&["translate", "translate", "t", "lines.txt"], "t/best"),
    (&["translate", "translate", "t", "lines.txt", "--last"], "t/last"),
    (&["translate", "score", "t", "lines.txt", "lines.txt"], "t/best"),
    (&["translate", "score", "t", "lines.txt", "lines.txt", "--last"], "t/last"),
    (&["translate", "train", "--resume", "t", "--max-iters", "3"], "t/last"),
    (&["params", "t"], "t/best"),
    (&["inspect", "t"], "t/best"),
    (&["compare", "t", "d"], "t/last"),
];

/// The runs, and what the commands read beside them.
fn runs() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    char_run(dir.path());
    write("t.txt", &"abc def gh".repeat(50));
    let small = ["--n-layer", "1", "--n-head", "1", "--n-embd", "4", "--block-size", "8"];
    ok(
        dir.path(),
        &[&["gpt", "train", "--data", "t.txt", "--run", "g", "--max-iters", "2"][..], &small].concat(),
    );
    write("t.json", r#"{"tokens": [[1, 2, 3]]}"#);
    small_mnist(dir.path(), 100, 20);
    ok(dir.path(), &["digits", "train", "--data", "small", "--hidden", "8", "--epochs", "1", "--run", "d"]);
    image::GrayImage::new(28, 28).save(dir.path().join("one.png")).unwrap();
    write("pairs.tsv", &"uno dos\tone two\n".repeat(20));
    write("lines.txt", "uno\ndos\n");
    let small =
        ["--encoder-layers", "1", "--decoder-layers", "1", "--d-model", "8", "--d-ff", "8", "--n-head", "1"];
    let train = [
        "translate",
        "train",
        "--data",
        "pairs.tsv",
        "--tokenizer",
        "byte",
        "--max-iters",
        "2",
        "--run",
        "t",
    ];
    ok(dir.path(), &[&train[..], &small, &["--eval-translations", "0"]].concat());
    dir
}

/// Where the tensors of a checkpoint begin.
fn first_tensor(checkpoint: &[u8]) -> usize {
    let length: [u8; 8] = checkpoint[..8].try_into().unwrap();
    8 + u64::from_le_bytes(length) as usize
}

/// Flips a bit of the checkpoint, and checks that the command refuses it. Returns the message.
fn flip(dir: &Path, (args, file): Reader, whole: &[u8], at: usize, bit: usize) -> String {
    let mut bytes = whole.to_vec();
    bytes[at] ^= 1 << bit;
    fs::write(dir.join(format!("runs/{file}.safetensors")), bytes).unwrap();
    let error = refused(dir, args).replace("\n  ", " ");
    assert!(error.contains(&format!("runs/{file}.safetensors is not a usable")), "{args:?} {at}: {error}");
    error
}

/// Tries each command with bits at `n` places spread over the tensors, and one in the header.
fn check(n: usize) {
    /// Fractions of its multiples are spread evenly.
    const GOLDEN_RATIO: f64 = 0.618_033_988_749_895;
    let dir = runs();
    for reader @ (args, file) in READERS {
        let path = dir.path().join(format!("runs/{file}.safetensors"));
        let whole = fs::read(&path).unwrap();
        let first = first_tensor(&whole);
        for i in 0..n {
            // The last byte comes first.
            let share = 1.0 - (GOLDEN_RATIO * i as f64).fract();
            let at = first + (share * (whole.len() - 1 - first) as f64) as usize;
            let error = flip(dir.path(), reader, &whole, at, i % 8);
            assert!(error.contains("checkpoint: it is damaged"), "{args:?}, byte {at}: {error}");
        }
        flip(dir.path(), reader, &whole, 300, 4);
        fs::write(&path, whole).unwrap();
    }
    // What a damaged checkpoint refused, the whole one allows.
    ok(dir.path(), &["digits", "eval", "d"]);
    ok(dir.path(), &["gpt", "eval", "a", "--tokens", "t.json"]);
    ok(dir.path(), &["params", "t"]);
}

#[test]
fn a_flipped_bit_is_refused_by_every_command() {
    check(2);
}

#[test]
#[ignore = "6,000 commands take minutes: cargo test --test end_to_end flipped_bits -- --ignored"]
fn bits_at_200_places_are_refused_by_every_command() {
    check(200);
}

#[test]
fn the_other_checkpoint_of_the_run_is_named() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let damage = |file: &str| {
        let path = dir.path().join(format!("runs/a/{file}.safetensors"));
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    };
    damage("best");
    let error = refused(dir.path(), &["gpt", "sample", "a"]);
    assert!(error.contains("its tensors do not match their checksum; use the last checkpoint"), "{error}");
    ok(dir.path(), &["gpt", "sample", "a", "--last", "--tokens", "3"]);
    damage("last");
    let error = refused(dir.path(), &["gpt", "sample", "a", "--last"]);
    assert!(error.contains("use the best checkpoint of the run, without --last"), "{error}");
}
