//! Reads pictures of digits from files, and says what a network reads in them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use m2g_digits::Network;
use m2g_digits::normalise::{Candidate, PIXELS, digits};
use m2g_digits::photo::load;
use m2g_digits::reading::{Doubt, ReadDigit};

use crate::output::percent;

/// The image of the only digit in a picture.
pub fn single_image(file: &Path) -> anyhow::Result<[u8; PIXELS]> {
    match &find(file)?[..] {
        [digit] => Ok(digit.image),
        several => bail!("{} shows {} digits: crop it to one", file.display(), several.len()),
    }
}

/// Reads every digit in a picture, with a network whose classes have these names.
pub fn read(network: &Network<f32>, names: &Arc<[String]>, file: &Path) -> anyhow::Result<Vec<ReadDigit>> {
    find(file)?.into_iter().map(|candidate| Ok(ReadDigit::new(network, names, candidate)?)).collect()
}

fn find(file: &Path) -> anyhow::Result<Vec<Candidate>> {
    digits(&load(file)?).map_err(|e| anyhow!("{}: {e}", file.display()))
}

/// A digit in words.
pub trait InWords {
    /// The confidence, such as `99.21 %`.
    fn confidence(&self) -> String;

    /// The runner-up and its share, such as `9 0.31 %`.
    fn next(&self) -> String;

    /// The digit, its confidence and the runner-up in one phrase.
    fn phrase(&self) -> String;

    /// Why it is unsure, or the runner-up, in few characters.
    fn doubt(&self) -> String;
}

impl InWords for ReadDigit {
    fn confidence(&self) -> String {
        percent(f64::from(self.share(self.digit())))
    }

    fn next(&self) -> String {
        format!("{} {}", self.names[self.runner_up()], percent(f64::from(self.share(self.runner_up()))))
    }

    fn phrase(&self) -> String {
        let digit = self.name();
        match only_doubt(self) {
            _ if self.is_sure() => format!("{digit} ({}; next {})", self.confidence(), self.next()),
            Some(doubt) => format!("unsure: {digit} ({}), but {doubt}", self.confidence()),
            None => format!("unsure: {digit} ({}) or {}", self.confidence(), self.next()),
        }
    }

    fn doubt(&self) -> String {
        match only_doubt(self) {
            _ if self.is_sure() => format!("next {}", self.next()),
            Some(doubt) => format!("unsure: {doubt}"),
            None => format!("unsure: or {}", self.next()),
        }
    }
}

/// The only doubt about a digit in words.
fn only_doubt(digit: &ReadDigit) -> Option<&'static str> {
    digit.only_doubt().map(|doubt| match doubt {
        Doubt::Wide => "as wide as two digits",
        Doubt::Tiny => "too small to read",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use m2g_digits::normalise::Area;

    fn read(probabilities: &[f32]) -> ReadDigit {
        let area = Area { left: 1, top: 2, width: 30, height: 40 };
        let names = (0..probabilities.len()).map(|class| class.to_string()).collect();
        let candidate = Candidate { area, image: [0; PIXELS] };
        ReadDigit { candidate, probabilities: probabilities.into(), names }
    }

    #[test]
    fn a_digit_names_its_confidence_and_its_runner_up() {
        let clear = read(&[0.01, 0.95, 0.04]);
        assert_eq!(clear.phrase(), "1 (95.00 %; next 2 4.00 %)");
        let unclear = read(&[0.45, 0.15, 0.4]);
        assert_eq!(unclear.phrase(), "unsure: 0 (45.00 %) or 2 40.00 %");
        let mut line = read(&[0.0, 0.9999, 0.0001]);
        line.candidate.area.width = 80;
        assert_eq!(line.phrase(), "unsure: 1 (99.99 %), but as wide as two digits");
        assert_eq!(line.doubt(), "unsure: as wide as two digits");
        line.candidate.area = Area { width: 3, height: 4, ..line.candidate.area };
        assert_eq!(line.phrase(), "unsure: 1 (99.99 %), but too small to read");
        // What else is doubtful does not matter if the network is unsure.
        let small = ReadDigit { candidate: line.candidate, ..unclear.clone() };
        assert_eq!((small.only_doubt(), small.phrase()), (None, unclear.phrase()));
        assert_eq!([clear.doubt(), unclear.doubt()], ["next 2 4.00 %", "unsure: or 2 40.00 %"]);
        assert_eq!(unclear.json()["sure"], false);
        assert_eq!(unclear.json()["runner_up"]["digit"], 2);
        assert_eq!(unclear.json()["box"]["width"], 30);
    }
}
