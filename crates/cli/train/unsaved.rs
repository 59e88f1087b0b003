//! Training that ends because a file of its run cannot be written: what is saved, and how to go on.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::anyhow;
use m2g_core::Error;
use m2g_core::train::run_folder::{LAST, metadata};

use crate::flags::quoted;
use crate::models::run::SavedRun;
use crate::output_file::followed_folder;

/// The error, and what to do if it is that a file of the run `run`, a model of this kind, cannot be written.
/// `ended` is the last step and the command that uses the run, if the training had ended.
pub fn with_advice(error: Error, kind: &str, run: &Path, ended: Option<(u64, String)>) -> anyhow::Error {
    let Error::Io { path, source, .. } = &error else { return error.into() };
    if !path.starts_with(followed_folder(run)) {
        return error.into();
    }
    let saved = metadata(run, LAST, kind).map(|metadata| SavedRun { path: run.to_path_buf(), metadata });
    let Some(state) = saved.ok().and_then(|run| run.state().ok()) else { return error.into() };
    if let Some((_, command)) = ended.filter(|(last, _)| *last == state.step) {
        return anyhow!(
            "{error}; the run is saved with all its {} steps: use it with `{command}`",
            state.step
        );
    }
    let first = match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk",
        ErrorKind::FileTooLarge => "raise the limit on the size of a file (ulimit -f)",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "make the folder writable",
        _ => "mend that",
    };
    let command = format!("m2g {kind} train --resume {}", quoted(run));
    anyhow!("{error}; the run is saved up to step {}: {first}, then go on with `{command}`", state.step)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::PathBuf;

    use m2g_core::train::{RunFolder, Save, State};
    use m2g_core::{Params, Tensor, optim::Sgd};

    use super::*;

    #[test]
    fn a_full_disk_says_what_is_saved() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("a");
        let mut params = Params::<f32>::new();
        params.add("w", Tensor::zeros(&[2])).unwrap();
        let state = State { step: 40, ..State::default() };
        let save = |folder: &mut RunFolder| folder.save(&params, None, &Sgd::new(), &state);
        RunFolder::create(Save::New(&run), "gpt", "", serde_json::json!({}), save).unwrap();
        let full = |path: PathBuf| Error::io("write", path)(ErrorKind::StorageFull.into());
        let said = with_advice(full(run.join("metrics.jsonl")), "gpt", &run, None).to_string();
        let expected = format!(
            "; the run is saved up to step 40: make room on the disk, then go on with `m2g gpt train --resume {}`",
            run.display()
        );
        assert!(said.contains("metrics.jsonl: ") && said.ends_with(&expected), "{said}");
        for (kind, advice) in [
            (ErrorKind::FileTooLarge, ": raise the limit on the size of a file (ulimit -f), then go on with"),
            (ErrorKind::PermissionDenied, ": make the folder writable, then go on with"),
            (ErrorKind::TimedOut, ": mend that, then go on with"),
        ] {
            let failed = Error::io("write", run.join(LAST))(kind.into());
            let said = with_advice(failed, "gpt", &run, None).to_string();
            assert!(said.contains(advice), "{said}");
        }
        let ended = |last| Some((last, "m2g gpt sample a".to_string()));
        let said = |last| with_advice(full(run.join(LAST)), "gpt", &run, ended(last)).to_string();
        assert!(
            said(40).ends_with("; the run is saved with all its 40 steps: use it with `m2g gpt sample a`")
        );
        assert!(said(50).contains("then go on with"));
        let elsewhere = full(dir.path().join("b"));
        let plain = elsewhere.to_string();
        assert_eq!(with_advice(elsewhere, "gpt", &run, None).to_string(), plain);
    }
}
