//! Tests of checkpoints that a run cannot be resumed from.

use std::fs;

use crate::checkpoint::Checkpoint;
use crate::train::run_folder::METRICS;

use super::*;

#[test]
fn a_resume_that_is_refused_changes_nothing() {
    let (dir, data) = (tempfile::tempdir().unwrap(), points());
    let run = dir.path().join("run");
    Training::new(config(), &data, Save::New(&run)).unwrap().run(&mut StopAfter(38)).unwrap();
    let (last, metrics) = (run.join(LAST), run.join(METRICS));
    let (whole, logged) = (fs::read(&last).unwrap(), fs::read(&metrics).unwrap());
    let with_later_line = [&logged[..], b"{\"step\":39}\n"].concat();
    fs::write(&metrics, &with_later_line).unwrap();
    let resume = || Training::resume(&run, &data, Training::describe(&run).unwrap()).map(drop);
    let refused = |why: &str| {
        let error = resume().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert_eq!(fs::read(&metrics).unwrap(), with_later_line, "{why}");
    };

    // It has no tensors of the optimiser.
    fs::copy(run.join(BEST), &last).unwrap();
    refused("it has no tensor called optimizer.velocity.");
    let change = |change: &dyn Fn(&mut Checkpoint<f32>)| {
        fs::write(&last, &whole).unwrap();
        let mut checkpoint = Checkpoint::load(&last).unwrap();
        change(&mut checkpoint);
        checkpoint.save(&last).unwrap();
    };
    change(&|checkpoint| checkpoint.metadata["state"]["best_step"] = 39.into());
    refused("its state is not one that training leaves");
    change(&|checkpoint| {
        checkpoint.tensors.insert("optimizer.other".into(), Tensor::zeros(&[1]));
    });
    refused("its optimizer sgd has no tensor called optimizer.other");

    fs::write(&last, &whole).unwrap();
    resume().unwrap();
    assert_eq!(fs::read(&metrics).unwrap(), logged, "the later line is gone");
}
