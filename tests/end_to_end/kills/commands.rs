//! The commands that are killed.

use std::fs;
use std::path::Path;

use m2g_core::Error;
use m2g_core::train::Save;
use m2g_core::train::run_folder::{self, BEST, LAST};
use m2g_gpt::training::{self, Description};
use m2g_gpt::{Config, Gpt};

use super::state::{State, state};
use crate::support::{ok, small_mnist};

/// A command that changes a folder.
pub struct Killed {
    /// Its name in messages and in the table.
    pub name: &'static str,
    /// Fills the folder in which it runs.
    pub setup: fn(&Path),
    /// The arguments.
    pub command: &'static [&'static str],
    /// The folder that it creates, replaces or removes.
    pub folder: &'static str,
    /// The next command, which leads to what the command leads to. The arguments: whether the
    /// folder is there, and whether it is as before.
    pub next: fn(bool, bool) -> Vec<&'static str>,
    /// Whether the system exchanges names.
    pub exchange: bool,
}

impl Killed {
    /// What is wrong with the run in a folder, if it is there.
    pub fn reads(&self, run: &Path) -> Option<String> {
        let read = |file: &str| {
            let kind = run_folder::kind(run, file)?;
            run_folder::load::<f32>(run, file, &kind)
        };
        for file in [LAST, BEST] {
            match read(file) {
                Err(Error::NoRun(_)) if !run.exists() => return None,
                Err(error) => return Some(error.to_string()),
                Ok(_) => {}
            }
        }
        None
    }
}

/// Trains for two epochs, and replaces an earlier run.
const OVERWRITE: &[&str] = &[
    "digits",
    "train",
    "--data",
    "small",
    "--hidden",
    "8",
    "--batch-size",
    "50",
    "--threads",
    "1",
    "--epochs",
    "2",
    "--run",
    "a",
    "--overwrite",
];

/// Trains for two epochs.
pub const TRAIN: &[&str] = OVERWRITE.split_at(OVERWRITE.len() - 1).0;

/// The arguments of [`TRAIN`] without the number of epochs and the name.
pub const MODEL: &[&str] = TRAIN.split_at(TRAIN.len() - 4).0;

/// Trains a translation model, and replaces an earlier run.
const OVERWRITE_TRANSLATION: &[&str] = &[
    "translate",
    "train",
    "--data",
    "a.tsv",
    "--tokenizer",
    "byte",
    "--encoder-layers",
    "1",
    "--decoder-layers",
    "1",
    "--d-model",
    "4",
    "--d-ff",
    "4",
    "--n-head",
    "1",
    "--eval-interval",
    "2",
    "--eval-translations",
    "2",
    "--threads",
    "1",
    "--max-iters",
    "4",
    "--run",
    "t",
    "--overwrite",
];

/// Trains a translation model.
const TRANSLATION: &[&str] = OVERWRITE_TRANSLATION.split_at(OVERWRITE_TRANSLATION.len() - 1).0;

const RESUME_TRANSLATION: &[&str] = &["translate", "train", "--resume", "t"];

/// A run of its own, beside the others.
pub const OTHER: &[&str] = &[
    "digits",
    "train",
    "--data",
    "small",
    "--hidden",
    "4",
    "--epochs",
    "1",
    "--overwrite",
    "--run",
    "other",
];

/// Two training runs.
pub const LAB: &[&str] = &["lab", "tiny.toml", "--threads", "1"];

/// Resumes the run of [`TRAIN`].
pub const RESUME: &[&str] = &["digits", "train", "--resume", "a"];
/// Extends the run of [`TRAIN`].
pub const RESUME_LONGER: &[&str] = &["digits", "train", "--resume", "a", "--epochs", "3"];
const PREPARE: &[&str] = &["gpt", "prepare", "a.txt", "--out", "data/out"];
const PREPARE_AGAIN: &[&str] = &["gpt", "prepare", "a.txt", "--out", "data/out", "--overwrite"];
const IMPORT: &[&str] = &["gpt", "import", "exported", "--run", "i"];
const IMPORT_AGAIN: &[&str] = &["gpt", "import", "exported", "--run", "i", "--overwrite"];
const PAIRS: &[&str] = &["translate", "prepare", "a.tsv", "--tokenizer", "byte", "--out", "data/pairs"];
const PAIRS_AGAIN: &[&str] =
    &["translate", "prepare", "a.tsv", "--tokenizer", "byte", "--out", "data/pairs", "--overwrite"];
