#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Results for tests of the dashboard: a team's history, made of noise and known changes.

    made_results.py DIR [--many]   write result files into DIR; --many: 100,000 results in them

The files have the formats of Google Benchmark and of barrage-lab, so that they take the way that
real ones take. The same numbers come out every time.
"""

import datetime
import json
import pathlib
import random
import sys

NASTY = "<img src=x onerror=alert(1)></script><script>alert(2)</script>&amp;\"'"
DAY = 86400
NOON = 1767268800  # 2026-01-01


def iso(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()


def google(day, benchmarks, **context):
    """A Google Benchmark file: benchmarks are (name, [real time of each repetition], counters)."""
    entries = [dict(name=name, run_name=name, run_type="iteration", repetitions=len(times),
                    repetition_index=i, threads=1, iterations=1000, real_time=time, cpu_time=time,
                    time_unit="ns", **counters)
               for name, times, counters in benchmarks for i, time in enumerate(times)]
    return dict(context=dict(date=iso(NOON + day * DAY), host_name="lab-1", num_cpus=2,
                             executable="made", **context), benchmarks=entries)


def noisy(rng, level, n, noise=0.01):
    return [round(level * rng.gauss(1, noise), 3) for _ in range(n)]


def arm(rng, handler, kernel, lcores, sharing, level, bugs):
    trials = 50 if not bugs else 4
    faults = [round(level * rng.lognormvariate(0, 0.3)) for _ in range(trials * lcores)]
    faults.sort()
    return dict(handler=handler, kernel=kernel, lcores=lcores, sharing=sharing, trials=trials,
                survived=trials - bugs, kernel_bugs=bugs, hangs=0, faults_per_s=1e9 / level,
                iops=30000.0 * lcores,
                first_fault_ns=dict(n=len(faults), min=faults[0], p50=faults[len(faults) // 2],
                                    p99=faults[-1], max=faults[-1], all=faults))


def compare(rng, day, kernel):
    arms = [arm(rng, handler, kernel, lcores, sharing, level * lcores,
                3 if handler == "unfixed" and sharing == "shared" else 0)
            for handler, level in (("unfixed", 17000), ("fixed", 21000))
            for lcores, sharing in ((1, "single"), (2, "shared"), (2, "per-lcore"),
                                    (4, "per-lcore"))]
    return dict(schema="barrage-compare/1", date=iso(NOON + day * DAY),
                host=dict(machine="AMD EPYC", cpus=2, accel="tcg", qemu="7.2.22",
                          barrage_version="0.1.0", commit=f"{day:040x}",
                          date=iso(NOON + day * DAY),
                          command="barrage-lab compare --trials 50 --json result.json"),
                arms=arms)


def cost(day, handler):
    per_page = 12 if handler == "fixed" else 46
    base = 3377 if day > 5 else 3370
    rows = [dict(handler=handler, kernel="6.1.0-56", bar_bytes=size, policy="lazy",
                 op="first touch", instructions=base + per_page * (size // 4096) // 64)
            for size in (16384, 2 << 20, 64 << 20)]
    return dict(schema="barrage-cost/1", date=iso(NOON + day * DAY),
                host=dict(machine="counting mode", cpus=1, accel="tcg", date=iso(NOON + day * DAY),
                          commit=f"{day:040x}", command=f"barrage-lab cost --handler {handler}"),
                rows=rows)


def perf():
    """barrage perf: a histogram in place of repetitions, its buckets as wide as they are large."""
    buckets = [[round(5000 * 1.05 ** i), 1000 - 9 * i] for i in range(100)]
    latency = dict(percentiles={"50": 15000, "99": 400000}, histogram=buckets)
    return dict(schema="barrage-perf/1", date=iso(NOON), rw="randread", read_percent=100,
                block_sizes=[dict(bytes=4096, percent=100)], queue_depth=32, lcores=1,
                devices=[{}], read=dict(iops=40000.0, latency_ns=latency), write=None,
                host=dict(machine="AMD EPYC", cpus=2, kernel="6.1.0-56", date=iso(NOON)))


def history(rng):
    """Sixty days: a slowdown of 20 % four days ago, one of 10 % today, a speed-up in the middle."""
    boots = random.Random(1)
    for day in range(60):
        slow = 1.2 if day >= 56 else 1
        fast = 0.8 if day >= 30 else 1
        yield f"google-{day:03}", google(day, [
            ("queue/lcores:1", noisy(rng, 100 * slow, 8), {}),
            ("queue/lcores:2", noisy(rng, 231 if day == 59 else 210, 8), {}),
            ("read/4096", noisy(rng, 5000 * fast, 8), dict(iops=2e5 / fast)),
            (f"{NASTY}/7", noisy(rng, 50, 3), {}),
            # Each run has its own level: repetitions tell more certainty than there is.
            ("boots/1", noisy(boots, boots.gauss(1000, 30), 8, 0.001), {}),
        ], commit=f"{day:040x}", kernel_release="6.1.0-56",
            command=f"./made --seed {day} '{NASTY}'")
    for day in range(10):
        yield f"compare-{day}", compare(rng, day, "6.1.0-56" if day < 8 else "6.12.3")
        for handler in ("fixed", "insert-pfn"):
            yield f"cost-{handler}-{day}", cost(day, handler)
    yield "perf", perf()
    yield "single", google(3, [("only/once", [42.0], {})])


def many(rng):
    for day in range(250):
        yield f"many-{day:03}", google(day / 4, [
            (f"family{i % 20}/arg:{i}",
             noisy(rng, 100 + i + (20 if day > 200 and i % 40 == 0 else 0), 5), {})
            for i in range(200)], commit=f"{day:040x}", kernel_release=f"6.{day // 50}")


def long_series(rng):
    for n in range(10000):
        level = 110 if n > 6000 else 100
        yield f"long-{n:05}", google(n / 24, [("long/series", noisy(rng, level, 1), {})])


def main():
    folder = pathlib.Path(sys.argv[1])
    kinds = {"--many": many, "--long": long_series}
    make = kinds.get(sys.argv[2] if len(sys.argv) > 2 else "", history)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in make(random.Random(20261123)):
        (folder / f"{name}.json").write_text(json.dumps(content))


main()
