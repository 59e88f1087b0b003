//! Nouns of the lexicon that fit into the tales.

use crate::lexicon::{FOODS, Noun, THINGS};

/// Food that comes out of an oven.
pub(super) fn baked() -> impl Iterator<Item = Noun> {
    const BAKED: [&str; 8] = ["pizza", "pan", "manzana", "pescado", "torta", "pollo", "galleta", "tomate"];
    FOODS.into_iter().filter(|noun| BAKED.contains(&noun.spanish[0]))
}

/// Things that can be lost in a house.
pub(super) fn small_things() -> impl Iterator<Item = Noun> {
    const LARGE: [&str; 5] = ["casa", "coche", "mesa", "silla", "barco"];
    THINGS.into_iter().filter(|noun| !LARGE.contains(&noun.spanish[0]))
}
