//! A grammar that writes Spanish sentences and their English translations.
//!
//! A translator must learn four things from it: words that mean two things (*sabía* is "tasted" after food
//! and "knew" after a person; *quería* is "wanted", but before *a* and an animal "loved"; *banco* is a bank or a
//! bench, *hoja* a leaf or a sheet, *copa* a glass, a cup or the top of a tree, *sierra* a saw or mountains),
//! articles and adjectives that agree with their noun, adjectives that stand after it, and where a clause ends: in
//! "la pizza que compró la maestra sabía bien" the pizza tasted good.
//!
//! Some pairs of words never meet in the training sentences, so that a translator shows whether it has
//! learned the rule, or only what it saw.

mod words;

use std::collections::BTreeSet;

use m2g_core::rng::{ChaCha8Rng, Streams, below};

use m2g_text::lexicon::{
    ADJECTIVES, ANIMALS, FOODS, NAMES, Noun, ORIGINS, PEOPLE, THINGS, a_or_an, agreeing, capital,
};

use self::words::{AMBIGUOUS, DEEDS, STATES, TASTES, TIMES};
use super::text::{TextPair, TextSplits};

/// The name of this data.
pub const NAME: &str = "grammar";

/// The sentence with which the course began: who tasted good, the pizza or the oven?
pub const PIZZA: [&str; 2] =
    ["La pizza salió del horno y sabía bien", "The pizza came out of the oven and tasted good"];

/// The number of sentences in each split: 20,000 in all.
const SPLITS: [usize; 4] = [18_000, 500, 1_000, 500];

/// All sentences: for training, for validation, held out, and held out with pairs of words that never meet
/// in training. The same in every run.
pub(crate) fn splits() -> TextSplits {
    let mut rng = Streams::new(1762).stream(NAME, 0);
    let mut seen = BTreeSet::new();
    let mut splits = SPLITS.map(Vec::with_capacity);
    let [_, _, sentences, _] = &mut splits;
    sentences.push(TextPair::from(PIZZA));
    seen.insert(PIZZA[0].to_string());
    while splits.iter().zip(SPLITS).any(|(split, size)| split.len() < size) {
        let mut writer = Writer { rng: &mut rng, held_out: false };
        let pair = writer.sentence();
        // The held-out sentences first, so that the training sentences are the rest.
        let open = if writer.held_out { 3..4 } else { 0..3 };
        let place = open.rev().find(|&split| splits[split].len() < SPLITS[split]);
        if let Some(split) = place.filter(|_| seen.insert(pair.source.clone())) {
            splits[split].push(pair);
        }
    }
    let [train, val, sentences, combinations] = splits;
    let tests = vec![("sentences".into(), sentences), ("combinations".into(), combinations)];
    TextSplits { name: NAME.into(), train, val, tests, reports: Vec::new() }
}

/// Whether two words meet only in held-out sentences: one pair in twelve.
fn is_held_out(a: &str, b: &str) -> bool {
    const RARE: u32 = 12;
    below(&mut Streams::new(0).stream(&format!("{a} {b}"), 0), RARE) == 0
}

/// A part of a sentence in both languages.
#[derive(Debug, Clone)]
struct Phrase {
    spanish: String,
    english: String,
    /// The Spanish noun in the singular, or the name.
    noun: &'static str,
    plural: bool,
}

/// Writes one sentence.
struct Writer<'a> {
    rng: &'a mut ChaCha8Rng,
    /// Whether it has two words that meet only in held-out sentences.
    held_out: bool,
}

