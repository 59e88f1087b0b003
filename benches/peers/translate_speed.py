"""Compares the speed of translation with the weights of one of our runs: ours, CTranslate2, PyTorch.

    python benches/peers/translate_speed.py runs/NAME SENTENCES.txt --m2g target/release/m2g

All translate the same tokens with a beam of 4, 64 sentences at a time, on the same number of threads, in turns,
each in a new process. All end the search of a sentence once four translations have ended, CTranslate2's default
(`--patience 1` here). We and CTranslate2 translate whole batches side by side, each on one thread; PyTorch, a single
process, one batch with all threads. A line says how many sentences each translated like ours: rounding decides a few.
"""

import argparse
import json
import math
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BEAM, ALPHA, BATCH, EXTRA = 4, 0.6, 64, 50


def load(run):
    """The settings, the number of each special token, and the tensors of a run."""
    blob = (Path(run) / "best.safetensors").read_bytes()
    length = int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8:8 + length])
    settings = json.loads(header.pop("__metadata__")["m2g"])["config"]
    tensors = {}
    for name, about in header.items():
        first, last = (8 + length + offset for offset in about["data_offsets"])
        tensors[name] = np.frombuffer(blob[first:last], dtype=np.float32).reshape(about["shape"]).copy()
    model = settings["model"]
    wanted = dict(sharing="three-way", positions="sinusoidal", scale_embeddings=True)
    for name, value in wanted.items():
        if model[name] != value:
            raise SystemExit(f"error: this comparison needs a run with {name} = {value}, not {model[name]}")
    return model, tensors


def sinusoids(length, c, base):
    angles = np.arange(length)[:, None] / base ** (np.arange(0, c, 2) / c)
    return np.stack((np.sin(angles), np.cos(angles)), axis=2).reshape(length, c).astype(np.float32)


def ctranslate2_model(run, special, folder):
    """Writes our weights as a model of CTranslate2."""
    import ctranslate2
    from ctranslate2.specs import TransformerSpec, transformer_spec

    model, tensors = load(run)
    pre_norm = model["norm"] == "before"
    heads = model["n_head"]
    encoder = transformer_spec.TransformerEncoderSpec(model["encoder_layers"], heads, pre_norm)
    decoder = transformer_spec.TransformerDecoderSpec(model["decoder_layers"], heads, pre_norm)
    spec = TransformerSpec(encoder, decoder)
    positions = sinusoids(model["max_length"], model["d_model"], model["positions_base"])

    def linear(part, name):
        part.weight, part.bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    def norm(part, name):
        part.gamma, part.beta = tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    for stack, name in (encoder, "encoder"), (decoder, "decoder"):
        for i, layer in enumerate(stack.layer):
            at = f"{name}.{i}"
            linear(layer.self_attention.linear[0], f"{at}.attn.c_attn")
            linear(layer.self_attention.linear[1], f"{at}.attn.c_proj")
            norm(layer.self_attention.layer_norm, f"{at}.ln_1")
            if name == "decoder":
                for j, part in enumerate(("c_q", "c_kv", "c_proj")):
                    linear(layer.attention.linear[j], f"{at}.cross_attn.{part}")
                norm(layer.attention.layer_norm, f"{at}.ln_cross")
            linear(layer.ffn.linear_0, f"{at}.mlp.c_fc")
            linear(layer.ffn.linear_1, f"{at}.mlp.c_proj")
            norm(layer.ffn.layer_norm, f"{at}.ln_2")
        if pre_norm:
            norm(stack.layer_norm, f"{name}.norm")
        stack.position_encodings.encodings = positions
    embedding = tensors["embedding.weight"]
    encoder.embeddings[0].weight = decoder.embeddings.weight = decoder.projection.weight = embedding
    words = [str(i) for i in range(len(embedding))]
    for name, token in ("<s>", special["beginning"]), ("</s>", special["end"]), ("<unk>", special["padding"]):
        words[token] = name
    spec.register_source_vocabulary(words)
    spec.register_target_vocabulary(words)
    spec.config.add_source_eos = True
    spec.config.add_source_bos = False
    spec.config.decoder_start_token = "<s>"
    spec.validate()
    spec.optimize()
    spec.save(folder)
    return ctranslate2, words


