//! Checks that any number of ranks trains to the same bits: for the tests of every model, as
//! [`gradcheck`](crate::gradcheck) is for its gradients.

use std::path::Path;

use serde_json::Value;

use super::run_folder::{self, BEST, LAST, Save};
use super::session::{Session, SessionModel};
use super::task::Metrics;
use crate::Error;
use crate::ranks::in_threads;

/// What a training leaves: the bits of both checkpoints, the evaluations without their times, and the test
/// metrics.
type Left = (Vec<Vec<u32>>, Vec<Value>, Metrics);

/// Trains with 1 to `most` ranks, which are threads, in folders in `dir`. Returns the first number of ranks
/// that leaves other bits than one rank, or whose ranks disagree about the test metrics; `None` if there is
/// none.
///
/// # Errors
/// The errors of the training.
pub fn first_difference<M: SessionModel>(
    config: &M::Config,
    data: &M::Data,
    dir: &Path,
    most: usize,
) -> Result<Option<usize>, Error>
where
    M::Config: Clone + Sync,
    M::Data: Sync,
{
    let mut first = None;
    for size in 1..=most {
        let run = dir.join(size.to_string());
        let outcomes = in_threads(size, |mut ranks| {
            let save = if ranks.rank() == 0 { Save::Replace(&run) } else { Save::Nowhere };
            let mut session = ranks.agree(Session::<M>::new(config.clone(), data, save))?;
            session.join(ranks, "check")?;
            session.run(&mut ())
        })?;
        for outcome in outcomes {
            let left = left_in::<M>(&run, outcome?.best_test)?;
            if *first.get_or_insert_with(|| left.clone()) != left {
                return Ok(Some(size));
            }
        }
    }
    Ok(None)
}

/// What a training has left in its folder, with the test metrics of one rank.
fn left_in<M: SessionModel>(run: &Path, test: Metrics) -> Result<Left, Error> {
    let bits = [BEST, LAST].map(|file| {
        let checkpoint = run_folder::load::<f32>(run, file, M::KIND)?;
        Ok(checkpoint.tensors.values().flat_map(|t| t.data()).map(|x| x.to_bits()).collect())
    });
    let bits = bits.into_iter().collect::<Result<_, Error>>()?;
    let mut metrics = run_folder::metrics(run)?;
    metrics.iter_mut().for_each(|line| line["seconds"] = Value::Null);
    Ok((bits, metrics, test))
}
