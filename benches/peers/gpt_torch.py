"""Times training steps of a GPT in PyTorch, or its generation; prints one line of JSON."""

import argparse
import json
import resource
import time

import torch
from torch import nn
from torch.nn import functional as F

# layers, heads, width, T, B, vocabulary, dropout, biases: nanoGPT's configurations.
WORKLOADS = {
    "shakespeare-char-cpu": dict(n_layer=4, n_head=4, n_embd=128, block_size=64, batch_size=12,
                                 vocab_size=65, dropout=0.0, bias=False),
    "shakespeare-char": dict(n_layer=6, n_head=6, n_embd=384, block_size=256, batch_size=64,
                             vocab_size=65, dropout=0.2, bias=False),
    "gpt2-124m": dict(n_layer=12, n_head=12, n_embd=768, block_size=64, batch_size=4,
                      vocab_size=50257, dropout=0.0, bias=True),
}


class Block(nn.Module):
    def __init__(self, n_head, n_embd, dropout, bias):
        super().__init__()
        self.n_head, self.dropout = n_head, dropout
        self.ln_1 = nn.LayerNorm(n_embd, bias=bias)
        self.c_attn = nn.Linear(n_embd, 3 * n_embd, bias=bias)
        self.attn_proj = nn.Linear(n_embd, n_embd, bias=bias)
        self.ln_2 = nn.LayerNorm(n_embd, bias=bias)
        self.c_fc = nn.Linear(n_embd, 4 * n_embd, bias=bias)
        self.mlp_proj = nn.Linear(4 * n_embd, n_embd, bias=bias)
        self.resid_dropout = nn.Dropout(dropout)

    def forward(self, x):
        b, t, c = x.shape
        heads = [z.view(b, t, self.n_head, -1).transpose(1, 2) for z in self.c_attn(self.ln_1(x)).split(c, dim=2)]
        y = F.scaled_dot_product_attention(*heads, dropout_p=self.dropout if self.training else 0.0, is_causal=True)
        x = x + self.resid_dropout(self.attn_proj(y.transpose(1, 2).reshape(b, t, c)))
        y = F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh")
        return x + self.resid_dropout(self.mlp_proj(y))


class Gpt(nn.Module):
    def __init__(self, n_layer, n_head, n_embd, block_size, vocab_size, dropout, bias):
        super().__init__()
        self.block_size = block_size
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.wpe = nn.Embedding(block_size, n_embd)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(n_head, n_embd, dropout, bias) for _ in range(n_layer))
        self.ln_f = nn.LayerNorm(n_embd, bias=bias)
        for name, p in self.named_parameters():
            if p.dim() >= 2:
                nn.init.normal_(p, std=0.02 / (2 * n_layer) ** 0.5 if "proj" in name else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, tokens, targets=None):
        """(B, T) -> the loss; without targets the logits of the last position, (B, 1, V)."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.drop(self.wte(tokens) + self.wpe(positions))
        for block in self.blocks:
            x = block(x)
        x = self.ln_f(x)
        if targets is None:
            return F.linear(x[:, [-1]], self.wte.weight)
        logits = F.linear(x, self.wte.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def new_model(workload):
    torch.manual_seed(1)
    return Gpt(**{k: v for k, v in workload.items() if k != "batch_size"})


def training(workload, args):
    """The seconds of each of `steps` steps, after `warmup` more."""
    model = new_model(workload)
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), **{args.optimizer: True})
    run = torch.compile(model) if args.mode == "compile" else model
    shape = (workload["batch_size"], workload["block_size"])
    seconds = []
    for _ in range(args.warmup + args.steps):
        x, y = (torch.randint(workload["vocab_size"], shape) for _ in "xy")
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=args.dtype == "bf16"):
            loss = run(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        loss.item()
        seconds.append(time.perf_counter() - start)
    return seconds[args.warmup:]


@torch.no_grad()
def generate(workload, tokens, args):
    """The seconds for `tokens` tokens as nanoGPT samples them: the whole window for every token."""
    model = new_model(workload).eval()
    run = torch.compile(model, dynamic=True) if args.mode == "compile" else model
    seconds = []
    for _ in range(args.warmup + args.steps):
        idx = torch.zeros(1, 1, dtype=torch.long)
        start = time.perf_counter()
        for _ in range(tokens):
            with torch.autocast("cpu", torch.bfloat16, enabled=args.dtype == "bf16"):
                logits = run(idx[:, -model.block_size:])[:, -1]
            idx = torch.cat((idx, torch.multinomial(F.softmax(logits.float(), dim=-1), 1)), dim=1)
        seconds.append(time.perf_counter() - start)
    return seconds[args.warmup:]


@torch.no_grad()
def generate_cached(workload, tokens, args):
    """The same with transformers and its key-value cache."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(1)
    sizes = {k: workload[k] for k in ("n_layer", "n_head", "n_embd", "vocab_size")}
    # transformers does not slide the window, so the text must fit into it.
    positions = max(workload["block_size"], tokens + 1)
    model = GPT2LMHeadModel(GPT2Config(**sizes, n_positions=positions, bos_token_id=0, eos_token_id=None))
    if args.dtype == "bf16":
        model = model.bfloat16()
    model.eval()
    seconds = []
    for _ in range(args.warmup + args.steps):
        idx = torch.zeros(1, 1, dtype=torch.long)
        start = time.perf_counter()
        out = model.generate(idx, attention_mask=torch.ones_like(idx), do_sample=True, top_k=0,
                             min_new_tokens=tokens, max_new_tokens=tokens, pad_token_id=0)
        seconds.append(time.perf_counter() - start)
        assert out.shape[1] == tokens + 1
    return seconds[args.warmup:]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", choices=WORKLOADS, required=True)
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--optimizer", choices=["fused", "foreach"], default="fused", help="which form of AdamW")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10, help="measurements")
    parser.add_argument("--warmup", type=int, default=2, help="measurements before these, which do not count")
    parser.add_argument("--generate", type=int, metavar="N", help="measure the generation of N tokens instead")
    parser.add_argument("--cache", action="store_true", help="generate with transformers and its cache")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    workload = WORKLOADS[args.workload]
    peer = f"pytorch {torch.__version__} {args.mode} {args.dtype}"
    report = {"workload": args.workload, "threads": args.threads}
    if args.generate is None:
        seconds = training(workload, args)
    elif args.cache:
        import transformers

        peer = f"transformers {transformers.__version__} cached {args.dtype}"
        seconds = generate_cached(workload, args.generate, args)
    else:
        seconds = generate(workload, args.generate, args)
    if args.generate is not None:
        report["tokens_per_second"] = args.generate / min(seconds)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peer": peer, **report, "seconds": seconds, "peak_rss_mb": memory}))


if __name__ == "__main__":
    main()
