//! The order of images: whether they are sorted by class, and which classes a part lacks.

use super::classes::Classes;
use super::images::LabelledImages;
use crate::rng::{Streams, permutation};

/// Whether images are in the order of their classes, or nearly so: neighbours have the same class more
/// than half of the times that they would not have it in a random order.
pub fn is_sorted(labels: &[u8]) -> bool {
    let mut counts = [0.0_f64; 256];
    labels.iter().for_each(|&label| counts[usize::from(label)] += 1.0);
    let n = labels.len() as f64;
    // Two random images have different classes with probability 1 - sum p_k^2.
    let differ = 1.0 - counts.iter().map(|count| (count / n) * (count / n)).sum::<f64>();
    let changes = labels.windows(2).filter(|two| two[0] != two[1]).count() as f64;
    differ > 0.0 && changes < 0.5 * differ * (n - 1.0)
}

/// The images in a random order.
pub fn mixed(images: &LabelledImages, seed: u64) -> LabelledImages {
    let order = permutation(&mut Streams::new(seed).stream("mix", 0), images.len() as u32);
    let order = || order.iter().map(|&i| i as usize);
    LabelledImages {
        images: order().flat_map(|i| images.image(i)).copied().collect(),
        labels: order().map(|i| images.labels[i]).collect(),
        ..*images
    }
}

/// A sentence on the classes that are trained but not validated, if there are some.
pub fn missing_classes(
    train: &LabelledImages,
    validation: &LabelledImages,
    classes: &Classes,
) -> Option<String> {
    const NAMED: usize = 5;
    if validation.is_empty() {
        return None;
    }
    let has =
        |part: &LabelledImages, class: usize| part.labels.iter().any(|&label| usize::from(label) == class);
    let missing = (0..classes.names.len()).filter(|&class| has(train, class) && !has(validation, class));
    let missing: Vec<&str> = missing.map(|class| &*classes.names[class]).collect();
    let more = if missing.len() > NAMED { ", ..." } else { "" };
    (!missing.is_empty()).then(|| {
        format!(
            "the validation images lack {} of {} classes: {}{more}",
            missing.len(),
            classes.names.len(),
            missing[..missing.len().min(NAMED)].join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sorted_classes_are_noticed() {
        let sorted: Vec<u8> = (0..100).map(|i| i / 10).collect();
        let blocks: Vec<u8> = (0..100).map(|i| i / 5 * 3 % 10).collect();
        let random: Vec<u8> = (0..100_u32).map(|i| (i * i % 31 % 10) as u8).collect();
        let cyclic: Vec<u8> = (0..100).map(|i| i % 10).collect();
        assert_eq!(
            [&sorted, &blocks, &random, &cyclic].map(|labels| is_sorted(labels)),
            [true, true, false, false]
        );
        assert!(!is_sorted(&[]) && !is_sorted(&[1]) && !is_sorted(&[2, 2, 2]));
    }

    #[test]
    fn mixing_keeps_images_and_labels_together() {
        let images =
            LabelledImages { images: (0..40).collect(), labels: (0..20).collect(), rows: 1, cols: 2 };
        let mixed = mixed(&images, 3);
        assert_ne!(mixed.labels, images.labels);
        assert!((0..20).all(|i| mixed.image(i) == [2 * mixed.labels[i], 2 * mixed.labels[i] + 1]));
        let mut labels = mixed.labels.clone();
        labels.sort_unstable();
        assert_eq!(labels, images.labels);
        assert_ne!(super::mixed(&images, 4), mixed);
    }

    #[test]
    fn classes_without_validation_images_are_named() {
        let part =
            |labels: &[u8]| LabelledImages { images: labels.into(), labels: labels.into(), rows: 1, cols: 1 };
        let classes = Classes::digits();
        let missing = |validation: &[u8]| missing_classes(&part(&[0, 1, 2, 7]), &part(validation), &classes);
        assert_eq!(missing(&[1, 7, 9]).unwrap(), "the validation images lack 2 of 10 classes: 0, 2");
        assert_eq!((missing(&[0, 1, 2, 7]), missing(&[])), (None, None));
    }
}
