//! Every parser of bytes from outside, but those of translation.

use std::fs;
use std::path::Path;

use m2g_core::checkpoint::Checkpoint;
use m2g_core::data::idx;
use m2g_core::settings::Settings;
use m2g_core::train::run_folder::{self, BEST, CONFIG, LAST, METRICS, RunFolder, RunLock};
use m2g_core::train::{Session, SessionModel, State};
use m2g_core::{Tape, Tokens};
use m2g_digits::{Network, photo};
use m2g_gpt::gguf;
use m2g_gpt::gpt2;
use m2g_gpt::token_rows::TokenRows;
use m2g_gpt::{Gpt, nanogpt};
use m2g_text::prepare::{Encode, TokenizerChoice};
use m2g_text::token_file::{self, NanoGptFolder, read_meta};
use m2g_text::{Documents, Source, TokenizerKind, pickle};

use super::seeds::{self, copy, fixture, gzip, made_by, move_up};
use crate::config_file::with_keys;
use crate::digits::reading::single_image;
use crate::lab::experiment::Experiment;
use crate::lab::results::Results;
use crate::runs::summary::Summary;

/// A parser, and files that it accepts.
pub struct Parser {
    pub name: &'static str,
    /// The file that is damaged.
    pub file: &'static str,
    /// Writes the other files of its folder.
    pub prepare: fn(&Path),
    /// Whole files.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Mends lengths and checksums of a damaged file, so that its content is read.
    pub repair: fn(Vec<u8>) -> Vec<u8>,
    /// Reads the file in this folder.
    pub parse: fn(&Path) -> anyhow::Result<()>,
}

/// A parser of a lone file without lengths and checksums.
pub const PLAIN: Parser = Parser {
    name: "",
    file: "file",
    prepare: |_| {},
    seeds: Vec::new,
    repair: |file| file,
    parse: |_| Ok(()),
};

const OWN_BPE: &str = "crates/gpt/tests/own-bpe";
const NANOGPT: &str = "crates/gpt/tests/nanogpt";
const GGUF: &str = "crates/gpt/tests/gguf";
const GPT_RUN: &str = "crates/gpt/tests/old-run/run";
const DIGITS_RUN: &str = "crates/digits/tests/old-run/run";

/// A parser of a file of a folder in Hugging Face's format.
const HUGGING_FACE: Parser = Parser {
    prepare: |folder| copy(OWN_BPE, folder),
    parse: |folder| {
        let imported = gpt2::import(folder)?;
        if let Ok(tokenizer) = &imported.tokenizer {
            tokenizer.decode(&tokenizer.encode("the times")?);
        }
        one_token(&imported.into_gpt()?)
    },
    ..PLAIN
};

/// A parser of a file of a run of a GPT.
const RUN: Parser = Parser {
    prepare: |folder| copy(GPT_RUN, folder),
    repair: seeds::with_header_length,
    parse: |folder| {
        Summary::read(folder).json();
        one_token(&Session::<Gpt<f32>>::load(folder, BEST)?.0)?;
        resume::<Gpt<f32>>(folder)
    },
    ..PLAIN
};

/// A parser of a file of a folder that `m2g gpt prepare` made.
const PREPARED: Parser = Parser {
    prepare: prepared,
    parse: |folder| {
        let text = token_file::open(folder)?;
        text.tokenizer.decode(&text.train.to_vec()?);
        Ok(text.tokenizer.encode("the times").map(drop)?)
    },
    ..PLAIN
};

