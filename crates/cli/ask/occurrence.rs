//! Which of several equal words is meant: `sabía#2` is the second.

/// A word, and which of its places is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence<'a> {
    /// The word.
    pub word: &'a str,
    /// The number of the place, counted from 1; `None` if none was given.
    pub number: Option<usize>,
}

impl<'a> Occurrence<'a> {
    /// Parses `WORD` or `WORD#N`.
    pub fn parse(text: &'a str) -> Self {
        let numbered = text.rsplit_once('#').and_then(|(word, number)| Some((word, number.parse().ok()?)));
        match numbered {
            Some((word, number)) if !word.is_empty() => Self { word, number: Some(number) },
            _ => Self { word: text, number: None },
        }
    }

    /// The place that is meant, of those where the word stands; `None` if there are not as many.
    pub fn of(self, places: &[usize]) -> Option<usize> {
        places.get(self.number.unwrap_or(1).checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_names_one_of_several_places() {
        let parsed = |text| {
            let Occurrence { word, number } = Occurrence::parse(text);
            (word, number)
        };
        assert_eq!(parsed("pan"), ("pan", None));
        assert_eq!(parsed("pan#2"), ("pan", Some(2)));
        assert_eq!([parsed("#2"), parsed("a#b"), parsed("")], [("#2", None), ("a#b", None), ("", None)]);
        let of = |text| Occurrence::parse(text).of(&[3, 7]);
        assert_eq!([of("pan"), of("pan#2"), of("pan#3"), of("pan#0")], [Some(3), Some(7), None, None]);
    }
}
