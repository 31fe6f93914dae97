#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The dashboard's statistics against SciPy, and against the plainest E-divisive there can be.

    reference.py LIBRARY   compare the functions of app/dash/stats.h in that shared library, on
                           random samples and series
    reference.py           print change points of made series, for data/changes.json

E-divisive is written here from its definition, every sum anew for every split, with SciPy's t-test,
so that it shares neither code nor shortcuts with the C that it checks.
"""

import ctypes
import itertools
import json
import sys

try:
    import numpy as np
    from scipy import stats
except ImportError as error:
    sys.exit(f"{error}: install python3-scipy")

LEAST_P = 1e-200  # GSL has 0 for what is below

# Change points


def energy(left, right):
    """Scaled energy distance between two stretches (Matteson and James 2014, section 2.2)."""
    n, m = len(left), len(right)
    between = sum(abs(x - y) for x in left for y in right)
    in_left = sum(abs(x - y) for x, y in itertools.combinations(left, 2))
    in_right = sum(abs(x - y) for x, y in itertools.combinations(right, 2))
    q = 2 * between
    if n > 1:
        q -= 2 * m * in_left / (n - 1)
    if m > 1:
        q -= 2 * n * in_right / (m - 1)
    return q / (n + m)


def best_split(piece):
    splits = [(energy(piece[:s], piece[s:e]), s)
              for s in range(1, len(piece)) for e in range(s + 1, len(piece) + 1)]
    return max(splits, key=lambda split: split[0], default=(-np.inf, 0))


def t_test(left, right):
    """p, with the deviations over n that Apache Otava hands to SciPy (np.std's default)."""
    if len(left) + len(right) < 3:
        return 1.0
    with np.errstate(all="ignore"):
        p = stats.ttest_ind_from_stats(np.mean(left), np.std(left), len(left),
                                       np.mean(right), np.std(right), len(right)).pvalue
    return 1.0 if np.isnan(p) else float(p)


def divide(series, max_p):
    points = []
    while True:
        ends = [0, *points, len(series)]
        found = [(*best_split(series[a:b]), a, b) for a, b in zip(ends, ends[1:])]
        _, split, a, b = max(found, key=lambda f: f[0])
        if split == 0 or t_test(series[a:a + split], series[a + split:b]) > max_p:
            return points
        points = sorted([*points, a + split])


def change_points(series, window, max_p, min_effect):
    """Index, p and means of each change that holds."""
    first_pass = max_p * 10 if max_p < 0.05 else max_p * 2 if max_p < 0.5 else max_p
    points, start = set(), 0
    while start < len(series):
        found = [start + p for p in divide(series[start:start + window], first_pass)]
        points.update(found)
        start = max(start + window // 2, *found) if found else start + window // 2
    points = sorted(points)
    while True:
        ends = [0, *points, len(series)]
        pieces = [series[a:b] for a, b in zip(ends, ends[1:])]
        tests = [(t_test(left, right), float(np.mean(left)), float(np.mean(right)))
                 for left, right in zip(pieces, pieces[1:])]
        effects = [max(abs(b / a - 1), abs(a / b - 1)) for _, a, b in tests]
        if not points:
            return []
        worst = int(np.argmax([p for p, _, _ in tests]))
        if tests[worst][0] < max_p:
            worst = int(np.argmin(effects))
            if effects[worst] > min_effect:
                return [dict(index=i, p=p, before=a, after=b)
                        for i, (p, a, b) in zip(points, tests)]
        del points[worst]


def made_series(rng):
    """Series of many kinds, their values rounded so that they read the same everywhere."""
    kind, n = rng.integers(6), int(rng.integers(2, 130))
    level = 1000 * np.ones(n)
    if kind in (0, 1, 2):  # up to three steps
        for at in rng.integers(0, n, size=rng.integers(1, 4)):
            level[at:] *= 1 + rng.choice([-1, 1]) * rng.uniform(0.01, 0.3)
    elif kind == 3:  # a drift
        level *= np.linspace(1, 1 + rng.uniform(0.02, 0.5), n)
    elif kind == 4:  # spikes
        level[rng.integers(0, n, size=max(1, n // 20))] *= rng.uniform(1.5, 5)
    noise = rng.choice([0, 0.002, 0.01, 0.05]) * rng.standard_normal(n)
    return [float(v) for v in np.round(level * (1 + noise), 1)]


def made_policy(rng):
    return dict(window=int(rng.choice([10, 30, 50])),
                max_p=float(rng.choice([0.05, 0.01, 0.001, 0.0001])),
                min_effect=float(rng.choice([0, 0.02, 0.1])))


def vectors(seed, count):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        series, policy = made_series(rng), made_policy(rng)
        yield dict(series=series, **policy, changes=change_points(series, **policy))


# The library


class Sample(ctypes.Structure):
    _fields_ = [("values", ctypes.POINTER(ctypes.c_double)), ("n", ctypes.c_size_t)]


class Interval(ctypes.Structure):
    _fields_ = [("low", ctypes.c_double), ("high", ctypes.c_double),
                ("coverage", ctypes.c_double)]


class MannWhitney(ctypes.Structure):
    _fields_ = [("u", ctypes.c_double), ("p", ctypes.c_double), ("least_p", ctypes.c_double),
                ("exact", ctypes.c_bool)]


class Change(ctypes.Structure):
    _fields_ = [("index", ctypes.c_size_t), ("p", ctypes.c_double), ("before", ctypes.c_double),
                ("after", ctypes.c_double)]


class ChangePolicy(ctypes.Structure):
    _fields_ = [("window", ctypes.c_size_t), ("max_p", ctypes.c_double),
                ("min_effect", ctypes.c_double), ("exact", ctypes.c_bool)]


def load(path):
    lib = ctypes.CDLL(path)
    lib.stats_mann_whitney.argtypes = [Sample, Sample]
    lib.stats_mann_whitney.restype = MannWhitney
    lib.stats_median.argtypes = [Sample]
    lib.stats_median.restype = ctypes.c_double
    lib.stats_quantile.argtypes = [Sample, ctypes.c_double]
    lib.stats_quantile.restype = ctypes.c_double
    lib.stats_median_interval.argtypes = [Sample, ctypes.c_double]
    lib.stats_median_interval.restype = Interval
    lib.stats_changes.restype = ctypes.c_size_t
    return lib


def sample(values):
    array = (ctypes.c_double * len(values))(*values)
    return Sample(ctypes.cast(array, ctypes.POINTER(ctypes.c_double)), len(values))


def expect(what, got, wanted, case):
    if not np.isclose(got, wanted, rtol=1e-9, atol=LEAST_P):
        sys.exit(f"{what}: {got!r}, the reference says {wanted!r}, for {case}")


def rank_sum_p(a, b):
    """Exact two-sided p of the rank sum, ties or not: every permutation of the midranks."""
    def rank_sum(x, y, axis):
        return stats.rankdata(np.concatenate([x, y], axis=axis), axis=axis)[..., :x.shape[-1]].sum(
            axis=axis)
    return stats.permutation_test((np.array(a), np.array(b)), rank_sum, vectorized=True,
                                  n_resamples=np.inf, alternative="two-sided").pvalue


def check_mann_whitney(lib, rng):
    for trial in range(300):
        n, m = (int(x) for x in rng.integers(1, 25, size=2))
        kind = trial % 3
        if kind == 0:  # no ties: SciPy's exact method
            values = rng.permutation(np.arange(1000.0))
            a, b = values[:n], values[n:n + m]
            p = stats.mannwhitneyu(b, a, method="exact").pvalue
        elif kind == 1:  # ties: SciPy's exact method does not know them, permutations do
            a = rng.integers(0, 5, n % 5 + 2) * 1.0
            b = rng.integers(0, 6, m % 5 + 2) * 1.0
            p = rank_sum_p(a, b)
        else:  # many: the normal approximation
            a = rng.integers(0, 90, n + 40) * 1.0
            b = rng.integers(0, 99, m + 40) * 1.0
            p = stats.mannwhitneyu(b, a, method="asymptotic", use_continuity=True).pvalue
        test = lib.stats_mann_whitney(sample(a), sample(b))
        case = f"{list(a)} and {list(b)}"
        expect("exact", test.exact, kind != 2, case)
        expect("p", test.p, p, case)
        expect("U", test.u, stats.mannwhitneyu(b, a, method="asymptotic").statistic, case)


def check_medians(lib, rng):
    for n in range(1, 200):
        values = np.sort(rng.standard_normal(n))
        interval = lib.stats_median_interval(sample(rng.permutation(values)), 0.95)
        ranks = range(1, (n + 1) // 2 + 1)
        wide_enough = [r for r in ranks if stats.binom.cdf(r - 1, n, 0.5) <= 0.025]
        rank = max(wide_enough, default=1)
        expect("low", interval.low, values[rank - 1], n)
        expect("high", interval.high, values[n - rank], n)
        expect("coverage", interval.coverage, 1 - 2 * stats.binom.cdf(rank - 1, n, 0.5)
               if n > 1 else 0, n)
        expect("median", lib.stats_median(sample(values)), np.median(values), n)
        expect("p90", lib.stats_quantile(sample(values), 0.9), np.quantile(values, 0.9), n)


def check_changes(lib, rng):
    for _ in range(60):
        series, policy = made_series(rng), made_policy(rng)
        found = ctypes.POINTER(Change)()
        count = lib.stats_changes(sample(series).values, ctypes.c_size_t(len(series)),
                                  ctypes.byref(ChangePolicy(**policy, exact=False)),
                                  ctypes.byref(found))
        wanted = change_points(series, **policy)
        case = f"{policy} {series}"
        expect("changes", count, len(wanted), case)
        for change, want in zip(found[:count], wanted):
            expect("index", change.index, want["index"], case)
            expect("p", change.p, want["p"], case)
            expect("before", change.before, want["before"], case)
            expect("after", change.after, want["after"], case)


def main():
    if len(sys.argv) < 2:
        lines = (json.dumps(vector) for vector in vectors(seed=20261123, count=40))
        print("[\n" + ",\n".join(lines) + "\n]")
        return
    lib = load(sys.argv[1])
    rng = np.random.default_rng(7)
    check_mann_whitney(lib, rng)
    check_medians(lib, rng)
    check_changes(lib, rng)


main()
