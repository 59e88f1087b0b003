//! Stop texts: where a generated text ends.

use std::mem;

/// Looks for stop texts in a text that arrives in pieces. The text ends before the first stop text that
/// is complete, wherever the pieces are cut; what may be the start of a stop text is held back.
///
/// ```
/// use m2g_text::stop::StopTexts;
///
/// let mut stops = StopTexts::new(vec!["\n\n".into(), "END".into()]);
/// assert_eq!(stops.push("one\n"), "one");
/// assert_eq!(stops.push("two E"), "\ntwo ");
/// assert_eq!(stops.push("NDless"), "");
/// assert_eq!(stops.found(), Some("END"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct StopTexts {
    stops: Vec<String>,
    /// The end of the text so far that may be the start of a stop text.
    held: String,
    /// The stop text that was found.
    found: Option<usize>,
}

impl StopTexts {
    /// Looks for these texts. Empty ones are ignored.
    pub fn new(stops: Vec<String>) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty()).collect();
        Self { stops, ..Self::default() }
    }

    /// The stop text that was found. The text has then ended.
    pub fn found(&self) -> Option<&str> {
        self.found.map(|i| &*self.stops[i])
    }

    /// Adds text, and returns what is now certain to come before any stop text.
    pub fn push(&mut self, text: &str) -> String {
        if self.found.is_some() {
            return String::new();
        }
        if self.stops.is_empty() {
            return text.into();
        }
        // One character at a time: which stop text is complete first must not depend on the pieces.
        for c in text.chars() {
            self.held.push(c);
            let complete = self.stops.iter().enumerate().filter(|(_, stop)| self.held.ends_with(&***stop));
            // The longest begins first.
            if let Some((i, stop)) = complete.max_by_key(|(i, stop)| (stop.len(), usize::MAX - i)) {
                self.held.truncate(self.held.len() - stop.len());
                self.found = Some(i);
                return mem::take(&mut self.held);
            }
        }
        let certain = self.held.len() - self.longest_start();
        let rest = self.held.split_off(certain);
        mem::replace(&mut self.held, rest)
    }

    /// The text that was held back, if no stop text was found.
    pub fn finish(&mut self) -> String {
        mem::take(&mut self.held)
    }

    /// The length of the longest end of the held text with which a stop text begins.
    fn longest_start(&self) -> usize {
        let ends = self.held.char_indices().map(|(at, _)| &self.held[at..]);
        ends.filter(|end| self.stops.iter().any(|stop| stop.starts_with(end)))
            .map(str::len)
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The text before the stop text that ends first; of several, the longest.
    fn by_definition<'a>(text: &'a str, stops: &[&'static str]) -> (&'a str, Option<&'static str>) {
        let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
        for end in ends {
            let complete = stops.iter().filter(|stop| text[..end].ends_with(**stop));
            if let Some(stop) = complete.max_by_key(|stop| stop.len()) {
                return (&text[..end - stop.len()], Some(stop));
            }
        }
        (text, None)
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter(
            pieces in prop::collection::vec("[ab\né]{0,4}", 0..8),
            stops in prop::sample::subsequence(vec!["a", "ab", "aab", "\n\n", "é", "bé\n", "abab"], 0..4),
        ) {
            let mut texts = StopTexts::new(stops.iter().map(ToString::to_string).collect());
            let mut seen = String::new();
            for piece in &pieces {
                seen += &texts.push(piece);
            }
            if texts.found().is_none() {
                seen += &texts.finish();
            }
            let whole = pieces.concat();
            prop_assert_eq!((&*seen, texts.found()), by_definition(&whole, &stops));
        }
    }

    #[test]
    fn text_is_shown_as_soon_as_it_is_certain() {
        let mut texts = StopTexts::new(vec!["abc".into(), String::new()]);
        let seen: Vec<String> = ["x", "a", "b", "d", "ab", "abcd", "e"].map(|piece| texts.push(piece)).into();
        assert_eq!(seen, ["x", "", "", "abd", "", "ab", ""]);
        assert_eq!(texts.found(), Some("abc"));
        // Without stop texts, nothing is held back.
        assert_eq!(StopTexts::default().push("abc"), "abc");
    }
}
