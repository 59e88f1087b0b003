//! Rows of token ids from a file: their loss and their logits.

use std::path::{Path, PathBuf};

use m2g_core::Tokens;
use m2g_core::{Error, Float, Tape};
use serde_json::Value;

use crate::gpt2::tensor_file;
use crate::{Gpt, GptConfig, TokenBatch};

/// The number of logits in memory at a time: 256 MB of `f32`.
const MAX_LOGITS: usize = 1 << 26;

/// Why a file of token ids cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be used: {why}", path.display())]
pub struct TokenRowsError {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub why: String,
}

/// B rows of T + 1 token ids: a model reads all tokens of a row except the last, and
/// predicts all except the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRows {
    ids: Vec<u32>,
    /// B.
    rows: usize,
    /// T.
    t: usize,
}

impl TokenRows {
    /// Reads `{"tokens": [[...], ...]}`; other keys are ignored.
    ///
    /// # Errors
    /// [`Error::Io`]; [`TokenRowsError`] in an [`Error::Other`] if there are no rows, they
    /// differ in length, do not fit into the model's window, or hold unknown tokens.
    pub fn read(path: &Path, config: &GptConfig) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        Self::parse(&bytes, config)
            .map_err(|why| Error::Other(Box::new(TokenRowsError { path: path.to_path_buf(), why })))
    }

    fn parse(bytes: &[u8], config: &GptConfig) -> Result<Self, String> {
        const FORM: &str = "it must hold {\"tokens\": [[...], ...]}";
        let json: Value = serde_json::from_slice(bytes).map_err(|e| format!("it is not JSON ({e})"))?;
        let rows = json["tokens"].as_array().ok_or(FORM)?;
        let rows: Vec<&Vec<Value>> =
            rows.iter().map(|row| row.as_array().ok_or(FORM)).collect::<Result<_, _>>()?;
        let width = rows.first().ok_or("there are no rows in it")?.len();
        if let Some(i) = rows.iter().position(|row| row.len() != width) {
            let other = rows[i].len();
            return Err(format!(
                "rows must have one length, and row 1 has {width} ids, row {} {other}",
                i + 1
            ));
        }
        if width < 2 {
            return Err("a row must have at least 2 ids: one to read and one to predict".into());
        }
        if width - 1 > config.block_size {
            let most = config.block_size + 1;
            return Err(format!("its rows have {width} ids, and this model's window holds at most {most}"));
        }
        let mut ids = Vec::with_capacity(rows.len() * width);
        for (i, row) in rows.iter().enumerate() {
            for (j, id) in row.iter().enumerate() {
                let known = id.as_u64().filter(|id| *id < config.vocab_size as u64);
                let last = config.vocab_size - 1;
                ids.push(known.ok_or_else(|| {
                    format!("id {} of row {} is {id}, and this model has the ids 0 to {last}", j + 1, i + 1)
                })? as u32);
            }
        }
        Ok(Self { ids, rows: rows.len(), t: width - 1 })
    }

    /// `(B, T)`.
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.t]
    }

    /// The mean loss in nats per token.
    ///
    /// # Errors
    /// If the rows do not fit the model.
    pub fn loss(&self, gpt: &Gpt<f32>) -> Result<f64, Error> {
        self.evaluate(gpt, |_| Ok(()))
    }

    /// The mean loss. Writes the logits into a safetensors file, as one tensor `logits` of
    /// shape `(B, T, V)`.
    ///
    /// # Errors
    /// If the rows do not fit the model; [`Error::Io`] if the file cannot be written.
    pub fn loss_and_logits(&self, gpt: &Gpt<f32>, path: &Path) -> Result<f64, Error> {
        let mut loss = 0.0;
        let shape = vec![self.rows, self.t, gpt.config().vocab_size];
        tensor_file::write(path, &[("logits".to_string(), shape)], |_, file| {
            let mut bytes = Vec::new();
            loss = self.evaluate(gpt, |logits| {
                bytes.clear();
                Float::to_le_bytes(logits, &mut bytes);
                file.write_all(&bytes).map_err(Error::io("write", path))
            })?;
            Ok(())
        })?;
        Ok(loss)
    }

    /// Runs the model over a few rows at a time and passes the logits on, in order.
    fn evaluate(
        &self,
        gpt: &Gpt<f32>,
        mut logits: impl FnMut(&[f32]) -> Result<(), Error>,
    ) -> Result<f64, Error> {
        let mut tape = Tape::new();
        tape.set_gradients(false);
        let rows_per_batch = (MAX_LOGITS / (self.t * gpt.config().vocab_size)).clamp(1, self.rows);
        let mut sum = 0.0;
        for rows in self.ids.chunks(rows_per_batch * (self.t + 1)) {
            let batch = self.batch(rows)?;
            let z = gpt.forward(&mut tape, &batch.x)?; // (B, T) -> (B, T, V)
            logits(tape.value(z).data())?;
            let loss = tape.cross_entropy(z, &batch.y)?;
            sum += tape.read_loss(loss).as_f64() * batch.x.shape[0] as f64;
            tape.reset();
        }
        Ok(sum / self.rows as f64)
    }

    /// The inputs and the targets.
    fn batch(&self, rows: &[u32]) -> Result<TokenBatch, Error> {
        let tokens = |from: usize| {
            let row = |row: &[u32]| row[from..from + self.t].to_vec();
            let ids: Vec<u32> = rows.chunks_exact(self.t + 1).flat_map(row).collect();
            Tokens::new([rows.len() / (self.t + 1), self.t], ids)
        };
        Ok(TokenBatch { x: tokens(0)?, y: tokens(1)? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Config;

    fn config() -> GptConfig {
        GptConfig {
            block_size: 3,
            n_layer: 1,
            n_head: 1,
            n_embd: 4,
            dropout: 0.5,
            bias: true,
            ..Config::default().model(7)
        }
    }

    fn error(text: &str) -> String {
        TokenRows::parse(text.as_bytes(), &config()).unwrap_err()
    }

    #[test]
    fn bad_rows_are_refused_in_a_sentence() {
        assert!(error("{\"tokens\": [[1, 2").starts_with("it is not JSON (EOF"));
        for other in ["{}", "[]", "{\"tokens\": 3}", "{\"tokens\": [1, 2]}"] {
            assert_eq!(error(other), "it must hold {\"tokens\": [[...], ...]}", "{other}");
        }
        assert_eq!(error("{\"tokens\": []}"), "there are no rows in it");
        assert!(error("{\"tokens\": [[1]]}").contains("at least 2 ids"));
        assert_eq!(
            error("{\"tokens\": [[1, 2, 3], [1, 2]]}"),
            "rows must have one length, and row 1 has 3 ids, row 2 2"
        );
        assert!(
            error("{\"tokens\": [[1, 2, 3, 4, 5]]}")
                .contains("have 5 ids, and this model's window holds at most 4")
        );
        for bad in ["7", "-1", "1.5", "\"a\"", "null", "4294967296"] {
            let found = error(&format!("{{\"tokens\": [[1, 2], [3, {bad}]]}}"));
            assert_eq!(found, format!("id 2 of row 2 is {bad}, and this model has the ids 0 to 6"));
        }
    }

    #[test]
    fn inputs_lack_the_last_token_and_targets_the_first() {
        let rows =
            TokenRows::parse(b"{\"tokens\": [[1, 2, 3, 4], [5, 6, 0, 1]], \"x\": 0}", &config()).unwrap();
        assert_eq!(rows.shape(), [2, 3]);
        let batch = rows.batch(&rows.ids).unwrap();
        assert_eq!(batch.x, Tokens::new([2, 3], vec![1, 2, 3, 5, 6, 0]).unwrap());
        assert_eq!(batch.y, Tokens::new([2, 3], vec![2, 3, 4, 6, 0, 1]).unwrap());
        // The loss has no dropout, and starts where that of a training run does.
        let gpt = Gpt::<f32>::new(config(), 1).unwrap();
        let loss = rows.loss(&gpt).unwrap();
        assert!((loss - 7.0_f64.ln()).abs() < 0.05, "{loss}");
        assert_eq!(loss, rows.loss(&gpt).unwrap());
    }
}
