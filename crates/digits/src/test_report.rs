//! Measures a digit network on test images: accuracy, confusion matrix, mistakes.

use m2g_core::Error;
use m2g_core::data::mnist::LabelledImages;

use crate::Network;

/// An image that the network classified wrongly.
#[derive(Debug, Clone)]
pub struct Mistake {
    /// The index in the test file.
    pub index: usize,
    /// The correct label.
    pub label: usize,
    /// The network's answer.
    pub said: usize,
    /// The activation of the network's answer, 0 to 1.
    pub activity: f32,
}

/// The result on the test images.
#[derive(Debug, Clone)]
pub struct TestReport {
    /// The number of correct answers.
    pub correct: usize,
    /// The number of images.
    pub images: usize,
    /// The confusion matrix, `[label][said]`.
    pub confusion: Vec<Vec<usize>>,
    /// The mistakes, the most confident first.
    pub mistakes: Vec<Mistake>,
}

/// Measures the network on the test images.
///
/// # Errors
/// [`Error::Shape`] if the images do not fit the network; [`Error::NotFiniteResult`].
pub fn measure(network: &Network<f32>, test: &LabelledImages) -> Result<TestReport, Error> {
    let (outputs, answers) = network.read(test)?;
    // The largest of several NaN is no answer.
    if outputs.data().iter().any(|output| !output.is_finite()) {
        return Err(Error::NotFiniteResult("outputs"));
    }
    let outputs = outputs.matrix();
    let classes = outputs.ncols();
    let mut confusion = vec![vec![0; classes]; classes];
    let mut mistakes = Vec::new();
    for (index, (&said, &label)) in answers.iter().zip(&test.labels).enumerate() {
        let label = usize::from(label);
        confusion[label][said] += 1;
        if said != label {
            mistakes.push(Mistake { index, label, said, activity: outputs[[index, said]] });
        }
    }
    mistakes.sort_by(|a, b| b.activity.total_cmp(&a.activity));
    Ok(TestReport { correct: test.len() - mistakes.len(), images: test.len(), confusion, mistakes })
}
