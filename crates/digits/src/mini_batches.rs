//! Mini-batches: the training images in a new order each epoch.

use m2g_core::data::mnist::LabelledImages;
use m2g_core::rng::{Streams, permutation};
use m2g_core::{Error, Float, Tensor, unit_interval};

use crate::distort::{Distort, Distorter};

/// The examples of one training step.
#[derive(Debug, Clone, PartialEq)]
pub struct MiniBatch<T: Float> {
    /// The images, one per row, `(B, pixels)`: 0 is paper, 1 is ink.
    pub x: Tensor<T>,
    /// The desired outputs, `(B, classes)`: 1 for the true class, otherwise 0.
    pub y: Tensor<T>,
}

/// Divides a training set into mini-batches, in a new random order for each epoch.
///
/// The mini-batch of a step depends only on the seed and the step, so that a resumed run
/// sees the same images as one that was never stopped.
#[derive(Debug)]
pub struct MiniBatches<'a, T: Float> {
    data: &'a LabelledImages,
    size: usize,
    shards: usize,
    streams: Streams,
    epoch: Option<u64>,
    order: Vec<u32>,
    batch: MiniBatch<T>,
    distorter: Option<Distorter>,
    /// The distorted images of the batch, `(B, pixels)`.
    distorted: Vec<f32>,
}

impl<'a, T: Float> MiniBatches<'a, T> {
    /// Mini-batches of `size` images; the last of an epoch may be smaller.
    ///
    /// # Errors
    /// [`Error::TooLittleData`] if there are fewer images than `size`; [`Error::Setting`] if `size` is 0, or a label is
    /// not one of the classes.
    pub fn new(data: &'a LabelledImages, size: usize, classes: usize, seed: u64) -> Result<Self, Error> {
        check_sizes(data.len(), size, 1)?;
        if let Some(label) = data.labels.iter().find(|&&label| usize::from(label) >= classes) {
            let rule = "the network has fewer classes: give the images that it was trained on";
            return Err(Error::Setting { name: "the class of an image", value: label.to_string(), rule });
        }
        let pixels = data.rows * data.cols;
        let batch = MiniBatch { x: Tensor::zeros(&[size, pixels]), y: Tensor::zeros(&[size, classes]) };
        let streams = Streams::new(seed);
        let (epoch, order, distorted) = (None, Vec::new(), Vec::new());
        Ok(Self { data, size, shards: 1, streams, epoch, order, batch, distorter: None, distorted })
    }

    /// Gives each step this number of mini-batches of equal size: its shards. Images that are left over at the
    /// end of an epoch, fewer than there are shards, wait for another epoch.
    ///
    /// # Errors
    /// [`Error::Setting`] if `shards` is 0; [`Error::TooLittleData`] if there are not enough images for a step.
    pub fn sharded(self, shards: usize) -> Result<Self, Error> {
        check_sizes(self.data.len(), self.size, shards)?;
        Ok(Self { shards, ..self })
    }

    /// Distorts every image, differently in every epoch.
    ///
    /// # Errors
    /// As [`Distorter::new`].
    pub fn distorted(mut self, distort: Distort) -> Result<Self, Error> {
        self.distorter = Distorter::new(distort, self.data.rows, self.data.cols)
            .map_err(|error| Error::Other(Box::new(error)))?;
        Ok(self)
    }

    /// The number of steps in an epoch.
    pub fn per_epoch(&self) -> u64 {
        steps_per_epoch(self.data.len(), self.size, self.shards)
    }

    /// The mini-batch of step `step`, counted from 0 over all epochs: with several shards, that of the first.
    pub fn get(&mut self, step: u64) -> &MiniBatch<T> {
        self.get_shard(step, 0)
    }