const EXPORT: &[&str] = &["gpt", "export", "g", "out"];
const EXPORT_AGAIN: &[&str] = &["gpt", "export", "g", "out", "--overwrite"];
const DELETE: &[&str] = &["runs", "delete", "--yes", "a"];
const RENAME: &[&str] = &["runs", "rename", "a", "b"];

/// All of them.
pub const COMMANDS: &[Killed] = &[
    Killed {
        name: "train",
        setup: images,
        command: TRAIN,
        folder: "runs/a",
        next: |there, _| if there { RESUME } else { TRAIN }.to_vec(),
        exchange: true,
    },
    Killed {
        name: "resume",
        setup: trained,
        command: RESUME_LONGER,
        folder: "runs/a",
        next: |_, _| RESUME_LONGER.to_vec(),
        exchange: true,
    },
    Killed {
        name: "overwrite",
        setup: other_seed,
        command: OVERWRITE,
        folder: "runs/a",
        next: |_, before| if before { OVERWRITE } else { RESUME }.to_vec(),
        exchange: true,
    },
    Killed {
        name: "overwrite, without exchange",
        setup: other_seed,
        command: OVERWRITE,
        folder: "runs/a",
        next: |_, before| if before { OVERWRITE } else { RESUME }.to_vec(),
        exchange: false,
    },
    Killed {
        name: "prepare",
        setup: text,
        command: PREPARE,
        folder: "data/out",
        next: |_, _| PREPARE_AGAIN.to_vec(),
        exchange: true,
    },
    Killed {
        name: "prepare --overwrite",
        setup: |dir| {
            text(dir);
            ok(dir, &[PREPARE, &["--tokenizer", "byte"]].concat());
        },
        command: PREPARE_AGAIN,
        folder: "data/out",
        next: |_, _| PREPARE_AGAIN.to_vec(),
        exchange: true,
    },
    Killed {
        name: "translate train",
        setup: parallel_text,
        command: TRANSLATION,
        folder: "runs/t",
        next: |there, _| if there { RESUME_TRANSLATION } else { TRANSLATION }.to_vec(),
        exchange: true,
    },
    Killed {
        name: "translate train --overwrite",
        setup: |dir| {
            parallel_text(dir);
            ok(dir, &[TRANSLATION, &["--seed", "9"]].concat());
        },
        command: OVERWRITE_TRANSLATION,
        folder: "runs/t",
        next: |_, before| if before { OVERWRITE_TRANSLATION } else { RESUME_TRANSLATION }.to_vec(),
        exchange: true,
    },
    Killed {
        name: "translate prepare",
        setup: parallel_text,
        command: PAIRS,
        folder: "data/pairs",
        next: |_, _| PAIRS_AGAIN.to_vec(),
        exchange: true,
    },
    Killed {
        name: "translate prepare --overwrite",
        setup: |dir| {
            parallel_text(dir);
            ok(dir, &[PAIRS, &["--max-length", "16"]].concat());
        },
        command: PAIRS_AGAIN,
        folder: "data/pairs",
        next: |_, _| PAIRS_AGAIN.to_vec(),
        exchange: true,
    },
    Killed {
        name: "import",
        setup: exported,
        command: IMPORT,
        folder: "runs/i",
        next: |_, _| IMPORT_AGAIN.to_vec(),
        exchange: true,
    },
    Killed {
        name: "import --overwrite",
        setup: |dir| {
            exported(dir);
            ok(dir, &[MODEL, &["--epochs", "1", "--run", "i"]].concat());
        },
        command: IMPORT_AGAIN,
        folder: "runs/i",
        next: |_, _| IMPORT_AGAIN.to_vec(),
        exchange: true,
    },
    Killed {
        name: "export",
        setup: trained_gpt,
        command: EXPORT,
        folder: "out",
        next: |_, _| EXPORT_AGAIN.to_vec(),
        exchange: true,
    },
    Killed {
        name: "export --overwrite",
        setup: |dir| {
            images(dir);
            gpt(dir, 7);
            ok(dir, EXPORT);
            fs::remove_dir_all(dir.join("runs/g")).unwrap();
            gpt(dir, 9);
        },
        command: EXPORT_AGAIN,
        folder: "out",
        next: |_, _| EXPORT_AGAIN.to_vec(),
        exchange: true,
    },
    Killed {
        name: "lab",
        setup: experiment,
        command: LAB,
        folder: "runs/lab/tiny",
        next: |_, _| LAB.to_vec(),
        exchange: true,
    },
    Killed {
        name: "runs delete",
        setup: trained,
        command: DELETE,
        folder: "runs/a",
        next: |_, _| DELETE.to_vec(),
        exchange: true,
    },
    Killed {
        name: "runs rename",
        setup: trained,
        command: RENAME,
        folder: "runs/b",
        next: |_, _| RENAME.to_vec(),
        exchange: true,
    },
];