def with_ctranslate2(args, sources, special):
    with tempfile.TemporaryDirectory() as folder:
        ctranslate2, words = ctranslate2_model(args.run, special, folder)
        kind = {"f32": "float32", "int8": "int8"}[args.dtype]
        # As ours: whole batches side by side, each on one thread.
        translator = ctranslate2.Translator(folder, device="cpu", compute_type=kind, inter_threads=args.threads,
                                            intra_threads=1)
    texts = [[words[i] for i in source] for source in sources]

    def translate(texts):
        found = translator.translate_batch(texts, beam_size=BEAM, length_penalty=ALPHA, max_batch_size=BATCH,
                                           max_decoding_length=max(map(len, texts)) + EXTRA,
                                           disable_unk=True)
        return [[int(word) for word in one.hypotheses[0]] for one in found]

    translate(texts[:BATCH * args.threads])  # a batch for each worker
    start = time.perf_counter()
    found = translate(texts)
    return time.perf_counter() - start, found


class TorchModel:
    """The model in plain PyTorch, with cached keys and values."""

    def __init__(self, run):
        import torch

        self.torch = torch
        self.settings, tensors = load(run)
        self.p = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
        model = self.settings
        self.heads, self.c = model["n_head"], model["d_model"]
        self.positions = torch.from_numpy(sinusoids(model["max_length"] + 1, self.c, model["positions_base"]))

    def linear(self, x, name):
        return self.torch.nn.functional.linear(x, self.p[f"{name}.weight"], self.p[f"{name}.bias"])

    def norm(self, x, name):
        return self.torch.nn.functional.layer_norm(x, (self.c,), self.p[f"{name}.weight"], self.p[f"{name}.bias"])

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def attention(self, q, k, v, mask, name):
        y = self.torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.linear(y.transpose(1, 2).flatten(2), f"{name}.c_proj")

    def sublayer(self, x, norm, f):
        if self.settings["norm"] == "before":
            return x + f(self.norm(x, norm))
        return self.norm(x + f(x), norm)

    def embed(self, tokens, start=0):
        x = self.p["embedding.weight"][tokens] * math.sqrt(self.c)
        return x + self.positions[start:start + tokens.shape[1]]

    def mlp(self, x, name):
        return self.linear(self.torch.relu(self.linear(x, f"{name}.c_fc")), f"{name}.c_proj")

    def encode(self, source, mask):
        x = self.embed(source)
        for i in range(self.settings["encoder_layers"]):
            def attend(x, name=f"encoder.{i}.attn"):
                q, k, v = (self.split(z) for z in self.linear(x, f"{name}.c_attn").chunk(3, -1))
                return self.attention(q, k, v, mask, name)
            x = self.sublayer(x, f"encoder.{i}.ln_1", attend)
            x = self.sublayer(x, f"encoder.{i}.ln_2", lambda x, i=i: self.mlp(x, f"encoder.{i}.mlp"))
        return self.norm(x, "encoder.norm") if self.settings["norm"] == "before" else x

    def memory(self, x):
        """The keys and values of each decoder layer for the encoded source."""
        layers = range(self.settings["decoder_layers"])
        both = (self.linear(x, f"decoder.{i}.cross_attn.c_kv").chunk(2, -1) for i in layers)
        return [[self.split(z) for z in one] for one in both]

    def decode(self, tokens, start, cache, memory, mask):
        """The log-probabilities after one token of each row; `cache` grows by one token."""
        torch = self.torch
        x = self.embed(tokens, start)
        for i in range(self.settings["decoder_layers"]):
            def attend(x, i=i, name=f"decoder.{i}.attn"):
                q, k, v = (self.split(z) for z in self.linear(x, f"{name}.c_attn").chunk(3, -1))
                cache[i] = [k, v] if cache[i] is None else [torch.cat(z, 2) for z in zip(cache[i], (k, v))]
                return self.attention(q, *cache[i], None, name)
            def look(x, i=i, name=f"decoder.{i}.cross_attn"):
                return self.attention(self.split(self.linear(x, f"{name}.c_q")), *memory[i], mask, name)
            x = self.sublayer(x, f"decoder.{i}.ln_1", attend)
            x = self.sublayer(x, f"decoder.{i}.ln_cross", look)
            x = self.sublayer(x, f"decoder.{i}.ln_2", lambda x, i=i: self.mlp(x, f"decoder.{i}.mlp"))
        if self.settings["norm"] == "before":
            x = self.norm(x, "decoder.norm")
        return torch.log_softmax(x[:, -1] @ self.p["embedding.weight"].T, -1)


