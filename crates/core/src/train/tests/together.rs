//! Tests of a session in several ranks, which are threads here.

use crate::ranks::in_threads;

use super::*;

/// Runs `f` on each of `size` ranks. The results of rank 0 come first.
fn on_each<R: Send>(size: usize, f: impl Fn(Ranks) -> R + Sync) -> Vec<R> {
    in_threads(size, f).unwrap()
}

/// Asks to stop after this number of steps. The ranks learn of it in the step after.
struct AskToStop(u64);

impl Observer for AskToStop {
    fn step(&mut self, _: &Progress) {
        self.0 = self.0.saturating_sub(1);
    }
    fn stop(&mut self) -> bool {
        self.0 == 0
    }
}

/// Where a rank saves a new run.
fn save<'a>(ranks: &Ranks, run: &'a Path) -> Save<'a> {
    if ranks.rank() == 0 { Save::New(run) } else { Save::Nowhere }
}

/// Trains in `size` ranks, and stops after the given number of steps.
fn train(size: usize, config: &Config, run: &Path, steps: u64) -> Outcome {
    let data = points();
    let mut outcomes = on_each(size, |mut ranks| {
        let session = Training::new(config.clone(), &data, save(&ranks, run));
        let mut session = ranks.agree(session).unwrap();
        session.join(ranks, "test").unwrap();
        let outcome = session.run(&mut AskToStop(steps)).unwrap();
        (outcome, session.model.bits())
    });
    assert!(outcomes.iter().all(|(_, bits)| *bits == outcomes[0].1), "all ranks have the best parameters");
    outcomes.swap_remove(0).0
}

/// Resumes a run in `size` ranks, and stops after the given number of steps.
fn resume(size: usize, run: &Path, steps: u64) -> Outcome {
    let data = points();
    let mut outcomes = on_each(size, |mut ranks| {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("run");
        let lock = (ranks.rank() == 0).then(|| RunLock::take(run).unwrap());
        copy_run(&mut ranks, run, &copy).unwrap();
        let lock = lock.unwrap_or_else(|| RunLock::take(&copy).unwrap());
        let description = Training::describe(lock.path()).unwrap();
        let mut session = Training::resume_locked(lock, &data, description).unwrap();
        session.join(ranks, "test").unwrap();
        let outcome = session.run(&mut AskToStop(steps)).unwrap();
        (outcome, session.model.bits())
    });
    assert!(outcomes.iter().all(|(_, bits)| *bits == outcomes[0].1), "all ranks have the best parameters");
    outcomes.swap_remove(0).0
}

/// The bits of both checkpoints, and the metrics without the seconds.
fn saved(run: &Path) -> (Vec<u32>, Vec<u32>, Vec<Value>) {
    let bits = |file| Training::load(run, file).unwrap().0.bits();
    let mut metrics = metrics(run).unwrap();
    metrics.iter_mut().for_each(|line| line["seconds"] = Value::Null);
    (bits(BEST), bits(LAST), metrics)
}

#[test]
fn any_number_of_ranks_trains_to_the_same_bits() {
    for (shards, passes) in [(2, 1), (4, 1), (5, 1), (3, 2), (7, 3)] {
        let config = Config { shards, passes, steps: 23, ..config() };
        let dir = tempfile::tempdir().unwrap();
        let alone = dir.path().join("alone");
        Training::new(config.clone(), &points(), Save::New(&alone)).unwrap().run(&mut ()).unwrap();
        for size in 1..=shards.min(4) {
            let run = dir.path().join(size.to_string());
            let outcome = train(size, &config, &run, u64::MAX);
            assert_eq!((outcome.ended, outcome.steps), (Ended::Finished, 23));
            assert!(saved(&run) == saved(&alone), "{shards} shards of {passes} passes, {size} ranks");
        }
    }
}

#[test]
fn a_run_resumes_with_another_number_of_ranks_to_the_same_bits() {
    let config = Config { shards: 4, passes: 1, ..config() };
    let dir = tempfile::tempdir().unwrap();
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let outcome = train(1, &config, &whole, u64::MAX);
    assert_eq!(train(2, &config, &parts, 38).ended, Ended::Stopped);
    let stopped_at = |run: &Path| Training::describe(run).map(|_| metrics(run).unwrap().len()).unwrap();
    assert_eq!(stopped_at(&parts), 7);
    assert_eq!(resume(3, &parts, 20).ended, Ended::Stopped);
    assert_eq!(resume(1, &parts, 20).ended, Ended::Stopped);
    let resumed = resume(4, &parts, u64::MAX);
    assert_eq!((resumed.ended, resumed.best_step), (Ended::Finished, outcome.best_step));
    assert_eq!(resumed.best_test("slope"), outcome.best_test("slope"));
    assert!(saved(&whole) == saved(&parts));
}

