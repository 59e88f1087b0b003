//! Words of Spanish and English, and how Spanish words agree: what the grammars that write text share.

/// A noun: its forms in both languages.
#[derive(Debug, Clone, Copy)]
pub struct Noun {
    /// Spanish, singular and plural.
    pub spanish: [&'static str; 2],
    /// The gender in Spanish.
    pub feminine: bool,
    /// English, singular and plural.
    pub english: [&'static str; 2],
}

const fn m(spanish: [&'static str; 2], english: [&'static str; 2]) -> Noun {
    Noun { spanish, feminine: false, english }
}

const fn f(spanish: [&'static str; 2], english: [&'static str; 2]) -> Noun {
    Noun { spanish, feminine: true, english }
}

/// People.
pub const PEOPLE: [Noun; 16] = [
    m(["niño", "niños"], ["boy", "boys"]),
    f(["niña", "niñas"], ["girl", "girls"]),
    m(["maestro", "maestros"], ["schoolmaster", "schoolmasters"]),
    f(["maestra", "maestras"], ["teacher", "teachers"]),
    m(["hombre", "hombres"], ["man", "men"]),
    f(["mujer", "mujeres"], ["woman", "women"]),
    m(["abuelo", "abuelos"], ["grandfather", "grandfathers"]),
    f(["abuela", "abuelas"], ["grandmother", "grandmothers"]),
    m(["médico", "médicos"], ["doctor", "doctors"]),
    f(["reina", "reinas"], ["queen", "queens"]),
    m(["cocinero", "cocineros"], ["cook", "cooks"]),
    f(["vecina", "vecinas"], ["neighbour", "neighbours"]),
    m(["primo", "primos"], ["cousin", "cousins"]),
    f(["hermana", "hermanas"], ["sister", "sisters"]),
    m(["pintor", "pintores"], ["painter", "painters"]),
    f(["cantante", "cantantes"], ["singer", "singers"]),
];

/// Names of people, which need no article and are the same in both languages.
pub const NAMES: [&str; 6] = ["María", "Juan", "Lucía", "Pedro", "Ana", "Carlos"];

/// Food.
pub const FOODS: [Noun; 14] = [
    f(["pizza", "pizzas"], ["pizza", "pizzas"]),
    m(["pan", "panes"], ["bread", "breads"]),
    f(["sopa", "sopas"], ["soup", "soups"]),
    m(["queso", "quesos"], ["cheese", "cheeses"]),
    f(["manzana", "manzanas"], ["apple", "apples"]),
    m(["pescado", "pescados"], ["fish", "fishes"]),
    f(["torta", "tortas"], ["cake", "cakes"]),
    m(["pollo", "pollos"], ["chicken", "chickens"]),
    f(["naranja", "naranjas"], ["orange", "oranges"]),
    m(["tomate", "tomates"], ["tomato", "tomatoes"]),
    f(["galleta", "galletas"], ["biscuit", "biscuits"]),
    m(["helado", "helados"], ["ice cream", "ice creams"]),
    f(["ensalada", "ensaladas"], ["salad", "salads"]),
    m(["huevo", "huevos"], ["egg", "eggs"]),
];

/// Things.
pub const THINGS: [Noun; 16] = [
    m(["libro", "libros"], ["book", "books"]),
    f(["casa", "casas"], ["house", "houses"]),
    m(["coche", "coches"], ["car", "cars"]),
    f(["mesa", "mesas"], ["table", "tables"]),
    m(["sombrero", "sombreros"], ["hat", "hats"]),
    f(["silla", "sillas"], ["chair", "chairs"]),
    m(["zapato", "zapatos"], ["shoe", "shoes"]),
    f(["camisa", "camisas"], ["shirt", "shirts"]),
    m(["cuadro", "cuadros"], ["picture", "pictures"]),
    f(["carta", "cartas"], ["letter", "letters"]),
    m(["barco", "barcos"], ["boat", "boats"]),
    f(["llave", "llaves"], ["key", "keys"]),
    m(["vestido", "vestidos"], ["dress", "dresses"]),
    f(["caja", "cajas"], ["box", "boxes"]),
    m(["reloj", "relojes"], ["clock", "clocks"]),
    f(["flor", "flores"], ["flower", "flowers"]),
];

/// Animals.
pub const ANIMALS: [Noun; 8] = [
    m(["perro", "perros"], ["dog", "dogs"]),
    m(["gato", "gatos"], ["cat", "cats"]),
    f(["vaca", "vacas"], ["cow", "cows"]),
    m(["caballo", "caballos"], ["horse", "horses"]),
    f(["oveja", "ovejas"], ["sheep", "sheep"]),
    m(["pájaro", "pájaros"], ["bird", "birds"]),
    f(["gallina", "gallinas"], ["hen", "hens"]),
    m(["conejo", "conejos"], ["rabbit", "rabbits"]),
];

/// Adjectives: the masculine singular, from which the other forms follow, and English.
pub const ADJECTIVES: [(&str, &str); 18] = [
    ("rojo", "red"),
    ("blanco", "white"),
    ("negro", "black"),
    ("amarillo", "yellow"),
    ("verde", "green"),
    ("azul", "blue"),
    ("gris", "grey"),
    ("pequeño", "small"),
    ("viejo", "old"),
    ("nuevo", "new"),
    ("grande", "big"),
    ("limpio", "clean"),
    ("sucio", "dirty"),
    ("bonito", "pretty"),
    ("barato", "cheap"),
    ("famoso", "famous"),
    ("tranquilo", "quiet"),
    ("extraño", "strange"),
];

/// An adjective that agrees with its noun.
pub fn agreeing(adjective: &str, feminine: bool, plural: bool) -> String {
    let form = match (adjective.strip_suffix('o'), feminine) {
        (Some(stem), true) => format!("{stem}a"),
        _ => adjective.to_string(),
    };
    match (plural, form.ends_with(['a', 'e', 'o'])) {
        (false, _) => form,
        (true, true) => form + "s",
        (true, false) => form + "es",
    }
}

/// Where things and people come out of.
pub const ORIGINS: [(&str, &str); 6] = [
    ("del horno", "of the oven"),
    ("de la cocina", "of the kitchen"),
    ("de la casa", "of the house"),
    ("del coche", "of the car"),
    ("de la tienda", "of the shop"),
    ("del mercado", "of the market"),
];

/// A word of another kind in the place of this one, with the same gender and number: a person for food, food
/// for a person, another place for a place. `None` if the grammar has none.
pub fn of_another_kind(word: &str) -> Option<&'static str> {
    for (these, others) in [(&FOODS[..], &PEOPLE[..]), (&PEOPLE, &FOODS)] {
        for number in [0, 1] {
            if let Some(noun) = these.iter().find(|noun| noun.spanish[number] == word) {
                let same =
                    |list: &'static [Noun]| list.iter().filter(|other| other.feminine == noun.feminine);
                let place = same(these).position(|other| other.spanish[number] == word)?;
                return same(others).cycle().nth(place).map(|other| other.spanish[number]);
            }
        }
    }
    let (article, _) =
        ORIGINS.iter().find_map(|(origin, _)| origin.rsplit_once(' ').filter(|(_, o)| *o == word))?;
    let mut others = ORIGINS.iter().filter_map(|(origin, _)| origin.rsplit_once(' '));
    others.rfind(|(other, noun)| *other == article && *noun != word).map(|(_, noun)| noun)
}

/// The article before an English word.
pub fn a_or_an(english: &str) -> &'static str {
    if english.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// A sentence with a capital letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_swapped_for_words_of_another_kind() {
        for (word, other) in [
            ("pizza", Some("niña")),
            ("niña", Some("pizza")),
            ("panes", Some("niños")),
            ("horno", Some("mercado")),
            ("mercado", Some("coche")),
            ("tienda", Some("casa")),
            ("sabía", None),
        ] {
            assert_eq!(of_another_kind(word), other, "{word}");
        }
        for noun in PEOPLE.iter().chain(&FOODS) {
            assert!(noun.spanish.iter().all(|word| of_another_kind(word).is_some()), "{noun:?}");
        }
    }

    #[test]
    fn adjectives_agree() {
        let forms = |adjective| {
            [(false, false), (true, false), (false, true), (true, true)]
                .map(|(feminine, plural)| agreeing(adjective, feminine, plural))
        };
        assert_eq!(forms("rojo"), ["rojo", "roja", "rojos", "rojas"]);
        assert_eq!(forms("verde"), ["verde", "verde", "verdes", "verdes"]);
        assert_eq!(forms("azul"), ["azul", "azul", "azules", "azules"]);
    }
}
