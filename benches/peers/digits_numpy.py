"""Times epochs of the digit network in numpy, with whole mini-batches as matrices; prints one line of JSON."""

import argparse
import json
import resource
import time

import numpy as np

WORKLOADS = {"784-30-10": ([784, 30, 10], 10, 3.0), "784-800-10": ([784, 800, 10], 128, 0.5)}


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def update_mini_batch(weights, biases, x, y, lr):
    """One step: x is (B, inputs), y is (B, outputs)."""
    activations = [x]
    for w, b in zip(weights, biases):
        activations.append(sigmoid(activations[-1] @ w.T + b))
    a = activations[-1]
    delta = (a - y) * a * (1 - a) / len(x)
    for layer in reversed(range(len(weights))):
        a = activations[layer]
        nabla_w, nabla_b = delta.T @ a, delta.sum(axis=0)
        if layer > 0:
            delta = (delta @ weights[layer]) * a * (1 - a)
        weights[layer] -= lr * nabla_w
        biases[layer] -= lr * nabla_b


def epochs(sizes, mini_batch, lr, count, n=50_000):
    """The seconds of each of `count` epochs, after one to warm up."""
    rng = np.random.default_rng(1)
    x = rng.random((n, sizes[0]), dtype=np.float32)
    y = np.eye(sizes[-1], dtype=np.float32)[rng.integers(sizes[-1], size=n)]
    shapes = list(zip(sizes[1:], sizes))
    weights = [(rng.standard_normal(s) / np.sqrt(s[1])).astype(np.float32) for s in shapes]
    biases = [rng.standard_normal(s[0]).astype(np.float32) for s in shapes]
    seconds = []
    for _ in range(count + 1):
        start = time.perf_counter()
        order = rng.permutation(n)
        for k in range(0, n, mini_batch):
            chosen = order[k:k + mini_batch]
            update_mini_batch(weights, biases, x[chosen], y[chosen], np.float32(lr))
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", choices=WORKLOADS, required=True)
    parser.add_argument("--epochs", type=int, default=1)
    args = parser.parse_args()
    seconds = epochs(*WORKLOADS[args.workload], args.epochs)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peer": f"numpy {np.__version__}", "workload": args.workload,
                      "seconds": seconds, "peak_rss_mb": memory}))


if __name__ == "__main__":
    main()
