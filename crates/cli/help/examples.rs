//! The examples at the end of each command's help. A test parses all of them.

use crate::terminal::width::width;

/// The examples of a command: its path, and the arguments and the purpose of each example.
pub type Examples = (&'static str, &'static [(&'static str, &'static str)]);

/// All examples.
pub const EXAMPLES: &[Examples] = &[
    (
        "",
        &[
            ("digits train", "train the book's network on handwritten digits"),
            ("gpt train --run tales", "train a small GPT"),
            ("gpt sample tales", "let it write"),
            ("compare", "see what both have in common"),
            ("learn", "write it all yourself, exercise by exercise"),
        ],
    ),
    (
        "digits train",
        &[
            ("digits train", "the book's network, with chapter 3's initial weights"),
            ("digits train --config book-ch1", "the book's first network"),
            ("digits train --hidden 100 --run wide", "a wider one, saved in runs/wide"),
            ("digits train --config best", "a much better one, in some minutes"),
            ("digits train --resume wide --epochs 60", "go on with a run"),
        ],
    ),
    ("digits eval", &[("digits eval wide", "measure the run wide on the test images")]),
    (
        "digits predict",
        &[
            ("digits predict wide my-digit.png", "read a picture"),
            ("digits predict wide a.png b.jpg --json", "several, for other programs"),
        ],
    ),
    (
        "digits plot",
        &[
            ("digits plot wide", "draw everything about a run"),
            ("digits plot digits wide", "draw the curves of two runs together"),
        ],
    ),
    (
        "gpt prepare",
        &[("gpt prepare book.txt --tokenizer bpe:500 --out tokens", "learn 500 tokens, encode the text")],
    ),
    (
        "gpt train",
        &[
            ("gpt train --run tales", "a small GPT on short tales from a grammar in this program"),
            ("gpt train --data own-sources --run own", "on the notes and sources of this project"),
            ("gpt train --data tales-es --tokenizer word --run pizza", "on tales in Spanish, word by word"),
            ("gpt train --data book.txt --run book", "on your own text"),
            ("gpt train --config shakespeare-char-cpu", "nanoGPT's example for a CPU"),
            ("gpt train --resume own --max-iters 4000", "go on with a run"),
        ],
    ),
    (
        "gpt eval",
        &[
            ("gpt eval own", "the loss on the run's validation split"),
            ("gpt eval own --weights int8", "what it costs to round the weights"),
        ],
    ),
    (
        "gpt plot",
        &[
            ("gpt plot own", "the loss curves of a run"),
            ("gpt plot own book --out both.png", "two runs in one drawing"),
        ],
    ),
    (
        "gpt import",
        &[
            ("gpt import gpt2-folder --run gpt2", "a run from a Hugging Face folder"),
            ("gpt import own.gguf --run again", "from a file of llama.cpp"),
        ],
    ),
    (
        "gpt export",
        &[
            ("gpt export own exported", "a folder that transformers can load"),
            ("gpt export own own.gguf --quantise q8_0", "a file that llama.cpp can run, in 8 bits"),
        ],
    ),
    (
        "gpt sample",
        &[
            ("gpt sample own --prompt \"use \"", "continue a text"),
            ("gpt sample own --tokens 100 --temperature 0.5", "shorter, and less random"),
            ("gpt sample own.gguf", "with the model of a GGUF file"),
        ],
    ),
    (
        "gpt chat",
        &[
            ("gpt chat own", "type a line, see it continued; /help lists the commands"),
            ("gpt chat own --stop \"\\n\" --tokens 50", "one line for each answer"),
        ],
    ),
    (
        "gpt ask",
        &[
            (
                "gpt ask pizza \"La pizza salió del horno y sabía bien\" --word sabía",
                "the pizza or the oven?",
            ),
            (
                "gpt ask pizza \"El pan sabía mal\" --word sabía --replace \"El pan=María\"",
                "a change of your own",
            ),
        ],
    ),
    (
        "gpt ladder",
        &[
            ("gpt ladder", "all rungs of the lecture but the last"),
            ("gpt ladder --rungs bigram,one-head", "only two of them"),
        ],
    ),
    (
        "translate prepare",
        &[
            ("translate prepare train.de train.en --out de-en", "learn 8,000 tokens, encode the pairs"),
            ("translate prepare pairs.tsv --tokenizer bpe:4000 --out pairs", "from one file with tabs"),
        ],
    ),
    (
        "translate train",
        &[
            ("translate train --run es-en", "Spanish to English, from a grammar in this program"),
            ("translate train --data dates --run dates", "3 de mayo de 2021 to 2021-05-03"),
            ("translate train --data de-en --config small", "on a folder that prepare made"),
            ("translate train --resume es-en --max-iters 3000", "go on with a run"),
        ],
    ),
    (
        "translate eval",
        &[
            ("translate eval es-en", "loss and BLEU on the validation pairs"),
            ("translate eval es-en --split combinations", "words that never met in training"),
            ("translate eval de-en --source test.de --target test.en", "on other pairs"),
        ],
    ),
    (
        "translate translate",
        &[
            ("translate translate es-en spanish.txt", "a line for each line"),
            ("translate translate es-en spanish.txt --beam 8 --n-best 4", "the four best of each"),
            ("translate translate es-en spanish.txt --alignments", "which word comes from which"),
            ("translate translate es-en one.txt --beam-tree tree.svg", "draw the search"),
        ],
    ),
    (
        "translate score",
        &[("translate score es-en spanish.txt english.txt", "how likely is each translation?")],
    ),
    (
        "translate ask",
        &[
            (
                "translate ask es-en \"La pizza salió del horno y sabía bien\" --word sabía",
                "the pizza or the oven?",
            ),
            (
                "translate ask es-en \"El pan sabía mal\" --word sabía --replace \"El pan=María\"",
                "a change of your own",
            ),
        ],
    ),
    (
        "lab",
        &[
            ("lab", "list the experiments"),
            ("lab score --arms cosine,dot", "two arms beside the standard"),
            ("lab mine.toml --seeds 1,2,3,4,5", "your own experiment, with five seeds"),
        ],
    ),
    (
        "compare",
        &[
            ("compare", "the digit network and the GPT"),
            ("compare gpt translate", "the GPT and the encoder-decoder"),
            ("compare wide own", "two runs"),
            ("compare --code linear", "the source of a shared function"),
        ],
    ),
    (
        "inspect",
        &[
            ("inspect gpt --prompt \"To be or not\"", "every op of a step"),
            ("inspect own --layer 1 --head 0", "one head of one layer"),
            ("inspect own --attention --out attention.html", "draw the attention"),
            ("inspect digits --image my-digit.png", "a picture in the digit network"),
            ("inspect translate --layer 3", "a decoder block, with cross-attention"),
        ],
    ),
    (
        "bleu",
        &[
            ("bleu references.txt --hypotheses mine.txt", "score the translations in a file"),
            ("bleu ref.txt --hypotheses mine.txt --baseline old.txt", "is it better than before?"),
        ],
    ),
    (
        "open",
        &[
            ("open", "the page, with all your runs"),
            ("open wide --no-browser", "print the address, with this run first"),
        ],
    ),
    (
        "learn",
        &[
            ("learn", "go on with the next exercise, graded at each save"),
            ("learn bp1 --once", "grade one exercise"),
            ("learn --lang es", "in Spanish"),
        ],
    ),
    ("learn hint", &[("learn hint", "the next hint"), ("learn hint bp1", "of another exercise")]),
    ("learn solution", &[("learn solution bp1", "show a solution")]),
    ("learn reset", &[("learn reset bp1", "begin again; your version is kept")]),
    ("learn list", &[("learn list", "all exercises, and which of them pass")]),
    ("learn use", &[("learn use backprop", "train the network of digits with your code")]),
    ("params", &[("params own", "every parameter of a run"), ("params gpt", "of an untrained GPT")]),
    ("runs", &[("runs", "list all runs")]),
    ("runs list", &[("runs list --json", "for other programs")]),
    ("runs show", &[("runs show own", "everything about a run")]),
    ("runs rename", &[("runs rename gpt-3 best-so-far", "give a run a better name")]),
    ("runs delete", &[("runs delete gpt-2 gpt-3", "delete two runs, after asking")]),
    ("data list", &[("data list", "all datasets")]),
    ("data get", &[("data get tiny-shakespeare", "download a dataset")]),
    ("data check", &[("data check mnist", "verify every file")]),
    (
        "bench",
        &[
            ("bench train-gpt2-124m", "one workload"),
            ("bench --against pytorch", "everything, beside PyTorch"),
        ],
    ),
    ("doctor", &[("doctor", "what this machine can do")]),
    ("completions", &[("completions bash", "print the completions for bash")]),
    ("man", &[("man ~/.local/share/man/man1", "write the manual pages")]),
];