    /// The mini-batch of a shard of step `step`.
    pub fn get_shard(&mut self, step: u64, shard: usize) -> &MiniBatch<T> {
        let (epoch, batch) = (step / self.per_epoch(), (step % self.per_epoch()) as usize);
        if self.epoch != Some(epoch) {
            let mut rng = self.streams.stream("shuffle", epoch);
            self.order = permutation(&mut rng, self.data.len() as u32);
            self.epoch = Some(epoch);
        }
        let start = batch * self.size * self.shards;
        // Equally many images for each shard, fewer at the end of an epoch.
        let images = ((self.order.len() - start) / self.shards).min(self.size);
        let start = start + shard * images;
        let chosen = &self.order[start..start + images];
        let (pixels, classes) = (self.batch.x.shape()[1], self.batch.y.shape()[1]);
        if self.batch.x.shape()[0] != chosen.len() {
            self.batch.x = Tensor::zeros(&[chosen.len(), pixels]);
            self.batch.y = Tensor::zeros(&[chosen.len(), classes]);
        }
        let x = self.batch.x.data_mut();
        if let Some(distorter) = &self.distorter {
            let images: Vec<&[u8]> = chosen.iter().map(|&i| self.data.image(i as usize)).collect();
            self.distorted.resize(x.len(), 0.0);
            // A separate random stream for each image in each epoch.
            let (n, streams) = (self.data.len() as u64, self.streams);
            let stream = |row: usize| streams.stream("distort", epoch * n + u64::from(chosen[row]));
            distorter.apply_batch(&images, stream, &mut self.distorted);
            x.iter_mut().zip(&self.distorted).for_each(|(x, &d)| *x = T::of(f64::from(d)));
        } else {
            prefetch(chosen.iter().map(|&i| self.data.image(i as usize)));
            for (row, &i) in x.chunks_exact_mut(pixels).zip(chosen) {
                unit_interval(row, self.data.image(i as usize));
            }
        }
        let labels = chosen.iter().map(|&i| self.data.labels[i as usize]);
        one_hot(self.batch.y.data_mut(), classes, labels);
        &self.batch
    }
}

/// The number of steps in an epoch of `images` images, whose shards have up to `size` images.
pub(crate) fn steps_per_epoch(images: usize, size: usize, shards: usize) -> u64 {
    let step = size.max(1).saturating_mul(shards.max(1));
    (images / step + usize::from(images % step >= shards.max(1))) as u64
}

/// Loads images that are scattered in memory into the cache: reads one byte of every cache
/// line. The reads are independent, so the processor overlaps their waiting times.
fn prefetch<'a>(images: impl Iterator<Item = &'a [u8]>) {
    const BYTES_PER_CACHE_LINE: usize = 64;
    let mut read = 0;
    for image in images {
        for byte in image.iter().step_by(BYTES_PER_CACHE_LINE) {
            read ^= byte;
        }
    }
    std::hint::black_box(read);
}

/// Writes rows of zeros with a 1 at the label: the book's `vectorized_result`.
fn one_hot<T: Float>(y: &mut [T], classes: usize, labels: impl Iterator<Item = u8>) {
    y.fill(T::zero());
    for (row, label) in y.chunks_exact_mut(classes).zip(labels) {
        row[usize::from(label)] = T::one();
    }
}

fn counted(images: usize) -> String {
    if images == 1 { "1 image".into() } else { format!("{images} images") }
}

