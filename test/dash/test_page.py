#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The page in Chromium, opened from the disk and used: test_page.py BARRAGE-DASH SCREENSHOTS.

Every step fails on a message in the browser's console and on any request but for the page itself.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from browser import Browser

ENTER, ESCAPE, LEFT, HOME, TAB = "\ue007", "\ue00c", "\ue012", "\ue011", "\ue004"
MADE = pathlib.Path(__file__).with_name("made_results.py")


def check(what, truth, seen=None):
    if not truth:
        raise AssertionError(f"{what}: {seen!r}" if seen is not None else what)


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True,
                          text=True).stdout


class Page:
    """A report of made results, in a browser."""

    def __init__(self, program, folder, screenshots, browser):
        self.program, self.folder, self.shots, self.browser = program, folder, screenshots, browser

    def add(self, *options):
        """Make results, and add them to a new store."""
        made = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        run(sys.executable, MADE, made, *options)
        self.store = made / "results.db"
        run(self.program, "add", "--db", self.store, *sorted(made.glob("*.json")))

    def report(self, *options):
        """Write the report, and open it."""
        told = json.loads(run(self.program, "report", "--json", "--db", self.store,
                              "-o", self.folder / "report", *options))
        self.path = pathlib.Path(told["file"])
        self.browser.resize(1280, 900)
        self.open()
        return told

    def open(self, fragment=""):
        self.browser.open(f"{self.path}{fragment}")
        self.quiet()

    def quiet(self):
        """Nothing in the console, and nothing but the page was asked for."""
        messages = self.browser.console()
        check("console", not messages, messages)
        strangers = [url for url in self.browser.requests()
                     if not url.startswith((f"file://{self.path}", "about:blank", "data:", "chrome"))]
        check("requests", not strangers, strangers)

    def shot(self, name):
        self.browser.screenshot(self.shots / f"{name}.png")
        self.quiet()


def worst_first(page):
    rows = page.browser.texts("#changed tbody tr")
    check("the slowdown comes first", "worse" in rows[0] and "queue lcores=1" in rows[0], rows)
    check("by how much", "+19.7 %" in rows[0], rows[0])
    check("then today's", "queue lcores=2" in rows[2] and "newest result" in rows[2], rows[2])
    check("with an interval", " % to +1" in rows[2], rows[2])
    check("counts changed by 7", sum("exact count" in row for row in rows) == 6, rows)
    check("old changes are no news", not any("read" in row for row in rows), rows)


def texts_stay_texts(page):
    browser = page.browser
    names = browser.texts("#all td.name")
    check("the hostile name is shown", any("<img src=x onerror=alert(1)></script>" in name
                                           for name in names), names)
    check("and is no element", browser.script("return document.querySelectorAll('img').length") == 0)
    browser.type("[name=text]", "onerror")
    browser.wait("only the hostile one is left",
                 "document.querySelectorAll('#all tbody tr').length === 2")
    browser.click("#all td.name button")
    browser.script("document.getElementById('one-chart').focus()")
    browser.press(ENTER)
    check("its command is text", "<img src=x" in browser.texts("#point pre")[0])
    page.shot("hostile")
    browser.click("#point-close")
    browser.click("#one-close")
    page.open()


def filters_filter(page):
    browser = page.browser
    count = "document.querySelectorAll('#all tbody tr').length"
    everything = browser.script(f"return {count}")
    for name, value, word in (("handler", "insert-pfn", "insert-pfn"),
                              ("kernel", "6.12.3", "first_fault"),
                              ("machine", "counting mode", "cost")):
        page.open()
        browser.click(f"[name={name}] option[value='{value}']")
        browser.wait(f"fewer series with {name} {value}", f"{count} < {everything}")
        rows = browser.texts("#all tbody tr")
        check(f"all are of {value}", rows and all(word in row for row in rows), rows)
    page.open()
    browser.click("[name=worse]")
    browser.wait("fewer series with regressions only", f"{count} < {everything}")
    check("10 series got worse", browser.script(f"return {count}") == 10)
    verdicts = browser.texts("#changed tbody td:first-child")
    check("only what is worse", all("worse" in verdict for verdict in verdicts), verdicts)
    page.open()
    browser.type("[name=text]", "no such words")
    browser.wait("nothing matches", "document.querySelector('#all p') !== null")
    check("and says so", "No series matches" in browser.texts("#all")[0])
    page.open()


