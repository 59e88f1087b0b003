//! The words of the grammar, in Spanish and English.

/// A noun: its forms in both languages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noun {
    /// Spanish, singular and plural.
    pub spanish: [&'static str; 2],
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

pub(super) const PEOPLE: [Noun; 16] = [
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
pub(super) const NAMES: [&str; 6] = ["María", "Juan", "Lucía", "Pedro", "Ana", "Carlos"];

pub(super) const FOODS: [Noun; 14] = [
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

pub(super) const THINGS: [Noun; 16] = [
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

pub(super) const ANIMALS: [Noun; 8] = [
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
pub(super) const ADJECTIVES: [(&str, &str); 18] = [
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
pub(super) fn agreeing(adjective: &str, feminine: bool, plural: bool) -> String {
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

/// Verbs with a thing as their object: Spanish past, singular and plural; English past.
pub(super) const DEEDS: [([&str; 2], &str); 12] = [
    (["compró", "compraron"], "bought"),
    (["vio", "vieron"], "saw"),
    (["perdió", "perdieron"], "lost"),
    (["encontró", "encontraron"], "found"),
    (["vendió", "vendieron"], "sold"),
    (["pintó", "pintaron"], "painted"),
    (["trajo", "trajeron"], "brought"),
    (["quería", "querían"], "wanted"),
    (["eligió", "eligieron"], "chose"),
    (["tocó", "tocaron"], "touched"),
    (["olvidó", "olvidaron"], "forgot"),
    (["miró", "miraron"], "looked at"),
];

/// Where things and people come out of, with the verb in singular and plural.
pub(super) const ORIGINS: [(&str, &str); 6] = [
    ("del horno", "of the oven"),
    ("de la cocina", "of the kitchen"),
    ("de la casa", "of the house"),
    ("del coche", "of the car"),
    ("de la tienda", "of the shop"),
    ("del mercado", "of the market"),
];

/// Times at the start of a sentence.
pub(super) const TIMES: [(&str, &str); 6] = [
    ("ayer", "yesterday"),
    ("por la mañana", "in the morning"),
    ("anoche", "last night"),
    ("en verano", "in summer"),
    ("después", "later"),
    ("a las diez", "at ten"),
];

/// After *sabía*: what it means of food and of a person. Where both exist, only the subject tells.
pub(super) const TASTES: [(&str, Option<&str>, Option<&str>); 12] = [
    ("bien", Some("tasted good"), Some("knew well")),
    ("mal", Some("tasted bad"), Some("knew badly")),
    ("mejor", Some("tasted better"), Some("knew better")),
    ("peor", Some("tasted worse"), Some("knew worse")),
    ("a limón", Some("tasted of lemon"), None),
    ("a ajo", Some("tasted of garlic"), None),
    ("muy bien", Some("tasted very good"), Some("knew very well")),
    ("muy mal", Some("tasted very bad"), Some("knew very badly")),
    ("la verdad", None, Some("knew the truth")),
    ("la respuesta", None, Some("knew the answer")),
    ("el secreto", None, Some("knew the secret")),
    ("la lección", None, Some("knew the lesson")),
];

/// What happens with an ambiguous noun. The subject `{}` is a person; the rest tells what the noun is.
pub(super) const AMBIGUOUS: [(&str, &str); 24] = [
    // banco: bank, bench
    ("{} guardó el dinero en el banco", "{} kept the money in the bank"),
    ("{} pidió dinero al banco", "{} asked the bank for money"),
    ("{} trabajó en el banco con su jefe", "{} worked at the bank with the boss"),
    ("{} se sentó en el banco", "{} sat on the bench"),
    ("{} durmió en el banco del parque", "{} slept on the bench in the park"),
    ("{} pintó el banco de madera", "{} painted the wooden bench"),
    // hoja: leaf, sheet
    ("{} escribió en la hoja", "{} wrote on the sheet"),
    ("{} dobló la hoja de papel", "{} folded the sheet of paper"),
    ("{} firmó la hoja", "{} signed the sheet"),
    ("{} vio caer la hoja del árbol", "{} saw the leaf fall from the tree"),
    ("{} pisó la hoja seca", "{} stepped on the dry leaf"),
    ("{} miró la hoja de la planta", "{} looked at the leaf of the plant"),
    // copa: glass, cup, top
    ("{} bebió de la copa", "{} drank from the glass"),
    ("{} llenó la copa de vino", "{} filled the glass with wine"),
    ("{} rompió la copa en la fiesta", "{} broke the glass at the party"),
    ("{} ganó la copa", "{} won the cup"),
    ("{} perdió la copa en el partido", "{} lost the cup in the match"),
    ("{} levantó la copa del campeón", "{} lifted the cup of the champion"),
    ("{} subió a la copa del árbol", "{} climbed to the top of the tree"),
    ("{} vio un nido en la copa del pino", "{} saw a nest in the top of the pine"),
    ("{} cortó la copa del árbol", "{} cut the top of the tree"),
    // sierra: saw, mountains
    ("{} cortó la madera con la sierra", "{} cut the wood with the saw"),
    ("{} caminó por la sierra", "{} walked through the mountains"),
    ("{} pasó el invierno en la sierra", "{} spent the winter in the mountains"),
];

/// A word of another kind in the place of this one, with the same gender and number: a person for food, food
/// for a person, another place for a place. `None` if the grammar has none.
pub(super) fn of_another_kind(word: &str) -> Option<&'static str> {
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
