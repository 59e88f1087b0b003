//! Templates: sentences with slots, which write a text and recognise it.
//!
//! A slot stands for a word of one kind, such as a person or a food. It names a variable, and the form of the
//! word: `{hero}` is the first form, `{hero.his}` another, and `{mood@hero}` has the gender of the hero. What a
//! variable stands for is decided where it first occurs, and holds for all later sentences of a tale. That is
//! the thread through the tale.
//!
//! To recognise a sentence is to find words for all slots of a template that give the sentence. Generator and
//! recogniser thus share one grammar, and cannot differ.

use m2g_core::rng::{ChaCha8Rng, below};

use crate::lexicon::capital;

/// A word in its forms.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub forms: Vec<String>,
    pub feminine: bool,
}

/// Words that can stand in the same place. They have the same forms.
#[derive(Debug)]
pub(super) struct Kind {
    pub name: &'static str,
    /// The names of the forms. A kind with a masculine and a feminine form has these two first.
    pub forms: &'static [&'static str],
    pub words: Vec<Word>,
}

impl Kind {
    /// Words of one form.
    pub fn plain(name: &'static str, words: &[&str]) -> Self {
        let word = |word: &&str| Word { forms: vec![word.to_string()], feminine: false };
        Self { name, forms: &["one"], words: words.iter().map(word).collect() }
    }

    /// What one can be, as a man and as a woman.
    pub fn roles(roles: &[[&str; 2]]) -> Self {
        let word = |forms: &[&str; 2]| Word { forms: forms.map(String::from).to_vec(), feminine: false };
        Self { name: "role", forms: &["m", "f"], words: roles.iter().map(word).collect() }
    }
}

/// The sentences of a tale in order: of each beat, one template is written.
pub(super) type Beats = &'static [&'static [&'static str]];

/// The words and sentences of a language.
#[derive(Debug)]
pub(super) struct Language {
    kinds: Vec<Kind>,
    /// The kind of each variable.
    variables: Vec<usize>,
    /// The templates of each beat.
    beats: Vec<Vec<Template>>,
}

/// A sentence with slots.
#[derive(Debug)]
struct Template(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(&'static str),
    /// A form of the word that a variable stands for.
    Slot(usize, Form),
}

#[derive(Debug, Clone, Copy)]
enum Form {
    At(usize),
    /// Masculine or feminine, as the word that this variable stands for.
    Agreeing(usize),
}

/// What each variable stands for: an index of the words of its kind, once it is decided.
#[derive(Debug, Clone)]
pub(super) struct Thread(Vec<Option<usize>>);

impl Language {
    /// A language of these kinds of words and these beats. `variables` are the names of the variables, each with
    /// its kind.
    ///
    /// # Panics
    /// If a template names a variable or a form that does not exist, which a test excludes.
    pub fn new(kinds: Vec<Kind>, variables: &[(&str, &str)], beats: Beats) -> Self {
        let kind_of = |name: &str| kinds.iter().position(|kind| kind.name == name).expect("the kind exists");
        let of_variables: Vec<usize> = variables.iter().map(|(_, kind)| kind_of(kind)).collect();
        let variable =
            |name: &str| variables.iter().position(|(known, _)| *known == name).expect("the variable exists");
        let slot = |text: &'static str| {
            if let Some((name, other)) = text.split_once('@') {
                return Piece::Slot(variable(name), Form::Agreeing(variable(other)));
            }
            let (name, form) = text.split_once('.').unwrap_or((text, ""));
            let forms = kinds[of_variables[variable(name)]].forms;
            let at = forms.iter().position(|known| *known == form);
            let at = if form.is_empty() { 0 } else { at.expect("the form exists") };
            Piece::Slot(variable(name), Form::At(at))
        };
        let template = |text: &'static str| {
            let parts = text.split(['{', '}']).enumerate();
            let piece = |(i, part)| if i % 2 == 0 { Piece::Text(part) } else { slot(part) };
            Template(parts.map(piece).collect())
        };
        let beats = beats.iter().map(|beat| beat.iter().map(|text| template(text)).collect()).collect();
        Self { variables: of_variables, beats, kinds }
    }

    /// A thread in which nothing is decided.
    pub fn thread(&self) -> Thread {
        Thread(vec![None; self.variables.len()])
    }

    /// The number of beats.
    pub fn beats(&self) -> usize {
        self.beats.len()
    }

    /// The words that a variable can stand for: not those that another variable stands for.
    fn candidates(&self, variable: usize, thread: &Thread) -> Vec<usize> {
        let taken = |word| {
            let mut others = thread.0.iter().zip(&self.variables);
            others.any(|(bound, &kind)| kind == self.variables[variable] && *bound == Some(word))
        };
        match thread.0[variable] {
            Some(word) => vec![word],
            None => (0..self.kinds[self.variables[variable]].words.len()).filter(|&w| !taken(w)).collect(),
        }
    }

    fn word(&self, variable: usize, word: usize) -> &Word {
        &self.kinds[self.variables[variable]].words[word]
    }

    /// Writes a sentence of a beat.
    pub fn write(&self, beat: usize, thread: &mut Thread, rng: &mut ChaCha8Rng) -> String {
        let templates = &self.beats[beat];
        let Template(pieces) = &templates[below(rng, templates.len() as u32) as usize];
        let mut decide = |variable: usize| {
            let candidates = self.candidates(variable, thread);
            let word = candidates[below(rng, candidates.len() as u32) as usize];
            thread.0[variable] = Some(word);
            self.word(variable, word)
        };
        let mut text = String::new();
        for piece in pieces {
            match *piece {
                Piece::Text(part) => text += part,
                Piece::Slot(variable, Form::At(form)) => text += &decide(variable).forms[form],
                Piece::Slot(variable, Form::Agreeing(other)) => {
                    let form = usize::from(decide(other).feminine);
                    text += &decide(variable).forms[form];
                }
            }
        }
        capital(&text)
    }

    /// Whether some template gives this sentence, whatever the beat.
    pub fn recognises(&self, sentence: &str) -> bool {
        let mut templates = self.beats.iter().flatten();
        templates.any(|Template(pieces)| self.matches(pieces, sentence, true, &mut self.thread()))
    }

    /// Whether the pieces give the text, with the words of the thread, and any for the rest.
    fn matches(&self, pieces: &[Piece], text: &str, at_start: bool, thread: &mut Thread) -> bool {
        let Some((piece, pieces)) = pieces.split_first() else { return text.is_empty() };
        let after = |part: &str| match at_start {
            true => text.strip_prefix(&*capital(part)),
            false => text.strip_prefix(part),
        };
        match *piece {
            Piece::Text("") => self.matches(pieces, text, at_start, thread),
            Piece::Text(part) => after(part).is_some_and(|rest| self.matches(pieces, rest, false, thread)),
            Piece::Slot(variable, form) => {
                let before = thread.clone();
                let others = match form {
                    Form::At(_) => vec![0],
                    Form::Agreeing(other) => self.candidates(other, thread),
                };
                for other_word in others {
                    let form = match form {
                        Form::At(form) => form,
                        Form::Agreeing(other) => {
                            thread.0[other] = Some(other_word);
                            usize::from(self.word(other, other_word).feminine)
                        }
                    };
                    for word in self.candidates(variable, thread) {
                        if let Some(rest) = after(&self.word(variable, word).forms[form]) {
                            let undecided = thread.0[variable].replace(word);
                            if self.matches(pieces, rest, false, thread) {
                                return true;
                            }
                            thread.0[variable] = undecided;
                        }
                    }
                    thread.clone_from(&before);
                }
                false
            }
        }
    }
}
