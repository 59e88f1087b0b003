"""Compares GGUF files of `m2g gpt export` with what real llama.cpp makes of them.

Build llama.cpp once, in about 13 minutes of one processor, and install the packages:

    CMAKE_ARGS=-DGGML_NATIVE=OFF pip install --no-binary llama-cpp-python llama-cpp-python==0.3.36
    pip install gguf==0.19.0 safetensors

Then:

    llama.py logits M2G RUN       logits and 64 greedy tokens of the run's F32 export
    llama.py tokens M2G FILE TEXT the token ids of a text file, ours and theirs
    llama.py speed M2G FILE       tokens per second on the same file, in turns
    llama.py quantise M2G FILE F  llama.cpp's quantiser makes F, which m2g imports
    llama.py fixtures M2G DIR     the files of crates/gpt/tests/gguf

M2G is the program. Every command prints what it measured, and ends with status 1 if it is not good enough.
"""

import argparse
import ctypes
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

# The largest difference of two logits, as a share of their standard deviation.
TOLERANCE = 0.01
GREEDY = 64


def run(m2g, *args, cwd=None):
    done = subprocess.run([m2g, *map(str, args)], cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"m2g {' '.join(map(str, args))}: {done.stderr}")
    return done.stdout


def lines_of(text):
    """The lines of JSON; str.splitlines also ends a line at characters that a string may hold, such as U+2028."""
    return text.strip().split("\n")


def sample(m2g, file, ids, tokens, *more):
    """Our continuation: the tokens, and tokens per second."""
    args = ["gpt", "sample", file, "--prompt-tokens", ",".join(map(str, ids)), "--tokens", tokens, "--greedy", "--json"]
    lines = [json.loads(line) for line in lines_of(run(m2g, *args, *more))]
    return lines[0]["tokens"], lines[-1]["tokens_per_second"]


class Llama:
    """A model in llama.cpp, without the overhead of its Python classes."""

    def __init__(self, path, threads=1, n_ctx=0, repack=False):
        import llama_cpp

        self.lib = llama_cpp
        silent = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
        self.silent = silent
        llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        # Repacked weights round differently: only the speed is measured with them, as llama.cpp runs by default.
        params.use_extra_bufts = repack
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}")
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(self.vocab)
        self.n_ctx = n_ctx or llama_cpp.llama_model_n_ctx_train(self.model)
        context = llama_cpp.llama_context_default_params()
        context.n_ctx = self.n_ctx
        context.n_batch = context.n_ubatch = self.n_ctx
        context.n_threads = context.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, context)
        if not self.context:
            sys.exit(f"llama.cpp cannot run {path}")
        self.batch = llama_cpp.llama_batch_init(self.n_ctx, 0, 1)

    def clear(self):
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)

    def decode(self, ids, start, all_logits):
        batch = self.batch
        batch.n_tokens = len(ids)
        for i, id in enumerate(ids):
            batch.token[i], batch.pos[i] = id, start + i
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
            batch.logits[i] = all_logits or i == len(ids) - 1
        if self.lib.llama_decode(self.context, batch) != 0:
            sys.exit("llama_decode failed")

    def logits(self, ids):
        """The logits after every token: (T, V)."""
        self.clear()
        self.decode(ids, 0, True)
        rows = [np.ctypeslib.as_array(self.lib.llama_get_logits_ith(self.context, i), (self.n_vocab,)).copy()
                for i in range(len(ids))]
        return np.stack(rows)

    def last(self):
        return np.ctypeslib.as_array(self.lib.llama_get_logits_ith(self.context, -1), (self.n_vocab,))

    def greedy(self, ids, tokens):
        """The continuation, and tokens per second after the first."""
        self.clear()
        self.decode(ids, 0, False)
        out = [int(self.last().argmax())]
        started = time.perf_counter()
        for position in range(len(ids), len(ids) + tokens - 1):
            self.decode(out[-1:], position, False)
            out.append(int(self.last().argmax()))
        return out, (tokens - 1) / (time.perf_counter() - started)

    def is_end(self, id):
        return bool(self.lib.llama_vocab_is_eog(self.vocab, id))

    def tokenize(self, text):
        data = text.encode()
        ids = (ctypes.c_int32 * (len(data) + 8))()
        n = self.lib.llama_tokenize(self.vocab, data, len(data), ids, len(ids), False, False)
        return list(ids[:n])

    def piece(self, id):
        buffer = ctypes.create_string_buffer(256)
        n = self.lib.llama_token_to_piece(self.vocab, id, buffer, len(buffer), 0, False)
        return buffer.raw[:max(n, 0)]

    def close(self):
        self.lib.llama_batch_free(self.batch)
        self.lib.llama_free(self.context)
        self.lib.llama_model_free(self.model)


