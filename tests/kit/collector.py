"""A collector of OpenTelemetry traces: takes OTLP over HTTP and reads the spans out of its protobuf."""

import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def varint(data, at):
    """(number, place behind it)"""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def fields(data):
    """Every field of a message: (number, value). Submessages, strings and bytes are bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            (value,), at = struct.unpack_from("<Q", data, at), at + 8
        elif kind == 5:
            (value,), at = struct.unpack_from("<I", data, at), at + 4
        else:
            assert kind == 2, f"wire type {kind}"
            length, at = varint(data, at)
            value, at = data[at : at + length], at + length
            assert len(value) == length, "cut off"
        yield number, value


def attribute(data):
    """A KeyValue with a string or a whole number."""
    pair = dict(fields(data))
    [(kind, value)] = fields(pair[2])
    return pair[1].decode(), value.decode() if kind == 1 else value


@dataclass
class Span:
    """As opentelemetry/proto/trace/v1/trace.proto has it."""

    trace_id: str = ""
    span_id: str = ""
    parent: str = ""
    name: str = ""
    begun_ns: int = 0
    ended_ns: int = 0
    attributes: dict = field(default_factory=dict)
    resource: dict = field(default_factory=dict)

    @classmethod
    def of(cls, data, resource):
        span = cls(resource=resource)
        for number, value in fields(data):
            if number in (1, 2, 4):
                setattr(span, {1: "trace_id", 2: "span_id", 4: "parent"}[number], value.hex())
            elif number == 5:
                span.name = value.decode()
            elif number in (7, 8):
                setattr(span, {7: "begun_ns", 8: "ended_ns"}[number], value)
            elif number == 9:
                key, content = attribute(value)
                span.attributes[key] = content
        return span


def spans_of(request):
    """The spans of an ExportTraceServiceRequest."""
    for number, of_resource in fields(request):
        assert number == 1
        parts = list(fields(of_resource))
        resource = dict(attribute(value) for number, part in parts if number == 1 for n, value in fields(part) if n == 1)
        for number, scope in parts:
            if number == 2:
                yield from (Span.of(value, resource) for n, value in fields(scope) if n == 2)


class Collector:
    """Listens on a port of its own; `spans` is what came. While `fails` is set, it takes nothing."""

    def __init__(self):
        collector, self.spans, self.fails = self, [], False

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/x-protobuf"
                if not collector.fails:
                    collector.spans += spans_of(body)
                self.send_response(503 if collector.fails else 200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
