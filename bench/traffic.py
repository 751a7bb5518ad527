"""Both ends of a connection, as programs of their own: `python -m bench.traffic ROLE …`.

They are started in the network namespaces between which something is measured.
"""

import os
import select
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable, Mapping

_CHUNK = 1 << 20


def source(port: str, size: str) -> None:
    """Send so many bytes to each caller, from memory and without copying."""
    memory = os.memfd_create("source")
    os.ftruncate(memory, 64 * _CHUNK)
    with socket.create_server(("0.0.0.0", int(port))) as listener:
        print("ready", flush=True)
        while True:
            caller, _ = listener.accept()
            with caller:
                left = int(size)
                while left:
                    left -= os.sendfile(caller.fileno(), memory, 0, min(left, 64 * _CHUNK))


def sink(address: str, port: str) -> None:
    """Take all that comes and print how many seconds it took."""
    begin = time.perf_counter()
    with socket.create_connection((address, int(port))) as connection:
        # The kernel drops it: what is measured is the way, not a copy in here.
        while connection.recv(8 * _CHUNK, socket.MSG_TRUNC):
            pass
    print(time.perf_counter() - begin)


def lookups(name: str, rate: str, seconds: str) -> None:
    """Ask 127.0.0.11 for a name's address at a steady rate; print what came of it.

    An open loop: questions are sent by the clock whether or not answers have come, and an answer's
    age counts from the moment at which its question was due.
    """
    total, gap = int(rate) * int(seconds), 1 / int(rate)
    labels = b"".join(bytes([len(part)]) + part for part in name.encode().split(b"."))
    rest = struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
    ages: list[float] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        asking.connect(("127.0.0.11", 53))
        begin, sent = time.perf_counter() + 0.1, 0
        last = begin + total * gap + 1
        while len(ages) < total and (now := time.perf_counter()) < last:
            if sent < total and now >= begin + sent * gap:
                asking.send(struct.pack("!H", sent & 0xFFFF) + rest)
                sent += 1
            due = begin + sent * gap if sent < total else last
            if not select.select([asking], [], [], max(0.0, due - time.perf_counter()))[0]:
                continue
            reply = asking.recv(512)
            # Numbers repeat every 65,536 questions: long after their answers.
            number = sent - 1 - ((sent - 1 - int.from_bytes(reply[:2], "big")) & 0xFFFF)
            if reply[3] & 15 == 0 and reply[7]:
                ages.append(time.perf_counter() - (begin + number * gap))
        took = max(time.perf_counter() - begin, total * gap)
    ages.sort()
    slowest = ages[int(len(ages) * 0.99)] if ages else 0.0
    print(len(ages) / took, statistics.median(ages or [0]) * 1e3, slowest * 1e3, total - len(ages))


ROLES: Mapping[str, Callable[..., None]] = {"source": source, "sink": sink, "lookups": lookups}

if __name__ == "__main__":
    ROLES[sys.argv[1]](*sys.argv[2:])