def our_logits(m2g, run_name, ids, folder):
    from safetensors.numpy import load_file

    tokens, out = os.path.join(folder, "tokens.json"), os.path.join(folder, "logits.safetensors")
    with open(tokens, "w") as file:
        # A row has a last token that is only predicted.
        json.dump({"tokens": [ids + [0]]}, file)
    run(m2g, "gpt", "eval", run_name, "--tokens", tokens, "--logits", out)
    return load_file(out)["logits"][0]


def prompt_of(n_vocab, length):
    return [(7 * i * i + 3 * i) % n_vocab for i in range(length)]


def compare(m2g, run_name, file, folder, text="First Citizen:\nBefore we proceed any further, hear me speak.\n"):
    """Compares the logits and the greedy tokens after a text; returns a line and whether they agree."""
    model = Llama(file)
    n = min(model.n_ctx, model.n_ctx - GREEDY) if model.n_ctx > GREEDY + 1 else model.n_ctx // 2
    ours_first = our_logits(m2g, run_name, [0], folder)
    v = ours_first.shape[-1]
    ids = (model.tokenize(text) or prompt_of(v, 64))[:max(1, min(n, 64))]
    ours, theirs = our_logits(m2g, run_name, ids, folder), model.logits(ids)
    extra = theirs[:, v:]
    theirs = theirs[:, :v]
    worst, deviation = np.abs(ours - theirs).max(), theirs.std()
    same_best = (ours.argmax(-1) == theirs.argmax(-1)).mean()
    tokens = min(GREEDY, model.n_ctx - len(ids))
    our_tokens, _ = sample(m2g, file, ids, tokens, "--ignore-end-of-text")
    their_tokens, _ = model.greedy(ids, tokens)
    equal = next((i for i, (a, b) in enumerate(zip(our_tokens, their_tokens)) if a != b), tokens)
    text = (f"largest difference {worst:.4f}, {worst / deviation:.2%} of the standard deviation {deviation:.3f}; "
            f"arg max equal {same_best:.1%}; {equal} of {tokens} greedy tokens equal")
    if extra.size:
        text += f"; the added token's logit is at most {extra.max():.0f}"
    model.close()
    return text, worst <= TOLERANCE * deviation and equal == tokens and same_best == 1.0


def logits(args):
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.gguf")
        run(args.m2g, "gpt", "export", args.run, file)
        text, good = compare(args.m2g, args.run, file, folder)
    print(f"{args.run}: {text}")
    sys.exit(0 if good else 1)


def our_ids(m2g, file, path):
    out = run(m2g, "gpt", "sample", file, "--prompt-file", path, "--tokens", 0, "--json")
    return json.loads(lines_of(out)[0])["prompt_tokens"]


def tokens(args):
    model = Llama(args.file, n_ctx=64)
    with open(args.text, encoding="utf-8") as file:
        text = file.read()
    ours, theirs = our_ids(args.m2g, args.file, args.text), model.tokenize(text)
    differing = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), None)
    good = ours == theirs
    print(f"{args.text}: {len(ours)} tokens here, {len(theirs)} in llama.cpp, "
          + ("all equal" if good else f"the first difference at {differing}"))
    if not good and differing is not None:
        around = slice(max(0, differing - 3), differing + 5)
        print(f"  {ours[around]} {[model.piece(i) for i in ours[around]]}")
        print(f"  {theirs[around]} {[model.piece(i) for i in theirs[around]]}")
    sys.exit(0 if good else 1)


