//! One seed gives the same bits: for any number of threads, in any process, however often the run is
//! measured and logged, and on every machine with the same instruction set and the same C library, whose
//! logarithm and cosine are used.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::support::{m2g, root, small_mnist, text, weights};

/// A training of a GPT on batches that are large enough for every kernel to use several threads.
const GPT: &str = "gpt train --data text.txt --n-layer 1 --n-head 2 --n-embd 32 --block-size 64 --batch-size 32 \
    --max-iters 2 --warmup-iters 1 --dropout 0.1 --learning-rate 0.01 --bias true";

/// A training of a digit network, with distorted images and dropout.
const DIGITS: &str = "digits train --data small --batch-size 400 --epochs 1 --distort elastic --dropout 0.2 \
    --cost cross-entropy --learning-rate 0.5 --momentum 0.5";

/// A training of a translation model, with label smoothing and every kind of dropout.
const TRANSLATION: &str = "translate train --data pairs.tsv --tokenizer byte --encoder-layers 1 --decoder-layers 1 \
    --d-model 32 --d-ff 128 --n-head 2 --batch-tokens 4096 --max-iters 2 --warmup-iters 1 --dropout 0.1 \
    --attention-dropout 0.1 --relu-dropout 0.1 --label-smoothing 0.1 --average 1 --eval-translations 0";

/// A folder with the data of these trainings.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("text.txt"), text(200)).unwrap();
    let pair = |i: u32| format!("{} por siete son {}\t{0} times 7 is {1}\n", i % 50, i % 50 * 7);
    std::fs::write(dir.path().join("pairs.tsv"), (0..400).map(pair).collect::<String>()).unwrap();
    small_mnist(dir.path(), 960, 50);
    dir
}

/// The command that trains with these settings, and its run folder.
fn training(dir: &Path, name: &str, settings: &[&str]) -> (Command, PathBuf) {
    let settings = settings.iter().flat_map(|settings| settings.split_whitespace());
    (m2g(dir, &settings.chain(["--run", name]).collect::<Vec<_>>()), dir.join("runs").join(name))
}

/// The parameters and the state of the optimiser that a training ends with.
fn trained(dir: &Path, name: &str, settings: &[&str]) -> Vec<(String, Vec<u8>)> {
    let (mut command, run) = training(dir, name, settings);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{settings:?}: {}", String::from_utf8_lossy(&output.stderr));
    weights(&run)
}

#[test]
fn one_seed_gives_the_same_bits_for_1_to_4_threads() {
    let dir = folder();
    for (kind, settings, others) in [
        ("gpt", &[GPT][..], &[2, 3, 4][..]),
        ("bf16", &[GPT, "--precision bf16"], &[3]),
        ("digits", &[DIGITS], &[2, 4]),
        ("translation", &[TRANSLATION], &[2, 3]),
    ] {
        let with = |threads: usize| {
            let more = format!("--threads {threads}");
            trained(dir.path(), &format!("{kind}-{threads}"), &[settings, &[&more]].concat())
        };
        let one = with(1);
        for threads in others {
            assert!(with(*threads) == one, "{kind}: {threads} threads");
        }
    }
}

#[test]
fn neither_another_process_nor_evaluations_nor_logs_change_a_bit() {
    let dir = folder();
    let usual = trained(dir.path(), "usual", &[GPT]);
    let others =
        ["--eval-interval 1 --eval-iters 2 --log-interval 1 --json", "--eval-interval 1000 --patience 50"];
    for (i, more) in others.into_iter().enumerate() {
        assert!(trained(dir.path(), &format!("other-{i}"), &[GPT, more]) == usual, "{more}");
    }
    assert!(trained(dir.path(), "seed", &[GPT, "--seed 2"]) != usual);
}

/// The digests in `tests/data/golden-digests.toml` hold on Linux with glibc. An instruction set that this machine lacks
/// is skipped.
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
#[test]
fn short_trainings_have_their_golden_digests() {
    let golden = std::fs::read_to_string(root().join("tests/data/golden-digests.toml")).unwrap();
    let golden: toml::Table = golden.parse().unwrap();
    let dir = folder();
    let mut found = toml::Table::new();
    for isa in golden.keys() {
        let mut digests = toml::Table::new();
        for (kind, settings) in [
            ("gpt-f32", &[GPT][..]),
            ("gpt-bf16", &[GPT, "--precision bf16"]),
            ("digits", &[DIGITS]),
            ("translation", &[TRANSLATION]),
        ] {
            let (mut command, run) = training(dir.path(), &format!("{isa}-of-{kind}"), settings);
            let output = command.env("M2G_INSTRUCTION_SET", isa).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            if stderr.contains("this machine does not have it") {
                eprintln!("skipped: this machine has no {isa}");
                break;
            }
            assert!(output.status.success(), "{isa} {kind}: {stderr}");
            digests.insert(kind.into(), digest(&weights(&run)).into());
        }
        if digests.is_empty() {
            digests = golden[isa].as_table().unwrap().clone();
        }
        found.insert(isa.clone(), digests.into());
    }
    assert!(found == golden, "the trainings of this program end with:\n\n{found}");
}

fn digest(tensors: &[(String, Vec<u8>)]) -> String {
    let mut hash = Sha256::new();
    for (name, bytes) in tensors {
        hash.update(name);
        hash.update(bytes);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_unknown_instruction_set_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let output = m2g(dir.path(), &["data", "list"]).env("M2G_INSTRUCTION_SET", "avx1024").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let expected = "error: M2G_INSTRUCTION_SET is avx1024: it must be amx, avx512-bf16, avx512, avx2, neon or baseline\n";
    assert_eq!(stderr, expected);
}
