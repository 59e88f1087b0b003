//! What all processes must know of each: failures, results, facts.

use std::fmt::Display;

use super::handle::Ranks;
use crate::{Error, Float};

/// The first byte of a message.
const GOOD: u8 = 0;
const STOPPED: u8 = 1;
const FAILED: u8 = 2;

/// A result, or why there is none, as bytes.
fn message<E: Display>(result: Result<Vec<u8>, &E>, stopped: bool) -> Vec<u8> {
    match result {
        Ok(bytes) => [vec![GOOD], bytes].concat(),
        Err(_) if stopped => vec![STOPPED],
        Err(error) => [vec![FAILED], error.to_string().into_bytes()].concat(),
    }
}

impl<T: Float> Ranks<T> {
    /// Tells all processes whether each has succeeded, so that they go on or end together. A process that has
    /// failed gets its own error back, the others that of the first one.
    ///
    /// # Errors
    /// [`Error::Rank`] if another process has failed.
    pub fn agree<V, E: Display + From<Error>>(&mut self, result: Result<V, E>) -> Result<V, E> {
        if self.is_alone() {
            return result;
        }
        let all = self.gather(message(result.as_ref().map(|_| Vec::new()), false))?;
        let value = result?;
        self.read(all)?;
        Ok(value)
    }

    /// Gives all processes a result of each. If one has failed, all do: a process that has failed gets its
    /// own error back.
    ///
    /// # Errors
    /// [`Error::Stopped`] if a process was stopped; [`Error::Rank`] if another has failed.
    pub fn tell(&mut self, mine: Result<Vec<u8>, Error>) -> Result<Vec<Vec<u8>>, Error> {
        if self.is_alone() {
            return Ok(vec![mine?]);
        }
        let stopped = matches!(mine, Err(Error::Stopped));
        let all = self.gather(message(mine.as_ref().map(Clone::clone), stopped))?;
        mine?;
        self.read(all)
    }

    /// The results of all processes, or the error of the first that has none.
    fn read(&self, all: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Error> {
        let read = |(rank, mut bytes): (usize, Vec<u8>)| match bytes.first() {
            Some(&GOOD) => Ok(bytes.split_off(1)),
            Some(&STOPPED) => Err(Error::Stopped),
            _ => {
                let why = String::from_utf8_lossy(bytes.get(1..).unwrap_or_default()).into_owned();
                Err(Error::Rank { rank, why })
            }
        };
        all.into_iter().enumerate().map(read).collect()
    }

    /// Computes `f(0)`, ..., `f(n - 1)`, each in one of the processes, and gives all processes all results in
    /// this order: sums over them have the same bits for any number of processes.
    ///
    /// # Errors
    /// The first error of `f`: every process returns it, see [`Ranks::tell`].
    pub fn map<const K: usize>(
        &mut self,
        n: usize,
        mut f: impl FnMut(usize) -> Result<[f64; K], Error>,
    ) -> Result<Vec<[f64; K]>, Error> {
        if self.is_alone() {
            return (0..n).map(f).collect();
        }
        let (rank, size) = (self.rank(), self.size());
        let mine = (rank..n).step_by(size).map(|i| {
            let values = f(i)?;
            Ok(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
        });
        let mine: Result<Vec<Vec<u8>>, Error> = mine.collect();
        let all = self.tell(mine.map(|values| values.concat()))?;
        let value = |i: usize| {
            let bytes = all[i % size].chunks_exact(8 * K).nth(i / size)?;
            let mut values = bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
            Some(std::array::from_fn(|_| values.next().unwrap_or(f64::NAN)))
        };
        (0..n).map(|i| value(i).ok_or_else(|| self.short_answer(i % size))).collect()
    }

    /// As [`Ranks::map`], for texts; each process gets its indices at once.
    ///
    /// # Errors
    /// As [`Ranks::map`].
    pub fn map_texts(
        &mut self,
        n: usize,
        f: impl FnOnce(&[usize]) -> Result<Vec<String>, Error>,
    ) -> Result<Vec<String>, Error> {
        let size = self.size();
        let indices: Vec<usize> = (self.rank()..n).step_by(size).collect();
        let mine = f(&indices);
        if self.is_alone() {
            return mine;
        }
        let json = |texts| serde_json::to_vec(&texts).map_err(|e| Error::Other(Box::new(e)));
        let all = self.tell(mine.and_then(json))?;
        let mut lists = Vec::new();
        for (rank, bytes) in all.iter().enumerate() {
            let texts: Vec<String> = serde_json::from_slice(bytes).map_err(|_| self.short_answer(rank))?;
            lists.push(texts.into_iter());
        }
        (0..n).map(|i| lists[i % size].next().ok_or_else(|| self.short_answer(i % size))).collect()
    }

    fn short_answer(&self, rank: usize) -> Error {
        Error::Rank { rank, why: "it has sent fewer results than expected".into() }
    }

    /// Checks that all processes agree on these facts: names, and values that must be equal.
    ///
    /// # Errors
    /// [`Error::Ranks`] names the first fact that differs, and the process.
    pub fn check_equal(&mut self, facts: &[(String, String)]) -> Result<(), Error> {
        let json = serde_json::to_vec(facts).map_err(|e| Error::Other(Box::new(e)))?;
        let all = self.tell(Ok(json))?;
        let read =
            |bytes: &Vec<u8>| serde_json::from_slice::<Vec<(String, String)>>(bytes).unwrap_or_default();
        let all: Vec<_> = all.iter().map(read).collect();
        for (rank, theirs) in all.iter().enumerate().skip(1) {
            let pairs = all[0].iter().zip(theirs);
            let differing = pairs.into_iter().find(|(first, other)| first != other);
            if let Some(((name, first), (_, other))) = differing {
                return Err(Error::Ranks(format!(
                    "{} has another {name} than {}: {other} instead of {first}; all processes need the same",
                    self.name(rank),
                    self.name(0),
                )));
            }
        }
        Ok(())
    }
}
