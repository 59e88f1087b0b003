//! The network: layers of neurons, each neuron connected to all neurons of the previous layer.

use std::ops::Range;
use std::slice;

use m2g_core::data::mnist::LabelledImages;
use m2g_core::nn::{Activation, Init, Linear};
use m2g_core::optim::Sgd;
use m2g_core::rng::Streams;
use m2g_core::train::{Model, Stepper, gradients_by_tape};
use m2g_core::{Error, Float, Grads, ParamId, Params, Precision, Tape, Tensor, Var, unit_interval};

use crate::backprop::{Nabla, backprop};
use crate::{Architecture, Backprop, Initialisation, MiniBatch, MiniBatches};

/// A network of fully connected layers.
#[derive(Debug, Clone)]
pub struct Network<T: Float> {
    architecture: Architecture,
    layers: Vec<Linear>,
    params: Params<T>,
}

impl<T: Float> Network<T> {
    /// The book's network with the given number of neurons in each layer: `[784, 30, 10]`.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are fewer than two layers, or one is empty.
    pub fn new(sizes: &[usize]) -> Result<Self, Error> {
        Self::build(Architecture::new(sizes))
    }

    /// Builds a network of the given architecture, with random weights.
    ///
    /// # Errors
    /// As [`Network::new`], and if dropout or bf16 is combined with backpropagation by hand.
    pub fn build(architecture: Architecture) -> Result<Self, Error> {
        let sizes = &architecture.sizes;
        if sizes.len() < 2 || sizes.contains(&0) {
            let rule = "a network needs at least two layers, none of them empty";
            return Err(Error::Setting { name: "sizes", value: format!("{sizes:?}"), rule });
        }
        if architecture.backprop == Backprop::ByHand {
            let rule = "it needs `backprop = \"tape\"`";
            if architecture.dropout > 0.0 {
                return Err(Error::Setting {
                    name: "dropout",
                    value: architecture.dropout.to_string(),
                    rule,
                });
            }
            if architecture.precision != Precision::F32 {
                let value = architecture.precision.name().into();
                return Err(Error::Setting { name: "precision", value, rule });
            }
        }
        let init = match (architecture.init, architecture.activation) {
            (Initialisation::Book, _) => Init::Normal(1.0),
            (Initialisation::Scaled, Activation::Relu | Activation::Gelu) => {
                Init::Scaled { gain: 2.0_f64.sqrt(), bias: 0.0 }
            }
            (Initialisation::Scaled, _) => Init::Scaled { gain: 1.0, bias: 1.0 },
        };
        let mut params = Params::new();
        let mut rng = Streams::new(architecture.seed).stream("init", 0);
        let layers = (1..sizes.len())
            .map(|l| {
                let shape = (sizes[l - 1], sizes[l]);
                Linear::new(&mut params, &format!("layer{l}"), shape, init, &mut rng)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { architecture, layers, params })
    }

    /// The architecture.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The weights `(N, K)` and biases `(N)` of each layer of N neurons with K inputs.
    pub fn layers(&self) -> impl Iterator<Item = (&Tensor<T>, &Tensor<T>)> {
        self.layers.iter().map(|l| (&self.params.get(l.weight).value, &self.params.get(bias(l)).value))
    }

    /// The ids of the weights and biases of each layer.
    pub fn layer_ids(&self) -> impl Iterator<Item = (ParamId, ParamId)> {
        self.layers.iter().map(|l| (l.weight, bias(l)))
    }

    /// The output of the network for each input: `(B, 784) -> (B, 10)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if an input does not have one value per input neuron.
    pub fn feedforward(&self, a: &Tensor<T>) -> Result<Tensor<T>, Error> {
        let mut tape = Tape::without_gradients();
        let a = self.feedforward_on(&mut tape, a)?;
        Ok(tape.value(a).clone())
    }

    /// [`Network::feedforward`] on the given tape, which records every op.
    ///
    /// # Errors
    /// As [`Network::feedforward`].
    pub fn feedforward_on(&self, tape: &mut Tape<T>, a: &Tensor<T>) -> Result<Var, Error> {
        let x = tape.input(a.clone());
        let x = tape.label(x, "x");
        let z = self.weighted_inputs(tape, x)?;
        let a = self.architecture.cost.output(tape, z)?;
        tape.trace.label(a, || format!("layer{}.a", self.layers.len()));
        Ok(a)
    }

    /// The weighted inputs `z` of the last layer: `(B, 784) -> (B, 10)`.
    fn weighted_inputs(&self, tape: &mut Tape<T>, x: Var) -> Result<Var, Error> {
        tape.set_precision(self.architecture.precision);
        let (last, hidden) = self.layers.split_last().expect("there is at least one layer");
        let mut a = x;
        for (l, layer) in (1..).zip(hidden) {
            let z = layer.forward(tape, &self.params, a)?; // (B, K) -> (B, N)
            tape.trace.label(z, || format!("layer{l}.z"));
            a = self.architecture.activation.forward(tape, z)?;
            tape.trace.label(a, || format!("layer{l}.a"));
            a = tape.dropout(a, self.architecture.dropout)?;
        }
        let z = last.forward(tape, &self.params, a)?;
        tape.trace.label(z, || format!("layer{}.z", self.layers.len()));
        Ok(z)
    }

    /// Trains by mini-batch stochastic gradient descent for `epochs` passes over the
    /// data, with learning rate `eta`. After each epoch, `report` receives the number of
    /// the epoch, counted from 0, and the number of images in `test_data` that the network
    /// classifies correctly.
    ///
    /// # Errors
    /// [`Error::Setting`] if `mini_batch_size` is 0 or above the number of images;
    /// [`Error::NotFinite`] if training diverges.
    pub fn sgd(
        &mut self,
        training_data: &LabelledImages,
        epochs: usize,
        mini_batch_size: usize,
        eta: f64,
        test_data: &LabelledImages,
        mut report: impl FnMut(usize, usize),
    ) -> Result<(), Error> {
        let classes = *self.architecture.sizes.last().expect("a network has layers");
        let mut batches = MiniBatches::new(training_data, mini_batch_size, classes, self.architecture.seed)?;
        let mut stepper = Stepper::default();
        let per_epoch = batches.per_epoch();
        let streams = Streams::new(self.architecture.seed);
        for epoch in 0..epochs {
            for step in epoch as u64 * per_epoch..(epoch as u64 + 1) * per_epoch {
                stepper.tape.set_dropout(Some(streams.dropout(step)));
                stepper.step(self, slice::from_ref(batches.get(step)), &mut Sgd::new(), eta, None, step)?;
            }
            report(epoch, self.evaluate(test_data)?);
        }
        Ok(())
    }

    /// One step of gradient descent: computes the gradient of the mean cost of the
    /// mini-batch, by the tape or by the four equations ([`Architecture::backprop`]), then updates
    /// `w := w - eta dC/dw` and `b := b - eta dC/db`. Returns the cost before the step.
    ///
    /// This is [`Stepper::step`], the training step that every model takes. It drops no neuron: which ones to drop
    /// depends on the number of the step, as in [`Network::sgd`].
    ///
    /// # Errors
    /// [`Error::Shape`] if the mini-batch does not fit the network; [`Error::NotFinite`] if the cost is NaN or
    /// infinite.
    pub fn update_mini_batch(&mut self, mini_batch: &MiniBatch<T>, eta: f64) -> Result<f64, Error> {
        let report =
            Stepper::default().step(self, slice::from_ref(mini_batch), &mut Sgd::new(), eta, None, 0)?;
        Ok(report.loss)
    }

    /// The gradient of the mean cost of a mini-batch, computed by hand: see
    /// [`crate::backprop`].
    ///
    /// # Errors
    /// [`Error::Shape`] if the mini-batch does not fit the network.
    #[track_caller]
    pub fn backprop(&self, mini_batch: &MiniBatch<T>) -> Result<Nabla<T>, Error> {
        self.backprop_into(mini_batch, &mut |shape| Tensor::zeros(shape))
    }

    /// [`Network::backprop`] with the gradients of the weights in tensors from `buffer`.
    #[track_caller]
    fn backprop_into(
        &self,
        mini_batch: &MiniBatch<T>,
        buffer: &mut dyn FnMut(&[usize]) -> Tensor<T>,
    ) -> Result<Nabla<T>, Error> {
        let sizes = &self.architecture.sizes;
        let (x, y) = (mini_batch.x.matrix(), mini_batch.y.matrix());
        let fits = Some(&x.ncols()) == sizes.first() && Some(&y.ncols()) == sizes.last();
        if !fits || x.nrows() != y.nrows() || x.nrows() == 0 {
            let shapes = vec![mini_batch.x.shape().to_vec(), mini_batch.y.shape().to_vec()];
            let why = format!("a network of sizes {sizes:?} takes (B, inputs) and (B, outputs)");
            return Err(Error::Shape { op: "backprop", shapes, why, at: std::panic::Location::caller() });
        }
        let layers: Vec<_> = self.layers().map(|(w, b)| (w.matrix(), b.matrix())).collect();
        let nabla_w = layers.iter().map(|(w, _)| buffer(w.shape()).into_matrix()).collect();
        Ok(backprop(&layers, self.architecture.activation, self.architecture.cost, x, y, nabla_w))
    }

    /// The number of images that the network classifies correctly, that is, for which the
    /// output neuron of the true digit has the largest weighted input, and so the highest activation.
    ///
    /// # Errors
    /// [`Error::Shape`] if the images do not have one pixel per input neuron.
    pub fn evaluate(&self, test_data: &LabelledImages) -> Result<usize, Error> {
        let mut tape = Tape::without_gradients();
        evaluation_batches(test_data.len()).map(|range| self.correct_in(&mut tape, test_data, range)).sum()
    }

    /// The number of these images that the network classifies correctly.
    pub(crate) fn correct_in(
        &self,
        tape: &mut Tape<T>,
        images: &LabelledImages,
        range: Range<usize>,
    ) -> Result<usize, Error> {
        let (_, answers) = self.answers_on(tape, images, range.clone())?;
        let answers = tape.value(answers).data().iter();
        let correct = answers.zip(&images.labels[range]).filter(|(said, label)| **said == T::of_u8(**label));
        let correct = correct.count();
        tape.reset();
        Ok(correct)
    }

    /// The outputs for B images, `(B, 10)`, and the class that the network answers for each image: that of the
    /// output neuron with the largest weighted input. Neurons that are saturated have the same activation, but
    /// not the same weighted input.
    ///
    /// # Errors
    /// [`Error::Shape`] if the images do not have one pixel per input neuron.
    pub fn read(&self, data: &LabelledImages) -> Result<(Tensor<T>, Vec<usize>), Error> {
        let classes = *self.architecture.sizes.last().expect("a network has layers");
        let mut outputs = Tensor::zeros(&[data.len(), classes]);
        let mut said = Vec::with_capacity(data.len());
        let mut tape = Tape::without_gradients();
        let rows = outputs.data_mut().chunks_mut(EVALUATION_BATCH_SIZE * classes);
        for (rows, range) in rows.zip(evaluation_batches(data.len())) {
            let (z, answers) = self.answers_on(&mut tape, data, range)?;
            let a = self.architecture.cost.output(&mut tape, z)?;
            rows.copy_from_slice(tape.value(a).data());
            said.extend(tape.value(answers).data().iter().map(|class| class.as_f64() as usize));
            tape.reset();
        }
        Ok((outputs, said))
    }

    /// Records the weighted inputs of the last layer, `(B, 10)`, and the class with the largest one, `(B)`, for the
    /// images in `range`.
    fn answers_on(
        &self,
        tape: &mut Tape<T>,
        images: &LabelledImages,
        range: Range<usize>,
    ) -> Result<(Var, Var), Error> {
        // Each row then has the same bits, however the images are cut into batches.
        tape.set_fixed_row_bits(images.len() > EVALUATION_BATCH_SIZE);
        let x = images_on(tape, images, range);
        let z = self.weighted_inputs(tape, x)?;
        Ok((z, tape.argmax(z)?))
    }
}

/// The biases of a layer: every layer of this network has them.
fn bias(layer: &Linear) -> ParamId {
    layer.bias.expect("Linear::new adds biases")
}

/// Images per forward pass of an evaluation.
pub(crate) const EVALUATION_BATCH_SIZE: usize = 1000;

/// The images of each forward pass of an evaluation of `n` images.
pub(crate) fn evaluation_batches(n: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n).step_by(EVALUATION_BATCH_SIZE).map(move |start| start..(start + EVALUATION_BATCH_SIZE).min(n))
}

