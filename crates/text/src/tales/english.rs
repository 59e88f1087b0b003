//! The English tales.

use super::nouns::{baked, small_things};
use super::template::{Beats, Kind, Language, Word};
use crate::lexicon::{ANIMALS, a_or_an};

/// Names, each with whether it is a woman's.
const PEOPLE: [(&str, bool); 8] = [
    ("Anna", true),
    ("Ben", false),
    ("Clara", true),
    ("David", false),
    ("Emma", true),
    ("Oscar", false),
    ("Ruth", true),
    ("Tom", false),
];

/// What one can be, as a man and as a woman.
const ROLES: [[&str; 2]; 8] = [
    ["a boy", "a girl"],
    ["a king", "a queen"],
    ["a prince", "a princess"],
    ["a cook", "a cook"],
    ["a painter", "a painter"],
    ["a farmer", "a farmer"],
    ["a doctor", "a doctor"],
    ["an old man", "an old woman"],
];

const HOUSES: [&str; 6] = ["a small", "a white", "an old", "a quiet", "a big", "a blue"];
const PLACES: [&str; 8] = ["river", "forest", "lake", "sea", "hill", "market", "bridge", "mill"];
const WEATHER: [&str; 6] = ["sunny", "rainy", "windy", "cold", "warm", "grey"];
const EXITS: [&str; 5] = ["house", "kitchen", "garden", "shop", "car"];
const SKIES: [&str; 5] =
    ["the sun was shining", "it was raining", "the wind was blowing", "snow was falling", "the sky was blue"];
const TIMES: [&str; 4] = ["morning", "afternoon", "evening", "day"];
const MOODS: [&str; 5] = ["happy", "tired", "sad", "hungry", "alone"];
const TASTES: [&str; 8] =
    ["good", "bad", "very good", "better than ever", "sweet", "of lemon", "of garlic", "of honey"];
const FACTS: [&str; 5] = ["the truth", "the answer", "the way", "an old song", "a secret"];
const SPOTS: [&str; 6] =
    ["under the table", "behind the door", "in the garden", "on the roof", "in the kitchen", "near the well"];
const ENDS: [&str; 4] = ["laughed a lot", "sang until the night", "drank tea", "told old stories"];

const VARIABLES: &[(&str, &str)] = &[
    ("hero", "person"),
    ("friend", "person"),
    ("role", "role"),
    ("house", "house"),
    ("place", "place"),
    ("elsewhere", "place"),
    ("weather", "weather"),
    ("sky", "sky"),
    ("time", "time"),
    ("exit", "exit"),
    ("food", "food"),
    ("animal", "animal"),
    ("thing", "thing"),
    ("mood", "mood"),
    ("taste", "taste"),
    ("fact", "fact"),
    ("spot", "spot"),
    ("end", "end"),
];

const BEATS: Beats = &[
    &[
        "{hero} lived in {house} house near the {place}.",
        "once there was {role@hero} called {hero}.",
        "{hero} was {role@hero} and lived near the {place}.",
    ],
    &["it was a {weather} {time}.", "one {time} {sky}.", "the {time} was {weather} and {hero} was {mood}."],
    &[
        "{hero} was hungry and baked {food.a}.",
        "{hero} wanted to bake {food.a} for {friend}.",
        "{hero} made {food.a} and put it in the oven.",
    ],
    &[
        "then {friend} came with a {animal}.",
        "{friend} came from the {elsewhere} and was {mood}.",
        "{hero} met {friend} near the {elsewhere}.",
    ],
    &[
        "{friend} had lost {friend.his} {thing}.",
        "the {animal} had taken the {thing} of {friend}.",
        "{friend} was looking for {friend.his} {thing}.",
    ],
    &[
        "{friend} came out of the {exit} and knew {fact}.",
        "{hero} knew {fact} and helped {friend.him}.",
        "{hero} helped {friend}, who knew {fact}.",
    ],
    &[
        "they found the {thing} {spot}.",
        "{hero} looked {spot} and found the {thing}.",
        "the {thing} was {spot}.",
    ],
    &[
        "the {food} came out of the oven and tasted {taste}.",
        "the {food} that {hero} had baked tasted {taste}.",
        "they ate the {food}, and it tasted {taste}.",
    ],
    &[
        "{friend} thanked {hero} and went home.",
        "{hero} and {friend} {end}.",
        "that night {hero} slept well.",
    ],
];

/// The language of the English tales.
pub(super) fn language() -> Language {
    let person = |&(name, feminine): &(&str, bool)| {
        let [him, his] = if feminine { ["her", "her"] } else { ["him", "his"] };
        Word { forms: [name, him, his].map(String::from).to_vec(), feminine }
    };
    let food = |food: &str| {
        let article = if food == "bread" { "some" } else { a_or_an(food) };
        Word { forms: vec![food.into(), format!("{article} {food}")], feminine: false }
    };
    let kinds = vec![
        Kind { name: "person", forms: &["one", "him", "his"], words: PEOPLE.iter().map(person).collect() },
        Kind::roles(&ROLES),
        Kind {
            name: "food",
            forms: &["one", "a"],
            words: baked().map(|noun| food(noun.english[0])).collect(),
        },
        Kind::plain("animal", &ANIMALS.map(|noun| noun.english[0])),
        Kind::plain("thing", &small_things().map(|noun| noun.english[0]).collect::<Vec<_>>()),
        Kind::plain("house", &HOUSES),
        Kind::plain("place", &PLACES),
        Kind::plain("weather", &WEATHER),
        Kind::plain("sky", &SKIES),
        Kind::plain("time", &TIMES),
        Kind::plain("mood", &MOODS),
        Kind::plain("exit", &EXITS),
        Kind::plain("taste", &TASTES),
        Kind::plain("fact", &FACTS),
        Kind::plain("spot", &SPOTS),
        Kind::plain("end", &ENDS),
    ];
    Language::new(kinds, VARIABLES, BEATS)
}
