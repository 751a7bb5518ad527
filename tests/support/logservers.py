"""Real servers for logs, Debian's: rsyslogd, and systemd-journald by itself."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Authority
from support.programs import PROMISED
from support.waiting import eventually

_TREES = Path(__file__).parents[2] / ".cache/debian"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"

_RSYSLOG = """
global(workDirectory="{place}" maxMessageSize="64k" parser.permitSlashInProgramName="on"
       defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{certificate}"
       defaultNetstreamDriverKeyFile="{key}")
module(load="imudp")
module(load="imptcp")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
module(load="imuxsock" sysSock.use="off")
input(type="imudp" address="127.0.0.1" port="{udp}")
input(type="imptcp" address="127.0.0.1" port="0" listenPortFileName="{place}/tcp")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="{place}/tls")
input(type="imuxsock" socket="{place}/socket" useSpecialParser="off" parseHostname="on")
template(name="fields" type="string"
         string="%pri%|%hostname%|%app-name%|%procid%|%msgid%|%protocol-version%|%msg%\\n")
action(type="omfile" file="{place}/messages" template="fields")
"""


@dataclass(frozen=True)
class Message:
    """A message as rsyslogd has understood it."""

    priority: int
    host: str
    application: str
    process: str
    id: str
    version: str
    text: str


@dataclass(frozen=True)
class Rsyslog:
    """A running rsyslogd: the addresses it listens at, by scheme."""

    addresses: dict[str, str]
    authority: Path
    messages_file: Path

    def messages(self, application: str, count: int) -> list[Message]:
        """Those of an application, as soon as there are so many."""

        def found() -> list[Message]:
            if not self.messages_file.exists():
                return []
            whole = self.messages_file.read_text().splitlines(keepends=True)
            all_ = [_message(line[:-1]) for line in whole if line.endswith("\n")]
            wanted = [message for message in all_ if message.application == application]
            return wanted if len(wanted) >= count else []

        return eventually(found, f"{count} messages of {application}")


def _message(line: str) -> Message:
    priority, *words = line.split("|", 6)
    return Message(int(priority), *words)


@contextmanager
def rsyslog(place: Path, udp: int) -> Iterator[Rsyslog]:
    """One with a directory and a UDP port that are free."""
    tree = _tree("rsyslog")
    authority = Authority(place / "ca")
    issued = authority.issue("localhost", "localhost", "127.0.0.1")
    configuration = place / "rsyslog.conf"
    configuration.write_text(
        _RSYSLOG.format(
            place=place,
            udp=udp,
            ca=authority.certificate,
            certificate=issued.certificate,
            key=issued.key,
        )
    )
    command = [tree / "usr/sbin/rsyslogd", "-n", "-f", configuration, "-i", place / "pid"]
    server = subprocess.Popen(
        [*map(str, command), "-M", str(tree / _LIBRARIES / "rsyslog")],
        env={**os.environ, "LD_LIBRARY_PATH": str(tree / _LIBRARIES)},
        stdin=subprocess.DEVNULL,
    )
    try:
        ports = {name: eventually(_contents(place / name), name) for name in ("tcp", "tls")}
        eventually(lambda: _is_bound(udp), "the UDP port")
        eventually((place / "socket").exists, "the socket")
        addresses = {
            "udp": f"udp://127.0.0.1:{udp}",
            "tcp": f"tcp://127.0.0.1:{ports['tcp']}",
            "tcp+tls": f"tcp+tls://localhost:{ports['tls']}",
            "unixgram": f"unixgram://{place}/socket",
        }
        yield Rsyslog(addresses, authority.certificate, place / "messages")
    finally:
        server.terminate()
        server.wait()


def _contents(path: Path) -> Any:
    return lambda: path.exists() and path.read_text().strip()


def _is_bound(port: int) -> bool:
    table = Path("/proc/thread-self/net/udp").read_text()
    return f"0100007F:{port:04X} " in table


_JOURNALD = """
mount -t tmpfs none /run && mount -t tmpfs none /var/log || exit 1
if [ ! -s /etc/machine-id ]; then  # as on a machine that systemd has never run
    mkdir /run/etc /run/work
    mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work none /etc || exit 1
    tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
fi
mkdir -p /run/systemd/journal /run/log/journal /run/systemd/journald.conf.d
printf '[Journal]\\nReadKMsg=no\\nAudit=\\nStorage=volatile\\nRateLimitBurst=0\\n' \
    >/run/systemd/journald.conf.d/test.conf
exec "$0"
"""


@dataclass(frozen=True)
class Journal:
    """A running journald, which has mounts of its own."""

    root: Path
    reader: str
    """The program that reads it."""
    environment: dict[str, str]

    @property
    def mounts(self) -> str:
        """The path of its mount namespace."""
        return str(self.root.parent / "ns/mnt")

    @property
    def socket(self) -> Path:
        return self.root / "run/systemd/journal/socket"

    def entries(self, tag: str, count: int) -> list[dict[str, Any]]:
        """Those of a tag, as soon as there are so many."""
        command = [self.reader, "-D", f"{self.root}/run/log/journal", "-o", "json", "--all"]

        def found() -> list[dict[str, Any]]:
            asked = [*command, "--no-pager", "-q", f"CONTAINER_TAG={tag}"]
            done = subprocess.run(
                asked, capture_output=True, text=True, check=False, env=self.environment
            )
            got = done.stdout
            entries = [json.loads(line) for line in got.splitlines()]
            return entries if len(entries) >= count else []

        return eventually(found, f"{count} entries")


@contextmanager
def journald() -> Iterator[Journal]:
    """One that nobody but who has its socket's path knows of."""
    tree = Path("/") if Path("/lib/systemd/systemd-journald").exists() else _tree("systemd")
    environment = dict(os.environ)
    if tree != Path("/"):
        places = (tree / _LIBRARIES, tree / _LIBRARIES / "systemd")
        environment["LD_LIBRARY_PATH"] = ":".join(map(str, places))
    program = tree / "lib/systemd/systemd-journald"
    server = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", _JOURNALD, str(program)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    root = Path(f"/proc/{server.pid}/root")
    journal = Journal(root, str(tree / "bin/journalctl"), environment)
    try:
        eventually(lambda: _answers(journal), "journald")
        yield journal
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _answers(journal: Journal) -> bool:
    """The socket is there, and it is not the host's: that has a time of before."""
    run, own = journal.root / "run", os.stat("/run").st_dev
    return run.exists() and run.stat().st_dev != own and journal.socket.exists()


def _tree(name: str) -> Path:
    tree = _TREES / name
    if not tree.exists():
        say = pytest.fail if PROMISED else pytest.skip
        say(f"{name} is missing: scripts/setup brings it")
    return tree
