"""A healthy pair in a process of its own: publishes with QoS 1 at a steady rate, and prints how long each message took
from the moment at which it was due, in microseconds, one to a line."""

import sys
import threading
import time

from wire import Kind, Wire, ack, publish

RATE_PER_SEC = 200


def run(port, secs):
    address, count = ("127.0.0.1", port), int(secs * RATE_PER_SEC)
    reader = Wire.open(address, "probe-reader", timeout=30)
    reader.subscribe("probe", qos=1)
    sender = Wire.open(address, "probe-sender", timeout=30)
    due = [0.0] * count

    def send():
        begin = time.monotonic() + 0.1
        for number in range(count):
            due[number] = begin + number / RATE_PER_SEC
            time.sleep(max(0, due[number] - time.monotonic()))
            sender.send(publish("probe", str(number), qos=1, packet_id=number % 60000 + 1))

    def drain():
        for _ in range(count):
            sender.expect(Kind.PUBACK)

    threads = [threading.Thread(target=send, daemon=True), threading.Thread(target=drain, daemon=True)]
    for thread in threads:
        thread.start()
    for number in range(count):
        got = reader.expect(Kind.PUBLISH)
        assert int(got.payload) == number, f"message {number} is missing"
        reader.send(ack(Kind.PUBACK, got.packet_id))
        print(int((time.monotonic() - due[number]) * 1e6))


if __name__ == "__main__":
    run(int(sys.argv[1]), float(sys.argv[2]))