impl Writer<'_> {
    fn pick<'b, T>(&mut self, list: &'b [T]) -> &'b T {
        &list[below(self.rng, list.len() as u32) as usize]
    }

    /// True once in `n` times.
    fn once_in(&mut self, n: u32) -> bool {
        below(self.rng, n) == 0
    }

    fn sentence(&mut self) -> TextPair {
        let [spanish, english] = match below(self.rng, 8) {
            0 | 1 => self.tasted_or_knew(),
            2 => self.ambiguous(),
            3 | 4 => self.deed(),
            5 => self.is_so(),
            _ => {
                let [spanish, english] = if self.once_in(2) { self.deed() } else { self.tasted_or_knew() };
                let (time, when) = *self.pick(&TIMES);
                [format!("{time} {spanish}"), format!("{when} {english}")]
            }
        };
        let end = if self.once_in(2) { "." } else { "" };
        TextPair { source: capital(&spanish) + end, target: capital(&english) + end }
    }

    /// "la pizza roja", "the red pizza": an article, a noun and perhaps an adjective, which agree.
    fn noun_phrase(&mut self, nouns: &[Noun], plural: bool) -> Phrase {
        let &Noun { spanish, feminine, english } = self.pick(nouns);
        let (number, noun) = (usize::from(plural), spanish[0]);
        let (mut spanish, mut english) = (spanish[number].to_string(), english[number].to_string());
        if self.once_in(2) {
            let &(adjective, in_english) = self.pick(&ADJECTIVES);
            self.held_out |= is_held_out(noun, adjective);
            spanish = format!("{spanish} {}", agreeing(adjective, feminine, plural));
            english = format!("{in_english} {english}");
        }
        let article = match (below(self.rng, 8), feminine, plural) {
            (0..=4, false, false) => ["el", "the"],
            (0..=4, true, false) => ["la", "the"],
            (0..=4, false, true) => ["los", "the"],
            (0..=4, true, true) => ["las", "the"],
            (5, false, false) => ["este", "this"],
            (5, true, false) => ["esta", "this"],
            (5, false, true) => ["estos", "these"],
            (5, true, true) => ["estas", "these"],
            (_, _, true) => ["dos", "two"],
            (_, false, false) => ["un", a_or_an(&english)],
            (_, true, false) => ["una", a_or_an(&english)],
        };
        let [spanish_article, english_article] = article;
        Phrase {
            spanish: format!("{spanish_article} {spanish}"),
            english: format!("{english_article} {english}"),
            noun,
            plural,
        }
    }

    /// A noun phrase in singular or plural.
    fn any_phrase(&mut self, nouns: &[Noun]) -> Phrase {
        let plural = self.once_in(3);
        self.noun_phrase(nouns, plural)
    }

    /// People: a noun phrase in singular or plural, or now and then a name.
    fn people(&mut self) -> Phrase {
        const ONE_NAME_IN: u32 = 6;
        match self.once_in(ONE_NAME_IN) {
            true => {
                let noun = *self.pick(&NAMES);
                Phrase { spanish: noun.into(), english: noun.into(), noun, plural: false }
            }
            false => self.any_phrase(&PEOPLE),
        }
    }

    /// *sabía*: after food "tasted", after a person "knew". Another noun may stand between.
    fn tasted_or_knew(&mut self) -> [String; 2] {
        let is_food = self.once_in(2);
        let subject = if is_food { self.any_phrase(&FOODS) } else { self.people() };
        let number = usize::from(subject.plural);
        let (what, tasted, knew) = loop {
            let taste = *self.pick(&TASTES);
            if (if is_food { taste.1 } else { taste.2 }).is_some() {
                break taste;
            }
        };
        self.held_out |= is_held_out(subject.noun, what);
        let verb = ["sabía", "sabían"][number];
        let meaning = if is_food { tasted } else { knew }.unwrap_or_default();
        let Phrase { spanish, english, .. } = subject;
        match below(self.rng, 4) {
            0 => [format!("{spanish} {verb} {what}"), format!("{english} {meaning}")],
            1 => {
                let (origin, of) = *self.pick(&ORIGINS);
                let came = ["salió", "salieron"][number];
                [
                    format!("{spanish} {came} {origin} y {verb} {what}"),
                    format!("{english} came out {of} and {meaning}"),
                ]
            }
            // The other noun stands nearer to the verb than the subject.
            _ => {
                let other = if is_food { self.people() } else { self.any_phrase(&FOODS) };
                let &(deed, did) = self.pick(&DEEDS);
                match is_food {
                    true => [
                        format!(
                            "{spanish} que {} {} {verb} {what}",
                            deed[usize::from(other.plural)],
                            other.spanish
                        ),
                        format!("{english} that {} {did} {meaning}", other.english),
                    ],
                    false => [
                        format!("{spanish} que {} {} {verb} {what}", deed[number], other.spanish),
                        format!("{english} who {did} {} {meaning}", other.english),
                    ],
                }
            }
        }
    }

    /// *banco*, *hoja*, *copa*, *sierra*: the rest of the sentence says which.
    fn ambiguous(&mut self) -> [String; 2] {
        let subject = self.noun_phrase(&PEOPLE, false);
        let &(spanish, english) = self.pick(&AMBIGUOUS);
        [spanish.replace("{}", &subject.spanish), english.replace("{}", &subject.english)]
    }

    /// Somebody did something with a thing.
    fn deed(&mut self) -> [String; 2] {
        let by_an_animal = self.once_in(4);
        let subject = if by_an_animal { self.any_phrase(&ANIMALS) } else { self.people() };
        let object = match below(self.rng, 3) {
            0 => self.any_phrase(&FOODS),
            1 => self.any_phrase(&ANIMALS),
            _ => self.any_phrase(&THINGS),
        };
        let &(deed, did) = self.pick(&DEEDS);
        // A direct object that is alive takes "a": people must, animals may. With it, "quería" is "loved".
        let alive = ANIMALS.iter().any(|animal| animal.spanish[0] == object.noun);
        let did = if alive && deed[0] == "quería" { "loved" } else { did };
        let object_in_spanish = match (alive, object.spanish.strip_prefix("el ")) {
            (true, Some(rest)) => format!("al {rest}"),
            (true, None) => format!("a {}", object.spanish),
            (false, _) => object.spanish,
        };
        let verb = deed[usize::from(subject.plural)];
        [
            format!("{} {verb} {object_in_spanish}", subject.spanish),
            format!("{} {did} {}", subject.english, object.english),
        ]
    }

    /// "las casas son rojas", "las casas están limpias": the adjective agrees across the verb.
    fn is_so(&mut self) -> [String; 2] {
        let (list, plural) = (*self.pick(&[&THINGS[..], &ANIMALS, &FOODS, &PEOPLE]), self.once_in(2));
        let &Noun { spanish, feminine, english } = self.pick(list);
        let &(adjective, in_english) = self.pick(&ADJECTIVES);
        let number = usize::from(plural);
        self.held_out |= is_held_out(spanish[0], adjective);
        let article = match (feminine, plural) {
            (false, false) => "el",
            (true, false) => "la",
            (false, true) => "los",
            (true, true) => "las",
        };
        let is = if STATES.contains(&adjective) { ["está", "están"] } else { ["es", "son"] }[number];
        let are = ["is", "are"][number];
        let (very, much) = *self.pick(&[("", ""), ("muy ", "very "), ("no ", "not ")]);
        let adjective = agreeing(adjective, feminine, plural);
        let (noun, thing) = (spanish[number], english[number]);
        match very {
            "no " => [
                format!("{article} {noun} no {is} {adjective}"),
                format!("the {thing} {are} not {in_english}"),
            ],
            _ => [
                format!("{article} {noun} {is} {very}{adjective}"),
                format!("the {thing} {are} {much}{in_english}"),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<(usize, TextPair)> {
        let TextSplits { train, val, tests, .. } = splits();
        let splits = [train, val].into_iter().chain(tests.into_iter().map(|(_, pairs)| pairs));
        splits.enumerate().flat_map(|(i, split)| split.into_iter().map(move |pair| (i, pair))).collect()
    }

    #[test]
    fn splits_are_disjoint_and_have_their_sizes_and_the_pizza_is_held_out() {
        let all = all();
        let sources: BTreeSet<&str> = all.iter().map(|(_, pair)| pair.source.as_str()).collect();
        assert_eq!((all.len(), sources.len()), (20_000, 20_000));
        let count = |split: usize| all.iter().filter(|(i, _)| *i == split).count();
        assert_eq!([0, 1, 2, 3].map(count), SPLITS);
        assert!(all.contains(&(2, TextPair::from(PIZZA))));
        assert!(!is_held_out("pizza", "bien"));
    }

    /// A word before *sabía* decides its translation, and both occur after the same words.
    #[test]
    fn the_subject_decides_what_sabia_means() {
        let all = all();
        let with = |source: &str, target: &str| {
            all.iter()
                .filter(|(_, pair)| pair.source.contains(source) && pair.target.contains(target))
                .count()
        };
        assert!(with("sabía bien", "tasted good") > 100 && with("sabía bien", "knew well") > 100);
        for (_, pair) in all.iter().filter(|(_, pair)| pair.source.contains(" sabía")) {
            assert!(pair.target.contains("tasted") != pair.target.contains("knew"), "{pair:?}");
        }
        for (word, meanings) in [
            ("banco", &["bank", "bench"][..]),
            ("hoja", &["leaf", "sheet"]),
            ("copa", &["glass", "cup", "top"]),
            ("sierra", &["saw", "mountains"]),
        ] {
            assert!(meanings.iter().all(|meaning| with(&format!(" {word}"), meaning) > 50), "{word}");
        }
    }

    /// *Querer a* is to love, and without *a* to want. A state has another verb than a quality.
    #[test]
    fn verbs_fit_what_follows_them() {
        let has = |text: &str, phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
        let (mut loved, mut states) = (0, 0);
        for (_, TextPair { source, target }) in all() {
            let loves = has(&source, &["quería a ", "quería al ", "querían a ", "querían al "]);
            assert_eq!(loves, target.contains(" loved "), "{source}: {target}");
            assert!(!(loves && target.contains(" wanted ")), "{source}: {target}");
            let is_state = has(&target, &[" is clean", " is dirty", " are clean", " are dirty"]);
            assert!(
                !is_state || has(&source, &[" está limpi", " está suci", " están limpi", " están suci"]),
                "{source}"
            );
            assert!(!has(&source, &[" es limpi", " es suci", " son limpi", " son suci"]), "{source}");
            loved += usize::from(loves);
            states += usize::from(is_state);
        }
        assert!(loved > 100 && states > 50, "{loved} and {states}");
    }

    /// No training sentence has a pair of words that is held out, and every word occurs in training.
    #[test]
    fn held_out_words_meet_only_in_the_last_split() {
        let all = all();
        let mut held_out = BTreeSet::new();
        for noun in [&THINGS[..], &FOODS, &ANIMALS, &PEOPLE].into_iter().flatten() {
            for (adjective, _) in ADJECTIVES.iter().filter(|(word, _)| is_held_out(noun.spanish[0], word)) {
                for plural in [false, true] {
                    let adjective = agreeing(adjective, noun.feminine, plural);
                    held_out.insert([noun.spanish[usize::from(plural)].to_string(), adjective]);
                }
            }
        }
        // A noun and the word after it: "coche rojo".
        let has = |pair: &TextPair| {
            let words: Vec<&str> = pair.source.trim_end_matches('.').split(' ').collect();
            words.windows(2).any(|two| held_out.contains(&[two[0].to_string(), two[1].to_string()]))
        };
        let red_cars = |split: usize| all.iter().filter(|(i, pair)| *i == split && has(pair)).count();
        assert_eq!([0, 1, 2].map(red_cars), [0; 3]);
        assert!(red_cars(3) > 5);
        let words = |split: fn(usize) -> bool| -> BTreeSet<String> {
            let sentences = all.iter().filter(|(i, _)| split(*i));
            let words = sentences.flat_map(|(_, pair)| pair.source.split(['.', ' ']).map(str::to_lowercase));
            words.collect()
        };
        assert!(words(|split| split > 0).is_subset(&words(|split| split == 0)));
    }
}
