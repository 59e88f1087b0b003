"""Writes random.json: scores of random corpora, computed by sacreBLEU 2.6.0.

    pip install sacrebleu==2.6.0
    python make_random.py

The sentences mix words with everything that tokenisers trip over: entities, numbers, dashes, runs of
points, letters with accents, wide characters, unusual white space.
"""

import json
import random
from pathlib import Path

from sacrebleu.metrics import BLEU, CHRF

PARTS = [
    "the", "The", "cook", "oven", "sabía", "SABÍA", "Straße", "ÉTÉ", "ΟΔΟΣ", "banco", "a", "b", "10", "1,000.5",
    "3.", ".5", "10-20", "a-b", "5-x", "--", "...", ",", ".", "'s", "don't", "(hi)", '"', "&amp;", "&quot;", "&lt;b&gt;",
    "&amp;lt;", "<skipped>", "%", "$5", "€5", "日本語", "日", "🍕", "e\u0301", "\u00a0", "\u2009x", "x\u200by", "\u001cz",
    "w\u0085v", "/", "\\", "~", "[x]", "{y}", "^", "_", "`", "@", "=", "+", "1.2.3", "1..2", "A.B.", "¿qué?", "«sí»",
]
random.seed(26)


def sentence():
    words = [random.choice(PARTS) for _ in range(random.randint(0, 14))]
    return "".join(w + random.choice([" ", " ", " ", "  ", ""]) for w in words)


def changed(text):
    parts = text.split(" ")
    for _ in range(random.randint(0, 4)):
        i = random.randrange(len(parts))
        parts[i:i + random.randint(0, 2)] = random.choice([[], [random.choice(PARTS)], [parts[i].swapcase()]])
        parts = parts or [""]
    return " ".join(parts)


cases = []
for number in range(60):
    n, n_references = random.randint(1, 6), random.choice([1, 1, 2, 3])
    hypotheses = [sentence() for _ in range(n)]
    references = [[changed(line) for line in hypotheses] for _ in range(n_references)]
    bleu = dict(
        lowercase=random.random() < 0.3,
        tokenize=random.choice(["13a", "13a", "none"]),
        effective_order=random.random() < 0.5,
    )
    bleu["smooth_method"], bleu["smooth_value"] = random.choice(
        [("exp", None), ("exp", None), ("none", None), ("floor", 0.2), ("add-k", 2)])
    chrf = dict(
        lowercase=random.random() < 0.3, whitespace=random.random() < 0.3,
        word_order=random.choice([0, 0, 2]), beta=random.choice([1, 2, 2, 3]))
    metrics = [BLEU(force=True, **bleu), CHRF(**chrf)]
    scores = [metric.corpus_score(hypotheses, references) for metric in metrics]
    cases.append(dict(
        hyp=hypotheses, refs=references, bleu=bleu, chrf=chrf, bleu_score=scores[0].score,
        chrf_score=scores[1].score, chrf_name=scores[1].name,
        signatures=[str(metric.get_signature().format(short=False)) for metric in metrics]))

out = Path(__file__).with_name("random.json")
out.write_text(json.dumps(cases, ensure_ascii=True, indent=0) + "\n")
