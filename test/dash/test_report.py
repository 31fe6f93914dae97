#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What barrage-dash report writes, and what it refuses: test_report.py BARRAGE-DASH.

Without a browser: test_page.py has one.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

MADE = pathlib.Path(__file__).with_name("made_results.py")


def check(what, truth, seen=None):
    if not truth:
        sys.exit(f"{what}: {seen!r}")


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def data_of(page):
    """The data of a page, by id; JSON, in which nothing can end the element."""
    found = re.findall(r'<script type="application/json" id="(\w+)">([^<]*)</script>', page)
    return {name: json.loads(text) for name, text in found}


def check_data(page, exported):
    data = data_of(page)
    numbers = {one["series"]["fingerprint"]: [result["result"] for result in one["results"]]
               for one in exported["series"]}
    index, runs = data["index"], data["runs"]
    check("70 series", len(index["series"]) == 70, len(index["series"]))
    for series in index["series"]:
        values = data[series["id"]]
        check("columns of one length",
              {len(values[column]) for column in "itrkvd"} == {series["n"]}, series)
        check("results have their numbers", values["i"] == numbers[series["series"]], series)
        check("bands cover all", series["bands"][0][0] == 0 and series["bands"][-1][1] == series["n"]
              and all(a[1] == b[0] for a, b in zip(series["bands"], series["bands"][1:])), series)
        check("each has its run", all(str(run) in runs for run in values["r"]), series)
        check("each has its kernel", all(k < len(index["kernels"]) for k in values["k"]), series)
    queue = next(s for s in index["series"] if s["benchmark"] == "queue"
                 and s["parameters"] == {"lcores": 1} and s["metric"] == "real_time")
    check("the slowdown is seen where it is", [c[0] for c in queue["changes"]] == [56], queue)
    boots = next(s for s in index["series"] if s["benchmark"] == "boots")
    check("runs that differ as they always do", boots["latest"]["verdict"] in ("same", "noise"),
          boots)
    lost = next(s for s in index["series"] if s["metric"] == "survived" and
                s["handler"] == "unfixed" and s["parameters"]["sharing"] == "shared")
    check("1 of 4", data[lost["id"]]["d"][-1] == {"of": 4, "sum": 1}, data[lost["id"]]["d"])
    fault = next(s for s in index["series"] if s["metric"] == "first_fault")
    detail = data[fault["id"]]["d"][0]
    check("a histogram holds all values", sum(n for _, n in detail["h"]) == detail["n"] == 50, detail)


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run(sys.executable, MADE, folder / "made")
        db = folder / "results.db"
        added = run(program, "add", "--db", db, *sorted((folder / "made").glob("*.json")))
        check("add", added.returncode == 0, added)

        told = run(program, "report", "--db", db, "--json", "-o", folder / "deep/er")
        check("report", told.returncode == 0, told)
        told = json.loads(told.stdout)
        check("results", told["results"] == 1205 and told["series"] == 70, told)
        page = pathlib.Path(told["file"]).read_text()
        check_data(page, json.loads(run(program, "export", "--db", db).stdout))
        check("nothing but the page is left", len(list((folder / "deep/er").iterdir())) == 1)
        check("no address of a network", not re.search(r'(src|href)="?https?:', page))

        again = run(program, "report", "--db", db, "-o", folder / "deep/er", "--benchmark", "none")
        check("nothing to show is no failure", again.returncode == 0, again)
        empty = data_of(pathlib.Path(told["file"]).read_text())
        check("and shows nothing", empty["index"]["series"] == [], empty["index"])

        for what, words, command in (
                ("a store that is not there", "none.db", ["--db", folder / "none.db"]),
                ("a folder that cannot be made", "results.db", ["--db", db, "-o", db / "x"]),
                ("a word too many", "nothing is expected", ["--db", db, "word"])):
            refused = run(program, "report", *command)
            check(what, refused.returncode != 0 and words in refused.stderr, refused)
        check("help has an example", "-o report" in run(program, "report", "--help").stdout)


main()