pub const PARSERS: [Parser; 28] = [
    Parser { name: "idx", seeds: seeds::idx, parse: idx_file, ..PLAIN },
    Parser { name: "idx-gzip", seeds: seeds::idx, repair: gzip, parse: idx_file, ..PLAIN },
    Parser {
        name: "text",
        seeds: seeds::texts,
        parse: |folder| text_file(folder, &Documents::default()),
        ..PLAIN
    },
    Parser {
        name: "text-gzip",
        seeds: seeds::texts,
        repair: gzip,
        parse: |folder| {
            let documents =
                Documents { separator: r"\n\n".parse().map_err(anyhow::Error::msg)?, special_tokens: true };
            text_file(folder, &documents)
        },
        ..PLAIN
    },
    Parser {
        name: "picture",
        file: "picture.png",
        seeds: seeds::pictures,
        repair: seeds::with_png_checksums,
        parse: |folder| {
            photo::load(&folder.join("picture.png"))?;
            let _ = single_image(&folder.join("picture.png"));
            Ok(())
        },
        ..PLAIN
    },
    Parser { name: "run-best", file: BEST, seeds: || vec![fixture(&format!("{GPT_RUN}/{BEST}"))], ..RUN },
    Parser { name: "run-last", file: LAST, seeds: || vec![fixture(&format!("{GPT_RUN}/{LAST}"))], ..RUN },
    Parser {
        name: "run-config",
        file: CONFIG,
        seeds: || vec![fixture(&format!("{GPT_RUN}/{CONFIG}"))],
        ..RUN
    },
    Parser {
        name: "run-metrics",
        file: METRICS,
        seeds: || vec![fixture(&format!("{GPT_RUN}/{METRICS}"))],
        parse: |folder| {
            run_folder::metrics(folder)?;
            run_folder::logged_steps(folder)?;
            (RUN.parse)(folder)
        },
        ..RUN
    },
    Parser {
        name: "run-digits",
        file: LAST,
        prepare: |folder| copy(DIGITS_RUN, folder),
        seeds: || vec![fixture(&format!("{DIGITS_RUN}/{LAST}")), fixture(&format!("{DIGITS_RUN}/{BEST}"))],
        parse: |folder| {
            Summary::read(folder).json();
            Session::<Network<f32>>::load(folder, LAST)?;
            resume::<Network<f32>>(folder)
        },
        ..RUN
    },
    Parser { name: "state", seeds: || vec![STATE.into()], parse: state, ..PLAIN },
    Parser { name: "hf-config", file: "config.json", seeds: || hugging_face("config.json"), ..HUGGING_FACE },
    Parser {
        name: "hf-weights",
        file: "model.safetensors",
        seeds: || hugging_face("model.safetensors"),
        repair: seeds::with_header_length,
        ..HUGGING_FACE
    },
    Parser {
        name: "hf-index",
        file: "model.safetensors.index.json",
        prepare: |folder| {
            copy(OWN_BPE, folder);
            fs::rename(folder.join("model.safetensors"), folder.join("a.safetensors")).unwrap();
        },
        seeds: || {
            vec![
                br#"{"metadata": {"total_size": 64000}, "weight_map": {"wte.weight": "a.safetensors"}}"#
                    .to_vec(),
            ]
        },
        ..HUGGING_FACE
    },
    Parser { name: "hf-vocab", file: "vocab.json", seeds: || hugging_face("vocab.json"), ..HUGGING_FACE },
    Parser { name: "hf-merges", file: "merges.txt", seeds: || hugging_face("merges.txt"), ..HUGGING_FACE },
    Parser {
        name: "hf-tokenizer",
        file: "tokenizer.json",
        seeds: || vec![TOKENIZER_JSON.as_bytes().to_vec()],
        parse: |folder| m2g_text::hugging_face::read(folder, 5).map(drop).map_err(Into::into),
        ..PLAIN
    },
    Parser {
        name: "gguf",
        file: "model.gguf",
        seeds: || ["gpt2-q4_0", "gptneox"].map(|name| fixture(&format!("{GGUF}/{name}.gguf"))).into(),
        parse: gguf_file,
        ..PLAIN
    },
    Parser { name: "torch", file: "ckpt.pt", seeds: || vec![seeds::torch()], parse: torch, ..PLAIN },
    Parser {
        name: "pickle",
        seeds: || vec![seeds::torch_pickle(), fixture(&format!("{NANOGPT}/meta.pkl"))],
        parse: |folder| {
            let known = ["torch._utils._rebuild_tensor_v2", "torch.FloatStorage"];
            pickle::read(&fs::read(folder.join("file"))?, &known).map(drop).map_err(Into::into)
        },
        ..PLAIN
    },
    Parser {
        name: "meta-pkl",
        file: "meta.pkl",
        seeds: || vec![fixture(&format!("{NANOGPT}/meta.pkl"))],
        parse: |folder| read_meta(&folder.join("meta.pkl")).map(drop).map_err(Into::into),
        ..PLAIN
    },
    Parser { name: "prepared-meta", file: "meta.json", seeds: || made_by(prepared, "meta.json"), ..PREPARED },
    Parser {
        name: "prepared-tokenizer",
        file: "tokenizer.json",
        seeds: || made_by(prepared, "tokenizer.json"),
        ..PREPARED
    },
    Parser {
        name: "token-bin",
        file: "train.bin",
        prepare: |folder| fs::write(folder.join("val.bin"), [1, 0, 2, 0]).unwrap(),
        seeds: || vec![[5, 0, 3, 0, 9, 0].repeat(20)],
        parse: |folder| {
            // Ids of 32 bits, too.
            let _ = NanoGptFolder::open(folder)?.tokens(70_000);
            Ok(NanoGptFolder::open(folder)?.tokens(50).map(drop)?)
        },
        ..PLAIN
    },
    Parser {
        name: "token-rows",
        seeds: || vec![br#"{"tokens": [[1, 2, 3], [4, 5, 0]], "x": 0}"#.to_vec()],
        parse: |folder| {
            TokenRows::read(&folder.join("file"), &m2g_gpt::Config::default().model(7))
                .map(drop)
                .map_err(Into::into)
        },
        ..PLAIN
    },
    Parser {
        name: "settings",
        seeds: || {
            let files = ["tales", "gpt2-124m", "finetune-gpt2", "shakespeare-char"];
            let mut seeds: Vec<_> = files.map(|name| fixture(&format!("configs/{name}.toml"))).into();
            seeds.push(toml::to_string(&m2g_digits::Config::preset("best").unwrap()).unwrap().into());
            seeds.push(toml::to_string(&m2g_gpt::Config::default()).unwrap().into());
            seeds
        },
        parse: settings,
        ..PLAIN
    },
    Parser {
        name: "lab",
        file: "lab.toml",
        seeds: || {
            ["ablation", "digits", "mask", "score"]
                .map(|name| fixture(&format!("configs/lab/{name}.toml")))
                .into()
        },
        parse: |folder| Experiment::load(&folder.join("lab.toml").display().to_string()).map(drop),
        ..PLAIN
    },
    Parser {
        name: "lab-results",
        file: "results.jsonl",
        seeds: || vec![LAB_RESULTS.into()],
        parse: |folder| Results::open(folder, false).map(drop),
        ..PLAIN
    },
];

const STATE: &str = r#"{"step": 24, "loss_sum": 1.5, "best_score": -1.25, "best_step": 20, "without_improvement": 0,
    "halvings": 0, "seconds": 0.25}"#;

