//! What happens in the sentences of the grammar, in Spanish and English.

/// Verbs with a thing as their object: Spanish past, singular and plural; English past. Before an animal,
/// *quería* is "loved".
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

/// Adjectives of a state, which *está* joins to its noun. The others name a quality: *es*.
pub(super) const STATES: [&str; 2] = ["limpio", "sucio"];

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
    ("{} trabajó en el banco con el jefe", "{} worked at the bank with the boss"),
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
