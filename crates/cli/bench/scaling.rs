//! `--scaling`: how training steps scale with threads, with the batch, and with the length of texts.

use std::process::ExitCode;

use anyhow::bail;
use m2g_core::threads::MAX_THREADS;

use super::report::Run;
use super::rounds::{self, Contestant};
use super::scaled::{Point, Scaled, relate};
use super::table;
use super::workload::{Batch, Scaling, Workload};
use crate::output;
use crate::progress::Bar;

/// The request from the command line.
pub struct Request<'a> {
    /// What is varied.
    pub scaling: Scaling,
    /// The sizes; the default ones if empty.
    pub sizes: Vec<usize>,
    /// The workloads.
    pub workloads: &'a [&'static dyn Workload],
    /// Timed steps per process, if given.
    pub steps: Option<usize>,
    /// Whether to print JSON.
    pub json: bool,
}

/// What can be known of a request before anything is measured with these threads.
pub fn check(request: &Request<'_>, threads: usize) -> anyhow::Result<()> {
    let Request { scaling, sizes, workloads, .. } = request;
    let largest = sizes.iter().copied().max().unwrap_or(1);
    if *scaling == Scaling::BlockSize && sizes.iter().any(|size| !largest.is_multiple_of(*size)) {
        bail!(
            "{largest} tokens cannot be cut into texts of each of these block sizes: give divisors of {largest}"
        );
    }
    if *scaling == Scaling::Threads {
        let compare = "give the numbers of threads to compare, as in --sizes 1,2";
        match &sizes[..] {
            [] if threads == 1 => bail!("there is only one thread: {compare}"),
            [_, ..] if largest == 1 => bail!("--sizes has only 1: {compare}"),
            _ if largest > MAX_THREADS => {
                bail!("--sizes has {largest}: at most {MAX_THREADS} threads can run")
            }
            _ => {}
        }
    }
    if let Some(workload) = workloads.iter().find(|workload| workload.batch().is_none()) {
        bail!("--scaling is for training steps on texts, not for {}", workload.facts().name);
    }
    Ok(())
}

/// Measures the points of each workload of a request that was [checked](check) in rounds, each time in a new process.
pub fn measure(request: Request<'_>, run: &Run) -> anyhow::Result<ExitCode> {
    let Request { scaling, mut sizes, workloads, steps, json } = request;
    if sizes.is_empty() {
        sizes = scaling.sizes(run.limits.threads);
    }
    for workload in workloads {
        let facts = workload.facts();
        let Some(batch) = workload.batch() else { continue };
        let mut points = scaling.points(facts.steps, batch, &sizes, run.limits.threads);
        let mut everyone = Vec::new();
        for point in &mut points {
            point.steps = steps.unwrap_or(point.steps);
            let ours = Contestant::ours(*workload, point.steps, point.threads)?;
            everyone
                .push(ours.with_batch(Batch { batch_size: point.batch_size, block_size: point.block_size }));
        }
        let bar = Bar::new(0, (run.rounds * points.len()) as u64);
        let finished = rounds::measure(run.rounds, &mut everyone, false, |done, _, round| {
            let Point { threads, batch_size, block_size, .. } = points[done % points.len()];
            bar.set_step(done as u64);
            bar.message(format!(
                "{}: {batch_size} x {block_size} tokens, {threads} threads, round {round} of {}",
                facts.name, run.rounds
            ));
        });
        bar.finish();
        if !finished? {
            return Ok(rounds::stopped());
        }
        if let Some(why) = everyone.iter().find_map(|contestant| contestant.failed.as_ref()) {
            bail!("{} cannot be measured: {why}", facts.name);
        }
        points.iter_mut().zip(&everyone).for_each(|(point, contestant)| point.fill(&contestant.measurements));
        relate(&mut points);
        let (workload, precision) = (facts.name, facts.precision.name());
        let target = scaling.target(&points);
        let scaled = Scaled { scaling, workload, precision, points, target, run };
        match json {
            true => output::line(serde_json::to_string(&scaled)?)?,
            false => output::line(table::scaled(&scaled))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}
