//! The loss and the logits of rows of token ids from a file.

use std::io::Write;
use std::path::Path;

use m2g_core::{Error, Number, Tape, Tokens, bounded};
use serde_json::Value;

use crate::gpt2::tensor_file;
use crate::{Gpt, GptConfig, TokenBatch};

/// The number of logits in memory at a time, if a row has no more: 64 MiB of `f32`.
const MAX_LOGITS: usize = 1 << 24;

/// The largest file of token ids in bytes: about 10 million ids.
const MAX_FILE_BYTES: u64 = 48 << 20;

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
    /// [`Error::Io`]; [`Error::Other`] if there are no rows, they differ in length, are longer than the model's window,
    /// or hold unknown tokens.
    pub fn read(path: &Path, config: &GptConfig) -> Result<Self, Error> {
        let bytes = bounded::read(path, MAX_FILE_BYTES, "a file of token ids")?;
        Self::parse(&bytes, config)
            .map_err(|why| Error::Other(format!("{} cannot be used: {why}", path.display()).into()))
    }

    fn parse(bytes: &[u8], config: &GptConfig) -> Result<Self, String> {
        const EXPECTED: &str = "it must hold {\"tokens\": [[...], ...]}";
        let json: Value = serde_json::from_slice(bytes).map_err(|e| format!("it is not JSON ({e})"))?;
        let rows = json["tokens"].as_array().ok_or(EXPECTED)?;
        let rows: Vec<&Vec<Value>> =
            rows.iter().map(|row| row.as_array().ok_or(EXPECTED)).collect::<Result<_, _>>()?;
        let width = rows.first().ok_or("it has no rows")?.len();
        if let Some(i) = rows.iter().position(|row| row.len() != width) {
            let other = rows[i].len();
            return Err(format!(
                "all rows must have the same length, but row 1 has {width} ids and row {} has {other}",
                i + 1
            ));
        }
        if width < 2 {
            return Err("a row must have at least 2 ids: one to read and one to predict".into());
        }
        if width - 1 > config.block_size {
            let longest = config.block_size + 1;
            return Err(format!("its rows have {width} ids, but this model takes at most {longest}"));
        }
        let mut ids = Vec::with_capacity(rows.len() * width);
        for (i, row) in rows.iter().enumerate() {
            for (j, id) in row.iter().enumerate() {
                let known = id.as_u64().filter(|id| *id < config.vocab_size as u64);
                let last = config.vocab_size - 1;
                ids.push(known.ok_or_else(|| {
                    format!(
                        "id {} of row {} is {id}, but the ids of this model are 0 to {last}",
                        j + 1,
                        i + 1
                    )
                })? as u32);
            }
        }
        Ok(Self { ids, rows: rows.len(), t: width - 1 })
    }

    /// The shape `(B, T)`.
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

    /// The mean loss in nats per token. Also writes the logits to `file`, in the safetensors format, as one
    /// tensor `logits` of shape `(B, T, V)`. Errors call the file `path`.
    ///
    /// # Errors
    /// If the rows do not fit the model; [`Error::Io`] if the file cannot be written.
    pub fn loss_and_logits(&self, gpt: &Gpt<f32>, file: &mut dyn Write, path: &Path) -> Result<f64, Error> {
        let mut loss = 0.0;
        let shape = vec![self.rows, self.t, gpt.config().vocab_size];
        tensor_file::write_to(file, path, &[("logits".to_string(), shape)], |_, file| {
            let mut bytes = Vec::new();
            loss = self.evaluate(gpt, |logits| {
                // Row by row: the bytes of all of them would need as much memory again.
                logits.chunks(gpt.config().vocab_size).try_for_each(|row| {
                    bytes.clear();
                    Number::to_le_bytes(row, &mut bytes);
                    file.write_all(&bytes).map_err(Error::io("write", path))
                })
            })?;
            Ok(())
        })?;
        Ok(loss)
    }

    /// The mean loss. Runs the model on a few rows at a time, and passes their logits to
    /// `visit_logits` in order.
    fn evaluate(
        &self,
        gpt: &Gpt<f32>,
        mut visit_logits: impl FnMut(&[f32]) -> Result<(), Error>,
    ) -> Result<f64, Error> {
        let mut tape = Tape::without_gradients();
        let rows_per_batch = (MAX_LOGITS / (self.t * gpt.config().vocab_size)).clamp(1, self.rows);
        let mut sum = 0.0;
        for rows in self.ids.chunks(rows_per_batch * (self.t + 1)) {
            let batch = self.batch(rows)?;
            let z = gpt.forward(&mut tape, &batch.x)?; // (B, T) -> (B, T, V)
            visit_logits(tape.value(z).data())?;
            let loss = tape.cross_entropy(z, &batch.y)?;
            sum += tape.read_loss(loss).as_f64() * batch.x.shape[0] as f64;
            tape.reset();
        }
        Ok(sum / self.rows as f64)
    }

    /// The inputs and the targets of these rows.
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
    fn invalid_rows_are_rejected() {
        assert!(error("{\"tokens\": [[1, 2").starts_with("it is not JSON (EOF"));
        for other in ["{}", "[]", "{\"tokens\": 3}", "{\"tokens\": [1, 2]}"] {
            assert_eq!(error(other), "it must hold {\"tokens\": [[...], ...]}", "{other}");
        }
        assert_eq!(error("{\"tokens\": []}"), "it has no rows");
        assert!(error("{\"tokens\": [[1]]}").contains("at least 2 ids"));
        assert_eq!(
            error("{\"tokens\": [[1, 2, 3], [1, 2]]}"),
            "all rows must have the same length, but row 1 has 3 ids and row 2 has 2"
        );
        assert!(
            error("{\"tokens\": [[1, 2, 3, 4, 5]]}").contains("have 5 ids, but this model takes at most 4")
        );
        for bad in ["7", "-1", "1.5", "\"a\"", "null", "4294967296"] {
            let found = error(&format!("{{\"tokens\": [[1, 2], [3, {bad}]]}}"));
            assert_eq!(found, format!("id 2 of row 2 is {bad}, but the ids of this model are 0 to 6"));
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
        // Dropout is off, and the loss of initial weights is near ln V.
        let gpt = Gpt::<f32>::new(config(), 1).unwrap();
        let loss = rows.loss(&gpt).unwrap();
        assert!((loss - 7.0_f64.ln()).abs() < 0.05, "{loss}");
        assert_eq!(loss, rows.loss(&gpt).unwrap());
    }
}
