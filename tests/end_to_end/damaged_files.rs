//! Checkpoints that are damaged or crafted, sizes and inputs that are absurd, and token files that are cut
//! off while they are read: each gets one sentence that names the file or the setting.

use std::fs;

use m2g_core::checkpoint::Checkpoint;

use crate::gpt_sample::char_run;
use crate::support::*;

/// A small model that trains for long.
const TRAIN: &str = "gpt train --data p --n-layer 1 --n-head 2 --n-embd 16 --block-size 16 --batch-size 4 --max-iters 1000000 --run a";

fn text() -> String {
    "some text of a few words\n".repeat(400)
}

#[test]
fn a_checkpoint_without_a_checksum_is_used_and_told() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let best = dir.path().join("runs/a/best.safetensors");
    let sample = ["gpt", "sample", "a", "--tokens", "5", "--greedy"];
    let want = run(dir.path(), &sample);
    assert!(!String::from_utf8_lossy(&want.stderr).contains("checksum"));
    fs::write(&best, without_checksum(&fs::read(&best).unwrap())).unwrap();
    let old = run(dir.path(), &sample);
    let said = String::from_utf8_lossy(&old.stderr).replace("\n  ", " ");
    assert!(old.status.success() && old.stdout == want.stdout);
    assert!(said.contains("best.safetensors was written by an older version, without a checksum"), "{said}");
}

/// The settings of a checkpoint without a checksum describe a model of terabytes.
#[test]
fn crafted_settings_allocate_nothing() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let best = dir.path().join("runs/a/best.safetensors");
    let mut checkpoint = Checkpoint::<f32>::load(&best).unwrap();
    checkpoint.metadata["config"]["model"]["n_embd"] = 100_000.into();
    checkpoint.save(&best).unwrap();
    let error = refused(dir.path(), &["gpt", "sample", "a"]);
    assert!(error.contains("its settings describe a model of") && error.contains("but it holds"), "{error}");
    checkpoint.metadata["config"]["model"]["n_embd"] = 24.into();
    checkpoint.save(&best).unwrap();
    let error = refused(dir.path(), &["gpt", "sample", "a"]);
    assert!(error.contains("but this model needs ["), "{error}");
}

/// Its tokens would be looked up in a table without their rows.
#[test]
fn a_tokenizer_with_more_tokens_than_its_model_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let best = dir.path().join("runs/a/best.safetensors");
    let mut checkpoint = Checkpoint::<f32>::load(&best).unwrap();
    checkpoint.metadata["config"]["tokenizer"] = serde_json::to_value(m2g_text::Tokenizer::byte()).unwrap();
    checkpoint.save(&best).unwrap();
    for args in [&["gpt", "sample", "a"][..], &["gpt", "export", "a", "a.gguf"]] {
        let error = refused(dir.path(), args).replace("\n  ", " ");
        assert!(error.contains("best.safetensors") && error.contains("do not belong together"), "{error}");
    }
    assert!(!dir.path().join("a.gguf").exists());
}

/// Finite weights of a size that the first product cannot hold.
#[test]
fn results_that_are_not_finite_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    char_run(dir);
    small_mnist(dir, 60, 20);
    ok(dir, &["digits", "train", "--data", "small", "--epochs", "1", "--run", "d"]);
    let translate = "translate train --run t --data dates --encoder-layers 1 --decoder-layers 1 --d-model 16 --d-ff 16 \
                     --n-head 2 --batch-tokens 512 --warmup-iters 2 --eval-translations 0 --max-iters 2";
    ok(dir, &translate.split_whitespace().collect::<Vec<_>>());
    for run in ["a", "d", "t"] {
        let best = dir.join("runs").join(run).join("best.safetensors");
        let mut checkpoint = Checkpoint::<f32>::load(&best).unwrap();
        for tensor in checkpoint.tensors.values_mut() {
            for (i, weight) in tensor.data_mut().iter_mut().enumerate() {
                *weight = if i % 2 == 0 { 3e38 } else { -3e38 };
            }
        }
        checkpoint.save(&best).unwrap();
    }
    fs::write(dir.join("ids.json"), r#"{"tokens": [[1, 2, 3, 4]]}"#).unwrap();
    fs::write(dir.join("es.txt"), "3 de mayo de 2021\n").unwrap();
    fs::write(dir.join("iso.txt"), "2021-05-03\n").unwrap();
    let picture = root().join("tests/data/digits/edge-border/5.jpg").display().to_string();
    for args in [
        &["gpt", "sample", "a", "--tokens", "3"][..],
        &["gpt", "eval", "a", "--tokens", "ids.json"],
        &["gpt", "eval", "a", "--tokens", "ids.json", "--logits", "l.safetensors"],
        &["gpt", "ask", "a", "ab cd", "--word", "ab"],
        &["gpt", "ask", "a", "ab cd", "--word", "cd"],
        &["translate", "translate", "t", "es.txt"],
        &["translate", "score", "t", "es.txt", "iso.txt"],
        &["digits", "predict", "d", &picture],
        &["digits", "eval", "d"],
    ] {
        let output = run(dir, args);
        let said = String::from_utf8_lossy(&output.stderr).replace("\n  ", " ");
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("are not finite: the model's parameters are damaged"), "{args:?}: {said}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("NaN"), "{args:?}");
    }
    assert!(!dir.join("l.safetensors").exists());
    // It shows where they come from.
    let output = run(dir, &["inspect", "a", "--attention", "--out", "a.svg", "--prompt", "ab"]);
    let said = String::from_utf8_lossy(&output.stderr).replace("\n  ", " ");
    assert!(output.status.success() && said.contains("the weights are not finite"), "{said}");
    assert!(!said.contains("sums to 1"), "{said}");
}

