#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the samples that gbm_sim --out has written, with NumPy alone:

    gbm_sim --paths 1e6 --steps 252 --save paths --out s.npy
    ./read_samples.py s.npy --path 123456 --plot s.png

Three lines are all that it takes to have them; no more memory is used than what
is looked at:

    import numpy as np
    samples = np.load("s.npy", mmap_mode="r")
    print(samples.shape, samples[:, -1].mean())

The rest of this file makes a path again from its seed, by the generator that
docs/numerics.md describes, written anew from there: nothing of libgbm is used.
It must have the bits of the file.
"""

import argparse
import decimal
import heapq
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    sys.exit("read_samples.py: NumPy is not here: apt install python3-numpy")

U64 = np.uint64
LANES, ROWS = 8, 32
GROUP = ROWS * LANES
STREAM_VERSION = 2


class Refused(Exception):
    """One sentence for the user."""


# ---- words: Threefry2x64 starts SFC64


def rotl(x, n):
    return x << U64(n) | x >> U64(64 - n)


def start(seed, group):
    """The states (a, b, c) of a group's lanes."""
    key = [seed, 1, seed ^ 1 ^ 0x1BD11BDAA9FC1A22]
    word = [U64(k) for k in key]
    x = np.full(LANES, group, U64) + word[0]
    y = np.arange(LANES, dtype=U64) + word[1]  # purpose 0: paths
    for j in range(1, 6):
        for n in (16, 42, 12, 31) if j % 2 else (16, 32, 24, 21):
            x = x + y
            y = rotl(y, n) ^ x
        x = x + word[j % 3]
        y = y + (word[(j + 1) % 3] + U64(j))
        if j == 3:
            c = y
    return x, y, c


def words(seed, group, steps):
    """The words of a group's paths, of shape (steps, ROWS, LANES)."""
    out = np.empty((steps * ROWS, LANES), U64)
    a, b, c = start(seed, group)
    for i in range(len(out)):
        out[i] = a + b + U64(i + 1)
        a = b ^ b >> U64(11)
        b = c + (c << U64(3))
        c = rotl(c, 24) + out[i]
    return out.reshape(steps, ROWS, LANES)


# ---- arithmetic: a fused multiply-add, which NumPy has not


def two_sum(a, b):
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def two_product(a, b):
    """Dekker's: a b = p + e, exactly."""
    p = a * b
    ah, bh = a * 134217729.0, b * 134217729.0
    ah, bh = ah - (ah - a), bh - (bh - b)
    al, bl = a - ah, b - bh
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def fma(a, b, c):
    """a b + c, rounded once: Boldo and Melquiond, "Emulation of FMA and
    correctly rounded sums" (2008).  Far from overflow and underflow."""
    a, b, c = np.broadcast_arrays(*(np.asarray(v, float) for v in (a, b, c)))
    p, e = two_product(a, b)
    h, low = two_sum(c, e)
    s, t = two_sum(p, h)
    v, rest = two_sum(low, t)
    # Round v to odd, that the last sum rounds as if it knew the rest.
    bits = np.asarray(v).view(np.int64)
    nudge = np.where((rest > 0) == (v > 0), 1, -1)
    bits = np.where((rest != 0) & (bits & 1 == 0), bits + nudge, bits)
    return s + bits.view(float)


# Terms of 2^f = 1 + c[0] f + c[1] f^2 + ..., |f| <= 1/2 (libgbm/vecmath.h).
EXP2 = [float.fromhex(c) for c in """
0x1.62e42fefa39efp-1 0x1.ebfbdff82c5a5p-3 0x1.c6b08d704a124p-5
0x1.3b2ab6fb9ffafp-7 0x1.5d87fe78a08fdp-10 0x1.4309130f14ca6p-13
0x1.ffcbfc5c18559p-17 0x1.62bfc71b3397fp-20 0x1.b525395b42f4fp-24
0x1.e61c16c1056fp-28 0x1.e9506e7458f2ep-32""".split()]


def exp2(x):
    x = np.asarray(x, float)
    if np.any(np.abs(x) > 1020):
        raise Refused("a price is beyond the range that is made again here")
    n = (x + 1.5 * 2.0**52) - 1.5 * 2.0**52
    f = x - n
    f2 = f * f
    odd, even = EXP2[10], EXP2[9]
    for k in (10, 8, 6, 4):
        odd, even = fma(odd, f2, EXP2[k - 2]), fma(even, f2, EXP2[k - 3])
    p = fma(fma(fma(odd, f, even), f, EXP2[0]), f, 1.0)
    return np.ldexp(p, np.asarray(n).astype(int))


