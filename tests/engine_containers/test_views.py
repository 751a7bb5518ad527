"""What can be asked of containers without touching them, and the files and options they get."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from boxship.base.errors import (
    ConflictError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
)
from boxship.engine.containers import hosts, listing, logconfig, top
from boxship.engine.containers.checks.machine import Machine
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.record import ContainerRecord, ContainerState, MountPoint, Status
from boxship.engine.containers.requests import ContainerQuery, Counts
from boxship.engine.containers.shelf import Shelf
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.record import predefined_id
from boxship.model.container import ContainerConfig, HostConfig, LogConfig


def record(number: int, status: Status = Status.RUNNING, **fields: Any) -> ContainerRecord:
    started_ns = 0 if status is Status.CREATED else 1
    exit_code = fields.pop("exit_code", 0)
    state = ContainerState(status=status, started_ns=started_ns, exit_code=exit_code)
    base = ContainerRecord(
        id=f"{number:064x}",
        name=f"c{number}",
        created_ns=number,
        image_id="sha256:" + "1" * 64,
        path="sh",
        args=(),
        config=ContainerConfig(image="busybox", labels={"n": str(number), "all": ""}),
        host=HostConfig(),
        state=state,
        endpoints=(EndpointRecord(predefined_id("none"), "none"),),
    )
    return msgspec.structs.replace(base, **fields)


@dataclass
class OneImage:
    """Knows ``busybox`` alone."""

    @contextmanager
    def hold(self, reference: str) -> Iterator[SimpleNamespace]:
        if reference not in ("busybox", "111111111111"):
            raise NotFoundError(f"No such image: {reference}")
        yield SimpleNamespace(id="sha256:" + "1" * 64)


class Filled(Shelf):
    """A shelf without a database."""

    def __init__(self, *records: ContainerRecord) -> None:
        self._containers = {record.id: Container(record) for record in records}
        self._names = {record.name: record.id for record in records}


def context(*records: ContainerRecord) -> Context:
    return cast(
        Context,
        SimpleNamespace(
            shelf=Filled(*records), images=OneImage(), machine=Machine(frozenset(), frozenset())
        ),
    )


FOUR = (
    record(1),
    record(2, Status.EXITED, exit_code=3, mounts=(MountPoint("bind", "/in", "/src"),)),
    record(3, Status.PAUSED, host=HostConfig(annotations={"a": "b", "c": ""})),
    record(4, Status.CREATED, image_id="sha256:" + "2" * 64, config=ContainerConfig(image="other")),
)


def names(**query: Any) -> list[str]:
    return [found.name for found in listing.select(context(*FOUR), ContainerQuery(**query))]


def test_running_ones_newest_first() -> None:
    assert names() == ["c3", "c1"]
    assert names(all=True) == ["c4", "c3", "c2", "c1"]
    assert names(limit=2) == ["c4", "c3"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": ["exited", "created"]}, "c4 c2"),
        ({"exited": ["3"]}, "c2"),
        ({"exited": ["0"]}, ""),
        ({"name": ["c[13]$"]}, "c3 c1"),
        ({"name": ["/c1"]}, "c1"),
        ({"name": ["["]}, ""),
        ({"id": ["0000002"]}, "c2"),
        ({"label": ["n=1", "all"]}, "c1"),
        ({"label": ["n"]}, "c3 c2 c1"),
        ({"label": ["n=1", "n=2"]}, ""),
        ({"annotation": ["a=b", "c"]}, "c3"),
        ({"annotation": ["a=c"]}, ""),
        ({"ancestor": ["busybox"]}, "c3 c2 c1"),
        ({"ancestor": ["111111111111", "nothing"]}, "c3 c2 c1"),
        ({"ancestor": ["other"]}, "c4"),
        ({"ancestor": ["nothing"]}, ""),
        ({"before": ["c3"]}, "c2 c1"),
        ({"since": ["c2"]}, "c4 c3"),
        ({"volume": ["/in"]}, "c2"),
        ({"volume": ["/src"]}, "c2"),
        ({"network": ["none"]}, "c4 c3 c2 c1"),
        ({"network": ["x"]}, ""),
        ({"health": ["none"]}, "c4 c3 c2 c1"),
        ({"health": ["healthy"]}, ""),
        ({"is-task": ["true"]}, ""),
        ({"publish": ["80"]}, ""),
        ({"status": ["running"], "name": ["c1", "c2"]}, "c1"),
    ],
)
def test_filters(filters: dict[str, list[str]], expected: str) -> None:
    assert names(all=True, filters=filters) == expected.split()


@pytest.mark.parametrize(
    ("filters", "answer"),
    [
        ({"foo": ["x"]}, "invalid filter 'foo'"),
        ({"status": ["x"]}, "invalid filter 'status=x'"),
        ({"exited": ["x"]}, "invalid filter 'exited=x'"),
        ({"health": ["bad"]}, "unrecognized filter value for health: bad"),
        ({"is-task": ["bad"]}, "invalid filter 'is-task=[bad]'"),
    ],
)
def test_bad_filters(filters: dict[str, list[str]], answer: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        names(filters=filters)
    assert str(caught.value) == answer


def test_a_filter_by_a_container_that_is_not_there() -> None:
    with pytest.raises(NotFoundError):
        names(filters={"before": ["nobody"]})


def test_counts() -> None:
    assert listing.counts(context(*FOUR)) == Counts(running=1, paused=1, stopped=2)


def test_references_are_ids_names_and_beginnings() -> None:
    one = record(1, id="ab" * 32, name="web")
    two = record(2, id="ac" * 32, name="ab" * 32 + "x")
    shelf = Filled(one, two)
    for reference in ("ab" * 32, "ab", "web", "/web"):
        assert shelf.find(reference).record is one
    assert shelf.find("ab" * 32 + "x").record is two
    with pytest.raises(InvalidArgumentError, match="Multiple IDs found with provided prefix: a"):
        shelf.find("a")
    with pytest.raises(NotFoundError, match="No such container: zz"):
        shelf.find("zz")


def test_a_name_is_one_containers_until_it_is_released() -> None:
    shelf = Filled()
    shelf.reserve("web", "1")
    shelf.reserve("web", "1")
    with pytest.raises(ConflictError, match='"/web" is already in use by container "1"'):
        shelf.reserve("web", "2")
    shelf.release("web", "2")  # not its own
    assert shelf.name_taken("web")
    shelf.release("web", "1")
    shelf.reserve("web", "2")


PS = """\
UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 10:00 ?        00:00:01 /sbin/init splash
root         100       1  0 10:00 ?        00:00:00 sleep 1000
www          200     100  0 10:00 pts/0    00:00:00 sh -c echo  two
"""


def test_ps_rows_are_chosen_by_pid_and_commands_stay_whole() -> None:
    table = top.select(PS, frozenset({100, 200}))
    assert table.titles[:2] == ("UID", "PID")
    assert [row[1] for row in table.rows] == ["100", "200"]
    assert table.rows[1][-1] == "sh -c echo  two"


def test_thread_rows_go_with_their_process() -> None:
    output = (
        "  PID   LWP CMD\n  1     - init\n  -     1 -\n  9     - sh\n  -     9 -\n  -    10 -\n"
    )
    assert len(top.select(output, frozenset({9})).rows) == 3


def test_ps_without_pids_is_of_no_use() -> None:
    with pytest.raises(InternalError, match="Couldn't find PID field in ps output"):
        top.select("COMMAND\nsh\n", frozenset())


def test_hosts() -> None:
    asked = HostConfig(extra_hosts=("db:10.0.0.2", "six=[::2]", "gw:host-gateway"))
    assert hosts.extra_lines(asked, ("172.17.0.1", "fd00::1")) == [
        "10.0.0.2\tdb",
        "::2\tsix",
        "172.17.0.1\tgw",
        "fd00::1\tgw",
    ]


def test_own_names_in_hosts() -> None:
    on = EndpointRecord("i", "n", ipv4="10.1.0.2/24", ipv6="fd00::2/64", link_local=("fe80::9",))
    plain = ContainerConfig(hostname="web")
    assert hosts.own_lines(plain, [on]) == ["10.1.0.2\tweb", "fd00::2\tweb"]
    full = ContainerConfig(hostname="web", domainname="example.org")
    assert hosts.own_names(full) == "web.example.org web"
    assert hosts.own_names(ContainerConfig(hostname="web.example.org")) == "web.example.org web"
    assert hosts.own_lines(ContainerConfig(), [on]) == []


def test_lines_of_hosts_change_and_others_stay() -> None:
    text = "127.0.0.1\tlocalhost\n# mine\n10.1.0.2\tweb\n"
    changed = hosts.changed(text, add=["10.2.0.2\tweb"], remove=["10.1.0.2\tweb"])
    assert changed == "127.0.0.1\tlocalhost\n# mine\n10.2.0.2\tweb\n"
    assert hosts.changed(changed, add=["10.2.0.2\tweb"]) == changed
    assert [hosts.first_name(line) for line in changed.splitlines()] == ["localhost", "", "web"]


PATHS = Paths("/data", "/exec")


def test_log_options_reach_the_shim() -> None:
    options = {
        "max-size": "1m",
        "max-file": "5",
        "labels": "n,missing",
        "env-regex": "^A",
        "tag": "{{.Name}}/{{.ID}}",
    }
    mine = record(
        1,
        log_path="/l",
        config=ContainerConfig(image="i", labels={"n": "1", "m": "2"}, env=("AB=x", "B=y")),
        host=HostConfig(log_config=LogConfig("json-file", options)),
    )
    told = logconfig.shim_log_config(mine, PATHS)
    assert (told.path, told.max_size, told.max_file) == ("/l", 10**6, 5)
    assert told.attributes == '{"n": "1", "AB": "x", "tag": "c1/000000000000"}'
    plain = logconfig.shim_log_config(record(1, log_path="/l"), PATHS)
    assert (plain.max_size, plain.max_file, plain.attributes) == (10_000_000, 3, "")
    off = record(1, log_path="/l", host=HostConfig(log_config=LogConfig("none")))
    assert logconfig.shim_log_config(off, PATHS).path == ""
