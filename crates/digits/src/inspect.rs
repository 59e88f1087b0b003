//! One step of a digit network with every value under its name.

use m2g_core::data::mnist::CLASSES;
use m2g_core::inspect::{Inspection, Layer, Letters, Prediction, Step};
use m2g_core::train::Model;
use m2g_core::{Error, Tape, Tensor, Var};

use crate::normalise::SIDE;
use crate::reading::shares;
use crate::training::Description;
use crate::{Config, MiniBatch, Network};

/// The network that training starts with by default, and its description.
///
/// # Errors
/// None: the default settings are valid.
pub fn untrained() -> Result<(Network<f32>, Description), Error> {
    let description = Description {
        config: Config::default(),
        image: (SIDE, SIDE),
        classes: CLASSES,
        class_names: Vec::new(),
        transposed: false,
        data: String::new(),
    };
    Ok((description.network()?, description))
}

impl Network<f32> {
    /// Runs one image, `(1, 784)`, through the network. `class` is what it shows, if that is known; `backward`
    /// needs it. `names` are those of the classes; without any, they are digits.
    ///
    /// # Errors
    /// [`Error::Shape`] if the image does not fit the network; [`Error::Setting`] if the class is missing, or none
    /// of its classes.
    pub fn inspect(
        &self,
        image: &Tensor<f32>,
        class: Option<usize>,
        names: &[String],
        backward: bool,
    ) -> Result<Inspection, Error> {
        let prediction = self.prediction(image, class, names)?;
        let step = match backward {
            false => self.record(1, false, |tape| self.feedforward_on(tape, image).map(|_| None)),
            true => {
                let rule = "backward, the step needs the class of the image";
                let class = class.ok_or(Error::Setting { name: "label", value: "missing".into(), rule })?;
                let mut y = Tensor::zeros(&[1, prediction.ranked.len()]);
                y.data_mut()[class] = 1.0;
                self.inspect_batch(&MiniBatch { x: image.clone(), y })
            }
        }?;
        Ok(Inspection { step, texts: Vec::new(), attention: None, prediction: Some(prediction) })
    }

    /// Runs a mini-batch forward and backward: the gradient of `layerL.z` is the delta of layer L.
    ///
    /// # Errors
    /// [`Error::Shape`] if the mini-batch does not fit the network.
    pub fn inspect_batch(&self, batch: &MiniBatch<f32>) -> Result<Step, Error> {
        self.record(batch.x.shape()[0], true, |tape| self.loss(tape, batch).map(Some))
    }

    /// The activations of the last layer, `(B, N)`, from its weighted inputs `z`, `(B, N)`. A step with the
    /// cross-entropy or the log-likelihood cost does not record them: the cost computes them inside its op.
    ///
    /// # Errors
    /// None: any shape is valid.
    pub fn last_activations(&self, z: &Tensor<f32>) -> Result<Tensor<f32>, Error> {
        let mut tape = Tape::without_gradients();
        let z = tape.input(z.clone());
        let a = self.architecture().cost.output(&mut tape, z)?; // (B, N) -> (B, N)
        Ok(tape.value(a).clone())
    }

    fn record(
        &self,
        images: usize,
        backward: bool,
        forward: impl FnOnce(&mut Tape<f32>) -> Result<Option<Var>, Error>,
    ) -> Result<Step, Error> {
        let n = self.layers().count();
        let layer = |number| Layer {
            number,
            after: (number > 1).then(|| format!("layer{}.a", number - 1)),
            last: (number < n).then(|| format!("layer{number}.a")),
        };
        Step::record(self.params(), backward, letters(images), (1..=n).map(layer).collect(), forward)
    }

    /// The class that the network sees. Sigmoid outputs need not sum to 1: the probabilities are
    /// their shares.
    fn prediction(
        &self,
        image: &Tensor<f32>,
        class: Option<usize>,
        names: &[String],
    ) -> Result<Prediction, Error> {
        let output = self.feedforward(image)?;
        let shares: Vec<f64> = shares(output.data()).into_iter().map(f64::from).collect();
        if let Some(class) = class.filter(|&class| class >= shares.len()) {
            let rule = "it must be the number of a class";
            return Err(Error::Setting { name: "label", value: class.to_string(), rule });
        }
        let what = if names.is_empty() { "digit" } else { "class" };
        let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
        let prediction = Prediction::likeliest(what, &shares, shares.len(), name);
        Ok(Prediction { truth: class.map(name), ..prediction })
    }
}

/// The axes of a network that reads B images. The layers have no letters.
fn letters(b: usize) -> Letters {
    Letters::new(
        &[("B", b, "images")],
        |_| &[],
        |axes| match axes {
            2 => &["B", ""],
            _ => &[],
        },
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn classes_have_their_names() {
        let network = Network::<f32>::new(&[4, 3, 2]).unwrap();
        let image = Tensor::zeros(&[1, 4]);
        let predicted =
            |names: &[String]| network.inspect(&image, Some(1), names, false).unwrap().prediction.unwrap();
        let (digits, letters) = (predicted(&[]), predicted(&["R".into(), "S".into()]));
        assert_eq!((digits.what, digits.truth.as_deref()), ("digit", Some("1")));
        assert_eq!((letters.what, letters.truth.as_deref()), ("class", Some("S")));
        for ((digit, p), (letter, q)) in digits.ranked.iter().zip(&letters.ranked) {
            assert_eq!((if digit == "0" { "R" } else { "S" }, p), (&**letter, q));
        }
    }
}