/// Records the images in `range`, a row each, with pixels scaled to 0..=1.
fn images_on<T: Float>(tape: &mut Tape<T>, images: &LabelledImages, range: Range<usize>) -> Var {
    let pixels = images.rows * images.cols;
    tape.input_with(&[range.len(), pixels], |x| {
        let rows = x.chunks_exact_mut(pixels.max(1));
        rows.zip(range).for_each(|(x, i)| unit_interval(x, images.image(i)));
    })
}

impl<T: Float> Model<T> for Network<T> {
    type Batch = MiniBatch<T>;

    fn params(&self) -> &Params<T> {
        &self.params
    }

    fn params_mut(&mut self) -> &mut Params<T> {
        &mut self.params
    }

    fn loss(&self, tape: &mut Tape<T>, batch: &MiniBatch<T>) -> Result<Var, Error> {
        let x = tape.input(batch.x.clone()); // (B, 784)
        let y = tape.input(batch.y.clone()); // (B, 10)
        let (x, y) = (tape.label(x, "x"), tape.label(y, "y"));
        let z = self.weighted_inputs(tape, x)?; // (B, 784) -> (B, 10)
        let cost = self.architecture.cost.forward(tape, z, y)?;
        Ok(tape.label(cost, "cost"))
    }

    fn gradients(&self, tape: &mut Tape<T>, batch: &MiniBatch<T>, grads: &mut Grads<T>) -> Result<T, Error> {
        match self.architecture.backprop {
            Backprop::Tape => gradients_by_tape(self, tape, batch, grads),
            Backprop::ByHand => {
                let nabla = self.backprop_into(batch, &mut |shape| tape.buffer(shape))?;
                for ((layer, w), b) in self.layers.iter().zip(nabla.w).zip(nabla.b) {
                    grads.add(layer.weight, Tensor::from_array(w), tape);
                    grads.add(bias(layer), Tensor::from_array(b), tape);
                }
                Ok(nabla.cost)
            }
        }
    }
}
