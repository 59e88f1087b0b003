//! What a network reads in a picture of digits.

use std::sync::Arc;

use m2g_core::{Error, Tensor, unit_interval};
use serde_json::{Value, json};

use crate::Network;
use crate::normalise::{Candidate, PIXELS};

/// An answer with a smaller share is unsure. Of the test images, a network of 99.4 % then calls 16 of its 62
/// mistakes sure, and 0.8 % of its right answers unsure; with 0.6 it would be 49 mistakes and 0.1 %.
pub const MIN_CONFIDENCE: f32 = 0.9;

/// A wider candidate may be two digits that touch: of MNIST's digits, one in 200 is wider.
const MAX_WIDTH_RATIO: f32 = 1.5;

/// A candidate with a shorter longest side has too few pixels to show a shape.
const MIN_PIXELS: usize = 7;

/// What makes a digit unsure that the network reads clearly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It is as wide as two digits that touch.
    Wide,
    /// It has too few pixels to show a shape.
    Tiny,
}

/// One digit of a picture, as the network reads it.
#[derive(Debug, Clone)]
pub struct ReadDigit {
    /// Where it stands, and what the network saw.
    pub candidate: Candidate,
    /// The share of each class in the outputs.
    pub probabilities: Vec<f32>,
    /// The name of each class: a digit or, for other data, a letter.
    pub names: Arc<[String]>,
}

impl ReadDigit {
    /// Reads a digit, with a network whose classes have these names.
    ///
    /// # Errors
    /// [`Error::Shape`] if the network reads images of another size than MNIST's; [`Error::NotFiniteResult`].
    pub fn new(network: &Network<f32>, names: &Arc<[String]>, candidate: Candidate) -> Result<Self, Error> {
        let mut x = Tensor::zeros(&[1, PIXELS]);
        unit_interval(x.data_mut(), &candidate.image);
        let probabilities = shares(network.feedforward(&x)?.data());
        if probabilities.iter().any(|p| !p.is_finite()) {
            return Err(Error::NotFiniteResult("outputs"));
        }
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

    /// The share of a class.
    pub fn share(&self, class: usize) -> f32 {
        self.probabilities[class]
    }

    /// Whether the answer is clear, and the candidate neither as wide as two digits that touch nor only a few
    /// pixels large.
    pub fn is_sure(&self) -> bool {
        self.share(self.digit()) >= MIN_CONFIDENCE && self.only_doubt().is_none()
    }

    /// What makes the digit unsure, if the network reads it clearly.
    pub fn only_doubt(&self) -> Option<Doubt> {
        let area = &self.candidate.area;
        match self.share(self.digit()) >= MIN_CONFIDENCE {
            true if area.width as f32 > MAX_WIDTH_RATIO * area.height as f32 => Some(Doubt::Wide),
            true if area.longest() < MIN_PIXELS => Some(Doubt::Tiny),
            _ => None,
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

/// The shares of the outputs: those of a sigmoid need not sum to 1.
pub fn shares(outputs: &[f32]) -> Vec<f32> {
    let total: f32 = outputs.iter().sum();
    outputs.iter().map(|a| a / total.max(f32::MIN_POSITIVE)).collect()
}
