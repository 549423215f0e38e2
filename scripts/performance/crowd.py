"""Idle connections that stay while something else is measured: each subscribed to a topic of its own."""

import socket
from contextlib import ExitStack, contextmanager

ANSWER_SECS_MAX = 10
# No run outlasts it, so no client has to ping; rumqttd refuses to do without.
KEEP_ALIVE_SECS = 3600
CONNACK_AND_SUBACK_BYTES = 4 + 5


@contextmanager
def crowd(port, count):
    """Holds `count` idle connections to 127.0.0.1:`port`; raises OSError when the broker does not take one."""
    with ExitStack() as held:
        for index in range(count):
            each = held.enter_context(socket.create_connection(("127.0.0.1", port), ANSWER_SECS_MAX))
            each.sendall(opening(index))
            answer = b""
            while len(answer) < CONNACK_AND_SUBACK_BYTES:
                part = each.recv(CONNACK_AND_SUBACK_BYTES - len(answer))
                if not part:
                    raise ConnectionError(f"the broker closed idle connection {index + 1:,} of {count:,}")
                answer += part
            if answer[3] != 0 or answer[8] >= 0x80:
                raise ConnectionError(f"the broker refused idle connection {index + 1:,} of {count:,}")
        yield


def opening(index):
    """CONNECT in 3.1.1 with a clean session, and SUBSCRIBE with QoS 0."""
    connect = b"\x00\x04MQTT\x04\x02" + KEEP_ALIVE_SECS.to_bytes(2, "big") + text(f"crowd-{index}")
    subscribe = b"\x00\x01" + text(f"crowd/{index}") + b"\x00"
    return bytes([0x10, len(connect)]) + connect + bytes([0x82, len(subscribe)]) + subscribe


def text(value):
    """A string as MQTT writes it."""
    data = value.encode()
    return len(data).to_bytes(2, "big") + data
