//! One recorded training step of a digit network.

use anyhow::bail;
use m2g_core::train::run_folder::LAST;
use m2g_core::train::{Model, Save};
use m2g_digits::training::Training;
use m2g_digits::{Backprop, Network, images};

use crate::models::kind::TracedStep;
use crate::models::run::{SavedRun, changed_data, load};

/// See [`ModelKind::trace_step`](crate::models::kind::ModelKind::trace_step).
pub fn trace_step(run: Option<&SavedRun>, warm_up: u64) -> anyhow::Result<TracedStep> {
    let trained = run.map(|run| load::<Network<f32>>(&run.path, LAST)).transpose()?;
    let config = trained.as_ref().map_or_else(Default::default, |(_, saved)| saved.config.clone());
    let data = match &trained {
        Some((_, saved)) => images::load_again(saved, config.data.as_deref())?,
        None => images::load(&config)?,
    };
    let source = config.data.as_ref().map_or("mnist".into(), |dir| dir.display().to_string());
    let mut training = Training::new(config, &data, Save::Nowhere)?;
    let mut notes = Vec::new();
    if let (Some(run), Some((network, saved))) = (run, trained) {
        let now = &training.description;
        // A run from before the number of classes followed the data has ten outputs.
        if saved.image != now.image || saved.classes < now.classes {
            bail!(
                "it classifies {}x{} images into {} classes, but the images in {source} have {}x{} pixels and {} \
                 classes: restore its data there",
                saved.image.0,
                saved.image.1,
                saved.classes,
                now.image.0,
                now.image.1,
                now.classes
            );
        }
        notes.extend(changed_data(&saved.data, &data.fingerprint));
        training.description.classes = saved.classes;
        training.model = network;
        training.state = run.state()?;
    }
    if training.description.config.backprop == Backprop::ByHand {
        notes.push("its gradient is computed by hand (--backprop by-hand), which records no ops".into());
    }
    Ok(TracedStep {
        batch: format!("{} images", training.description.config.batch_size),
        data: source,
        params: training.model.params().clone(),
        records: training.trace_step(warm_up)?,
        notes,
    })
}
