"""A process of its own that takes one session over again and again: `storm.py HOST PORT SOCKETS ROUNDS`.

Each round opens its connections first and then says CONNECT on one after the other. Prints JSON: the highest rate of
CONNECTs per second, and how often each return code came back.
"""

import collections
import contextlib
import json
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "kit"))

from wire import connect  # noqa: E402


def one_round(address, sockets, codes):
    crowd = [socket.create_connection(address, timeout=5) for _ in range(sockets)]
    packet, began = connect("victim", keep_alive=0), time.monotonic()
    for one in crowd:
        with contextlib.suppress(ConnectionError):
            one.sendall(packet)
    rate = sockets / (time.monotonic() - began)
    for one in crowd:
        with contextlib.suppress(ConnectionError, TimeoutError):
            answer = one.recv(4)
            codes[answer[3] if len(answer) == 4 else "none"] += 1
        one.close()
    return rate


def main(host, port, sockets, rounds):
    codes = collections.Counter()
    rate = max(one_round((host, int(port)), int(sockets), codes) for _ in range(int(rounds)))
    print(json.dumps({"rate": rate, "codes": codes}))


if __name__ == "__main__":
    main(*sys.argv[1:])
