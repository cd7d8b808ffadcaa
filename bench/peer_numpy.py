# SPDX-License-Identifier: GPL-3.0-or-later
"""NumPy as a contender (contender.h): whole-array operations, in place, on as
many paths at a time as the cache holds."""

import sys
import time

import numpy as np

STEPS, BUFFER = 252, 1024
SPOT, STRIKE, RATE, VOL, HORIZON = 100.0, 100.0, 0.05, 0.2, 1.0
BLOCK = 4096

rng = np.random.Generator(getattr(np.random, sys.argv[1])(1))
z, x, mean = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
buffer = np.empty(BUFFER)


def paths(n, steps, asian):
    drift = (RATE - VOL * VOL / 2) * HORIZON / steps
    move = VOL * (HORIZON / steps) ** 0.5
    total = total2 = 0.0
    blocks = max(1, round(n / BLOCK))
    for _ in range(blocks):
        x.fill(0.0)
        mean.fill(0.0)
        for _ in range(steps):
            rng.standard_normal(out=z)
            if asian:
                np.multiply(z, move, out=z)
                np.add(z, drift, out=z)
                np.add(x, z, out=x)
                np.exp(x, out=z)
                np.add(mean, z, out=mean)
            else:
                np.add(x, z, out=x)
        if asian:
            np.multiply(mean, SPOT / steps, out=z)
        else:
            np.multiply(x, move, out=z)
            np.add(z, drift * steps, out=z)
            np.exp(z, out=z)
            np.multiply(z, SPOT, out=z)
        np.subtract(z, STRIKE, out=z)
        np.maximum(z, 0.0, out=z)
        total += float(z.sum())
        total2 += float(z.dot(z))
    return blocks * BLOCK * steps, blocks * BLOCK, total, total2


def normals(n):
    blocks = -(-n // BUFFER)
    for _ in range(blocks):
        rng.standard_normal(out=buffer)
    return blocks * BUFFER


for line in sys.stdin:
    workload, count = map(int, line.split())
    start = time.thread_time()
    if workload == 1:
        done = paths(count, 1, False)
    elif workload == 2:
        done = paths(count / STEPS, STEPS, False)
    elif workload == 3:
        done = paths(count / STEPS, STEPS, True)
    elif workload == 4:
        done = normals(count)
    else:
        sys.exit(f"peer_numpy: no workload {workload}")
    seconds = time.thread_time() - start
    if workload == 4:
        done = (done, BUFFER, float(buffer.sum()), float(buffer.dot(buffer)))
    print(f"{seconds:.9e}", *done, flush=True)