/// Checks that a step of `shards` mini-batches of `size` images fits into the training images.
///
/// # Errors
/// [`Error::Setting`] if `size` or `shards` is 0; [`Error::TooLittleData`] if there are not enough images.
pub(crate) fn check_sizes(images: usize, size: usize, shards: usize) -> Result<(), Error> {
    for (name, value) in [("batch_size", size), ("shards", shards)] {
        if value == 0 {
            return Err(Error::Setting { name, value: "0".into(), rule: "it must be at least 1" });
        }
    }
    if size > images {
        let why = format!(
            "the data has only {} to train on; use a smaller `batch_size` or more images",
            counted(images)
        );
        return Err(Error::TooLittleData { name: "batch_size", value: size, why });
    }
    let needed = size.saturating_mul(shards);
    if needed > images {
        let why = format!(
            "a step takes {} in batches of {size}, but the data has only {} to train on; use fewer `shards`, a smaller \
             `batch_size` or more images",
            counted(needed),
            counted(images)
        );
        return Err(Error::TooLittleData { name: "shards", value: shards, why });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn data() -> LabelledImages {
        let images = (0..14_u8).flat_map(|i| [i, 255]).collect();
        LabelledImages { images, labels: (0..14).map(|i| i % 10).collect(), rows: 1, cols: 2 }
    }

    fn first_pixels(batch: &MiniBatch<f64>) -> Vec<u64> {
        batch.x.data().chunks(2).map(|x| (x[0] * 255.0).round() as u64).collect()
    }

    #[test]
    fn an_epoch_holds_every_image_once_in_a_new_order() {
        let data = data();
        let mut batches = MiniBatches::<f64>::new(&data, 4, 10, 1).unwrap();
        assert_eq!(batches.per_epoch(), 4);
        let mut epochs = Vec::new();
        for epoch in 0..2 {
            let mut seen: Vec<u64> = (0..4).flat_map(|s| first_pixels(batches.get(epoch * 4 + s))).collect();
            epochs.push(seen.clone());
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..14));
        }
        assert_ne!(epochs[0], epochs[1]);
    }

    #[test]
    fn a_batch_depends_only_on_its_step() {
        let data = data();
        let mut there = MiniBatches::<f64>::new(&data, 4, 10, 1).unwrap();
        let mut back = MiniBatches::<f64>::new(&data, 4, 10, 1).unwrap();
        let forward: Vec<_> = (0..8).map(|s| there.get(s).clone()).collect();
        let mut backward: Vec<_> = (0..8).rev().map(|s| back.get(s).clone()).collect();
        backward.reverse();
        assert_eq!(forward, backward);
    }

    #[test]
    fn shards_of_a_step_have_equally_many_images_and_none_twice() {
        let data = data();
        for (size, shards, steps, seen_in_all) in [(2, 3, 2, 12), (3, 2, 3, 14), (7, 2, 1, 14), (4, 3, 1, 12)]
        {
            let mut batches = MiniBatches::<f64>::new(&data, size, 10, 1).unwrap().sharded(shards).unwrap();
            assert_eq!(batches.per_epoch(), steps);
            let mut seen = Vec::new();
            for step in 0..steps {
                let parts: Vec<Vec<u64>> =
                    (0..shards).map(|shard| first_pixels(batches.get_shard(step, shard))).collect();
                assert!(parts.iter().all(|part| part.len() == parts[0].len() && !part.is_empty()));
                seen.extend(parts.concat());
            }
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), seen_in_all);
        }
        let error = MiniBatches::<f64>::new(&data, 5, 10, 1).unwrap().sharded(3).unwrap_err().to_string();
        assert!(error.starts_with("shards is 3"), "{error}");
    }

    #[test]
    fn labels_are_one_hot() {
        let mut y = [9.0; 6];
        one_hot(&mut y, 3, [2, 0].into_iter());
        assert_eq!(y, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for size in [0, 15] {
            let error = MiniBatches::<f64>::new(&data(), size, 10, 1).unwrap_err().to_string();
            assert!(error.starts_with(&format!("batch_size is {size}: ")), "{error}");
            assert!(size == 0 || error.contains(&format!("has only {} images", data().len())), "{error}");
        }
    }

    #[test]
    fn images_of_a_class_that_the_network_does_not_know_are_refused() {
        let error = MiniBatches::<f64>::new(&data(), 4, 9, 1).unwrap_err().to_string();
        assert!(error.starts_with("the class of an image is 9: the network has fewer classes"), "{error}");
    }
}