/// The command with this name.
pub fn named(name: &str) -> &'static Killed {
    COMMANDS.iter().find(|killed| killed.name == name).unwrap()
}

/// Writes images to train on.
pub fn images(dir: &Path) {
    small_mnist(dir, 300, 50);
}

/// Writes a text to prepare.
fn text(dir: &Path) {
    images(dir);
    fs::write(dir.join("a.txt"), "7 times 7 is 49.\n".repeat(100)).unwrap();
}

/// Writes a text in two languages.
fn parallel_text(dir: &Path) {
    images(dir);
    let pair = |i: u32| format!("el {i}\tthe {}{i}\n", "large ".repeat((i % 7) as usize));
    fs::write(dir.join("a.tsv"), (0..40).map(pair).collect::<String>()).unwrap();
}

fn trained(dir: &Path) {
    images(dir);
    ok(dir, TRAIN);
}

fn other_seed(dir: &Path) {
    images(dir);
    ok(dir, &[TRAIN, &["--seed", "9"]].concat());
}

/// Writes a run of a small GPT with this number of tokens.
fn gpt(dir: &Path, vocab_size: usize) {
    let config = Config { n_layer: 1, n_head: 1, n_embd: 4, block_size: 8, ..Config::default() };
    let model = config.model(vocab_size);
    let gpt = Gpt::new(model.clone(), 1).unwrap();
    let description = Description { config, model, tokenizer: None, data: String::new() };
    training::create(Save::New(&dir.join("runs/g")), &description, &gpt).unwrap();
}

fn trained_gpt(dir: &Path) {
    images(dir);
    gpt(dir, 9);
}

fn exported(dir: &Path) {
    trained_gpt(dir);
    ok(dir, &["gpt", "export", "g", "exported"]);
}

/// Writes an experiment with two training runs.
pub fn experiment(dir: &Path) {
    images(dir);
    let toml = "about = \"?\"\nmodel = \"gpt\"\nmeasure = \"val_loss\"\nseeds = [1, 2]\n[base]\ndata = \
                \"copy-task\"\nn_layer = 1\nn_head = 2\nn_embd = 8\nblock_size = 16\nbatch_size = \
                2\nmax_iters = 4\neval_interval = 2\n[[arms]]\nname = \"standard\"\n";
    fs::write(dir.join("tiny.toml"), toml).unwrap();
}

/// What a training command leads to in an empty folder.
pub fn reference(command: &[&str], run: &Path) -> Option<State> {
    let dir = tempfile::tempdir().unwrap();
    images(dir.path());
    ok(dir.path(), command);
    state(&dir.path().join("runs").join(run.file_name().unwrap()))
}
