"""The listener for operators, through the Unix socket in a broker's data directory: whoever can open it is an admin."""

import http.client
import json
import socket
import time
import urllib.parse


class Line(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout=10.0):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Office:
    def __init__(self, broker, within=10.0):
        self.directory = broker.log_path.parent / f"store-{broker.port}"
        # Clients can connect a moment before operators.
        deadline = time.monotonic() + within
        while not (self.directory / "admin.sock").exists():
            assert time.monotonic() < deadline, f"no socket for operators:\n{broker.log()}"
            time.sleep(0.02)

    def ask(self, method, path, body=None, **query):
        """Status and body of an answer; a body of JSON is read."""
        line = Line(self.directory / "admin.sock")
        if query:
            path += "?" + urllib.parse.urlencode(query)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        line.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
        answer = line.getresponse()
        raw = answer.read()
        line.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(raw) if is_json and raw else raw

    def get(self, path, **query):
        status, body = self.ask("GET", path, **query)
        assert status == 200, (status, body)
        return body

    def recorder(self, client, **query):
        return self.get(f"/clients/{urllib.parse.quote(client, safe='')}/recorder", **query)

    def listen(self, path, **query):
        return Stream(self, path, query)


class Stream:
    """Server-sent events, from when this is made."""

    def __init__(self, office, path, query):
        self.line = Line(office.directory / "admin.sock")
        path = f"/api/v1{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
        self.line.request("GET", path)
        self.answer = self.line.getresponse()
        assert self.answer.status == 200, self.answer.read()
        assert self.answer.headers.get_content_type() == "text/event-stream"
        # The first word is a comment: from here on nothing is missed.
        assert self.answer.readline().startswith(b": listening")

    def next(self, timeout=5.0):
        """The next event: its name and its data."""
        self.line.sock.settimeout(timeout)
        name = None
        while True:
            line = self.answer.readline().decode().rstrip("\n")
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                return name, json.loads(line.removeprefix("data: "))

    def until(self, wanted, timeout=5.0):
        """Events up to the first of this name; that one's data."""
        while True:
            name, data = self.next(timeout)
            if name == wanted:
                return data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.line.close()
