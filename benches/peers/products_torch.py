"""Times matrix products in PyTorch: prints the median of the seconds of each, one per line."""

import statistics
import sys
import time

import torch

threads, sets, times = map(int, sys.argv[1:4])
torch.set_num_threads(threads)
for i in range(4, len(sys.argv), 4):
    layout, (m, k, n) = sys.argv[i], map(int, sys.argv[i + 1:i + 4])
    a = [torch.randn(k, m).t() if layout == "tn" else torch.randn(m, k) for _ in range(sets)]
    b = [torch.randn(n, k).t() if layout == "nt" else torch.randn(k, n) for _ in range(sets)]
    out = [torch.empty(m, n) for _ in range(sets)]
    seconds = []
    for _ in range(times):
        for s in range(sets):
            started = time.perf_counter()
            torch.mm(a[s], b[s], out=out[s])
            seconds.append(time.perf_counter() - started)
    print(statistics.median(seconds))