def follow_a_point(page):
    browser = page.browser
    browser.click("#changed td.name button")
    browser.wait("the series opens", "!document.getElementById('one').hidden")
    check("at its change", "57 of 60" in browser.texts("#one-at")[0], browser.texts("#one-at"))
    check("which is listed", "+19.7 %" in browser.texts("#one-changes tbody tr")[0])
    page.shot("series-light")

    # The last of the 60 points: half a place from the right end of the drawing.
    area = browser.script("""
        const canvas = document.querySelector("#one-chart canvas").getBoundingClientRect();
        return [canvas.right, canvas.top + canvas.height / 2, canvas.width]""")
    browser.click_at(area[0] - 8, area[1])
    browser.wait("the point opens", "document.getElementById('point').open")
    check("it is the last", browser.script("return document.getElementById('point-after').disabled"))
    body = browser.texts("#point-body")[0]
    for word in ("6.1.0-56", "8 values", "median", "lab-1, 2 CPUs", f"{59:040x}", "./made --seed 59"):
        check(f"the point tells {word}", word in body, body)
    page.shot("point-light")
    browser.click("#point-before")
    check("the one before", "./made --seed 58" in browser.texts("#point-body")[0])
    browser.click("#point-close")
    page.quiet()


def keyboard(page):
    browser = page.browser
    page.open()
    browser.script("document.querySelector('#changed td.name button').focus()")
    browser.press(ENTER)
    browser.wait("Enter opens the series", "!document.getElementById('one').hidden")
    browser.press(TAB)
    browser.press(TAB)
    check("Tab reaches the chart",
          browser.script("return document.activeElement.id") == "one-chart")
    browser.press(LEFT)
    check("an arrow goes one back", browser.texts("#one-at")[0].startswith("56 of 60"))
    browser.press(HOME)
    check("Home goes to the first", browser.texts("#one-at")[0].startswith("1 of 60"))
    browser.press(ENTER)
    browser.wait("Enter opens the point", "document.getElementById('point').open")
    browser.press(ESCAPE)
    browser.wait("Escape closes it", "!document.getElementById('point').open")
    page.quiet()


def queue(page):
    """A series as the store knows it, and its results, oldest first."""
    found = next(one for one in json.loads(run(page.program, "export", "--db", page.store))["series"]
                 if one["series"]["parameters"] == {"lcores": 1}
                 and one["series"]["metric"] == "real_time")
    return found["series"]["fingerprint"], found["results"]


def links(page):
    """The address says what is shown by its number, and brings it back."""
    browser = page.browser
    number = queue(page)[1][0]["result"]
    browser.script("document.getElementById('one-chart').focus()")
    browser.press(ENTER)
    fragment = browser.script("return location.hash")
    check("the address tells the result", fragment.endswith(f"&result={number}"), fragment)
    check("so does the dialog", str(number) in browser.texts("#point-body dd")[0])
    page.open(fragment)
    browser.wait("the point opens", "document.getElementById('point').open")
    check("the same", "./made --seed 0" in browser.texts("#point-body")[0])
    page.open(fragment.replace(f"={number}", "=99999999"))
    check("what is not there is told", "Result 99999999 is not on this page"
          in browser.texts("#one-at")[0], browser.texts("#one-at"))
    check("and not opened", not browser.script("return document.getElementById('point').open"))
    page.open("#series=0123456789abcdef")
    check("nor is a series", "Series 0123456789abcdef is not on this page"
          in browser.texts("#about")[0])
    page.open()


def links_after_prune(page):
    """Results go, and an address still names what it named."""
    browser = page.browser
    series, (gone, kept, *_) = queue(page)
    run(page.program, "prune", "--db", page.store, "--run", gone["run"], "--yes")
    page.report()
    page.open(f"#series={series}&result={kept['result']}")
    browser.wait("the point opens", "document.getElementById('point').open")
    check("the same", "./made --seed 1" in browser.texts("#point-body")[0])
    check("which is the first now", browser.texts("#one-at")[0].startswith("1 of 59"))
    page.open(f"#series={series}&result={gone['result']}")
    check("what is gone is told", f"Result {gone['result']} is not on this page"
          in browser.texts("#one-at")[0], browser.texts("#one-at"))
    page.open()


