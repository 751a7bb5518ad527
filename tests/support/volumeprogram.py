"""A volume plugin as a program of the standard library alone, to be run inside a managed plugin.

::

    volumeprogram.py SOCKET PLACE [WORD …]

Volumes are directories below PLACE. Beside the protocol it answers ``/Test.Look`` with its process
id, words and environment, ``/Test.Logged`` with what containers have written,
``/Test.Measured`` with the engine's metrics once it was told to collect them, ``/Test.Mount`` by
mounting a tmpfs on PLACE/Name, and ``/Test.Link`` by making a link of PLACE/Name. With the word
``fail`` it says so and ends.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

SOCKET, PLACE, WORDS = sys.argv[1], sys.argv[2], sys.argv[3:]


def look(_: Any) -> Any:
    return {"Pid": os.getpid(), "Words": WORDS, "Env": dict(os.environ), "Uid": os.getuid()}


def mount(wish: Any) -> Any:
    place = f"{PLACE}/{wish['Name']}"
    os.makedirs(place, exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.mount(b"tmpfs", place.encode(), b"tmpfs", 0, None)
    return {"Errno": ctypes.get_errno() if failed else 0}


def link(wish: Any) -> Any:
    os.rmdir(f"{PLACE}/{wish['Name']}")
    os.symlink(wish["To"], f"{PLACE}/{wish['Name']}")
    return {}


def create(wish: Any) -> Any:
    os.makedirs(f"{PLACE}/{wish['Name']}", exist_ok=True)
    return {}


def get(wish: Any) -> Any:
    name = wish["Name"]
    if not os.path.isdir(f"{PLACE}/{name}"):
        return {"Err": "no such volume"}
    return {"Volume": {"Name": name, "Mountpoint": f"{PLACE}/{name}"}}


def listed(_: Any) -> Any:
    return {"Volumes": [{"Name": name} for name in sorted(os.listdir(PLACE))]}


def path(wish: Any) -> Any:
    return {"Mountpoint": f"{PLACE}/{wish['Name']}"}


def remove(wish: Any) -> Any:
    shutil.rmtree(f"{PLACE}/{wish['Name']}")
    return {}


LOGGED: list[bytes] = []


def start_logging(wish: Any) -> Any:
    """Read what a container writes, as it comes through the pipe: protobuf, which holds texts."""

    def read() -> None:
        with open(wish["File"], "rb", buffering=0) as pipe:
            while piece := pipe.read(1 << 16):
                LOGGED.append(piece)

    threading.Thread(target=read, daemon=True).start()
    return {}


def logged(_: Any) -> Any:
    return {"Text": b"".join(LOGGED).decode(errors="replace")}


STARTED: list[str] = []


def start_metrics(_: Any) -> Any:
    STARTED.append("started")
    return {}


def stop_metrics(_: Any) -> Any:
    STARTED.clear()
    return {}


def measured(_: Any) -> Any:
    """Read the engine's metrics, as a collector does."""
    if not STARTED:
        return {"Text": ""}
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect("/run/docker/metrics.sock")
        asking.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return {"Text": asking.makefile("rb").read().decode()}


CALLS = {
    "/MetricsCollector.StartMetrics": start_metrics,
    "/MetricsCollector.StopMetrics": stop_metrics,
    "/Test.Measured": measured,
    "/LogDriver.Capabilities": lambda _: {"Cap": {"ReadLogs": False}},
    "/LogDriver.StartLogging": start_logging,
    "/LogDriver.StopLogging": lambda _: {},
    "/Test.Logged": logged,
    "/Plugin.Activate": lambda _: {"Implements": ["VolumeDriver"]},
    "/VolumeDriver.Capabilities": lambda _: {"Capabilities": {"Scope": "local"}},
    "/VolumeDriver.Create": create,
    "/VolumeDriver.Get": get,
    "/VolumeDriver.List": listed,
    "/VolumeDriver.Mount": path,
    "/VolumeDriver.Path": path,
    "/VolumeDriver.Unmount": lambda _: {},
    "/VolumeDriver.Remove": remove,
    "/Test.Link": link,
    "/Test.Look": look,
    "/Test.Mount": mount,
}


class Asked(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = json.dumps(CALLS[self.path](json.loads(body or b"{}"))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def address_string(self) -> str:
        return "engine"


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    pass


if __name__ == "__main__":
    if "fail" in WORDS:
        sys.exit("this plugin was told to fail")
    os.makedirs(PLACE, exist_ok=True)
    # The first process of a pid namespace has only the signals it asks for.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    Server(SOCKET, Asked).serve_forever()
