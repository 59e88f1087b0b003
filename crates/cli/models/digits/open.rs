//! A digit network in memory: its gradients, and a step to inspect.

use std::path::Path;

use anyhow::bail;
use m2g_core::train::Model;
use m2g_core::{Grads, Params, Tensor, unit_interval};
use m2g_digits::normalise::SIDE;
use m2g_digits::training::{Description, Training};
use m2g_digits::{Config, MiniBatch, Network};

use crate::digits::{images, reading};
use crate::inspect::axes::Letters;
use crate::inspect::input::{Input, Inspection, Prediction};
use crate::inspect::step::{Layer, Step};
use crate::models::kind::OpenModel;

/// A digit network and its description.
pub struct OpenNetwork {
    network: Network<f32>,
    description: Description,
}

impl OpenNetwork {
    /// The network that `m2g digits train` starts with.
    pub fn untrained() -> anyhow::Result<Self> {
        let description = Description {
            config: Config::default(),
            image: (SIDE, SIDE),
            classes: m2g_core::data::mnist::CLASSES,
            class_names: Vec::new(),
            transposed: false,
            data: String::new(),
        };
        Ok(Self { network: description.network()?, description })
    }

    /// The network in a checkpoint of a run.
    pub fn load(run: &Path, file: &str) -> anyhow::Result<Self> {
        let (network, description) = Training::load_unchecked(run, file)?;
        Ok(Self { network, description })
    }

    /// The digit that the network sees. Sigmoid outputs need not sum to 1: the probabilities are
    /// their shares.
    fn prediction(&self, image: &Tensor<f32>, digit: Option<usize>) -> anyhow::Result<Prediction> {
        let output = self.network.feedforward(image)?;
        let outputs: Vec<f64> = output.data().iter().map(|&a| f64::from(a)).collect();
        let total = outputs.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let shares: Vec<f64> = outputs.iter().map(|a| a / total).collect();
        let prediction = Prediction::likeliest("digit", &shares, shares.len(), |i| i.to_string());
        Ok(Prediction { truth: digit.map(|digit| digit.to_string()), ..prediction })
    }

    /// The image, `(1, 784)`, and the digit it shows, if known.
    fn image(&self, input: &Input) -> anyhow::Result<(Tensor<f32>, Option<usize>)> {
        let (rows, cols) = self.description.image;
        let (pixels, digit) = match &input.image {
            Some(file) => (reading::single_image(file)?.to_vec(), input.label),
            None => {
                let test = images::load_test(&self.description, None, None)?;
                (test.image(0).to_vec(), Some(usize::from(test.labels[0])))
            }
        };
        if pixels.len() != rows * cols {
            bail!(
                "the network reads images of {rows}x{cols} pixels, but this one has {} pixels",
                pixels.len()
            );
        }
        let mut x = Tensor::zeros(&[1, pixels.len()]);
        unit_interval(x.data_mut(), &pixels);
        Ok((x, digit))
    }
}

impl OpenModel for OpenNetwork {
    fn params(&self) -> &Params<f32> {
        self.network.params()
    }

    fn gradients(&self) -> anyhow::Result<(Grads<f32>, f64)> {
        let config = &self.description.config;
        let data = images::load_again(&self.description, config.data.as_deref())?;
        if (data.train.rows, data.train.cols) != self.description.image {
            bail!(
                "the images in its training data have another size than when it was trained: restore the data"
            );
        }
        Ok(Training::first_gradients(&self.network, &self.description, &data)?)
    }

    /// Runs one image through the network, and backward if requested.
    fn inspect(&self, input: &Input) -> anyhow::Result<Inspection> {
        let classes = self.description.classes;
        let (image, digit) = self.image(input)?;
        let target = match (input.backward, digit) {
            (false, _) => None,
            (true, None) => bail!("--backward needs the digit in the picture: give it with --label DIGIT"),
            (true, Some(digit)) if digit >= classes => {
                bail!("--label is {digit}: the network knows 0 to {}", classes - 1)
            }
            (true, Some(digit)) => {
                let mut y = Tensor::zeros(&[1, classes]);
                y.data_mut()[digit] = 1.0;
                Some(y)
            }
        };
        let n = self.network.layers().count();
        let layer = |number| Layer {
            number,
            after: (number > 1).then(|| format!("layer{}.a", number - 1)),
            last: (number < n).then(|| format!("layer{number}.a")),
        };
        let layers = (1..=n).map(layer).collect();
        let prediction = self.prediction(&image, digit)?;
        let step = Step::record(&self.network, input.backward, letters(), layers, |tape| match target {
            None => self.network.feedforward_on(tape, &image).map(|_| None),
            Some(y) => self.network.loss(tape, &MiniBatch { x: image, y }).map(Some),
        })?;
        Ok(Inspection { step, texts: Vec::new(), attention: None, prediction: Some(prediction) })
    }
}

/// The axes of a network that reads one image. The layers have no letters.
fn letters() -> Letters {
    Letters::new(
        &[("B", 1, "images")],
        |_| &[],
        |axes| match axes {
            2 => &["B", ""],
            _ => &[],
        },
    )
}