def before_and_after(page):
    browser = page.browser
    browser.wait("handlers are compared", "!document.getElementById('compared').hidden")
    survival = browser.texts("#survival tbody tr")
    check("who survived", any("25 %" in row and "100 %" in row for row in survival), survival)
    for part in ("latency", "size", "lcores"):
        browser.wait(f"{part} is drawn", f"document.querySelector('#{part} canvas') !== null")
        check(f"{part} has a legend", len(browser.texts(f"#{part} .legend span")) >= 2)
    browser.script("document.getElementById('latency').scrollIntoView()")
    check("both handlers have a row", len(browser.texts("#latency tbody tr")) == 4)
    page.shot("compared-light")
    browser.click("#survival tbody td.worse button")
    browser.wait("a cell opens its series", "!document.getElementById('one').hidden")
    browser.script("document.getElementById('one-chart').focus()")
    browser.press(ENTER)
    check("1 of 4 survived", "1 of 4" in browser.texts("#point-body")[0])
    browser.click("#point-close")
    page.quiet()


def themes(page):
    browser = page.browser
    page.open()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = browser.script(f"return {ground}")
    page.shot("page-light")
    browser.click("#theme")
    browser.wait("the ground is dark", f"{ground} !== '{light}'")
    browser.click("#changed td.name button")
    page.shot("series-dark")
    browser.script("document.getElementById('one-chart').focus()")
    browser.press(ENTER)
    page.shot("point-dark")
    browser.click("#point-close")
    browser.script("document.getElementById('compared').scrollIntoView()")
    page.shot("compared-dark")
    browser.click("#theme")
    browser.prefer("dark")
    page.open()
    check("a choice goes before the system's", browser.script(f"return {ground}") == light)
    browser.script("localStorage.clear()")
    page.open()
    check("without one the system's holds", browser.script(f"return {ground}") != light)
    browser.prefer("light")


def phone(page):
    browser = page.browser
    browser.resize(390, 844)
    page.open()
    browser.click("#changed td.name button")
    browser.wait("the series opens", "!document.getElementById('one').hidden")
    check("nothing is wider than the phone", browser.script(
        "return document.documentElement.scrollWidth <= innerWidth"))
    page.shot("phone-series")
    browser.script("document.getElementById('one-chart').focus()")
    browser.press(ENTER)
    page.shot("phone-point")
    browser.click("#point-close")
    browser.click("#one-close")
    browser.script("scrollTo(0, 0)")
    page.shot("phone-page")
    browser.resize(1280, 900)


def one_point(page):
    browser = page.browser
    page.open()
    browser.type("[name=text]", "only once")
    browser.wait("one series is left", "document.querySelectorAll('#all tbody tr').length === 2")
    browser.click("#all td.name button")
    check("one result", browser.texts("#one-at")[0].startswith("1 of 1"))
    check("no changes", "No change points" in browser.texts("#one-changes")[0])
    page.shot("one-point")
    browser.script("document.getElementById('one-chart').focus()")
    browser.press(ENTER)
    check("which opens", "without repetitions" in browser.texts("#point-body")[0])
    browser.click("#point-close")
    page.quiet()


def stored_histogram(page):
    """barrage perf has a histogram instead of repetitions: 55,450 values, half of them up to 23.8 µs."""
    browser = page.browser
    page.open()
    browser.type("[name=text]", "latency_p50")
    browser.wait("one series is left", "document.querySelectorAll('#all tbody tr').length === 1")
    browser.click("#all td.name button")
    browser.script("document.getElementById('one-chart').focus()")
    browser.press(ENTER)
    body = browser.texts("#point-body")[0]
    for word in ("55,450 values", "min 5 µs", "median 23.8", "max 626.2 µs"):
        check(f"the histogram tells {word}", word in body, body)
    bars = "document.querySelectorAll('#point .histogram div').length"
    check("32 bars", browser.script(f"return {bars}") == 32)
    page.shot("stored-histogram")
    browser.click("#point-close")
    page.open()


