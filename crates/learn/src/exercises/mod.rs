//! One file per exercise: its cases, the right answer by the core, and typical mistakes, written as a
//! learner would write them.

mod backprop;
mod batch;
mod bigram;
mod bleu;
mod block;
mod bp1;
mod bp2;
mod bp3;
mod bp4;
mod characters;
mod cost;
mod cross_attention;
mod cross_entropy;
mod cross_entropy_gradient;
pub(crate) mod digit_network;
mod embedding;
mod gradient_check;
mod head;
mod head_backward;
mod kv_cache;
mod layer;
mod layer_norm;
mod mask;
mod masked_softmax;
mod merges;
mod multi_head;
mod neuron;
mod positions;
mod qkv;
mod sampling;
mod scores;
mod sigmoid;
mod softmax;
mod tape;
mod update_mini_batch;

use m2g_core::error::nearest;

use crate::error::LearnError;
use crate::exercise::Exercise;

/// All exercises, in the order of the course.
pub static ALL: [&Exercise; 34] = [
    &neuron::EXERCISE,
    &sigmoid::EXERCISE,
    &layer::EXERCISE,
    &batch::EXERCISE,
    &cost::EXERCISE,
    &bp1::EXERCISE,
    &bp2::EXERCISE,
    &bp3::EXERCISE,
    &bp4::EXERCISE,
    &backprop::EXERCISE,
    &update_mini_batch::EXERCISE,
    &softmax::EXERCISE,
    &cross_entropy::EXERCISE,
    &cross_entropy_gradient::EXERCISE,
    &gradient_check::EXERCISE,
    &tape::EXERCISE,
    &characters::EXERCISE,
    &bigram::EXERCISE,
    &embedding::EXERCISE,
    &positions::EXERCISE,
    &qkv::EXERCISE,
    &scores::EXERCISE,
    &mask::EXERCISE,
    &masked_softmax::EXERCISE,
    &head::EXERCISE,
    &head_backward::EXERCISE,
    &multi_head::EXERCISE,
    &layer_norm::EXERCISE,
    &block::EXERCISE,
    &sampling::EXERCISE,
    &kv_cache::EXERCISE,
    &merges::EXERCISE,
    &cross_attention::EXERCISE,
    &bleu::EXERCISE,
];

/// The exercise that someone means: a name, a number of the course, or the name of a program.
///
/// # Errors
/// [`LearnError::Unknown`].
pub fn named(name: &str) -> Result<&'static Exercise, LearnError> {
    let number = name.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let wanted = name.replace('-', "_").to_lowercase();
    let known = |exercise: &&Exercise| wanted == exercise.name || wanted == exercise.sources.program;
    if let Some(exercise) = ALL.into_iter().find(known).or_else(|| ALL.get(number?).copied()) {
        return Ok(exercise);
    }
    let names = || ALL.iter().map(|exercise| exercise.name);
    let mut similar: Vec<_> = names().filter(|known| wanted.len() > 1 && known.contains(&wanted)).collect();
    if similar.is_empty() {
        similar.extend(nearest(&wanted, names()));
    }
    Err(LearnError::Unknown { name: name.into(), similar })
}
