"""The connection to a shim: replies find their requests, the end is noticed, nothing is lost."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

import pytest

from boxship.engine.containers.shimlink import ShimGoneError, ShimLink, ShimSilentError
from boxship.runtime.control_codec import Decoder, encode
from boxship.runtime.messages import Done, Exit, Exited, Message, Release, Signal, Start, StateQuery

EXITED = Exited(exit=Exit(exit_code=3, oom_killed=False, finished_ns=1))


class Peer:
    """The shim's end of the connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.setblocking(False)
        self._decoder = Decoder()

    async def next(self) -> tuple[int, Message, tuple[int, ...]]:
        while (frame := self._decoder.next_frame()) is None:
            data, fds = await self._receive()
            assert data, "the daemon hung up"
            self._decoder.feed(data, fds)
        return frame.seq, frame.message, frame.fds

    async def _receive(self) -> tuple[bytes, list[int]]:
        readable = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self.connection.fileno(), readable.set)
        try:
            await asyncio.wait_for(readable.wait(), 10)
            data, fds, _, _ = socket.recv_fds(self.connection, 1 << 16, 16)
        finally:
            loop.remove_reader(self.connection.fileno())
        return data, fds

    def say(self, message: Message, seq: int = 0) -> None:
        self.connection.send(encode(message, seq=seq))


def linked(act: Callable[[ShimLink, Peer, list[Message]], Awaitable[None]]) -> None:
    async def scene() -> None:
        ours, theirs = socket.socketpair()
        heard: list[Message] = []
        link = ShimLink(ours, heard.append)
        with theirs:
            await asyncio.wait_for(act(link, Peer(theirs), heard), 20)
        link.close()

    asyncio.run(scene())


def test_replies_find_their_requests_in_any_order() -> None:
    async def act(link: ShimLink, peer: Peer, heard: list[Message]) -> None:
        first = asyncio.create_task(link.request(StateQuery()))
        second = asyncio.create_task(link.request(Signal(signal=9)))
        one, message, _ = await peer.next()
        assert isinstance(message, StateQuery)
        two, _, _ = await peer.next()
        peer.say(Done(), two)
        peer.say(EXITED)
        peer.say(Done(), one)
        assert isinstance(await second, Done)
        assert isinstance(await first, Done)
        assert heard == [EXITED]

    linked(act)


def test_descriptors_go_along_and_stay_the_callers() -> None:
    async def act(link: ShimLink, peer: Peer, _: list[Message]) -> None:
        reader, writer = os.pipe()
        request = asyncio.create_task(link.request(Release(), [writer]))
        seq, _message, fds = await peer.next()
        os.write(fds[0], b"x")
        assert os.read(reader, 1) == b"x"
        peer.say(Done(), seq)
        await request
        for fd in (*fds, reader, writer):
            os.close(fd)

    linked(act)


def test_more_than_the_socket_takes_at_once_arrives_whole_and_in_order() -> None:
    async def act(link: ShimLink, peer: Peer, _: list[Message]) -> None:
        plan = {"padding": "x" * 1_000_000}
        requests = [
            asyncio.create_task(link.request(Start(container_id=str(n), directory="", plan=plan)))
            for n in range(4)
        ]
        for number in range(4):
            seq, message, _fds = await peer.next()
            assert isinstance(message, Start)
            assert (message.container_id, message.plan) == (str(number), plan)
            peer.say(Done(), seq)
        await asyncio.gather(*requests)

    linked(act)


def test_the_end_of_the_connection_fails_who_waits_and_who_comes_later() -> None:
    async def act(link: ShimLink, peer: Peer, _: list[Message]) -> None:
        request = asyncio.create_task(link.request(StateQuery()))
        await peer.next()
        peer.connection.close()
        with pytest.raises(ShimGoneError):
            await request
        await link.closed
        with pytest.raises(ShimGoneError):
            await link.request(StateQuery())

    linked(act)


def test_what_arrived_before_the_end_is_heard() -> None:
    async def act(link: ShimLink, peer: Peer, heard: list[Message]) -> None:
        peer.say(EXITED)
        peer.connection.close()
        await link.closed
        assert heard == [EXITED]

    linked(act)


def test_a_shim_that_breaks_the_protocol_is_hung_up_on() -> None:
    async def act(link: ShimLink, peer: Peer, _: list[Message]) -> None:
        request = asyncio.create_task(link.request(StateQuery()))
        await peer.next()
        peer.connection.send(b"\xff" * 64)
        with pytest.raises(ShimGoneError):
            await request

    linked(act)


def test_a_caller_that_gave_up_does_not_confuse_the_next_one() -> None:
    async def act(link: ShimLink, peer: Peer, _: list[Message]) -> None:
        gone = asyncio.create_task(link.request(StateQuery()))
        seq, _message, _fds = await peer.next()
        gone.cancel()
        request = asyncio.create_task(link.request(StateQuery()))
        peer.say(EXITED, seq)
        seq, _message, _fds = await peer.next()
        peer.say(Done(), seq)
        assert isinstance(await request, Done)

    linked(act)


def test_a_shim_that_does_not_answer_is_not_waited_for() -> None:
    async def act(link: ShimLink, peer: Peer, _: list[Message]) -> None:
        with pytest.raises(ShimSilentError):
            await link.request(StateQuery(), patience=0.01)
        late, _message, _fds = await peer.next()
        request = asyncio.create_task(link.request(StateQuery()))
        seq, _message, _fds = await peer.next()
        peer.say(EXITED, late)
        peer.say(Done(), seq)
        assert isinstance(await request, Done)

    linked(act)


def test_what_was_given_up_before_it_was_sent_is_not_sent_later() -> None:
    async def act(link: ShimLink, peer: Peer, _: list[Message]) -> None:
        plan = {"padding": "x" * 4_000_000}
        filling = asyncio.create_task(
            link.request(Start(container_id="1", directory="", plan=plan))
        )
        await asyncio.sleep(0)  # it has begun, and the socket is full
        reader, writer = os.pipe()
        with pytest.raises(ShimSilentError):
            await link.request(Release(), [writer], patience=0.01)
        os.close(writer)  # its number is free for anything now
        asking = asyncio.create_task(link.request(StateQuery()))
        first, _message, _fds = await peer.next()
        second, message, fds = await peer.next()
        assert (type(message), fds) == (StateQuery, ())
        peer.say(Done(), first)
        peer.say(Done(), second)
        await asyncio.gather(filling, asking)
        os.close(reader)

    linked(act)
