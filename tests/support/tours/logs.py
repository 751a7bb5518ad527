"""Log drivers as a person would try them: Docker's client, and servers that tell what they got.

Run by ``scripts/try-logs``. rsyslogd and journald are Debian's, the others small servers of the
tests. Every command is printed with what it says; the first surprise ends the tour.
"""

import shlex
import tempfile
from pathlib import Path

from support.loglisteners import Collector
from support.logstand import Acknowledging, Stand, Target, stand
from support.waiting import eventually

PRINT = "echo to stdout; echo to stderr >&2"
NOWHERE = "fluentd-address=127.0.0.1:1"


class Tour:
    def __init__(self, there: Stand) -> None:
        self.there = there
        self._docker = there.engine.docker

    @staticmethod
    def title(text: str) -> None:
        print(f"\n== {text}")

    def docker(self, *words: str, fails: bool = False) -> str:
        """A command of the client, which succeeds or has to fail."""
        print(f"$ docker {shlex.join(words)}", flush=True)
        done = self._docker.run(*words)
        said = done.out + done.err
        print("".join(f"  {line}\n" for line in said.splitlines()[:6]), end="")
        if bool(done.code) != fails:
            raise SystemExit(f"NOT SO: it ended with {done.code}")
        return said

    @staticmethod
    def check(what: str, holds: bool) -> None:
        if not holds:
            raise SystemExit(f"NOT SO: {what}")
        print(f"# {what}")

    def options(self, driver: str, options: dict[str, str]) -> list[str]:
        words = [f"--log-driver={driver}"]
        return words + [f"--log-opt={name}={value}" for name, value in options.items()]


def each_driver(tour: Tour) -> None:
    for name, target in tour.there.targets.items():
        tour.title(name)
        container = f"to-{name.replace(' ', '-').replace('+', '-')}"
        config = target.log_config()["Config"]
        labels = {} if target.driver == "awslogs" else {"labels": "team"}  # its events are texts
        words = tour.options(target.driver, {**config, **labels})
        label = ("--label=team=ci", f"--name={container}")
        tour.docker("run", *label, *words, "busybox", "sh", "-c", PRINT)
        _received(tour, target, container)
        tour.docker("logs", container)


def _received(tour: Tour, target: Target, container: str) -> None:
    got = target.received(container)
    for line in got:
        print(f"< {line.whole}")
    tour.check(
        "the server has both lines",
        sorted(line.text for line in got) == ["to stderr", "to stdout"],
    )


def nobody_there(tour: Tour) -> None:
    tour.title("a target that is not there keeps a container from starting, as with Docker")
    words = ("--rm", "--log-driver=fluentd", f"--log-opt={NOWHERE}")
    said = tour.docker("run", *words, "busybox", "true", fails=True)
    tour.check("it says why", "failed to initialize logging driver: dial tcp 127.0.0.1:1" in said)
    tour.title("unless it is asynchronous: then the container runs, and its log is read from here")
    tour.docker(
        "run", "--name=alone", "--log-driver=fluentd", f"--log-opt={NOWHERE}",
        "--log-opt=fluentd-async=true", "busybox", "sh", "-c", PRINT,
    )  # fmt: skip
    tour.check("both lines can be read", len(tour.docker("logs", "alone").splitlines()) == 2)


def loses_and_counts(tour: Tour) -> None:
    tour.title("a container that does not wait: what its buffer can't hold is lost, and counted")
    count = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"
    tour.docker(
        "run", "-d", "--name=lossy", "--log-driver=fluentd", f"--log-opt={NOWHERE}",
        "--log-opt=fluentd-async=true", "--log-opt=fluentd-buffer-limit=64k",
        "busybox", "sh", "-c", count,
    )  # fmt: skip
    tour.docker("wait", "lossy")
    print("$ boxship logs -n1 lossy")
    done = tour.there.engine.boxship.run("logs", "-n1", "lossy")
    print("".join(f"  {line}\n" for line in (done.out + done.err).splitlines()), end="")
    tour.check("the copy has the last line", done.out == "line 19999\n")
    tour.check("the loss is told beside it", "lines did not get into this log" in done.err)


def goes_and_comes_back(tour: Tour) -> None:
    tour.title("a target that goes while the container runs, and comes back")
    with Collector(answering=Acknowledging) as first:
        words = ("--log-driver=fluentd", f"--log-opt=fluentd-address=127.0.0.1:{first.port}")
        ack = "--log-opt=fluentd-request-ack=true"
        tour.docker("run", "-d", "--name=steady", *words, ack, "busybox", "sleep", "1000")
        tour.docker("exec", "steady", "sh", "-c", "echo before >/proc/1/fd/1")
        eventually(lambda: b"before" in first.data, "the first line")
        print("# the server has the line, and goes")
    tour.docker("exec", "steady", "sh", "-c", "echo meanwhile >/proc/1/fd/1")
    with Collector(first.port, answering=Acknowledging) as second:
        print("# the server comes back")
        eventually(lambda: b"meanwhile" in second.data, "the line of meanwhile")
        tour.check("it has the line of meanwhile, once", second.data.count(b"meanwhile") == 1)
        tour.docker("logs", "steady")
        tour.docker("rm", "-f", "steady")


def wrong_options(tour: Tour) -> None:
    tour.title("options that are wrong")
    for words in (
        ("--log-driver=gelf",),
        ("--log-driver=syslog", "--log-opt=syslog-adress=udp://x"),
        ("--log-driver=syslog", "--log-opt=syslog-address=x"),
        ("--log-driver=splunk", "--log-opt=splunk-url=http://h/path"),
        ("--log-driver=fluentd", "--log-opt=fluentd-async=perhaps"),
        ("--log-driver=awslogs",),
        ("--log-driver=json-file", "--log-opt=tag={{.Nme}}"),
    ):
        tour.docker("create", *words, "busybox", "true", fails=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as place, stand(Path(place)) as there:
        there.engine.load()
        tour = Tour(there)
        for part in (
            each_driver,
            nobody_there,
            loses_and_counts,
            goes_and_comes_back,
            wrong_options,
        ):
            part(tour)
        for container in there.engine.docker("ps", "-aq").split():
            there.engine.docker("rm", "-f", container)


if __name__ == "__main__":
    main()
