//! The parsers of translation: runs, prepared pairs, parallel text, sentences.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::anyhow;
use m2g_core::train::Session;
use m2g_core::train::run_folder::{BEST, CONFIG, LAST, Save};
use m2g_text::TokenData;
use m2g_text::token_file::Width;
use m2g_translate::data::{Corpus, HeldOut, META, Pairs, Prepare, TextPair, hold_out, prepare, read_tsv};
use m2g_translate::decode::{Options, Translator, score};
use m2g_translate::metrics::{Bleu, Chrf, Metric};
use m2g_translate::training::Description;
use m2g_translate::{Config, Transformer};

use super::parsers::{PLAIN, Parser, resume};
use super::seeds::{self, fixture, made_by, move_up};
use crate::config_file::with_keys;
use crate::runs::summary::Summary;
use crate::translate::lines::exact_lines;

/// The tokens of the training sources in a prepared folder.
const TOKENS: &str = "train.source.bin";

const TSV: &str = "uno dos\tone two\ntres \u{f1}and\u{fa}\tthree rhea\n\ncinco\tfive\r\nseis\tsix\nsiete\tseven\n\
    uno\tone\ndos\ttwo\ntres\tthree\ncuatro\tfour\nocho\teight\nnueve\tnine\ndiez\tten\nonce\televen\n\
    doce\ttwelve\ntrece\tthirteen\ncatorce\tfourteen\nquince\tfifteen\nuno y dos\tone and two\n\
    dos y tres\ttwo and three\ntres y uno\tthree and one\n";

/// A parser of a file of a run.
const OF_RUN: Parser = Parser {
    prepare: run,
    repair: seeds::with_header_length,
    parse: |folder| {
        Summary::read(folder).json();
        let (model, description) = Session::<Transformer<f32>>::load(folder, BEST)?;
        translate(&model, &description, &["uno dos".into()])?;
        resume::<Transformer<f32>>(folder)
    },
    ..PLAIN
};

/// A parser of a file of a folder that `m2g translate prepare` made.
const OF_PAIRS: Parser = Parser {
    prepare: pairs,
    parse: |folder| {
        let corpus = load(folder, "auto")?;
        for i in 0..corpus.train.len() {
            corpus.tokenizer.decode_without_special(corpus.train.target.get(i));
        }
        Ok(())
    },
    ..PLAIN
};

pub const PARSERS: [Parser; 10] = [
    Parser { name: "translate-best", file: BEST, seeds: || made_by(run, BEST), ..OF_RUN },
    Parser { name: "translate-last", file: LAST, seeds: || made_by(run, LAST), ..OF_RUN },
    Parser {
        name: "translate-config",
        file: CONFIG,
        seeds: || made_by(run, CONFIG),
        repair: |file| file,
        ..OF_RUN
    },
    Parser { name: "pairs-meta", file: META, seeds: || made_by(pairs, META), ..OF_PAIRS },
    Parser {
        name: "pairs-tokenizer",
        file: "tokenizer.json",
        seeds: || made_by(pairs, "tokenizer.json"),
        ..OF_PAIRS
    },
    Parser {
        name: "pairs-tokens",
        file: TOKENS,
        seeds: || made_by(pairs, TOKENS),
        parse: |folder| {
            describe_tokens(folder)?;
            (OF_PAIRS.parse)(folder)
        },
        ..OF_PAIRS
    },
    Parser {
        name: "pairs-tsv",
        seeds: || vec![TSV.into()],
        parse: |folder| {
            let file = folder.join("file");
            // A validation pair may have a letter of its own.
            let _ = load(&file, "char");
            load(&file, "bpe:270").map(drop)
        },
        ..PLAIN
    },
    Parser {
        name: "pairs-tsv-gzip",
        seeds: || vec![TSV.into()],
        repair: seeds::gzip,
        parse: |folder| load(&folder.join("file"), "byte").map(drop),
        ..PLAIN
    },
    Parser {
        name: "sentences",
        seeds: || vec!["uno dos\n\ntres \u{1f642}\r\n".into(), vec![b'x'; 40]],
        parse: |folder| {
            let lines = exact_lines(&folder.join("file"))?;
            let few: Vec<String> = lines.iter().take(3).map(|line| line.chars().take(20).collect()).collect();
            let references = [few.clone()];
            Bleu::default().corpus(&few, &references)?;
            Chrf::default().corpus(&few, &references)?;
            let (model, description) = small_model();
            translate(model, description, &few)
        },
        ..PLAIN
    },
    Parser {
        name: "translate-settings",
        seeds: || {
            ["base", "small", "tiny"].map(|name| fixture(&format!("configs/translate-{name}.toml"))).into()
        },
        parse: |folder| {
            let text = String::from_utf8(fs::read(folder.join("file"))?)?;
            Ok(with_keys(&Config::default(), "file", &text)?.validate()?)
        },
        ..PLAIN
    },
];