/// The examples of a command as text of this many columns; empty if there are none.
pub fn text(path: &[String], program: &str, columns: usize) -> String {
    let path = path.join(" ");
    let found = EXAMPLES.iter().find(|(known, _)| *known == path);
    let Some((_, lines)) = found.filter(|(_, lines)| !lines.is_empty()) else { return String::new() };
    let line =
        |(arguments, about): &(&str, &str)| format!("  # {about}\n{}", broken(program, arguments, columns));
    let lines: Vec<String> = lines.iter().map(line).collect();
    format!("Examples:\n{}", lines.join("\n"))
}

/// A command that can be copied: one that is wider than the terminal is broken between two words, by a backslash.
fn broken(program: &str, arguments: &str, columns: usize) -> String {
    let (mut words, mut is_quoted) = (vec![program.to_string()], false);
    for piece in arguments.split(' ') {
        match words.last_mut() {
            Some(word) if is_quoted => *word += &format!(" {piece}"),
            _ => words.push(piece.into()),
        }
        is_quoted ^= piece.matches('"').count() % 2 == 1;
    }
    let mut text = format!("  {program}");
    let mut used = width(&text);
    for (i, word) in words.iter().enumerate().skip(1) {
        let mark = if i + 1 == words.len() { 0 } else { width(" \\") };
        if used + 1 + width(word) + mark <= columns {
            text.push(' ');
            used += 1;
        } else {
            text.push_str(" \\\n    ");
            used = 4;
        }
        text.push_str(word);
        used += width(word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_command_is_broken_between_words() {
        let arguments = "gpt ask pizza \"El pan sabía mal\" --word sabía";
        assert_eq!(broken("m2g", arguments, 80), format!("  m2g {arguments}"));
        let narrow = "  m2g gpt ask pizza \\\n    \"El pan sabía mal\" \\\n    --word sabía";
        assert_eq!(broken("m2g", arguments, 26), narrow);
    }
}
