"""An operator's desk: a broker with a listener for operators, and a page of it in a browser."""

import hashlib
import json
import re
import secrets
import urllib.error
import urllib.request

import exchange
from playwright.sync_api import expect
from wire import Wire

ROLES = ("viewer", "operator", "admin")
# What the browser notes of answers that the page expects, such as that nobody is logged in.
EXPECTED = re.compile(r"Failed to load resource: (the server responded with a status of (400|401|403|404|409|422|429)|net::ERR_)")
HOSTILE = '<img src=x onerror="alert(1)">'


class House:
    """A running broker whose operators come in by tokens, one for each role."""

    def __init__(self, directory, *options):
        self.port = exchange.free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.tokens = {role: f"strowger_{secrets.token_urlsafe(32)}" for role in ROLES}
        self.file = directory / "tokens"
        lines = [f"{role}-ann:{role}:sha256:{hashlib.sha256(token.encode()).hexdigest()}" for role, token in self.tokens.items()]
        self.file.write_text("\n".join(lines) + "\n")
        self.file.chmod(0o600)
        admin = {"admin.bind": f"127.0.0.1:{self.port}", "admin.tokens_file": self.file, "admin.failures_max": 5}
        self.options = [part for name, value in admin.items() for part in ("--set", f"{name}={value}")] + list(options)
        self.directory, self.wires = directory, []
        self.broker = exchange.Broker(directory, *self.options)

    def client(self, client_id, **options):
        """A client on a wire of its own, dropped with the house."""
        self.wires.append(Wire.open(self.broker.address, client_id, **options))
        return self.wires[-1]

    def ask(self, method, path, body=None, role="admin"):
        """Asks the interface of the broker itself, to see what the page has brought about."""
        request = urllib.request.Request(f"{self.url}api/v1{path}", method=method)
        request.add_header("Authorization", f"Bearer {self.tokens[role]}")
        data = None
        if body is not None:
            request.add_header("Content-Type", "application/json")
            data = json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def restart(self):
        """Stops the broker and starts another one at the same addresses."""
        port = self.broker.port
        assert self.broker.stop() == 0, self.broker.log()
        free, exchange.free_port = exchange.free_port, lambda: port
        try:
            self.broker = exchange.Broker(self.directory, *self.options)
        finally:
            exchange.free_port = free

    def close(self):
        for wire in self.wires:
            wire.drop()
        assert self.broker.stop() == 0, self.broker.log()


class Desk:
    """One page in a browser of its own, with a list of what the browser complained of."""

    def __init__(self, chromium, house, width=1280, height=860, scheme="light"):
        size = {"width": width, "height": height}
        self.context = chromium.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        self.house, self.complaints = house, []
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._asked)
        self.page.goto(house.url)

    def _asked(self, request):
        if not request.url.startswith((self.house.url, self.house.url.replace("http", "ws", 1))):
            self.complaints.append(f"asked a stranger: {request.url}")

    def _note(self, message):
        if message.type in ("error", "warning") and not EXPECTED.match(message.text):
            self.complaints.append(f"console: {message.text}")

    def _dialog(self, dialog):
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def login(self, role):
        self.page.get_by_label("Token").fill(self.house.tokens[role])
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("heading", level=1, name="Overview")).to_be_visible()

    def go(self, place, heading=None):
        """Goes to a view by its address and waits for its heading."""
        self.page.evaluate("place => { location.hash = `#/${place}`; }", place)
        self.heading(heading or place.partition("?")[0].capitalize())

    def heading(self, name):
        expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible()

    def note(self, text):
        """Waits for a note in the corner."""
        expect(self.page.locator(".notes")).to_contain_text(text)

    def confirm(self, button):
        self.page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()

    def close(self):
        # An answer that a test changes on its way may be under way still.
        if not self.page.is_closed():
            self.page.unroute_all(behavior="ignoreErrors")
        self.context.close()
        return self.complaints