def beam_search(model, sources, special):
    """Translates a batch; keeps BEAM open hypotheses of each source until BEAM have ended or no open one can win."""
    torch = model.torch
    n, longest = len(sources), max(map(len, sources)) + 1
    source = torch.full((n, longest), special["padding"])
    for row, tokens in zip(source, sources):
        row[:len(tokens) + 1] = torch.tensor(tokens + [special["end"]])
    mask = (torch.arange(longest) < torch.tensor([len(s) + 1 for s in sources])[:, None])[:, None, None]
    memory = model.memory(model.encode(source, mask))
    memory = [[z.repeat_interleave(BEAM, 0) for z in one] for one in memory]
    mask = mask.repeat_interleave(BEAM, 0)
    cache = [None] * model.settings["decoder_layers"]
    total = torch.tensor([0.0] + [-math.inf] * (BEAM - 1)).repeat(n)
    tokens, texts = torch.full((n * BEAM, 1), special["beginning"]), torch.empty(n * BEAM, 0, dtype=torch.long)
    done, alive = [[] for _ in range(n)], list(range(n))
    for length in range(1, longest + EXTRA):
        log_p = model.decode(tokens, length - 1, cache, memory, mask)
        log_p[:, [special["beginning"], special["padding"]]] = -math.inf
        v = log_p.shape[1]
        scores, places = (total[:, None] + log_p).view(len(alive), -1).topk(2 * BEAM)
        penalty = ((5 + length) / 6) ** ALPHA
        rows, kept = [], []
        for a, (i, row, column) in enumerate(zip(alive, scores.tolist(), places.tolist())):
            open_ = []
            for rank, (score, place) in enumerate(zip(row, column)):
                beam, token = divmod(place, v)
                if token == special["end"]:
                    if rank < BEAM:
                        done[i].append((score / penalty, texts[a * BEAM + beam].tolist()))
                elif len(open_) < BEAM:
                    open_.append((a * BEAM + beam, token, score))
            best_open = open_[0][2] / ((5 + longest + EXTRA) / 6) ** ALPHA
            best = max((score for score, _ in done[i]), default=-math.inf)
            if len(done[i]) < BEAM and best < best_open or not done[i]:
                rows += open_
                kept.append(a)
        if not kept:
            break
        parents = torch.tensor([row for row, _, _ in rows])
        tokens = torch.tensor([[token] for _, token, _ in rows])
        total = torch.tensor([score for _, _, score in rows])
        texts = torch.cat((texts[parents], tokens), 1)
        cache = [[z[parents] for z in one] for one in cache]
        if len(kept) < len(alive):
            stay = torch.tensor([a * BEAM + b for a in kept for b in range(BEAM)])
            memory, mask = [[z[stay] for z in one] for one in memory], mask[stay]
            alive = [alive[a] for a in kept]
    return [max(one, default=(0, []))[1] for one in done]