#[test]
fn ranks_that_differ_are_refused_by_name() {
    let data = points();
    let refused = |change: fn(&mut Config), program: fn(usize) -> &'static str, fingerprint: &str| {
        let other = Points { slope: 3.0, fingerprint: fingerprint.into() };
        let errors = on_each(2, |ranks| {
            let mut config = Config { shards: 2, ..config() };
            let data = if ranks.rank() == 1 { &other } else { &data };
            if ranks.rank() == 1 {
                change(&mut config);
            }
            let program = program(ranks.rank());
            let mut session = Training::new(config, data, Save::Nowhere).unwrap();
            session.join(ranks, program).unwrap_err().to_string()
        });
        assert_eq!(errors[0], errors[1]);
        errors[0].clone()
    };
    let same = |_| "m2g";
    for (error, name) in [
        (refused(|config| config.momentum = 0.25, same, "points"), "another value of momentum"),
        (refused(|config| config.seed = 4, same, "points"), "another value of seed"),
        (refused(|_| (), same, "other points"), "another training data"),
        (refused(|_| (), |rank| ["one", "two"][rank], "points"), "two instead of one"),
    ] {
        assert!(error.starts_with("process 1 on this machine has another"), "{error}");
        assert!(error.contains(name), "{error}");
    }
    let errors = on_each(3, |ranks| {
        let config = Config { shards: 2, ..config() };
        let mut session = Training::new(config, &data, Save::Nowhere).unwrap();
        session.join(ranks, "test").unwrap_err().to_string()
    });
    assert!(
        errors.iter().all(|error| error.starts_with("3 processes cannot share the 2 shards")),
        "{errors:?}"
    );
}

#[test]
fn ranks_end_together_when_one_fails() {
    let data = points();
    // A checkpoint that cannot be written; a loss that is not finite; a rank that is gone.
    for fault in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let steep = Points { slope: f32::NAN, fingerprint: "points".into() };
        let ends = on_each(3, |mut ranks| {
            let rank = ranks.rank();
            let config = Config { shards: 3, steps: 4000, ..config() };
            let data = if (fault, rank) == (1, 1) { &steep } else { &data };
            let session = Training::new(config, data, save(&ranks, &run));
            let mut session = ranks.agree(session).unwrap();
            session.join(ranks, "test").unwrap();
            if (fault, rank) == (0, 0) {
                std::fs::remove_dir_all(&run).unwrap();
            }
            if (fault, rank) == (2, 1) {
                return String::new();
            }
            session.run(&mut ()).unwrap_err().to_string()
        });
        match fault {
            0 => {
                assert!(
                    ends[0].contains("cannot") && ends[1] == format!("process 0: {}", ends[0]),
                    "{ends:?}"
                );
                assert_eq!(ends[1], ends[2]);
            }
            1 => {
                assert!(ends[1].contains("not finite in the first step"), "{ends:?}");
                assert!(ends[0] == format!("process 1: {}", ends[1]) && ends[2] == ends[0], "{ends:?}");
            }
            // Whoever notices first names the process that is gone; the other may see only the one that noticed.
            _ => {
                let left = [&ends[0], &ends[2]];
                assert!(left.iter().all(|end| end.contains("ended before the others")), "{ends:?}");
                assert!(left.iter().any(|end| end.starts_with("process 1:")), "{ends:?}");
            }
        }
    }
}

#[test]
fn ranks_end_together_when_the_best_parameters_of_one_are_damaged() {
    let (dir, data) = (tempfile::tempdir().unwrap(), points());
    let run = dir.path().join("run");
    train(1, &Config { shards: 2, ..config() }, &run, 38);
    let ends = on_each(2, |mut ranks| {
        let copy = dir.path().join("copy");
        let lock = (ranks.rank() == 0).then(|| RunLock::take(&run).unwrap());
        copy_run(&mut ranks, &run, &copy).unwrap();
        if ranks.rank() == 1 {
            std::fs::write(copy.join(BEST), "damaged").unwrap();
        }
        let lock = lock.unwrap_or_else(|| RunLock::take(&copy).unwrap());
        let description = Training::describe(lock.path()).unwrap();
        let mut session = Training::resume_locked(lock, &data, description).unwrap();
        session.join(ranks, "test").unwrap_err().to_string()
    });
    assert!(ends[1].contains(BEST), "{ends:?}");
    assert_eq!(ends[0], format!("process 1: {}", ends[1]));
}

#[test]
fn all_ranks_stop_when_one_is_asked_to() {
    let data = points();
    let outcomes = on_each(2, |ranks| {
        let mut session = Training::new(Config { shards: 2, ..config() }, &data, Save::Nowhere).unwrap();
        let rank = ranks.rank();
        session.join(ranks, "test").unwrap();
        session.run(&mut AskToStop(if rank == 1 { 20 } else { u64::MAX })).unwrap()
    });
    assert!(outcomes.iter().all(|outcome| (outcome.ended, outcome.steps) == (Ended::Stopped, 21)));
}