/// A memory map would end the process with SIGBUS.
#[test]
fn tokens_that_are_cut_off_during_training_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.txt"), text()).unwrap();
    ok(dir.path(), &["gpt", "prepare", "a.txt", "--out", "p"]);
    let mut child = start(&mut m2g(dir.path(), &TRAIN.split(' ').collect::<Vec<_>>()));
    child.log_more(&dir.path().join("runs/a"), 2);
    fs::File::options().write(true).open(dir.path().join("p/train.bin")).unwrap().set_len(64).unwrap();
    let output = child.output();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("p/train.bin: it had ") && error.contains("has fewer now"), "{error}");
}

#[test]
fn sizes_beyond_the_memory_are_refused_with_the_figures() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.txt"), text()).unwrap();
    small_mnist(dir.path(), 100, 10);
    let wide = ["100000"; 40].join(",");
    for args in [
        &["gpt", "train", "--data", "a.txt", "--n-embd", "100000"][..],
        &["gpt", "train", "--data", "a.txt", "--batch-size", "1048576", "--block-size", "1000"],
        &["gpt", "train", "--data", "a.txt", "--n-layer", "1000", "--n-embd", "12800"],
        &["digits", "train", "--data", "small", "--hidden", &wide],
    ] {
        let error = refused(dir.path(), args).replace("\n  ", " ");
        for part in
            ["training this model needs about ", " for parameters, gradients", "B are available: use a "]
        {
            assert!(error.contains(part), "{args:?}: {error}");
        }
        assert!(!dir.path().join("runs").exists(), "{args:?}");
    }
}

#[test]
fn inputs_beyond_their_limit_are_refused_with_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("large.toml", "# comment\n".repeat(120_000).as_bytes());
    write("large.txt", "abc def gh".repeat(2 << 20).as_bytes());
    write("t.json", &vec![b' '; 49 << 20]);
    // 100 MB of the letter a, packed to 100 kB.
    write("bomb.gz", &gzip(&vec![b'a'; 100 << 20]));
    let images = [&[0, 0, 8, 3, 0, 2, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28][..], &vec![0; 784 << 17]].concat();
    small_mnist(dir.path(), 10, 10);
    fs::remove_file(dir.path().join("small/train-images-idx3-ubyte")).unwrap();
    write("small/train-images-idx3-ubyte.gz", &gzip(&images));
    for (args, why) in [
        (&["gpt", "train", "--config", "large.toml"][..], "more than 1 MiB, the most that a configuration"),
        (&["lab", "large.toml"], "more than 1 MiB, the most that a configuration"),
        (&["gpt", "sample", "a", "--prompt-file", "large.txt"], "it has more than 16 MiB"),
        (&["gpt", "eval", "a", "--tokens", "t.json"], "more than 48 MiB, the most that a file of token ids"),
        (&["gpt", "train", "--data", "bomb.gz"], "it unpacks to more than 100 times its size"),
        (&["gpt", "prepare", "bomb.gz", "--out", "p"], "it unpacks to more than 100 times its size"),
        (&["digits", "train", "--data", "small"], "it unpacks to more than 100 times its size"),
    ] {
        let error = refused(dir.path(), args).replace("\n  ", " ");
        assert!(error.contains(why), "{args:?}: {error}");
    }
    let error = piped(dir.path(), &["gpt", "sample", "a"], &fs::read(dir.path().join("large.txt")).unwrap());
    assert!(String::from_utf8_lossy(&error.stderr).contains("it has more than 16 MiB"));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Training that diverges ends with a sentence and keeps the checkpoint before it.
#[test]
fn an_absurd_learning_rate_ends_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.txt"), text()).unwrap();
    small_mnist(dir.path(), 200, 50);
    for args in [
        &["gpt", "train", "--data", "a.txt", "--run", "r", "--learning-rate", "1e30", "--max-iters", "50"][..],
        &["gpt", "train", "--data", "a.txt", "--run", "r", "--learning-rate", "1e300", "--max-iters", "50"],
        &["digits", "train", "--data", "small", "--run", "r", "--learning-rate", "1e38", "--preset", "best"],
        &["digits", "train", "--data", "small", "--run", "r", "--learning-rate", "1e300"],
    ] {
        let error = refused(dir.path(), args).replace("\n  ", " ");
        assert!(error.contains("is not finite after "), "{args:?}: {error}");
        assert!(error.contains("training has diverged; use a smaller learning rate"), "{args:?}: {error}");
        // What is there can be used.
        let run = dir.path().join("runs/r");
        for file in ["best", "last"] {
            let path = run.join(format!("{file}.safetensors"));
            let checkpoint = Checkpoint::<f32>::load(&path).unwrap();
            checkpoint.check_finite(&path).unwrap();
        }
        fs::remove_dir_all(run).unwrap();
    }
}
