//! What the processes of a run check before they begin, and how all get the run to resume.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::run_folder::{self, BEST, CONFIG, LAST};
use super::session::{Session, SessionModel};
use crate::data::sha256;
use crate::ranks::Ranks;
use crate::{Error, Float, Params, instruction_set};

/// The number of bytes of a file that are sent at a time.
const CHUNK: u64 = 16 << 20;

/// The characters of a SHA-256 that identify a program or a set of parameters.
const DIGEST_CHARS: usize = 16;

impl<M: SessionModel> Session<'_, M> {
    /// Trains together with the other processes of `ranks`. Process 0 alone then writes to the folder of the
    /// run. `program` identifies the program that runs.
    ///
    /// # Errors
    /// [`Error::Ranks`] if the processes differ in program, instruction set, data, settings or parameters, or
    /// if there are more processes than shards; those of [`Session::load`].
    pub fn join(&mut self, mut ranks: Ranks, program: &str) -> Result<(), Error> {
        let facts = self.facts(program);
        let facts = ranks.agree(facts)?;
        ranks.check_equal(&facts)?;
        let (shards, size) = (self.options().shards, ranks.size());
        if shards < size {
            return Err(Error::Ranks(format!(
                "{size} processes cannot share the {shards} {} of a step: set shards to {size} or more, or start \
                 fewer processes",
                if shards == 1 { "shard" } else { "shards" }
            )));
        }
        let mut best = Ok(None);
        if let Some(folder) = &self.folder
            && self.state.best_step > 0
        {
            best = Self::load(folder.path(), BEST).map(|(best, _)| Some(best.params().clone()));
        }
        // The first process has read it only to name the file in the run if it is damaged.
        let best = ranks.agree(best)?;
        if ranks.rank() > 0 {
            (self.folder, self.best) = (None, best);
        }
        self.ranks = ranks;
        Ok(())
    }

    /// The processes that train this model.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// Waits until all processes have come here, so that none ends before the others are done.
    ///
    /// # Errors
    /// [`Error::Rank`] if another process has failed.
    pub fn leave(mut self) -> Result<(), Error> {
        self.ranks.agree(Ok(()))
    }

    /// What must be the same in all processes, each with its name.
    fn facts(&self, program: &str) -> Result<Vec<(String, String)>, Error> {
        let config =
            serde_json::to_value(M::config(&self.description)).map_err(|e| Error::Other(Box::new(e)))?;
        let mut facts = vec![
            ("program".into(), program.into()),
            ("instruction set".into(), instruction_set().into()),
            ("training data".into(), M::fingerprint(self.data).into()),
        ];
        let settings = config.as_object().into_iter().flatten();
        facts.extend(settings.map(|(name, value)| (format!("value of {name}"), value.to_string())));
        facts.push(("step".into(), self.state.step.to_string()));
        facts.push(("set of parameters".into(), digest(self.model.params())));
        Ok(facts)
    }
}

/// What identifies the program that runs: the start of the SHA-256 of its file.
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub fn this_program() -> Result<String, Error> {
    let path = std::env::current_exe().map_err(Error::io("find", "this program"))?;
    let digest = File::open(&path).and_then(sha256::of_bytes).map_err(Error::io("read", &path))?;
    Ok(digest[..DIGEST_CHARS].to_string())
}

/// A digest of all parameters.
fn digest<T: Float>(params: &Params<T>) -> String {
    let mut digest = Sha256::new();
    let mut bytes = Vec::new();
    for chunk in params.iter().flat_map(|param| param.value.data().chunks(1 << 16)) {
        bytes.clear();
        T::to_le_bytes(chunk, &mut bytes);
        digest.update(&bytes);
    }
    sha256::hex(&digest.finalize())[..DIGEST_CHARS].to_string()
}

/// Gives all other processes a copy of a run, in the folder `copy` of each. `run` is the folder of the run in
/// process 0.
///
/// # Errors
/// [`Error::Io`] if a file cannot be read or written.
pub fn copy_run(ranks: &mut Ranks, run: &Path, copy: &Path) -> Result<(), Error> {
    if ranks.rank() == 0 {
        ranks.agree(run_folder::check_is_run(run))?;
    } else {
        ranks.agree(std::fs::create_dir_all(copy).map_err(Error::io("create", copy)))?;
    }
    for name in [CONFIG, LAST, BEST] {
        let mut file = match ranks.rank() {
            0 => ranks.agree(File::open(run.join(name)).map_err(Error::io("read", run.join(name))))?,
            _ => ranks.agree(File::create(copy.join(name)).map_err(Error::io("create", copy.join(name))))?,
        };
        let mut written = Ok(());
        loop {
            let mut chunk = Vec::new();
            if ranks.rank() == 0 {
                let read = (&file).take(CHUNK).read_to_end(&mut chunk);
                written = read.map(drop).map_err(Error::io("read", run.join(name)));
            }
            let all = ranks.tell(written.map(|()| chunk))?;
            if all[0].is_empty() {
                break;
            }
            written = match ranks.rank() {
                0 => Ok(()),
                _ => file.write_all(&all[0]).map_err(Error::io("write", copy.join(name))),
            };
        }
    }
    Ok(())
}
