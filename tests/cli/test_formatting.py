import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.cli.format.durations import human_duration, local_rfc3339_nano, local_time, since
from boxship.cli.format.ports import display_ports
from boxship.cli.format.sizes import binary_size, human_size
from boxship.cli.format.tabwriter import align
from boxship.cli.timestamps import timestamp


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "Less than a second"),
        (0.9, "Less than a second"),
        (-5, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (59 * MINUTE + 59, "59 minutes"),
        (HOUR, "About an hour"),
        (89 * MINUTE, "About an hour"),
        (90 * MINUTE, "2 hours"),
        (47 * HOUR, "47 hours"),
        (48 * HOUR, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (59 * DAY, "8 weeks"),
        (60 * DAY, "2 months"),
        (729 * DAY, "24 months"),
        (730 * DAY, "2 years"),
    ],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def test_since() -> None:
    assert since(1000, now=1000 + 3 * HOUR) == "3 hours ago"


@pytest.mark.parametrize(
    ("size", "digits", "text"),
    [
        (0, 3, "0B"),
        (999, 3, "999B"),
        (1000, 3, "1kB"),
        (1982256, 3, "1.98MB"),
        (1982256, 4, "1.982MB"),
        (165_500_000, 3, "166MB"),
        (2_500_000_000, 3, "2.5GB"),
    ],
)
def test_sizes_in_powers_of_1000(size: int, digits: int, text: str) -> None:
    assert human_size(size, digits) == text


def test_sizes_in_powers_of_1024() -> None:
    assert binary_size(25276063744) == "23.54GiB"


def test_times_are_local(in_utc: None) -> None:
    assert local_time(1795220633) == "2026-11-21 00:23:53 +0000 UTC"
    assert local_rfc3339_nano(1795221110_970232123) == "2026-11-21T00:31:50.970232123Z"


def test_an_offset_has_a_colon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    try:
        assert local_rfc3339_nano(0).endswith("+05:30")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_columns_are_aligned_and_the_last_cell_is_not_padded() -> None:
    text = "ID\tNAME\tX\n123456789012\ta\tyy\n"
    assert align(text, minimum=10, padding=3) == (
        "ID             NAME      X\n123456789012   a         yy\n"
    )


def test_a_line_without_a_cell_ends_the_column() -> None:
    text = "a\tb\nlonger cell\tc\nplain\nx\ty\n"
    assert align(text, minimum=4, padding=1) == ("a           b\nlonger cell c\nplain\nx   y\n")


def test_width_is_counted_in_characters() -> None:
    assert align("é…\tx\n", minimum=0, padding=1) == "é… x\n"


@given(st.lists(st.lists(st.text("ab é", max_size=8), min_size=2, max_size=2), min_size=1))
def test_second_cells_begin_in_one_column(rows: list[list[str]]) -> None:
    marked = [[first, f"|{second}"] for first, second in rows]
    text = "".join("\t".join(row) + "\n" for row in marked)
    lines = align(text, minimum=3, padding=2).splitlines()
    assert len({line.index("|") for line in lines}) == 1


def port(private: int, kind: str = "tcp", public: int = 0, address: str = "") -> dict[str, object]:
    return {"PrivatePort": private, "PublicPort": public, "Type": kind, "IP": address}


@pytest.mark.parametrize(
    ("ports", "text"),
    [
        ([], ""),
        ([port(80)], "80/tcp"),
        ([port(82), port(80), port(81)], "80-82/tcp"),
        ([port(80), port(80, "udp")], "80/tcp, 80/udp"),
        ([port(80), port(90)], "80/tcp, 90/tcp"),
        ([port(80, public=8080, address="0.0.0.0")], "0.0.0.0:8080->80/tcp"),
        ([port(80, public=80, address="0.0.0.0")], "0.0.0.0:80->80/tcp"),
        (
            [port(n, public=n, address="1.2.3.4") for n in (80, 81)],
            "1.2.3.4:80-81->80-81/tcp",
        ),
        (
            [port(80, public=8080, address="0.0.0.0"), port(80, public=8080, address="::")],
            "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
        ),
        ([port(22), port(80, public=8080, address="1.1.1.1")], "22/tcp, 1.1.1.1:8080->80/tcp"),
        (
            [port(n, public=n + 5000, address="1.2.3.4") for n in (80, 81, 82, 90)],
            "1.2.3.4:5080-5082->80-82/tcp, 1.2.3.4:5090->90/tcp",
        ),
        (
            [port(n, public=n, address=a) for n in (80, 81, 83) for a in ("0.0.0.0", "::")],
            "0.0.0.0:80-81->80-81/tcp, [::]:80-81->80-81/tcp, 0.0.0.0:83->83/tcp, [::]:83->83/tcp",
        ),
        (
            [port(80, public=80, address="::") | {"Sources": ["fd00::/8", "2001:db8::/32"]}],
            "[::]:80->80/tcp (fd00::/8 2001:db8::/32 only)",
        ),
        (
            [port(80, public=8080, address="1.2.3.4") | {"Firewall": "ufw"}, port(81)],
            "81/tcp, 1.2.3.4:8080->80/tcp (ufw decides)",
        ),
    ],
)
def test_ports(ports: list[dict[str, object]], text: str) -> None:
    assert display_ports(ports) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("1700000000", "1700000000"),
        ("1700000000.5", "1700000000.5"),
        ("42m", "7480.000000000"),
        ("0s", "10000.000000000"),
        ("1970-01-01T01:00:00Z", "3600.000000000"),
        ("1970-01-01T01:00:00.25+01:00", "0.250000000"),
        ("1970-01-02", "86400.000000000"),
    ],
)
def test_since_and_until(text: str, expected: str, in_utc: None) -> None:
    assert timestamp(text, "since", now_ns=10_000 * 10**9) == expected
