"""Writes golden-{after,before}.safetensors: nn.Transformer of PyTorch with random weights, its logits, its
smoothed loss, and the gradient of every weight, in f64 and stored as f32.

    pip install torch safetensors
    python make_golden.py

The model is the paper's: embeddings times sqrt(d_model), shared with the output layer, sines and cosines,
padding masks, label smoothing of 0.1. Without dropout, which is random.
"""

import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

VOCABULARY, C, FF, HEADS, ENCODER, DECODER, PADDING, BEGINNING, END = 13, 8, 12, 2, 2, 2, 12, 10, 11
SOURCES = [[1, 2, 3, 4, 5, END], [6, 7, END], [9, 8, 7, 0, END]]
TARGETS = [[3, 2, END], [4, 5, 6, 7, 8, 9, END], [0, 1, END]]


def rows(sequences):
    longest = max(map(len, sequences))
    return torch.tensor([s + [PADDING] * (longest - len(s)) for s in sequences])


def positions(t):
    p = torch.arange(t, dtype=torch.float64)[:, None]
    angle = p / 10000 ** (torch.arange(0, C, 2, dtype=torch.float64) / C)
    return torch.stack([angle.sin(), angle.cos()], dim=2).reshape(t, C)


for norm in ["after", "before"]:
    torch.manual_seed(26)
    model = nn.Transformer(C, HEADS, ENCODER, DECODER, FF, dropout=0.0, batch_first=True,
                           norm_first=norm == "before", dtype=torch.float64)
    # nn.Transformer always has last norms; the paper's post-norm model has none.
    if norm == "after":
        model.encoder.norm = model.decoder.norm = None
    embedding = nn.Embedding(VOCABULARY, C, dtype=torch.float64)
    for name, weight in model.named_parameters():
        nn.init.normal_(weight, 1.0 if "norm" in name and "weight" in name else 0.0, 0.3)
    nn.init.normal_(embedding.weight, 0.0, C ** -0.5)
    for weight in [embedding.weight, *model.parameters()]:
        weight.data = weight.data.float().double()  # as they are stored

    source, target = rows(SOURCES), rows(TARGETS)
    start = torch.full((len(TARGETS), 1), BEGINNING)
    inputs = torch.cat([start, target[:, :-1]], dim=1)
    inputs[inputs == END] = PADDING  # what follows the end is padding

    def embed(tokens):
        return embedding(tokens) * math.sqrt(C) + positions(tokens.shape[1])

    hidden = model(embed(source), embed(inputs),
                   tgt_mask=nn.Transformer.generate_square_subsequent_mask(inputs.shape[1], dtype=torch.float64),
                   src_key_padding_mask=source == PADDING, memory_key_padding_mask=source == PADDING,
                   tgt_key_padding_mask=target == PADDING)
    logits = hidden @ embedding.weight.T
    flat = logits.reshape(-1, VOCABULARY)
    loss = nn.functional.cross_entropy(flat, target.reshape(-1), ignore_index=PADDING, label_smoothing=0.1)
    plain = nn.functional.cross_entropy(flat, target.reshape(-1), ignore_index=PADDING)
    loss.backward()

    # Rows of padding are computed, but mean nothing.
    tensors = {"logits": logits.detach() * (target != PADDING)[:, :, None], "loss": loss.detach()[None],
               "unsmoothed_loss": plain.detach()[None]}
    for name, weight in [("embedding.weight", embedding.weight), *model.named_parameters()]:
        tensors[name] = weight.detach()
        tensors["gradient." + name] = weight.grad
    tensors = {name: t.to(torch.float32).contiguous() for name, t in tensors.items()}
    save_file(tensors, Path(__file__).with_name(f"golden-{norm}.safetensors"))
    print(norm, loss.item(), plain.item())