const LAB_RESULTS: &str = r#"{"event": "results", "format": 2}
{"task": null, "arm": "one", "seed": 1, "measures": {"val_loss": 1.5}, "curve": [[10, 1.5]], "diverged": null, "seconds": 1.5, "model": "gpt", "settings": {"lr": 0.1}, "data": "abc", "wanted": ["val_loss"]}
"#;

const TOKENIZER_JSON: &str = r##"{"version": "1.0", "added_tokens": [{"id": 4, "content": "<|endoftext|>",
    "special": true}], "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "c": 3},
    "merges": ["a b"]}}"##;

fn idx_file(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join("file");
    let labels = idx::read_labels(&path);
    idx::read(&path).map(drop).or(labels.map(drop)).map_err(Into::into)
}

fn text_file(folder: &Path, documents: &Documents) -> anyhow::Result<()> {
    let source = Source::files(&[folder.join("file")])?;
    source.read_to_string(1 << 20)?;
    for kind in [TokenizerKind::Char, TokenizerKind::Word, TokenizerKind::Byte, TokenizerKind::Bpe(260)] {
        let tokenizer = TokenizerChoice::New(kind);
        let encoded = Encode { source: &source, documents, tokenizer, val_fraction: 0.1 }.in_memory()?;
        encoded.tokenizer.decode(&encoded.train.to_vec()?);
    }
    Ok(())
}

