//! The tree of a beam search, as text and as a drawing.

use std::path::Path;

use anyhow::bail;
use m2g_text::Tokenizer;
use m2g_text::tokenizer::readable;
use m2g_translate::decode::{Fate, Node, Options, Tree};

use crate::output_file;
use crate::plot::title::Title;
use crate::plot::{Anchor, BLACK, Figure, GREY, Rgb, font};

/// The flag that names the file.
const FLAG: &str = "--beam-tree";
/// The most steps that a drawing has room for.
const MAX_STEPS: usize = 200;
/// The widest beam that a .png file has room for: a step has up to twice as many rows.
const MAX_BEAM: usize = 100;
/// The colour of the best translation, and of the translations that ended.
const BEST: Rgb = [8, 81, 156];
const FINISHED: Rgb = [0, 109, 44];

/// The format of the file, by its ending.
fn format(out: &Path) -> anyhow::Result<&'static str> {
    output_file::format(FLAG, out, &["svg", "png", "txt"])
}

/// Checks the file before anything is computed.
pub fn check(out: &Path, options: &Options) -> anyhow::Result<()> {
    if format(out)? == "png" && options.beam > MAX_BEAM {
        bail!(
            "a .png file has room for a beam of {MAX_BEAM}, and --beam is {}: give a .svg or .txt file",
            options.beam
        );
    }
    output_file::check(FLAG, out)
}

/// Writes the tree to a file.
pub fn save(
    out: &Path,
    source: &str,
    tree: &Tree,
    tokenizer: &Tokenizer,
    options: &Options,
) -> anyhow::Result<()> {
    let title = format!("{source}: {options}");
    let bytes = match format(out)? {
        "txt" => text(&title, tree, tokenizer).into_bytes(),
        format => {
            if tree.depth() > MAX_STEPS {
                bail!(
                    "the search took {} steps, and a drawing has room for {MAX_STEPS}: give a shorter sentence, or a \
                     .txt file",
                    tree.depth()
                );
            }
            let figure = figure(&title, tree, tokenizer);
            if format == "png" { figure.png()? } else { figure.svg().into_bytes() }
        }
    };
    output_file::write_bytes(out, &bytes)
}

/// The token of a node, with its space visible.
fn token(node: &Node, tokenizer: &Tokenizer) -> String {
    match node.fate {
        _ if tokenizer.is_special(node.token) => "(end)".into(),
        _ => readable(node.token, Some(tokenizer)).replace(' ', "\u{2423}"),
    }
}

/// The tree with a line for each branch: tokens without a choice between them stand in one line.
fn text(title: &str, tree: &Tree, tokenizer: &Tokenizer) -> String {
    let best = tree.best();
    let mut lines = vec![
        title.to_string(),
        "* the best   = ended   x pruned   then log-probability, and score where it ended".to_string(),
    ];
    // The nodes to write, the next one last, each with the lines to its left.
    let mut open: Vec<(usize, String, bool)> = Vec::new();
    let push = |open: &mut Vec<(usize, String, bool)>, of: Option<usize>, left: &str| {
        let children: Vec<usize> = tree.children(of).collect();
        for (i, &child) in children.iter().enumerate().rev() {
            open.push((child, left.to_string(), i + 1 == children.len()));
        }
    };
    push(&mut open, None, "");
    while let Some((first, left, is_last)) = open.pop() {
        let (mut node, mut tokens) = (first, token(&tree.nodes[first], tokenizer));
        loop {
            let mut children = tree.children(Some(node));
            match (children.next(), children.next()) {
                (Some(only), None) => {
                    tokens.push_str(&token(&tree.nodes[only], tokenizer));
                    node = only;
                }
                _ => break,
            }
        }
        let Node { fate, log_probability, score, .. } = &tree.nodes[node];
        let mark = match fate {
            _ if best.contains(&node) => "*",
            Fate::Finished => "=",
            Fate::Pruned => "x",
            Fate::Kept => " ",
        };
        let score = if *fate == Fate::Finished { format!("  score {score:.3}") } else { String::new() };
        let branch = if is_last { "└" } else { "├" };
        lines.push(format!("{left}{branch}{mark} {tokens}  {log_probability:.3}{score}"));
        push(&mut open, Some(node), &format!("{left}{}  ", if is_last { " " } else { "│" }));
    }
    lines.join("\n") + "\n"
}

/// The distance from one step to the next, and from one translation to the next below, in pixels.
const STEP: f64 = 118.0;
const ROW: f64 = 34.0;
const MARGIN: f64 = 16.0;
/// The width of a token.
const TOKEN: f64 = 84.0;

/// The tree from left to right: a column for each step, the likeliest translation at its top.
fn figure(title: &str, tree: &Tree, tokenizer: &Tokenizer) -> Figure {
    let mut rows = vec![0_usize; tree.depth() + 1];
    let mut places = Vec::with_capacity(tree.nodes.len());
    for node in &tree.nodes {
        places.push((node.depth, rows[node.depth]));
        rows[node.depth] += 1;
    }
    let width = (2.0 * MARGIN + STEP * tree.depth() as f64).max(480.0);
    let title = Title::new(title, 13.0, width - 2.0 * MARGIN);
    let top = 70.0 + title.extra_height();
    let height = top + ROW * rows.iter().copied().max().unwrap_or(0) as f64 + MARGIN;
    let mut figure = Figure::new(width as usize, height as usize);
    title.draw(&mut figure, (MARGIN, 22.0));
    let key = "below each token: the log-probability so far, and the score of what ended";
    let (key, size) = font::fit(key, 11.0, width - 2.0 * MARGIN);
    figure.text((MARGIN, 42.0 + title.extra_height()), key, size, Anchor::Start, BLACK);
    let at = |i: usize| {
        let (depth, row) = places[i];
        (MARGIN + STEP * (depth - 1) as f64, top + ROW * row as f64)
    };
    let best = tree.best();
    let colour = |i: usize| match tree.nodes[i].fate {
        _ if best.contains(&i) => BEST,
        Fate::Finished => FINISHED,
        Fate::Kept => BLACK,
        Fate::Pruned => GREY,
    };
    // Lines first, and those of the best translation last, so that nothing covers it.
    let (on_best, others): (Vec<usize>, Vec<usize>) = (0..tree.nodes.len()).partition(|i| best.contains(i));
    for i in others.into_iter().chain(on_best) {
        if let Some(parent) = tree.nodes[i].parent {
            let ((x1, y1), (x2, y2)) = (at(parent), at(i));
            let from = (x1 + TOKEN, y1 - 4.0);
            let thick = if best.contains(&i) { 2.0 } else { 1.0 };
            figure.line(vec![from, (x2 - 4.0, y2 - 4.0)], colour(i), thick);
        }
    }
    for (i, node) in tree.nodes.iter().enumerate() {
        let (x, y) = at(i);
        let (text, size) = font::fit(&token(node, tokenizer), 12.0, TOKEN - 4.0);
        figure.text((x, y), text, size, Anchor::Start, colour(i));
        let numbers = match node.fate {
            Fate::Finished => format!("{:.2}, score {:.2}", node.log_probability, node.score),
            Fate::Pruned => format!("{:.2}, pruned", node.log_probability),
            Fate::Kept => format!("{:.2}", node.log_probability),
        };
        let (numbers, size) = font::fit(&numbers, 9.0, STEP - 8.0);
        figure.text((x, y + 11.0), numbers, size, Anchor::Start, colour(i));
    }
    figure
}