def judged(page):
    """What somebody said of a change, as the page tells how: it goes last, and is no regression."""
    browser = page.browser
    page.open()
    browser.click("#changed td.name button")
    browser.script("document.getElementById('one-chart').focus()")
    browser.press(ENTER)
    command = browser.texts("#point pre")[-1]
    number = queue(page)[1][56]["result"]
    check("the command names the result", f" {number} known" in command, command)
    page.shot("triage")
    subprocess.run(command.replace("barrage-dash", str(page.program), 1).replace("known", "wanted")
                   .replace('"why"', "'safer & slower'"), shell=True, check=True)
    page.report()
    row = browser.texts("#changed tbody tr")[-1]
    check("it goes last, with its note", "(wanted)" in row and "safer & slower" in row, row)
    browser.click("[name=worse]")
    browser.wait("one regression less", "document.querySelectorAll('#all tbody tr').length === 9")
    page.quiet()


def known(page):
    """The newest result, judged: no regression of today's any more, for check and for the page."""
    browser = page.browser
    before = json.loads(subprocess.run([page.program, "check", "--db", page.store, "--json"],
                                       capture_output=True, text=True).stdout)
    worst = before["rows"][0]
    check("it is worse", worst["verdict"] == "worse" and "queue lcores=2" in worst["benchmark"], worst)
    run(page.program, "triage", "--db", page.store, worst["result"], "known", "--note", "bug 7")
    told = page.report()
    check("one less", told["worse"] == before["regressions"] - 1 and told["known"] == 1, told)
    row = next(row for row in browser.texts("#changed tbody tr") if "bug 7" in row)
    check("as known", "(known)" in row and "newest result" in row, row)


def history(page):
    page.add()
    told = page.report()
    check("70 series, 2 of them worse than yesterday", told["series"] == 70 and told["worse"] == 2,
          told)
    for step in (worst_first, texts_stay_texts, filters_filter, follow_a_point, keyboard, links,
                 before_and_after, themes, phone, one_point,
                 stored_histogram, judged, known, links_after_prune):
        print(f"  {step.__name__}", flush=True)
        step(page)


def empty(page):
    """No results at all, as there are none of this benchmark."""
    page.report("--benchmark", "none")
    check("it says what to do", "barrage-dash add" in page.browser.texts("#all")[0])
    check("nothing changed", "Nothing changed" in page.browser.texts("#changed")[0])
    page.shot("empty")


def long_series(page):
    """10,000 results in a series: drawn whole, and the change in it found."""
    page.add("--long")
    told = page.report()
    check("all of them", told["results"] == 20000, told)
    page.browser.click("#all td.name button")
    check("drawn", page.browser.texts("#one-at")[0].startswith("10000 of 10000"),
          page.browser.texts("#one-at"))
    changes = page.browser.texts("#one-changes tbody tr")
    check("with its step", any("+10" in change or "+9.9" in change for change in changes), changes)
    page.shot("long-series")


def hundred_thousand(page):
    """100,000 results: what they take is printed, and only the memory is a matter of right or wrong."""
    page.add("--many")
    begin = time.monotonic()
    report = subprocess.Popen([page.program, "report", "--db", page.store, "-o",
                               page.folder / "report"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(report.pid, 0)
    report.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - begin
    check("report", report.returncode == 0, report.returncode)
    check("its memory is below 500 MB", usage.ru_maxrss < 500_000, usage.ru_maxrss)
    page.open()
    check("all of them", page.browser.texts("#about")[0].startswith("100,000 results in 400 series"))
    ready = page.browser.script(
        "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    print(f"  report: {seconds:.2f} s, at most {usage.ru_maxrss / 1024:.0f} MiB, "
          f"page of {page.path.stat().st_size / 1e6:.1f} MB ready after {ready:.0f} ms")


def main():
    program, screenshots = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    screenshots.mkdir(parents=True, exist_ok=True)
    # In memory, where there is room: 10,000 files and as many transactions are written.
    shm = pathlib.Path("/dev/shm")
    memory = shm if shm.is_dir() and shutil.disk_usage(shm).free > 1 << 29 else None
    with tempfile.TemporaryDirectory(dir=memory) as folder, Browser() as browser:
        page = Page(program, pathlib.Path(folder), screenshots, browser)
        for part in (history, empty, long_series, hundred_thousand):
            print(part.__name__, flush=True)
            part(page)


main()
