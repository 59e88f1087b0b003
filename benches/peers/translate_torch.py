"""Times training steps of the translation Transformer in PyTorch; prints one line of JSON."""

import argparse
import json
import math
import resource
import time

import torch
from torch import nn
from torch.nn import functional as F

# encoder and decoder layers, heads, width, feed-forward width, vocabulary, dropout, place of the norms: our presets.
WORKLOADS = {
    "tiny": dict(layers=4, n_head=4, d_model=128, d_ff=256, vocab_size=9712, dropout=0.3, norm_first=False),
    "small": dict(layers=3, n_head=8, d_model=256, d_ff=1024, vocab_size=8000, dropout=0.3, norm_first=False),
    "base": dict(layers=6, n_head=8, d_model=512, d_ff=2048, vocab_size=10000, dropout=0.1, norm_first=False),
}

# 256 pairs, padded to S and T tokens: 3712 target tokens, 4096 with the padding.
B, S, T, PADDING = 256, 18, 16, 0
SOURCE_LENGTHS = [S - 5 * i % 8 for i in range(B)]
TARGET_LENGTHS = [T - i % 4 for i in range(B)]


def sinusoids(length, c):
    """The positions of the paper, (length, C)."""
    angles = torch.arange(length)[:, None] / 10000 ** (torch.arange(0, c, 2) / c)
    return torch.stack((angles.sin(), angles.cos()), dim=2).view(length, c)


class Embedded(nn.Module):
    """Three-way shared embeddings and sinusoidal positions around an encoder and a decoder."""

    def __init__(self, d_model, vocab_size, dropout, **_):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=d_model ** -0.5)
        self.register_buffer("positions", sinusoids(256, d_model))
        self.dropout = nn.Dropout(dropout)
        self.scale = math.sqrt(d_model)

    def embed(self, tokens, start=0):
        positions = self.positions[start:start + tokens.shape[1]]
        return self.dropout(self.embedding(tokens) * self.scale + positions)

    def loss(self, x, target):
        logits = F.linear(x, self.embedding.weight)
        return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=PADDING, label_smoothing=0.1)


class Library(Embedded):
    """The model with PyTorch's own nn.Transformer."""

    def __init__(self, layers, n_head, d_model, d_ff, dropout, norm_first, **rest):
        super().__init__(d_model=d_model, dropout=dropout, **rest)
        self.transformer = nn.Transformer(d_model, n_head, layers, layers, d_ff, dropout, batch_first=True,
                                          norm_first=norm_first)
        # The paper's post-norm blocks need no last norm.
        self.transformer.encoder.norm = self.transformer.decoder.norm = None

    def forward(self, source, inputs, target):
        causal = nn.Transformer.generate_square_subsequent_mask(inputs.shape[1])
        padding = source == PADDING
        x = self.transformer(self.embed(source), self.embed(inputs), tgt_mask=causal, tgt_is_causal=True,
                             src_key_padding_mask=padding, memory_key_padding_mask=padding)
        return self.loss(x, target)


class Attention(nn.Module):
    """Query, key and value in one product; keys and values of another sequence in one product."""

    def __init__(self, n_head, d_model, cross):
        super().__init__()
        self.n_head = n_head
        self.cross = cross
        if cross:
            self.query, self.keys_values = nn.Linear(d_model, d_model), nn.Linear(d_model, 2 * d_model)
        else:
            self.all = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def heads(self, x):
        return x.unflatten(2, (self.n_head, -1)).transpose(1, 2)

    def forward(self, x, memory=None, mask=None, causal=False):
        if self.cross:
            q, (k, v) = self.query(x), self.keys_values(memory).chunk(2, dim=2)
        else:
            q, k, v = self.all(x).chunk(3, dim=2)
        y = F.scaled_dot_product_attention(*map(self.heads, (q, k, v)), attn_mask=mask, is_causal=causal)
        return self.out(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A block of the encoder, or with cross-attention of the decoder; post-norm, as in the paper."""

    def __init__(self, n_head, d_model, d_ff, dropout, decoder):
        super().__init__()
        self.attention = Attention(n_head, d_model, cross=False)
        self.cross_attention = Attention(n_head, d_model, cross=True) if decoder else None
        self.hidden, self.out = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(3 if decoder else 2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None, memory=None):
        decoder = self.cross_attention is not None
        y = self.attention(x, causal=True) if decoder else self.attention(x, mask=mask)
        x = self.norms[0](x + self.dropout(y))
        if decoder:
            x = self.norms[1](x + self.dropout(self.cross_attention(x, memory, mask)))
        return self.norms[-1](x + self.dropout(self.out(F.relu(self.hidden(x)))))


class Fused(Embedded):
    """The strongest model that plain PyTorch gives: few large products, and its own fused attention."""

    def __init__(self, layers, n_head, d_model, d_ff, dropout, norm_first, **rest):
        super().__init__(d_model=d_model, dropout=dropout, **rest)
        sizes = (n_head, d_model, d_ff, dropout)
        self.encoder = nn.ModuleList(Block(*sizes, decoder=False) for _ in range(layers))
        self.decoder = nn.ModuleList(Block(*sizes, decoder=True) for _ in range(layers))

    def forward(self, source, inputs, target):
        mask = (source != PADDING)[:, None, None]
        memory = self.embed(source)
        for block in self.encoder:
            memory = block(memory, mask)
        x = self.embed(inputs)
        for block in self.decoder:
            x = block(x, mask, memory)
        return self.loss(x, target)


def random_tokens(vocab_size, longest, lengths):
    tokens = torch.randint(1, vocab_size, (B, longest))
    return tokens.masked_fill(torch.arange(longest) >= torch.tensor(lengths)[:, None], PADDING)


def training(workload, args):
    """The seconds of each of `steps` steps, after `warmup` more."""
    torch.manual_seed(1)
    model = {"nn": Library, "fused": Fused}[args.model](**workload)
    adam = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.0, fused=True)
    run = torch.compile(model) if args.mode == "compile" else model
    seconds = []
    for _ in range(args.warmup + args.steps):
        source = random_tokens(workload["vocab_size"], S, SOURCE_LENGTHS)
        inputs, target = (random_tokens(workload["vocab_size"], T, TARGET_LENGTHS) for _ in "it")
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=args.dtype == "bf16"):
            loss = run(source, inputs, target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        adam.zero_grad(set_to_none=True)
        loss.item()
        seconds.append(time.perf_counter() - start)
    return seconds[args.warmup:]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", choices=WORKLOADS, required=True)
    parser.add_argument("--model", choices=["nn", "fused"], default="fused")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10, help="measurements")
    parser.add_argument("--warmup", type=int, default=2, help="measurements before these, which do not count")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    seconds = training(WORKLOADS[args.workload], args)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peer = f"pytorch {torch.__version__} {args.model} {args.mode} {args.dtype}"
    print(json.dumps({"peer": peer, "workload": args.workload, "threads": args.threads, "seconds": seconds,
                      "peak_rss_mb": memory}))


if __name__ == "__main__":
    main()