def with_torch(args, sources, special):
    import torch

    torch.set_num_threads(args.threads)
    model = TorchModel(args.run)
    order = sorted(range(len(sources)), key=lambda i: -len(sources[i]))
    found = [None] * len(sources)
    with torch.inference_mode():
        beam_search(model, sources[:8], special)
        start = time.perf_counter()
        for first in range(0, len(order), BATCH):
            batch = order[first:first + BATCH]
            for i, tokens in zip(batch, beam_search(model, [sources[i] for i in batch], special)):
                found[i] = tokens
        return time.perf_counter() - start, found


def ours(args):
    """The seconds that our program reports, its peak memory in MiB, the tokens of sources and translations."""
    command = [args.m2g, "translate", "translate", args.run, args.sentences, "--json", "--beam", str(BEAM),
               "--alpha", str(ALPHA), "--patience", "1", "--batch", str(BATCH), "--threads", str(args.threads)]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        out.seek(0)
        err.seek(0)
        lines, notes = [json.loads(line) for line in out], err.read()
    if status:
        raise SystemExit(notes)
    seconds = float(re.search(r"sentences in ([\d.]+) s", notes)[1])
    sources = [line["source_tokens"] for line in lines]
    return seconds, usage.ru_maxrss / 1024, sources, [line["translations"][0]["tokens"] for line in lines]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run of `m2g translate train`")
    parser.add_argument("sentences", help="a text file with one source sentence on each line")
    parser.add_argument("--m2g", default="target/release/m2g", help="our program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", choices=["ctranslate2", "torch"], help=argparse.SUPPRESS)
    parser.add_argument("--dtype", choices=["f32", "int8"], default="f32", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        given = json.load(sys.stdin)
        run = {"ctranslate2": with_ctranslate2, "torch": with_torch}[args.worker]
        seconds, found = run(args, given["sources"], given["special"])
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "found": found, "peak_rss_mb": memory}))
        return
    _, _, sources, _ = ours(args)
    blob = (Path(args.run) / "best.safetensors").read_bytes()
    header = json.loads(blob[8:8 + int.from_bytes(blob[:8], "little")])
    settings = json.loads(header["__metadata__"]["m2g"])["config"]
    # The special tokens come last.
    names, vocabulary = settings["tokenizer"]["special"], settings["model"]["vocab_size"]
    special = {name.removesuffix("_of_text"): vocabulary - len(names) + i for i, name in enumerate(names)}
    given = json.dumps({"sources": [s[:-1] if s and s[-1] == special["end"] else s for s in sources],
                        "special": special})
    peers = {"CTranslate2 f32": ("ctranslate2", "f32"), "CTranslate2 int8": ("ctranslate2", "int8"),
             "PyTorch": ("torch", "f32")}
    times = {name: [] for name in ["mnist-to-gpt", *peers]}
    same, memory = {}, {}
    for _ in range(args.rounds):
        seconds, memory["mnist-to-gpt"], _, translations = ours(args)
        times["mnist-to-gpt"].append(seconds)
        for name, (worker, dtype) in peers.items():
            command = [sys.executable, __file__, args.run, args.sentences, "--worker", worker, "--dtype", dtype,
                       "--threads", str(args.threads)]
            process = subprocess.run(command, input=given, capture_output=True, text=True)
            if process.returncode:
                raise SystemExit(process.stderr)
            result = json.loads(process.stdout.splitlines()[-1])
            times[name].append(result["seconds"])
            memory[name] = result["peak_rss_mb"]
            same[name] = sum(a == b for a, b in zip(result["found"], translations))
    print(f"{len(sources)} sentences, beam {BEAM}, alpha {ALPHA}, {BATCH} at a time, {args.threads} threads, "
          f"{args.rounds} rounds")
    for name, seconds in times.items():
        ratios = [theirs / ours for theirs, ours in zip(seconds, times["mnist-to-gpt"])]
        line = f"{name:17}{len(sources) / statistics.median(seconds):8.1f} sentences/s {memory[name]:7.0f} MiB"
        if name in same:
            line += f"  {statistics.median(ratios):5.2f} times as long as ours, {same[name]} translations equal"
        print(line)


if __name__ == "__main__":
    main()
