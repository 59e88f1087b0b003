//! Makes what a program can make of the notes: the pictures, in both languages, and the notebooks.
//!
//! ```sh
//! cargo run --release --example make                 # everything
//! cargo run --release --example make -- neuron       # one picture
//! cargo run --release --example make -- notebooks
//! cargo run --release --example make -- --out DIR    # into a folder other than notebooks-notes
//! ```

mod attention;
mod canvas;
mod derivations;
mod experiments;
mod faster;
mod neurons;
mod notebooks;
mod tokens;
mod training;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use canvas::{Canvas, Language};

type Draw = fn(&mut Canvas);

/// Every picture: its name, and what draws it.
const PICTURES: &[(&str, Draw)] = &[
    ("neuron", neurons::neuron),
    ("sigmoid", neurons::sigmoid_curve),
    ("layer", neurons::layer),
    ("batch", neurons::batch),
    ("network", neurons::network),
    ("descent", neurons::descent),
    ("delta", neurons::delta),
    ("bp4", neurons::bp4),
    ("saturation", neurons::saturation),
    ("xor-losses", experiments::xor_losses),
    ("tokens", tokens::tokens),
    ("targets", tokens::targets),
    ("embedding", tokens::embedding),
    ("bigram-table", tokens::bigram_table),
    ("bigram-loss", tokens::bigram_loss),
    ("temperature", tokens::temperature),
    ("nats", tokens::nats),
    ("qkv", attention::qkv),
    ("scores", attention::scores),
    ("masks", attention::masks),
    ("heads", attention::heads),
    ("scale", attention::scale),
    ("residual", attention::residual),
    ("cache", attention::cache),
    ("head-weights", attention::head_weights),
    ("repeating-loss", attention::repeating_loss),
    ("cross", attention::cross),
    ("tape", derivations::tape),
    ("softmax-gradient", derivations::softmax_gradient),
    ("layer-norm", derivations::layer_norm),
    ("attention-backward", derivations::attention_backward),
    ("variance", derivations::variance),
    ("positions-table", derivations::positions_table),
    ("clocks", derivations::clocks),
    ("distance", derivations::distance),
    ("what-if-score", experiments::what_if_score),
    ("what-if-mask", experiments::what_if_mask),
    ("what-if-positions", experiments::what_if_positions),
    ("what-if-copy", experiments::what_if_copy),
    ("what-if-ablation", experiments::what_if_ablation),
    ("what-if-digits", experiments::what_if_digits),
    ("sabia", experiments::sabia),
    ("score-functions", experiments::score_functions),
    ("similarity", experiments::similarity),
    ("digits-and-gpt", experiments::digits_and_gpt),
    ("singular-values", faster::singular_values),
    ("decays", faster::decays),
    ("ladder", experiments::ladder),
];

/// The name that makes the notebooks.
const NOTEBOOKS: &str = "notebooks";

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let (mut out, mut names) = (None, Vec::new());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--out" => out = words.next().map(PathBuf::from),
            _ => names.push(word),
        }
    }
    let notes = Path::new(env!("CARGO_MANIFEST_DIR")).join("notebooks-notes");
    let known = |name: &String| *name == NOTEBOOKS || PICTURES.iter().any(|(picture, _)| picture == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let all: Vec<&str> = PICTURES.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no picture {unknown}: choose {NOTEBOOKS} or one of {}", all.join(", "));
        return ExitCode::FAILURE;
    }
    match make(&notes, &out.unwrap_or_else(|| notes.clone()), &names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("the notes cannot be made: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Writes what is named, or everything.
fn make(notes: &Path, out: &Path, names: &[String]) -> io::Result<()> {
    let wanted = |name: &str| names.is_empty() || names.iter().any(|n| n == name);
    for (language, folder) in [(Language::English, "pictures"), (Language::Spanish, "es/pictures")] {
        fs::create_dir_all(out.join(folder))?;
        for (name, draw) in PICTURES.iter().filter(|(name, _)| wanted(name)) {
            let mut canvas = Canvas::new(language);
            draw(&mut canvas);
            let path = out.join(folder).join(name).with_extension("svg");
            write_changed(&path, &canvas.finish())?;
            println!("{}", path.display());
        }
    }
    if wanted(NOTEBOOKS) {
        for (path, notebook) in notebooks::all(notes)? {
            write_changed(&out.join(&path), &notebook)?;
            println!("{}", out.join(path).display());
        }
    }
    Ok(())
}

/// Writes a file unless it says the same already: cargo compiles again what is built from a newer one.
fn write_changed(path: &Path, text: &str) -> io::Result<()> {
    match fs::read_to_string(path) {
        Ok(old) if old == text => Ok(()),
        _ => fs::write(path, text),
    }
}
