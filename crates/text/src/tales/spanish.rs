//! The Spanish tales. Nouns have a gender, and articles and adjectives agree with it.

use super::nouns::{baked, small_things};
use super::template::{Beats, Kind, Language, Word};
use crate::lexicon::{ANIMALS, NAMES, Noun, ORIGINS, PEOPLE, agreeing};

/// What one can be, as a man and as a woman.
const ROLES: [[&str; 2]; 6] = [
    ["un niño", "una niña"],
    ["un rey", "una reina"],
    ["un pintor", "una pintora"],
    ["un cocinero", "una cocinera"],
    ["un maestro", "una maestra"],
    ["un médico", "una médica"],
];

const HOUSES: [&str; 6] = ["pequeña", "blanca", "vieja", "tranquila", "grande", "azul"];
const PLACES: [&str; 8] = [
    "del río",
    "del bosque",
    "del lago",
    "del mar",
    "del mercado",
    "de la montaña",
    "de la plaza",
    "de la escuela",
];
const DAYS: [&str; 5] = ["fría", "tranquila", "gris", "bonita", "lluviosa"];
const SKIES: [&str; 5] = ["hacía sol", "hacía frío", "hacía viento", "llovía", "nevaba"];
const TIMES: [&str; 3] = ["mañana", "tarde", "noche"];
/// How people and food are, in the masculine.
const MOODS: [&str; 5] = ["contento", "cansado", "solo", "triste", "enfermo"];
const STATES: [&str; 6] = ["rico", "listo", "frío", "caliente", "quemado", "dulce"];
const OVENS: [&str; 4] = ["frío", "caliente", "encendido", "vacío"];
const TASTES: [&str; 8] = ["bien", "mal", "muy bien", "mejor", "peor", "a limón", "a ajo", "a queso"];
const FACTS: [&str; 5] = ["la verdad", "la respuesta", "el secreto", "la lección", "el camino"];
const SPOTS: [&str; 5] =
    ["debajo de la mesa", "detrás de la puerta", "en el jardín", "en la cocina", "en el tejado"];
const ENDS: [&str; 4] = ["rieron mucho", "cantaron hasta la noche", "bebieron té", "contaron cuentos"];

const VARIABLES: &[(&str, &str)] = &[
    ("hero", "person"),
    ("friend", "person"),
    ("someone", "someone"),
    ("role", "role"),
    ("house", "house"),
    ("place", "place"),
    ("elsewhere", "place"),
    ("origin", "origin"),
    ("exit", "exit"),
    ("day", "day"),
    ("sky", "sky"),
    ("time", "time"),
    ("food", "food"),
    ("animal", "animal"),
    ("thing", "thing"),
    ("mood", "mood"),
    ("state", "state"),
    ("oven", "oven"),
    ("taste", "taste"),
    ("fact", "fact"),
    ("spot", "spot"),
    ("end", "end"),
];

const BEATS: Beats = &[
    &[
        "{hero} vivía en una casa {house} cerca {place}.",
        "había una vez {role@hero} que se llamaba {hero}.",
        "{hero} era {role@hero} y vivía cerca {place}.",
    ],
    &["era una {time} {day}.", "aquella {time} {sky}.", "aquella {time} {hero} estaba {mood@hero}."],
    &[
        "{hero} tenía hambre y horneó {food.un}.",
        "{hero} quería hornear {food.un} para {friend}.",
        "el horno estaba {oven} y {hero} preparó {food.un}.",
    ],
    &[
        "entonces llegó {friend} con {animal.un}.",
        "{friend} llegó {elsewhere} y estaba {mood@friend}.",
        "{hero} encontró a {friend} cerca {elsewhere}.",
    ],
    &[
        "{friend} había perdido {thing.un}.",
        "{animal.el} tenía {thing.el} de {friend}.",
        "{friend} buscaba {thing.el}.",
    ],
    &[
        "{friend} salió {exit} y sabía {fact}.",
        "{hero} sabía {fact} y ayudó a {friend}.",
        "{friend} dijo que sabía {fact}.",
    ],
    &[
        "{hero} encontró {thing.el} {spot}.",
        "los dos buscaron {spot} y vieron {thing.el}.",
        "{thing.el} estaba {spot}.",
    ],
    &[
        "{food.el} salió {origin} y sabía {taste}.",
        "{food.el} salió {origin} y estaba {state@food}.",
        "{food.el} que horneó {hero} sabía {taste}.",
    ],
    &[
        "{friend} dio las gracias a {hero} y volvió a casa.",
        "{hero} y {friend} {end}.",
        "aquella noche {hero} durmió bien.",
    ],
];

/// A sentence of its own. Who came out of the oven, and how was it?
const SENTENCES: Beats = &[&[
    "{food.el} salió {origin} y sabía {taste}.",
    "{someone.el} salió {exit} y sabía {fact}.",
    "{food.el} salió {origin} y estaba {state@food}.",
    "{someone.el} salió {exit} y estaba {mood@someone}.",
    "{food.el} que preparó {someone.el} sabía {taste}.",
    "{someone.el} que preparó {food.el} sabía {fact}.",
]];

/// The language of the Spanish tales.
pub(super) fn language() -> Language {
    with_beats(BEATS)
}

/// The language of single Spanish sentences.
pub(super) fn sentences() -> Language {
    with_beats(SENTENCES)
}

fn with_beats(beats: Beats) -> Language {
    let person = |name: &&str| Word { forms: vec![name.to_string()], feminine: name.ends_with('a') };
    let noun = |noun: &Noun| {
        let articles = if noun.feminine { ["la", "una"] } else { ["el", "un"] };
        let forms = articles.map(|article| format!("{article} {}", noun.spanish[0])).to_vec();
        Word { forms, feminine: noun.feminine }
    };
    let nouns = |name: &'static str, nouns: &[Noun]| Kind {
        name,
        forms: &["el", "un"],
        words: nouns.iter().map(noun).collect(),
    };
    let adjectives = |name: &'static str, adjectives: &[&str]| {
        let both = |word: &&str| [false, true].map(|feminine| agreeing(word, feminine, false)).to_vec();
        let words = adjectives.iter().map(|word| Word { forms: both(word), feminine: false }).collect();
        Kind { name, forms: &["m", "f"], words }
    };
    // Food comes out of the oven, and people out of the car.
    let out_of = |except: &str| -> Vec<&str> {
        ORIGINS.iter().map(|(origin, _)| *origin).filter(|origin| *origin != except).collect()
    };
    let kinds = vec![
        Kind { name: "person", forms: &["one"], words: NAMES.iter().map(person).collect() },
        Kind::roles(&ROLES),
        nouns("someone", &PEOPLE),
        nouns("food", &baked().collect::<Vec<_>>()),
        nouns("animal", &ANIMALS),
        nouns("thing", &small_things().collect::<Vec<_>>()),
        adjectives("mood", &MOODS),
        adjectives("state", &STATES),
        Kind::plain("oven", &OVENS),
        Kind::plain("house", &HOUSES),
        Kind::plain("place", &PLACES),
        Kind::plain("origin", &out_of("del coche")),
        Kind::plain("exit", &out_of("del horno")),
        Kind::plain("day", &DAYS),
        Kind::plain("sky", &SKIES),
        Kind::plain("time", &TIMES),
        Kind::plain("taste", &TASTES),
        Kind::plain("fact", &FACTS),
        Kind::plain("spot", &SPOTS),
        Kind::plain("end", &ENDS),
    ];
    Language::new(kinds, VARIABLES, beats)
}
