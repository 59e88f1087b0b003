//! A digit network in memory: its gradients, and a step to inspect.

use std::path::Path;

use anyhow::bail;
use m2g_core::inspect::Inspection;
use m2g_core::train::Model;
use m2g_core::{Grads, Params, Tensor, unit_interval};
use m2g_digits::training::{Description, Training};
use m2g_digits::{Network, images};

use crate::digits::reading;
use crate::inspect::input::Input;
use crate::models::kind::OpenModel;
use crate::terminal::lines::note;

/// A digit network and its description.
pub struct OpenNetwork {
    network: Network<f32>,
    description: Description,
}

impl OpenNetwork {
    /// The network that `m2g digits train` starts with.
    pub fn untrained() -> anyhow::Result<Self> {
        let (network, description) = m2g_digits::inspect::untrained()?;
        Ok(Self { network, description })
    }

    /// The network in a checkpoint of a run.
    pub fn load(run: &Path, file: &str) -> anyhow::Result<Self> {
        let (network, description) = Training::load_unchecked(run, file)?;
        Ok(Self { network, description })
    }

    /// The image, `(1, 784)`, and the class that it shows, if known.
    fn image(&self, input: &Input) -> anyhow::Result<(Tensor<f32>, Option<usize>)> {
        let (rows, cols) = self.description.image;
        let (pixels, class) = match &input.image {
            Some(file) => (reading::single_image(file)?.to_vec(), self.class(input)?),
            None => {
                let (test, reports) = images::load_test(&self.description, None, None)?;
                reports.iter().for_each(|report| note(report));
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
        Ok((x, class))
    }

    /// The class with the name that the user gave.
    fn class(&self, input: &Input) -> anyhow::Result<Option<usize>> {
        let Some(label) = &input.label else { return Ok(None) };
        let names = self.description.all_class_names();
        match names.iter().position(|name| name == label) {
            None => bail!("--label is {label}: the network knows {} to {}", names[0], names[names.len() - 1]),
            class => Ok(class),
        }
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
        let (image, class) = self.image(input)?;
        if input.backward && class.is_none() {
            bail!("--backward needs the class of the picture: give it with --label CLASS");
        }
        Ok(self.network.inspect(&image, class, &self.description.class_names, input.backward)?)
    }
}