fn hugging_face(name: &str) -> Vec<Vec<u8>> {
    vec![fixture(&format!("{OWN_BPE}/{name}"))]
}

/// Runs a model on one token.
fn one_token(gpt: &Gpt<f32>) -> anyhow::Result<()> {
    let mut tape = Tape::without_gradients();
    Ok(gpt.forward(&mut tape, &Tokens::new([1, 1], vec![0])?).map(drop)?)
}

/// Reads everything that is needed to resume a run.
pub fn resume<M: SessionModel>(folder: &Path) -> anyhow::Result<()> {
    let last = folder.join(LAST);
    let restore = |checkpoint: Checkpoint<f32>, _: &State| checkpoint.check_finite(&last);
    RunFolder::resume(RunLock::take(folder)?, M::KIND, restore)?;
    Ok(())
}

fn state(folder: &Path) -> anyhow::Result<()> {
    let state: State = serde_json::from_slice(&fs::read(folder.join("file"))?)?;
    let options = m2g_core::train::Options { steps: 100, ..Default::default() };
    options.ended(&state);
    Ok(())
}

fn gguf_file(folder: &Path) -> anyhow::Result<()> {
    let gguf::Loaded { gpt, tokenizer, .. } = gguf::load(&folder.join("model.gguf"))?;
    if let Ok(tokenizer) = tokenizer {
        tokenizer.decode(&tokenizer.encode("the cat").unwrap_or_default());
    }
    one_token(&gpt)
}

fn torch(folder: &Path) -> anyhow::Result<()> {
    one_token(&nanogpt::import(&folder.join("ckpt.pt"), None)?.into_gpt()?)
}

fn settings(folder: &Path) -> anyhow::Result<()> {
    let text = String::from_utf8(fs::read(folder.join("file"))?)?;
    let gpt = with_keys(&m2g_gpt::Config::default(), "file", &text).and_then(|config| Ok(config.validate()?));
    let digits =
        with_keys(&m2g_digits::Config::default(), "file", &text).and_then(|config| Ok(config.validate()?));
    // Each value as the text of a flag, too.
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        if let Some(setting) = m2g_gpt::Config::setting(name.trim()) {
            let _ = (setting.set)(&mut m2g_gpt::Config::default(), value.trim().trim_matches('"'));
        }
        if let Some(setting) = m2g_digits::Config::setting(name.trim()) {
            let _ = (setting.set)(&mut m2g_digits::Config::default(), value.trim().trim_matches('"'));
        }
    }
    gpt.or(digits)
}

/// A prepared folder of byte pairs.
fn prepared(folder: &Path) {
    let file = folder.join("text.txt");
    fs::write(&file, &seeds::texts()[0]).unwrap();
    let settings = m2g_text::prepare::Prepare {
        inputs: vec![file],
        documents: Documents::default(),
        tokenizer: TokenizerChoice::New(TokenizerKind::Bpe(270)),
        out: folder.join("out"),
        overwrite: false,
        val_fraction: 0.2,
    };
    m2g_text::prepare::prepare(&settings, &mut |_| true).unwrap();
    move_up(&settings.out);
}
