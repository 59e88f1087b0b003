//! What a network reads in a picture.

use std::path::Path;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use m2g_core::{Tensor, unit_interval};
use m2g_digits::Network;
use m2g_digits::normalise::{Candidate, PIXELS, digits};
use serde_json::{Value, json};

use crate::output::percent;
use crate::picture::load;

/// An answer with a smaller share is unsure.
const MIN_CONFIDENCE: f32 = 0.6;

/// A wider candidate may be two digits that touch: of MNIST's digits, one in 200 is wider.
const MAX_WIDTH_RATIO: f32 = 1.5;

/// One digit of a picture, as the network reads it.
pub struct ReadDigit {
    /// Where it stands, and what the network saw.
    pub candidate: Candidate,
    /// The share of each class in the outputs.
    pub probabilities: Vec<f32>,
    /// The name of each class: a digit or, for other data, a letter.
    pub names: Arc<[String]>,
}

/// The image of the only digit in a picture.
pub fn single_image(file: &Path) -> anyhow::Result<[u8; PIXELS]> {
    match &find(file)?[..] {
        [digit] => Ok(digit.image),
        several => bail!("{} shows {} digits: crop it to one", file.display(), several.len()),
    }
}

/// Reads every digit in a picture, with a network whose classes have these names.
pub fn read(network: &Network<f32>, names: &Arc<[String]>, file: &Path) -> anyhow::Result<Vec<ReadDigit>> {
    find(file)?.into_iter().map(|candidate| ReadDigit::new(network, names, candidate)).collect()
}

fn find(file: &Path) -> anyhow::Result<Vec<Candidate>> {
    digits(&load(file)?).map_err(|e| anyhow!("{}: {e}", file.display()))
}

impl ReadDigit {
    fn new(network: &Network<f32>, names: &Arc<[String]>, candidate: Candidate) -> anyhow::Result<Self> {
        let mut x = Tensor::zeros(&[1, PIXELS]);
        unit_interval(x.data_mut(), &candidate.image);
        let output = network.feedforward(&x)?;
        // Sigmoid outputs need not sum to 1: show their shares.
        let total: f32 = output.data().iter().sum();
        let probabilities = output.data().iter().map(|a| a / total.max(f32::MIN_POSITIVE)).collect();
        Ok(Self { candidate, probabilities, names: Arc::clone(names) })
    }

    /// The likeliest digit.
    pub fn digit(&self) -> usize {
        self.likeliest(None)
    }

    /// The name of the likeliest class: `7`, or `S` of a network that reads letters.
    pub fn name(&self) -> &str {
        &self.names[self.digit()]
    }

    /// The second likeliest digit.
    pub fn runner_up(&self) -> usize {
        self.likeliest(Some(self.digit()))
    }

    fn likeliest(&self, except: Option<usize>) -> usize {
        let classes = (0..self.probabilities.len()).filter(|&j| Some(j) != except);
        let greater = |best: usize, j: usize| if self.share(j) > self.share(best) { j } else { best };
        classes.reduce(greater).unwrap_or(0)
    }

    fn share(&self, class: usize) -> f32 {
        self.probabilities[class]
    }

    /// Whether the answer is clear, and the candidate not as wide as two digits that touch.
    pub fn is_sure(&self) -> bool {
        let area = &self.candidate.area;
        let wide = area.width as f32 > MAX_WIDTH_RATIO * area.height as f32;
        !wide && self.share(self.digit()) >= MIN_CONFIDENCE
    }

    /// The confidence, such as `99.21 %`.
    pub fn confidence(&self) -> String {
        percent(f64::from(self.share(self.digit())))
    }

    /// The runner-up and its share, such as `9 0.31 %`.
    pub fn next(&self) -> String {
        format!("{} {}", self.names[self.runner_up()], percent(f64::from(self.share(self.runner_up()))))
    }

    /// The digit, its confidence and the runner-up in one phrase.
    pub fn phrase(&self) -> String {
        let digit = self.name();
        if self.is_sure() {
            format!("{digit} ({}; next {})", self.confidence(), self.next())
        } else {
            format!("unsure: {digit} ({}) or {}", self.confidence(), self.next())
        }
    }

    /// All of it for machines.
    pub fn json(&self) -> Value {
        let area = &self.candidate.area;
        json!({
            "digit": self.digit(),
            "class": self.name(),
            "confidence": self.share(self.digit()),
            "runner_up": { "digit": self.runner_up(), "confidence": self.share(self.runner_up()) },
            "sure": self.is_sure(),
            "box": { "left": area.left, "top": area.top, "width": area.width, "height": area.height },
            "probabilities": self.probabilities,
            "image": self.candidate.image.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use m2g_digits::normalise::Area;

    fn read(probabilities: &[f32]) -> ReadDigit {
        let area = Area { left: 1, top: 2, width: 3, height: 4 };
        let names = (0..probabilities.len()).map(|class| class.to_string()).collect();
        let candidate = Candidate { area, image: [0; PIXELS] };
        ReadDigit { candidate, probabilities: probabilities.into(), names }
    }

    #[test]
    fn a_digit_names_its_confidence_and_its_runner_up() {
        let clear = read(&[0.01, 0.95, 0.04]);
        assert_eq!(clear.phrase(), "1 (95.00 %; next 2 4.00 %)");
        let unclear = read(&[0.45, 0.15, 0.4]);
        assert_eq!(unclear.phrase(), "unsure: 0 (45.00 %) or 2 40.00 %");
        assert_eq!(unclear.json()["sure"], false);
        assert_eq!(unclear.json()["runner_up"]["digit"], 2);
        assert_eq!(unclear.json()["box"]["width"], 3);
    }
}