def speed(args):
    model = Llama(args.file, threads=args.threads, repack=True)
    n = args.tokens or model.n_ctx - 1
    ratios, ours, theirs = [], [], []
    for i in range(args.rounds + 1):
        _, here = sample(args.m2g, args.file, [0], n, "--ignore-end-of-text", "--threads", args.threads)
        _, there = model.greedy([0], n)
        if i > 0:  # the first round warms up
            ours.append(here), theirs.append(there), ratios.append(here / there)
    print(json.dumps({
        "file": args.file, "tokens": n, "threads": args.threads, "rounds": args.rounds,
        "m2g": round(statistics.median(ours), 1), "llama.cpp": round(statistics.median(theirs), 1),
        "ratio": round(statistics.median(ratios), 2), "ratios": [round(r, 2) for r in sorted(ratios)],
    }))


def quantise(args):
    import llama_cpp

    names = {"q4_0": 2, "q8_0": 7, "q4_k_m": 15, "q5_k_m": 17, "q6_k": 18, "f16": 1}
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread = names[args.format], 2
    silent = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    with tempfile.TemporaryDirectory() as folder:
        made = os.path.join(folder, "made.gguf")
        if llama_cpp.llama_model_quantize(args.file.encode(), made.encode(), ctypes.byref(params)) != 0:
            sys.exit("llama_model_quantize failed")
        from gguf import GGUFReader
        kinds = sorted({tensor.tensor_type.name for tensor in GGUFReader(made).tensors})
        run(args.m2g, "gpt", "import", made, "--run", os.path.join(folder, "again"))
        model = Llama(made)
        again = os.path.join(folder, "again")
        v = our_logits(args.m2g, again, [0], folder).shape[-1]
        ids = prompt_of(v, min(64, model.n_ctx))
        ours, theirs = our_logits(args.m2g, again, ids, folder), model.logits(ids)[:, :v]
        rms = np.sqrt(((ours - theirs) ** 2).mean()) / theirs.std()
        print(f"{args.format} ({', '.join(kinds)}): logits differ by {rms:.2%} of their standard deviation (rms), "
              f"arg max equal {(ours.argmax(-1) == theirs.argmax(-1)).mean():.1%}; "
              "llama.cpp also rounds activations to 8 bits")


def hex_of(array):
    return np.ascontiguousarray(array).view(np.uint8).tobytes().hex()


def blocks():
    """Blocks of every format with the values that PyPI's gguf gives them, and the bytes that it makes."""
    from gguf import GGMLQuantizationType as Type
    from gguf import GGML_QUANT_SIZES, quants

    rng = np.random.default_rng(1)
    read, written = {}, {}
    for kind in [Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.Q4_K, Type.Q5_K, Type.Q6_K]:
        weights, size = GGML_QUANT_SIZES[kind]
        n = 64 if weights == 1 else 4 if weights == 32 else 1
        data = rng.integers(0, 256, (n, size), dtype=np.uint8)
        # Scales that are numbers.
        for at in {Type.Q6_K: [208], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q4_1: [0, 2], Type.Q5_1: [0, 2]}.get(kind, [0]):
            if kind == Type.BF16:
                data = rng.standard_normal((n, 1)).astype(np.float32).view(np.uint8)[:, 2:]
            else:
                data[:, at:at + 2] = rng.standard_normal((n, 1)).astype(np.float16).view(np.uint8)
        values = quants.dequantize(np.ascontiguousarray(data), kind).astype(np.float32)
        read[kind.name] = {"bytes": hex_of(data), "values": hex_of(values)}
    weights = (rng.standard_normal((4, 64)) * np.array([[0.02], [1.0], [1e-4], [300.0]])).astype(np.float32)
    weights[1, :32] = 0.0
    weights[2, 5] = -weights[2].max() * 2
    for kind in [Type.F16, Type.Q8_0, Type.Q4_0]:
        written[kind.name] = hex_of(quants.quantize(weights, kind))
    return {"read": read, "weights": hex_of(weights), "written": written}


