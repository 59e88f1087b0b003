//! `m2g digits predict`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::Args;
use m2g_core::train::run::BEST;
use m2g_core::{Tensor, unit_interval};
use m2g_digits::Network;
use m2g_digits::normalise::{SIDE, normalise};
use m2g_digits::training::Training;
use serde_json::json;

use crate::flags::run_path;
use crate::output::{self, percent};
use crate::picture::{for_terminal, load_gray};

/// Read your own pictures of digits: PNG or JPEG, any size, dark on light or light on dark.
#[derive(Args)]
pub struct Predict {
    /// The run: a name under runs/, or a path.
    run: String,
    /// The pictures, each of one digit.
    #[arg(required = true, value_name = "FILE.png")]
    files: Vec<PathBuf>,
    /// Print one JSON object per picture to stdout.
    #[arg(long)]
    json: bool,
}

/// Loads a picture and normalises it as MNIST does.
pub fn normalised(file: &Path) -> anyhow::Result<[u8; SIDE * SIDE]> {
    let picture = load_gray(file)?;
    normalise(&picture.pixels, picture.width, picture.height).map_err(|e| anyhow!("{}: {e}", file.display()))
}

impl Predict {
    /// Classifies every picture. Continues after one that cannot be read.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (network, description) = Training::load(&run_path(&self.run), BEST)?;
        if description.image != (SIDE, SIDE) {
            bail!(
                "pictures are scaled to {SIDE}x{SIDE} pixels, but this network was trained on images of another size"
            );
        }
        let mut code = ExitCode::SUCCESS;
        for file in &self.files {
            match self.predict(&network, file) {
                Ok(()) => {}
                Err(error) if output::is_broken_pipe(&error) => return Err(error),
                Err(error) => {
                    eprintln!("error: {error}");
                    code = ExitCode::FAILURE;
                }
            }
        }
        Ok(code)
    }

    fn predict(&self, network: &Network<f32>, file: &Path) -> anyhow::Result<()> {
        let seen = normalised(file)?;
        let mut x = Tensor::zeros(&[1, seen.len()]);
        unit_interval(x.data_mut(), &seen);
        let output = network.feedforward(&x)?;
        // Sigmoid outputs need not sum to 1: show their shares.
        let total: f32 = output.data().iter().sum();
        let probabilities: Vec<f32> =
            output.data().iter().map(|a| a / total.max(f32::MIN_POSITIVE)).collect();
        let digit =
            (1..probabilities.len()).fold(0, |b, j| if probabilities[j] > probabilities[b] { j } else { b });
        if self.json {
            return output::line(json!({
                "event": "predict", "file": file, "digit": digit,
                "probabilities": probabilities, "image": seen.to_vec(),
            }));
        }
        output::line(format!("{}: {digit}", file.display()))?;
        output::line(for_terminal(&seen, SIDE).trim_end_matches('\n'))?;
        for (digit, &p) in probabilities.iter().enumerate() {
            let bar = "#".repeat((p * 40.0).round() as usize);
            output::line(format!("  {digit} {:>9}  {bar}", percent(f64::from(p))))?;
        }
        Ok(())
    }
}
