"""Loads with transformers a folder that `m2g gpt export` wrote, and compares the logits with ours.

$ m2g gpt export RUN DIR
$ m2g gpt eval RUN --tokens tokens.json --logits logits.safetensors
$ python3 benches/peers/check_export.py DIR --tokens tokens.json --logits logits.safetensors
"""

import argparse
import json
import sys

import torch
from safetensors.torch import load_file
from transformers import GPT2LMHeadModel


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", metavar="DIR")
    parser.add_argument("--tokens", metavar="FILE.json", required=True, help='{"tokens": [[...], ...]}, rows of T+1')
    parser.add_argument("--logits", metavar="FILE.safetensors", help="one tensor `logits`, (B, T, V)")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    model, info = GPT2LMHeadModel.from_pretrained(args.dir, output_loading_info=True)
    model = model.eval().float()
    wrong = {what: names for what, names in info.items() if names}
    print(f"keys that do not match: {wrong or 'none'}")
    with open(args.tokens) as file:
        tokens = torch.tensor(json.load(file)["tokens"])
    with torch.no_grad():
        logits = model(tokens[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    print(f"loss {loss.item():.6f}")
    worst = 0.0
    if args.logits:
        ours = load_file(args.logits)["logits"]
        if ours.shape != logits.shape:
            sys.exit(f"error: logits of shape {tuple(ours.shape)}, not {tuple(logits.shape)}")
        worst = (ours - logits).abs().max().item()
        print(f"largest difference of the logits {worst:.2e}")
    sys.exit(1 if wrong or not worst <= args.tolerance else 0)


if __name__ == "__main__":
    main()