def log(x):
    m, e = math.frexp(x)
    m, e = 2 * m, e - 1
    if m > float.fromhex("0x1.6a09e667f3bcdp+0"):
        m, e = m / 2, e + 1
    s = (m - 1) / (m + 1)
    s2, p = s * s, 0.0
    for k in range(21, 1, -2):
        p = fma(p, s2, 1 / k)
    p = fma(p * s2, s, s)
    high = float.fromhex("0x1.62e42fefa39efp-1")
    low = float.fromhex("0x1.abc9e3b39803fp-56")
    return float(fma(e, high, fma(e, low, 2 * p)))


# ---- normals: the tables of build-aux/gen-normal-table.c, in 50 digits


def tables():
    """Twice the rectangles' widths; the alias table; which wedge holds the
    inflection; the bounds of chord and curve; the cap's height."""
    number = decimal.Decimal
    with decimal.localcontext() as context:
        context.prec = 50
        pi = number("3.14159265358979323846264338327950288419716939937510582")
        peak, area = (2 / pi).sqrt(), number(1) / 2048

        def f(x):
            return peak * (-x * x / 2).exp()

        def erf(x):  # of x / sqrt(2)
            term = total = x
            n = 0
            while abs(term) > number(10) ** -48:
                n += 1
                term *= -x * x / (2 * n)
                total += term / (2 * n + 1)
            return total * peak

        def fits(y):
            """Has x (f(x) - y) a maximum of 1/2048 or more?"""
            lo, hi, y = 0.0, 1.0, float(y)
            for _ in range(60):
                x = (lo + hi) / 2
                g = float(peak) * math.exp(-x * x / 2)
                lo, hi = (x, hi) if g * (1 - x * x) > y else (lo, x)
            return x * (g - y) >= 1 / 2048

        x, y = [number(12)], number(0)
        while fits(y):
            w = x[-1] if len(x) > 1 else number("4.2")
            step = number(1)
            while abs(step) > number(10) ** -45:  # Newton's
                fw = f(w)
                step = (w * (fw - y) - area) / (fw - y - w * w * fw)
                w -= step
            x.append(w)
            y = f(w)
        n = len(x) - 1

        mass = [1 - erf(x[1])]
        mass += [erf(x[k]) - erf(x[k + 1]) - f(x[k]) * (x[k] - x[k + 1])
                 for k in range(1, n)]
        mass.append(erf(x[n]) - f(x[n]) * x[n])
        assert abs(sum(mass) - number(2048 - n) / 2048) < number(10) ** -40

        # Walker's, by Robin Hood: the richest fills the poorest.
        one = 1 << 140
        p = [int(m / sum(mass) * 2048 * one) for m in mass]
        p += [0] * (2048 - len(p))
        alias, done = [0] * 2048, [False] * 2048
        poor = [(v, k) for k, v in enumerate(p)]
        rich = [(-v, k) for k, v in enumerate(p)]
        heapq.heapify(poor)
        heapq.heapify(rich)

        def first(heap, sign):
            while done[heap[0][1]] or heap[0][0] != sign * p[heap[0][1]]:
                heapq.heappop(heap)
            return heap[0][1]

        for _ in range(2048):
            k, r = first(poor, 1), first(rich, -1)
            threshold = min(p[k] >> (140 - 53), (1 << 53) - 1)
            alias[k] = threshold << 11 | r
            done[k] = True
            p[r] -= one - p[k]
            heapq.heappush(poor, (p[r], r))
            heapq.heappush(rich, (-p[r], r))

        x2 = np.full(2048, -0.0)
        x2[:n] = [float(2 * v) for v in x[1:]]
        inflection = next(k for k in range(1, n) if x[k] > 1 > x[k + 1])
        cap = float(1 - (-x[n] * x[n] / 2).exp())
    return x2, alias, n, inflection, cap


X2, ALIAS, BANDS, INFLECTION, CAP = tables()
# How far the curve strays from a wedge's chord, of its height, per width.
CONVEX_GAP, CONCAVE_GAP = 0.4903, 0.8560


class Draws:
    """SplitMix64, started at a word."""

    def __init__(self, state):
        self.state = state

    def word(self):
        mask = (1 << 64) - 1
        self.state = z = (self.state + 0x9E3779B97F4A7C15) & mask
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        return z ^ z >> 31

    def uniform(self):
        return ((self.word() >> 11) + 1) * 2.0**-53


def density(x):
    return float(exp2(-float.fromhex("0x1.71547652b82fep-1") * (x * x)))


def tail(x, draws):
    while True:
        t = -log(draws.uniform()) / x
        if -2 * log(draws.uniform()) > t * t:
            return x + t


