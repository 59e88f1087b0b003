"""Times a training step on two test hosts with a cable of 1 Gbit/s, beside what it could take at least.

    benches/hosts/steps.py M2G [RATE]

M2G was built with the feature mpi. Needs what `run` needs. For each model, in turns:

compute   a step of one process on one processor, while a second one trains by itself on the other
wire      the bytes that each host has to send, by the rate of the cable: 8 P (N - 1) / N
bound     max(compute, 1.3 wire), and a tenth more
step      a step of two processes, one on each host, that train together
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
UNITS = {"gbit": 1e9, "mbit": 1e6}
ROUNDS = 3
STEPS = 60
WARM_UP = 5

# Each host has one shard, and so the same work in both measurements.
CASES = [
    "--n-layer 4 --n-head 4 --n-embd 128 --batch-size 12 --block-size 64",
    "--n-layer 4 --n-head 4 --n-embd 128 --batch-size 2 --block-size 64",
    "--n-layer 6 --n-head 4 --n-embd 256 --batch-size 16 --block-size 64",
    "--n-layer 6 --n-head 4 --n-embd 256 --batch-size 2 --block-size 64",
]


def command(m2g, settings, shards, run):
    return [m2g, "gpt", "train", *settings.split(), "--shards", str(shards), "--threads", "1", "--json", "--log-interval", "1",
            "--eval-interval", "1000000", "--max-iters", str(STEPS), "--run", run]


def seconds(text, tokens):
    """The median time of a step, and the share of communication."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    steps = [line for line in lines if line["event"] == "step" and line["step"] > WARM_UP]
    shares = [line["communication"] for line in steps if line.get("communication") is not None]
    return statistics.median(tokens / line["tokens_per_second"] for line in steps), statistics.median(shares or [0])


def finished(process):
    out, error = process.communicate()
    if process.returncode != 0:
        sys.exit(error)
    return out


def start(args):
    return subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    m2g, rate = os.path.abspath(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "1gbit"
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", rate).groups()
    bytes_per_second = float(number) * UNITS[unit] / 8
    print(f"two hosts, {rate}, one thread each, {STEPS} steps, median of {ROUNDS} rounds\n")
    print("| model, and tokens of each host | compute | wire | bound | step | of the bound | communication |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for settings in CASES:
        batch, block = [int(re.search(rf"--{key} (\d+)", settings)[1]) for key in ("batch-size", "block-size")]
        alone, together, shares = [], [], []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                both = [start(["taskset", "-c", str(core), *command(m2g, settings, 1, os.path.join(folder, str(core)))])
                        for core in (0, 1)]
                times = [seconds(finished(process), batch * block)[0] for process in both]
                alone.append(max(times))
                args = command(m2g, settings, 2, os.path.join(folder, "c"))
                time, share = seconds(finished(start([os.path.join(HERE, "run"), "2", rate, *args])), 2 * batch * block)
                together.append(time), shares.append(share)
                shown = subprocess.run([m2g, "params", os.path.join(folder, "c"), "--json"], capture_output=True, text=True)
                parameters = json.loads(shown.stdout.splitlines()[-1])["count"]
        compute, step = statistics.median(alone), statistics.median(together)
        wire = 4 * parameters / bytes_per_second
        bound = 1.1 * max(compute, 1.3 * wire)
        print(f"| {parameters / 1e6:.1f} M, {batch} x {block} | {1e3 * compute:.1f} ms | {1e3 * wire:.1f} ms | {1e3 * bound:.1f} ms | {1e3 * step:.1f} ms | "
              f"{step / bound:.2f} | {statistics.median(shares):.0%} |", flush=True)


if __name__ == "__main__":
    main()