# 25 different characters, one of two bytes and one of three.
TEXT = "the cat sat on the mat. the dog ran to the cat, and the cat hid. una ni\u00f1a vio el sol. \u4f60 is you.\n"
UNICODE = [
    "Hello world! It's 12,345.67 o'clock; they're here...  two  spaces\ttab\n\nline",
    "\u00dcbergr\u00f6\u00dfentr\u00e4ger, na\u00efve caf\u00e9, \u0441\u043b\u043e\u0432\u043e \u0438 \u0434\u0435\u043b\u043e, \u65e5\u672c\u8a9e\u306e\u6587\u7ae0\u3002 \u4f60\u597d",
    "\U0001f642\U0001f468\u200d\U0001f469\u200d\U0001f467 \u0663\u0664 \u216b \u00bd x\u00b2 \u00a0nbsp \u2003em \u0e44\u0e17\u0e22 \u0939\u093f\u0928\u094d\u0926\u0940",
    "<|endoftext|> is text\r\n\u200b\u2028 end ",
]
SETTINGS = ["--data", "text.txt", "--tokenizer", "char", "--n-layer", "1", "--n-head", "2", "--n-embd", "32",
            "--block-size", "96", "--batch-size", "4", "--eval-interval", "1000", "--learning-rate", "1e-2"]
FIXTURES = {
    "gpt2": ["--bias", "true"],
    "mpt": ["--positions", "alibi"],
    "gptneox": ["--positions", "rotary", "--document-separator", "\\n"],
}


def fixtures(args):
    out = os.path.abspath(args.dir)
    os.makedirs(out, exist_ok=True)
    expected = {"blocks": blocks(), "files": {}, "texts": UNICODE, "gpt2_ids": []}
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "text.txt"), "w", encoding="utf-8") as file:
            file.write(TEXT * 40)
        for name, more in FIXTURES.items():
            run(args.m2g, "gpt", "train", *SETTINGS, *more, "--max-iters", "150", "--run", name, cwd=folder)
            path = os.path.join(folder, "runs", name)
            for quantisation in ["f32", "q8_0", "q4_0"] if name == "gpt2" else ["f32"]:
                file = name if quantisation == "f32" else f"{name}-{quantisation}"
                file = os.path.join(out, f"{file}.gguf")
                run(args.m2g, "gpt", "export", path, file, "--overwrite", "--quantise", quantisation)
                entry = record(file, TEXT.strip())
                if quantisation == "f32":
                    text, good = compare(args.m2g, path, file, folder, TEXT)
                    print(f"{name}: {text}")
                    if not good:
                        sys.exit(1)
                expected["files"][os.path.basename(file)] = entry
        run(args.m2g, "gpt", "train", *[x.replace("char", "gpt2") for x in SETTINGS], "--max-iters", "1", "--run", "ids", cwd=folder)
        file = os.path.join(folder, "ids.gguf")
        run(args.m2g, "gpt", "export", os.path.join(folder, "runs", "ids"), file)
        model = Llama(file)
        expected["gpt2_ids"] = [model.tokenize(text) for text in UNICODE]
        model.close()
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump(expected, file, indent=0)
        file.write("\n")


def record(file, text):
    """What llama.cpp makes of a file."""
    model = Llama(file)
    ids = model.tokenize(text)[:24]
    logits = model.logits(ids)
    greedy, _ = model.greedy(ids, GREEDY)
    entry = {
        "sha256": hashlib.sha256(open(file, "rb").read()).hexdigest(), "text": text, "ids": model.tokenize(text),
        "prompt": ids, "greedy": greedy, "ends": [i for i in range(model.n_vocab) if model.is_end(i)],
        "logits": [[round(float(x), 4) for x in row] for row in logits],
    }
    model.close()
    return entry


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for function, names in [(logits, ["m2g", "run"]), (tokens, ["m2g", "file", "text"]), (speed, ["m2g", "file"]),
                            (quantise, ["m2g", "file", "format"]), (fixtures, ["m2g", "dir"])]:
        command = commands.add_parser(function.__name__)
        command.set_defaults(function=function)
        for name in names:
            command.add_argument(name)
        if function is speed:
            command.add_argument("--tokens", type=int, default=0, help="default: the window")
            command.add_argument("--rounds", type=int, default=5)
            command.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    args.m2g = os.path.abspath(args.m2g)
    args.function(args)


if __name__ == "__main__":
    main()