def wedge(k, draws):
    x0, x1 = float(X2[k]) / 2, float(X2[k - 1]) / 2
    width = x1 - x0
    while True:
        u, v = draws.uniform(), draws.uniform()
        over = 1.0
        if k < INFLECTION:
            if u + v > 1:
                u, v = 1 - u, 1 - v
            over = u + v - (1 - CONVEX_GAP * width)
        elif k > INFLECTION:
            over = u + v - 1
            if over > CONCAVE_GAP * width:
                continue
        x = x0 + u * width
        y0, y1 = density(x1), density(x0)
        if over <= 0 or y0 + v * (y1 - y0) <= density(x):
            return x


def cap(draws):
    while True:
        x = draws.uniform() * (float(X2[BANDS - 1]) / 2)
        depth = draws.uniform() * CAP
        q = x * x / 2
        if depth >= q or (depth >= q - q * q / 2 and depth >= 1 - density(x)):
            return x


def rest(word):
    """The normal of a word whose slot is no rectangle."""
    draws = Draws(int(word))
    h = draws.word()
    piece = h & 2047
    if h >> 11 >= ALIAS[piece] >> 11:
        piece = ALIAS[piece] & 2047
    negative = draws.word() >> 63
    if piece == 0:
        x = tail(float(X2[0]) / 2, draws)
    elif piece < BANDS:
        x = wedge(piece, draws)
    else:
        x = cap(draws)
    return -x if negative else x


def factors(w):
    """A normal is the product of these two, but where the first is 0."""
    u = (w >> U64(12) | U64(0x3FF0000000000001)).view(float) - 1.5
    return X2[w & U64(2047)], u


# ---- paths


def make_group(model, seed, group):
    """The prices of a group's paths, of shape (GROUP, steps + 1)."""
    steps = model["steps"]
    dt = model["horizon"] / steps
    mu = model["drift"]
    if mu is None:
        mu = model["rate"] - model["dividend"]
    log2e = float.fromhex("0x1.71547652b82fep+0")
    drift2 = (mu - model["vol"] * model["vol"] / 2) * dt * log2e
    vol2 = model["vol"] * math.sqrt(dt) * log2e
    out = np.empty((GROUP, steps + 1))
    out[:, 0] = model["spot"]
    y = np.zeros((ROWS, LANES))
    with np.errstate(over="ignore"):  # words are modulo 2^64
        w = words(seed, group, steps)
    for t in range(steps):
        x2, u = factors(w[t])
        y = fma(x2, u, y)
        for at in zip(*np.nonzero(x2 == 0)):
            y[at] += rest(w[t][at])
        x = fma(vol2, y, (t + 1) * drift2)
        out[:, t + 1] = (model["spot"] * exp2(x)).reshape(GROUP)
    return out


def check(samples, manifest, path):
    """Is the path in the file, bit for bit, what its seed gives?"""
    first, n = manifest["first_path"], len(samples)
    if not first <= path < first + n:
        raise Refused(f"there is no path {path}: the file has {first} to "
                      f"{first + n - 1}")
    if manifest["stream_version"] != STREAM_VERSION:
        raise Refused("the file's stream version is "
                      f"{manifest['stream_version']}, here {STREAM_VERSION} is "
                      "made again")
    group = path // GROUP
    made = make_group(manifest["model"], manifest["seed"], group)
    if samples.ndim == 1:
        made = made[:, -1]
    begin, end = max(group * GROUP, first), min((group + 1) * GROUP, first + n)
    made = made[begin - group * GROUP:end - group * GROUP]
    stored = np.asarray(samples[begin - first:end - first])
    same = made.astype(stored.dtype) == stored
    if not same.all():
        bad = begin + int(np.argmin(same.reshape(len(same), -1).all(axis=1)))
        raise Refused(f"path {bad} is not what seed {manifest['seed']} gives")
    return begin, end


# ---- without a copy of all of it in memory


def mean_and_deviation(column):
    """Of one that may be longer than memory: NumPy's std() makes a copy."""
    rows = 1 << 20
    mean = column.mean(dtype=float)
    squares = sum(float(((column[i:i + rows].astype(float) - mean) ** 2).sum())
                  for i in range(0, len(column), rows))
    return mean, math.sqrt(squares / len(column))


