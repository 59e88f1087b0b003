//! One seed gives the same bits: for any number of threads, in any process, however often the run is
//! measured and logged, and on every machine with the same instruction set.

use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::support::{m2g, root, small_mnist, weights};

/// The settings of a training of a GPT that is large enough for every kernel to use several threads.
const GPT: [&str; 24] = [
    "gpt",
    "train",
    "--data",
    "text.txt",
    "--n-layer",
    "1",
    "--n-head",
    "4",
    "--n-embd",
    "128",
    "--block-size",
    "64",
    "--batch-size",
    "16",
    "--max-iters",
    "4",
    "--warmup-iters",
    "1",
    "--dropout",
    "0.1",
    "--learning-rate",
    "0.01",
    "--bias",
    "true",
];

/// The settings of a training of a digit network, with distorted images and dropout.
const DIGITS: [&str; 20] = [
    "digits",
    "train",
    "--data",
    "small",
    "--hidden",
    "200",
    "--batch-size",
    "400",
    "--epochs",
    "2",
    "--distort",
    "elastic",
    "--dropout",
    "0.2",
    "--cost",
    "cross-entropy",
    "--learning-rate",
    "0.5",
    "--momentum",
    "0.5",
];

/// A folder with the data of both trainings.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text: String = (0..600).map(|i| format!("{} times 7 is {}.\n", i % 50, i % 50 * 7)).collect();
    std::fs::write(dir.path().join("text.txt"), text).unwrap();
    small_mnist(dir.path(), 1200, 50);
    dir
}

/// The command that trains with these settings, and its run folder.
fn training(dir: &Path, name: &str, settings: &[&str], more: &[&str]) -> (Command, std::path::PathBuf) {
    (m2g(dir, &[settings, more, &["--run", name]].concat()), dir.join("runs").join(name))
}

/// The parameters and the state of the optimiser that a training ends with.
fn trained(dir: &Path, name: &str, settings: &[&str], more: &[&str]) -> Vec<(String, Vec<u8>)> {
    let (mut command, run) = training(dir, name, settings, more);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{more:?}: {}", String::from_utf8_lossy(&output.stderr));
    weights(&run)
}

#[test]
fn one_seed_gives_the_same_bits_for_1_to_4_threads() {
    let dir = folder();
    let bf16 = [&GPT[..], &["--precision", "bf16"]].concat();
    for (kind, settings) in [("gpt", &GPT[..]), ("bf16", &bf16), ("digits", &DIGITS)] {
        let with = |threads: &str| {
            trained(dir.path(), &format!("{kind}-{threads}"), settings, &["--threads", threads])
        };
        let one = with("1");
        assert!(["2", "3", "4"].into_iter().all(|threads| with(threads) == one), "{kind}");
    }
}

#[test]
fn neither_another_process_nor_evaluations_nor_logs_change_a_bit() {
    let dir = folder();
    let usual = trained(dir.path(), "usual", &GPT, &[]);
    let others: [&[&str]; 4] = [
        &[],
        &["--eval-interval", "1", "--eval-iters", "2"],
        &["--eval-interval", "1000", "--log-interval", "1", "--json"],
        &["--log-interval", "1000", "--patience", "50"],
    ];
    for (i, more) in others.into_iter().enumerate() {
        assert!(trained(dir.path(), &format!("other-{i}"), &GPT, more) == usual, "{more:?}");
    }
    assert!(trained(dir.path(), "seed", &GPT, &["--seed", "2"]) != usual);
}

/// The digests in `tests/data/golden-digests.toml` hold on Linux with glibc, whose logarithm and
/// cosine give the initial weights. An instruction set that this machine lacks is skipped.
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
#[test]
fn short_trainings_have_their_golden_digests() {
    let golden = std::fs::read_to_string(root().join("tests/data/golden-digests.toml")).unwrap();
    let golden: toml::Table = golden.parse().unwrap();
    let dir = folder();
    let mut found = toml::Table::new();
    for isa in golden.keys() {
        let mut digests = toml::Table::new();
        for (kind, settings, more) in [
            ("gpt-f32", &GPT[..], &[][..]),
            ("gpt-bf16", &GPT, &["--precision", "bf16"]),
            ("digits", &DIGITS, &[]),
        ] {
            let (mut command, run) = training(dir.path(), &format!("{isa}-{kind}"), settings, more);
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
    let expected =
        "error: M2G_INSTRUCTION_SET is avx1024: it must be avx512-bf16, avx512, avx2, neon or baseline\n";
    assert_eq!(stderr, expected);
}
