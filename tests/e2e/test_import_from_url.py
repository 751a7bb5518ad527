"""`docker import URL`: the daemon fetches."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from support.engine import Engine
from support.images.catalog import ensure
from support.tars import Member, tar

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

ARCHIVE = tar(Member("a", b"1" * 100_000))


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/root.tar")
            self.end_headers()
        elif self.path == "/to-a-file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        elif self.path in ("/root.tar", "/short"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(ARCHIVE)))
            self.end_headers()
            self.wfile.write(ARCHIVE if self.path == "/root.tar" else ARCHIVE[:60_000])
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with _serving() as url:
        yield url


@contextmanager
def _serving() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def imported(engine: Engine, url: str, **query: str) -> tuple[int, list[dict[str, Any]]]:
    reply = engine.api.post("/images/create", fromSrc=url, **query)
    return reply.status, [json.loads(line) for line in reply.body.splitlines()]


def test_an_archive_is_fetched(engine: Engine, server: str) -> None:
    assert ensure("busybox")
    status, lines = imported(engine, f"{server}/moved", repo="fetched", changes="USER 5")
    assert status == 200
    assert lines[0] == {"status": f"Downloading from {server}/moved"}
    assert lines[-2]["progressDetail"] == {"current": len(ARCHIVE), "total": len(ARCHIVE)}
    image = engine.api.get("/images/fetched/json").json()
    assert lines[-1] == {"status": image["Id"]}
    assert image["Config"]["User"] == "5"
    assert engine.api.get("/images/fetched/history").json()[0]["Comment"] == (
        f"Imported from {server}/moved"
    )
    engine.boxship("rmi", "fetched")
    assert engine.boxship("import", f"{server}/root.tar").splitlines()[-1] == image_id(engine)
    engine.boxship("rmi", image_id(engine))


def image_id(engine: Engine) -> str:
    (dangling,) = engine.api.get("/images/json", filters='{"dangling":["true"]}').json()
    return str(dangling["Id"])


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/none", 404, "/none with status 404 Not Found"),
        ("/to-a-file", 503, "is not allowed"),
        ("/short", 200, "ended after 60000 of"),
        ("ftp://127.0.0.1/x", 400, 'unsupported scheme "ftp"'),
        ("file:///etc/passwd", 400, 'unsupported scheme "file"'),
        ("http://127.0.0.1:1/x", 503, 'x": connection refused'),
        ("http://", 400, "names no host"),
    ],
)
def test_what_goes_wrong_is_said(
    engine: Engine, server: str, path: str, status: int, message: str
) -> None:
    before = engine.api.get("/images/json", all=1).json()
    url = f"{server}{path}" if path.startswith("/") else path
    found, lines = imported(engine, url)
    text = lines[-1].get("message") or lines[-1]["errorDetail"]["message"]
    assert (found, message in text) == (status, True), text
    assert engine.api.get("/images/json", all=1).json() == before
