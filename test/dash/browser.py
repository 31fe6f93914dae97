# SPDX-License-Identifier: BSD-3-Clause
"""Just enough WebDriver (W3C, and Chromium's logs) to use a page as a person does."""

import base64
import json
import re
import subprocess
import tempfile
import time
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver, section 12.2

OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--disable-dev-shm-usage", "--hide-scrollbars"]


class Browser:
    """Chromium through ChromeDriver, both ended by leaving the with statement."""

    def __init__(self, driver="/usr/bin/chromedriver"):
        self.profile = tempfile.TemporaryDirectory()
        try:
            self.process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
        except FileNotFoundError:
            raise SystemExit(f"{driver} is missing: install chromium and chromium-driver") from None
        for line in self.process.stdout:
            port = re.search(r"started successfully on port (\d+)", line)
            if port:
                break
        else:
            raise SystemExit(f"{driver} did not start")
        self.url = f"http://127.0.0.1:{port[1]}/session"
        self.session = None

    def __enter__(self):
        capabilities = {
            "goog:chromeOptions": {"args": [*OPTIONS, f"--user-data-dir={self.profile.name}"]},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        answer = self.call("POST", "", capabilities={"alwaysMatch": capabilities})
        self.session = answer["sessionId"]
        self.url += "/" + self.session
        return self

    def __exit__(self, *_):
        if self.session:
            self.call("DELETE", "")
        self.process.terminate()
        self.process.wait(10)
        self.profile.cleanup()

    def call(self, method, path, **body):
        data = json.dumps(body).encode() if method == "POST" else None
        request = urllib.request.Request(self.url + path, method=method, data=data)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on loopback
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def open(self, path):
        self.call("POST", "/url", url="about:blank")  # else a new fragment would load nothing
        self.call("POST", "/url", url=f"file://{path}")

    def script(self, text, *args):
        return self.call("POST", "/execute/sync", script=text, args=list(args))

    def find(self, css):
        return self.call("POST", "/element", using="css selector", value=css)[ELEMENT]

    def texts(self, css):
        """What each visible element shows."""
        return self.script("return [...document.querySelectorAll(arguments[0])]"
                           ".filter(e => e.offsetParent || e.getClientRects().length)"
                           ".map(e => e.innerText)", css)

    def click(self, css):
        self.call("POST", f"/element/{self.find(css)}/click")

    def type(self, css, text):
        self.call("POST", f"/element/{self.find(css)}/value", text=text)

    def press(self, key):
        """A key to whatever has the focus."""
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def click_at(self, x, y):
        actions = [{"type": "pointerMove", "x": int(x), "y": int(y), "duration": 0},
                   {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self.call("POST", "/actions",
                  actions=[{"type": "pointer", "id": "mouse", "actions": actions}])

    def resize(self, width, height):
        self.call("POST", "/goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride",
                  params=dict(width=width, height=height, deviceScaleFactor=1, mobile=width < 600))

    def prefer(self, scheme):
        """What the system says of light and dark."""
        self.call("POST", "/goog/cdp/execute", cmd="Emulation.setEmulatedMedia",
                  params=dict(features=[dict(name="prefers-color-scheme", value=scheme)]))

    def wait(self, what, condition, seconds=20):
        """Until a condition in JavaScript holds."""
        end = time.monotonic() + seconds
        while not self.script(f"return {condition}"):
            if time.monotonic() > end:
                raise AssertionError(f"not so: {what} ({condition})")
            time.sleep(0.05)

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("GET", "/screenshot")))

    def console(self):
        return [entry["message"] for entry in self.call("POST", "/se/log", type="browser")]

    def requests(self):
        """The URLs that were asked for since the last call."""
        urls = []
        for entry in self.call("POST", "/se/log", type="performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        return urls