/// Translates sentences and scores each as its own translation, as far as the model can read them.
fn translate(
    model: &Transformer<f32>,
    description: &Description,
    sentences: &[String],
) -> anyhow::Result<()> {
    let options = Options { beam: 2, extra_length: 3, ..Options::default() };
    let translator = Translator::new(model, &description.tokenizer, options)?;
    let sources: Vec<_> = sentences.iter().map(|text| translator.encode(text).unwrap_or_default()).collect();
    translator.translate(&sources)?;
    let readable = sentences.iter().zip(&sources).filter(|(_, ids)| !ids.is_empty());
    let pairs: Vec<TextPair> =
        readable.map(|(text, _)| TextPair::from([text.as_str(), text.as_str()])).collect();
    let (pairs, special) = Pairs::encode_all(&pairs, &description.tokenizer).map_err(|e| anyhow!("{e}"))?;
    score(model, &pairs, special)?;
    Ok(())
}

fn load(data: &Path, tokenizer: &str) -> anyhow::Result<Corpus> {
    let config =
        Config { data: data.display().to_string(), tokenizer: tokenizer.into(), ..Config::default() };
    Corpus::load(&config, None).map_err(|error| anyhow!("{error}"))
}

/// A small model of bytes.
fn small_model() -> &'static (Transformer<f32>, Description) {
    static MODEL: OnceLock<(Transformer<f32>, Description)> = OnceLock::new();
    MODEL.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path());
        Session::load(folder.path(), BEST).unwrap()
    })
}

/// A run at step 0.
fn run(folder: &Path) {
    let file = folder.join("pairs.tsv");
    fs::write(&file, TSV).unwrap();
    let config = Config {
        data: file.display().to_string(),
        tokenizer: "byte".into(),
        encoder_layers: 1,
        decoder_layers: 1,
        d_model: 4,
        d_ff: 4,
        n_head: 1,
        max_length: 16,
        ..Config::default()
    };
    let corpus = Corpus::load(&config, None).unwrap();
    let run = folder.join("run");
    Session::<Transformer<f32>>::new(config, &corpus, Save::New(&run)).unwrap();
    move_up(&run);
}

/// A prepared folder of byte pairs.
fn pairs(folder: &Path) {
    let file = folder.join("pairs.tsv");
    fs::write(&file, TSV).unwrap();
    let HeldOut { train, val, .. } = hold_out(read_tsv(&file).unwrap().0);
    let out = folder.join("out");
    let settings = Prepare {
        train: &train,
        val: &val,
        sources: vec!["pairs.tsv".into()],
        reports: Vec::new(),
        tokenizer: Err("bpe:270"),
        max_length: 64,
        out: out.clone(),
        overwrite: false,
    };
    prepare(&settings).unwrap();
    move_up(&out);
}

/// Writes the digest of the tokens into the description: a damaged file is then read.
fn describe_tokens(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(META);
    let mut meta: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
    let tokens = TokenData::open(&folder.join(TOKENS), Width::U16, 1 << 16).map_err(|e| anyhow!("{e}"))?;
    meta["sha256"][0] = tokens.sha256().into();
    Ok(fs::write(path, meta.to_string())?)
}