def some_of(samples):
    """Its first paths, 16 MB of them: quantiles sort a copy."""
    return samples[:max((1 << 21) // samples.shape[1], 1)]


# ---- a picture


def by_matplotlib(samples, manifest, file):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(figsize=(10, 7), dpi=100)
    if samples.ndim == 1:
        counts, edges = np.histogram(samples, 100)
        axes.stairs(counts / (len(samples) * np.diff(edges)), edges, fill=True,
                    color="#56b4e9")
        axes.set(xlabel="price at the end (unit of the spot)",
                 ylabel="density (per unit of the price)")
    else:
        time = np.linspace(0, manifest["model"]["horizon"], samples.shape[1])
        for low, colour in ((0.01, "#d9e8f5"), (0.05, "#92bae0"),
                            (0.25, "#4b8eca")):
            a, b = np.quantile(some_of(samples), [low, 1 - low], axis=0)
            axes.fill_between(time, a, b, color=colour,
                              label=f"{100 - 200 * low:.0f} % of the paths")
        axes.plot(time, samples[:5].T, color="black", lw=0.7)
        axes.set(xlabel="time (years)", ylabel="price (unit of the spot)")
        axes.legend(loc="upper left")
    figure.savefig(file)


def by_gnuplot(samples, manifest, file):
    plot = shutil.which("gbm_plot") or os.path.join(
        os.path.dirname(os.path.realpath(__file__)), "../tools/gbm_plot")
    if not os.access(plot, os.X_OK):
        raise Refused("neither matplotlib nor gbm_plot is here: apt install "
                      "python3-matplotlib")
    options = []
    with tempfile.TemporaryDirectory() as directory:
        csv = os.path.join(directory, "data.csv")
        if samples.ndim == 1:
            kind = "histogram"
            counts, edges = np.histogram(samples, 100)
            table = np.column_stack([edges[:-1], edges[1:], counts])
            header = "from,to,count"
            for key in "spot", "rate", "dividend", "drift", "vol", "horizon":
                if manifest["model"][key] is not None:
                    options.append(f"--{key}={manifest['model'][key]!r}")
        else:
            kind = "fan"
            levels = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
            time = np.linspace(0, manifest["model"]["horizon"],
                               samples.shape[1])
            table = np.column_stack(
                [time, np.quantile(some_of(samples), levels, axis=0).T])
            header = ",".join(["time"] + [str(level) for level in levels])
        np.savetxt(csv, table, "%.17g", ",", header=header, comments="")
        drawn = subprocess.run([plot, kind, csv, "-o", file] + options,
                               stderr=subprocess.PIPE, check=False)
        if drawn.returncode:
            raise Refused(os.fsdecode(drawn.stderr).strip() or
                          f"{file} was not drawn: gbm_plot was killed")


def main():
    parser = argparse.ArgumentParser(
        description="Reads samples, makes a path again, and draws them.")
    parser.add_argument("file", help="written by gbm_sim --out")
    parser.add_argument("--path", type=int, metavar="N",
                        help="make again the 256 paths around it (the first)")
    parser.add_argument("--plot", metavar="FILE.png")
    args = parser.parse_args()

    try:
        # A shard, name.K.npy, is listed in name.npy.json.
        name = args.file
        if not os.path.exists(name + ".json"):
            name = re.sub(r"\.[0-9]+(\.npy)?$", r"\1", name)
        with open(name + ".json", encoding="utf-8") as f:
            manifest = json.load(f)
        if name != args.file:
            manifest["first_path"] = next(
                s["first_path"] for s in manifest["shards"]
                if s["file"] == os.path.basename(args.file))
        for key in "complete", "first_path", "stream_version", "seed", "model":
            manifest[key]
        samples = np.load(args.file, mmap_mode="r")
    except (OSError, ValueError, LookupError, TypeError, StopIteration) as e:
        raise Refused(f"{args.file}: {e}: give a file that gbm_sim --out has "
                      "written, or of --shards one of those") from e
    if not manifest["complete"]:
        raise Refused(f"{args.file} is not complete: its run has not ended")
    print(f"{samples.shape[0]} rows, {samples.dtype}, {samples.ndim} "
          f"dimension{'s'[:samples.ndim - 1]}")
    last = samples if samples.ndim == 1 else samples[:, -1]
    print("mean of S(T) {:.6g}, deviation {:.6g}".format(
        *mean_and_deviation(last)))

    path = manifest["first_path"] if args.path is None else args.path
    begin, end = check(samples, manifest, path)
    print(f"paths {begin} to {end - 1} are, bit for bit, what seed "
          f"{manifest['seed']} gives")

    if args.plot:
        try:
            by_matplotlib(samples, manifest, args.plot)
        except ImportError:
            by_gnuplot(samples, manifest, args.plot)
        except (OSError, ValueError) as e:
            raise Refused(f"{args.plot}: {e}: give a .png or .svg that can be "
                          "written") from e
        print(f"drawn: {args.plot}")


if __name__ == "__main__":
    try:
        main()
    except Refused as e:
        sys.exit(f"read_samples.py: {e}")
