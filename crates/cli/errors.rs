//! Errors as the command line prints them: the libraries speak of settings, a person types
//! flags.

use m2g_core::Error;

/// The error in one sentence, with the flag that helps.
pub fn sentence(error: &anyhow::Error) -> String {
    let advice = match error.downcast_ref::<Error>() {
        Some(Error::RunExists { is_run: true, .. }) => {
            ": choose another name with --run, or replace it with --overwrite"
        }
        Some(Error::RunExists { is_run: false, .. }) => ": choose another name with --run",
        Some(Error::NoRun(_)) => ": train one first, with --run NAME",
        Some(Error::NeverSaved { .. }) => ": train it again with --overwrite",
        Some(Error::OtherData { .. }) => ", with --data",
        Some(Error::Imported(_)) => return error.to_string().replace("init_from", "--init-from"),
        _ => "",
    };
    format!("{error}{advice}")
}
