"""An engine, and a target for each log driver beside it, in a network namespace of their own.

rsyslogd and journald are Debian's; Graylog's, Fluentd's, Splunk's, Amazon's and Google's protocols
are spoken by small servers whose parts are other people's (zlib, msgpack, http.server).
"""

import json
import socket
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support.engine import Engine
from support.loglisteners import Collector, HttpListener, Reply, Request, datagrams, http
from support.logservers import Journal, Rsyslog, journald, rsyslog
from support.ownports import own_ports
from support.waiting import eventually


class Arrived(NamedTuple):
    """A line that a server has got: its stream if that is told, its text, and all that came."""

    stream: str
    text: str
    whole: str


Received = list[Arrived]
_PRIVATE = ("_", "SYSLOG_TIMESTAMP")


def _fields(entry: Mapping[str, Any]) -> str:
    """The fields of an entry of the journal that its sender has set."""
    own = {name: value for name, value in entry.items() if not name.startswith(_PRIVATE)}
    return json.dumps(dict(sorted(own.items())))


@dataclass(frozen=True)
class Stand:
    """Everything that runs."""

    engine: Engine
    journal: Journal
    syslog: Rsyslog
    gelf: socket.socket
    fluentd: Collector
    web: HttpListener

    @property
    def targets(self) -> Mapping[str, "Target"]:
        """What there is to send to, by name."""
        return {
            "journald": Target("journald", {}, self._journal),
            **{f"syslog {scheme}": self._syslog_by(scheme) for scheme in self.syslog.addresses},
            "gelf": Target(
                "gelf",
                {"gelf-address": f"udp://127.0.0.1:{self.gelf.getsockname()[1]}"},
                self._gelf,
            ),
            "fluentd": Target(
                "fluentd",
                {
                    "fluentd-address": f"127.0.0.1:{self.fluentd.port}",
                    "fluentd-request-ack": "true",
                },
                self._fluentd,
            ),
            "splunk": Target(
                "splunk",
                {"splunk-url": self.web.url, "splunk-token": "secret", "splunk-gzip": "true"},
                self._splunk,
            ),
            "awslogs": Target(
                "awslogs",
                {
                    "awslogs-endpoint": self.web.url,
                    "awslogs-region": "eu-central-1",
                    "awslogs-group": "shop",
                },
                self._awslogs,
            ),
            "gcplogs": Target("gcplogs", {}, self._gcplogs, tagged=False),
        }

    def _syslog_by(self, scheme: str) -> "Target":
        options = {
            "syslog-address": self.syslog.addresses[scheme],
            "syslog-format": "rfc5424micro",
            **({"syslog-tls-ca-cert": str(self.syslog.authority)} if "tls" in scheme else {}),
        }
        return Target("syslog", options, self._syslog)

    def _journal(self, tag: str) -> "Received":
        streams = {"3": "stderr", "6": "stdout"}
        entries = self.journal.entries(tag, 2)
        return [Arrived(streams[e["PRIORITY"]], e["MESSAGE"], _fields(e)) for e in entries]

    def _syslog(self, tag: str) -> "Received":
        streams = {27: "stderr", 30: "stdout"}
        messages = self.syslog.messages(tag, 2)
        return [Arrived(streams[m.priority], m.text, str(m)) for m in messages]

    def _gelf(self, tag: str) -> "Received":
        streams = {3: "stderr", 6: "stdout"}
        got = [json.loads(zlib.decompress(self.gelf.recv(65536), 31)) for _ in range(2)]
        assert {message["_tag"] for message in got} == {tag}
        return [Arrived(streams[m["level"]], m["short_message"], json.dumps(m)) for m in got]

    def _fluentd(self, tag: str) -> "Received":
        unpacked = msgpack.Unpacker()
        unpacked.feed(self.fluentd.data)
        messages = [message for message in unpacked if message[0] == tag]
        return [Arrived(m[2]["source"], m[2]["log"], str(m)) for m in messages]

    def _splunk(self, tag: str) -> "Received":
        decode = json.JSONDecoder().raw_decode
        found = []
        for request in self._asked("/services/collector/event/1.0", "POST"):
            text = zlib.decompress(request.body, 31).decode()
            while text:
                message, end = decode(text)
                event = message["event"]
                if event["tag"] == tag:
                    found.append(Arrived(event["source"], event["line"], text[:end]))
                text = text[end:]
        return found

    def _awslogs(self, tag: str) -> "Received":
        puts = [r.json for r in self._asked("/", "POST") if "PutLog" in r.headers["x-amz-target"]]
        events = [e for put in puts if put["logStreamName"] == tag for e in put["logEvents"]]
        return [Arrived("", event["message"], json.dumps(event)) for event in events]

    def _gcplogs(self, tag: str) -> "Received":
        entries = [e for r in self._asked("/v2/entries:write", "POST") for e in r.json["entries"]]
        found = []
        for entry in entries:
            payload = entry.get("jsonPayload")
            if payload and payload["container"]["name"] == f"/{tag}":
                found.append(Arrived("", payload["message"], json.dumps(entry)))
        return found

    def _asked(self, path: str, method: str) -> list[Request]:
        return [r for r in self.web.requests if (r.path, r.method) == (path, method)]


@dataclass(frozen=True)
class Target:
    """Options that lead to a server, and what it has got of a tag."""

    driver: str
    options: Mapping[str, str]
    read: Callable[[str], Received]
    tagged: bool = True

    def log_config(self, **more: str) -> dict[str, Any]:
        """The `LogConfig` of a container."""
        tag = {"tag": "{{.Name}}"} if self.tagged else {}
        return {"Type": self.driver, "Config": {**self.options, **tag, **more}}

    def received(self, tag: str, count: int = 2) -> Received:
        """The lines of a container, as soon as there are so many."""

        def found() -> Received:
            got = self.read(tag)
            return got if len(got) >= count else []

        return eventually(found, f"{count} lines of {tag}")


class Acknowledging:
    """Fluentd's answers to what comes over a connection."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker()

    def __call__(self, data: bytes) -> bytes:
        self._unpacker.feed(data)
        chunks = [message[3]["chunk"] for message in self._unpacker]
        return b"".join(bytes(msgpack.packb({"ack": chunk})) for chunk in chunks)


def _answer(request: Request) -> Reply:
    return Reply(
        body=b'{"access_token":"T","expires_in":3600}' if request.path == "/token" else b"{}"
    )


@contextmanager
def stand(place: Path) -> Iterator[Stand]:
    """All of it, with files below `place`."""
    with ExitStack() as everything:
        enter = everything.enter_context
        enter(own_ports())
        journal, web = enter(journald()), enter(http(_answer))
        environment = enter(pytest.MonkeyPatch.context())
        environment.setenv("AWS_ACCESS_KEY_ID", "AKID")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", _account(place, web))
        environment.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING", web.url)
        yield Stand(
            syslog=enter(rsyslog(place, 514)),
            journal=journal,
            web=web,
            gelf=enter(datagrams()),
            fluentd=enter(Collector(answering=Acknowledging)),
            engine=enter(Engine(mounts=journal.mounts)),
        )


def _account(place: Path, web: HttpListener) -> str:
    """The file of a service account."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    told = {
        "type": "service_account",
        "project_id": "shop",
        "client_email": "engine@shop",
        "private_key": pem.decode(),
        "token_uri": f"{web.url}/token",
    }
    path = place / "account.json"
    path.write_text(json.dumps(told))
    return str(path)
