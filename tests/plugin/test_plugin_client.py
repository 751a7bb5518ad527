"""Plugins are asked within bounds, and what they answer is looked at."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from boxship.plugin.activation import activate
from boxship.plugin.capability import Capability
from boxship.plugin.client import PluginClient, Timeouts
from boxship.plugin.endpoint import Endpoint
from boxship.plugin.errors import (
    PluginNonsenseError,
    PluginRefusedError,
    PluginSilentError,
    PluginUnreachableError,
)
from support.fakeplugin import Answers, serving


class Mounted(Struct, rename="pascal"):
    mountpoint: str = ""


def raw(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def asked(tmp_path: Path, answers: Answers, method: str, within: float = 10) -> Any:
    path = str(tmp_path / "p.sock")
    client = PluginClient("p", Endpoint(path=path), Timeouts(connect=0))
    with serving(path, "VolumeDriver", answers):
        return asyncio.run(client.ask(method, {"Name": "a"}, Mounted, within=within))


def test_an_answer_comes_as_what_it_is(tmp_path: Path) -> None:
    said = asked(tmp_path, {"V.Mount": lambda wish: {"Mountpoint": f"/{wish['Name']}"}}, "V.Mount")
    assert said == Mounted("/a")


def test_null_and_unknown_fields_are_passed_over(tmp_path: Path) -> None:
    answer = {"Mountpoint": None, "Err": "", "More": [1]}
    assert asked(tmp_path, {"V.Mount": lambda _: answer}, "V.Mount") == Mounted()


def test_an_answer_without_a_body_is_an_empty_one(tmp_path: Path) -> None:
    assert asked(tmp_path, {"V.Mount": lambda _: raw("200 OK", b"")}, "V.Mount") == Mounted()


def test_an_answer_in_chunks(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b'9\r\n{"Mountpo\r\n9\r\nint":"/m"\r\n1\r\n}\r\n0\r\n\r\n'
    assert asked(tmp_path, {"V.Mount": lambda _: head + body}, "V.Mount") == Mounted("/m")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"Err": "disk on fire"}, "disk on fire"),
        ({"Error": "no such pool"}, "no such pool"),
        (raw("500 Oh", b'{"Err": "disk on fire"}'), "V.Mount: disk on fire"),
        (raw("500 Oh", b"plain words\n"), "V.Mount: plain words"),
        (raw("502 Oh", b""), "V.Mount: HTTP status 502"),
    ],
)
def test_a_refusal_is_in_the_plugins_words(tmp_path: Path, answer: Any, words: str) -> None:
    with pytest.raises(PluginRefusedError) as caught:
        asked(tmp_path, {"V.Mount": lambda _: answer}, "V.Mount")
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"Mountpoint": 3}, "Expected `str`, got `int`"),
        (raw("200 OK", b"[1]"), "no JSON object"),
        (raw("200 OK", b"<html>"), "no JSON:"),
        (raw("200 OK", b'{"Mountpoint": "\xff"}'), "no JSON:"),
        (raw("200 OK", b"[" * 20_000 + b"]" * 20_000), "no JSON:"),
        (raw("200 OK", b'{"a":' * 990 + b"1" + b"}" * 990), "no JSON:"),
        (b"220 mail.example ESMTP\r\n\r\n", "no HTTP"),
    ],
)
def test_nonsense_is_named(tmp_path: Path, answer: Any, words: str) -> None:
    with pytest.raises(PluginNonsenseError, match="plugin p answers V") as caught:
        asked(tmp_path, {"V.Mount": lambda _: answer}, "V.Mount")
    assert words in str(caught.value)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"])
def test_one_that_goes_in_between_is_silent(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises((PluginSilentError, PluginNonsenseError), match="plugin p"):
        asked(tmp_path, {"V.Mount": lambda _: answer}, "V.Mount")


def test_one_that_hangs_is_not_waited_for_longer(tmp_path: Path) -> None:
    with pytest.raises(PluginSilentError, match=r"did not answer V.Mount within 0.2 seconds"):
        asked(tmp_path, {"V.Mount": lambda _: None}, "V.Mount", within=0.2)


def test_where_nobody_listens(tmp_path: Path) -> None:
    path = str(tmp_path / "dead.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    client = PluginClient("dead", Endpoint(path=path), Timeouts(connect=0))
    with pytest.raises(PluginUnreachableError, match="Connection refused: is it running"):
        asyncio.run(client.ask("V.Mount", None, Mounted))


def test_one_that_is_just_being_started_gets_a_moment(tmp_path: Path) -> None:
    path = str(tmp_path / "late.sock")

    async def ask() -> Mounted:
        client = PluginClient("late", Endpoint(path=path), Timeouts(connect=10))
        asking = asyncio.create_task(client.ask("V.Mount", None, Mounted))
        await asyncio.wait([asking], timeout=0.01)  # nobody listens yet
        assert not asking.done()
        with serving(path, "VolumeDriver", {"V.Mount": lambda _: {"Mountpoint": "/m"}}):
            return await asking

    assert asyncio.run(ask()) == Mounted("/m")


def test_activation_says_what_it_is(tmp_path: Path) -> None:
    path = str(tmp_path / "p.sock")
    client = PluginClient("p", Endpoint(path=path))
    with serving(path, "logdriver", {}):
        assert asyncio.run(activate(client)) == {Capability.LOG}


def test_one_that_is_nothing_we_know_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "p.sock")
    client = PluginClient("p", Endpoint(path=path))
    with (
        serving(path, "ToasterDriver", {}),
        pytest.raises(PluginNonsenseError, match="it implements ToasterDriver"),
    ):
        asyncio.run(activate(client))


def test_an_answer_that_comes_in_pieces_is_had_in_pieces(tmp_path: Path) -> None:
    path = str(tmp_path / "p.sock")
    client = PluginClient("p", Endpoint(path=path))

    async def read() -> bytes:
        async with client.stream("LogDriver.ReadLogs", {}) as pieces:
            return b"".join([piece async for piece in pieces])

    with serving(path, "LogDriver", {"LogDriver.ReadLogs": lambda _: raw("200 OK", b"\x00abc")}):
        assert asyncio.run(read()) == b"\x00abc"
