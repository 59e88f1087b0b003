//! Errors as the command line prints them: the libraries name settings, but a user types flags.

use clap::ArgMatches;
use clap::parser::ValueSource;
use m2g_core::Error;
use m2g_gpt::gpt2::ExportError;

use crate::setting_flags::flag;

/// The error in one sentence, with the flag that fixes it. A setting that was given as a flag is
/// named by its flag.
pub fn sentence(error: &anyhow::Error, given: &ArgMatches) -> String {
    if let Some(Error::Setting { name, value, rule }) = error.downcast_ref()
        && came_from_a_flag(name, given)
    {
        return format!("{} is {value}: {rule}", flag(name));
    }
    if let Some(ExportError::Exists { is_export, .. }) = error.downcast_ref() {
        let replace = if *is_export { ", or replace it with --overwrite" } else { "" };
        return format!("{error}: choose another folder{replace}");
    }
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

/// Whether a setting was given as a flag of the innermost subcommand.
fn came_from_a_flag(name: &str, mut given: &ArgMatches) -> bool {
    while let Some((_, subcommand)) = given.subcommand() {
        given = subcommand;
    }
    given.ids().any(|id| id.as_str() == name) && given.value_source(name) == Some(ValueSource::CommandLine)
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    #[test]
    fn settings_get_dashes_if_they_came_from_a_flag() {
        let rule = "it must be a number above 0";
        let error = || Error::Setting { name: "learning_rate", value: "-1".into(), rule }.into();
        let given = |flags: &[&str]| {
            let arg = |name| Arg::new(name).long(flag(name).trim_start_matches('-').to_string());
            let train = Command::new("train").args([arg("learning_rate").alias("lr"), arg("seed")]);
            Command::new("m2g").subcommand(train).get_matches_from([&["m2g", "train"], flags].concat())
        };
        let with_dashes = "--learning-rate is -1: it must be a number above 0";
        assert_eq!(sentence(&error(), &given(&["--learning-rate=-1"])), with_dashes);
        assert_eq!(sentence(&error(), &given(&["--lr=-1"])), with_dashes);
        assert_eq!(
            sentence(&error(), &given(&["--seed=3"])),
            with_dashes.replace("--learning-rate", "learning_rate")
        );
        assert_eq!(sentence(&anyhow::anyhow!("no"), &given(&[])), "no");
    }
}
