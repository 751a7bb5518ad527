"""The control protocol survives every way a stream can be cut, and nothing else."""

import itertools
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.runtime import control_codec as codec
from boxship.runtime.messages import (
    Attach,
    Attached,
    Attachment,
    Detached,
    Done,
    Exec,
    ExecExited,
    ExecState,
    Exit,
    Exited,
    Failed,
    LogConfig,
    LogFacts,
    LogPosition,
    LogTarget,
    Release,
    Released,
    Resize,
    Resume,
    Signal,
    Start,
    Started,
    State,
    StateQuery,
    Stdio,
    StepTiming,
)

ONE_OF_EACH = (
    Start(
        container_id="c" * 64,
        directory="/run/x",
        plan={"setup": [["mount", {"target": "/ä"}]], "n": None},
        stdio=Stdio(tty=True, open_stdin=True, height=24, width=80),
        log=LogConfig(path="/var/log", max_size=-1, max_file=1, attributes='{"a":"b"}'),
        attachments=(Attachment(prefix=bytes(range(256))), Attachment(detach_keys=b"\x10\x11")),
    ),
    Exec(exec_id="e1", plan={}),
    Attach(attachment=Attachment(stdin=True, framed=True), hold=True),
    Resume(attachment=3),
    Resize(height=1, width=2, process="e1"),
    Signal(signal=9, everyone=True),
    StateQuery(),
    Release(),
    Started(
        pid=7,
        started_ns=1 << 62,
        timings=(StepTiming(step="mount", started=5, ended=9),),
        warnings=("no swap limit",),
        attachments=(1, 2),
    ),
    Failed(step="exec", message="no such file", errno=2, exit_code=127),
    Attached(attachment=1, log=LogPosition(inode=9, offset=10)),
    Done(),
    State(
        container_id="c",
        status="exited",
        pid=0,
        started_ns=1,
        execs=(ExecState(exec_id="e", pid=4, running=False, exit_code=3),),
        exit=Exit(exit_code=137, oom_killed=True, finished_ns=2),
    ),
    Released(),
    ExecExited(exec_id="e", exit_code=0),
    Detached(attachment=1, process="", keys=True),
    Exited(exit=Exit(exit_code=0, oom_killed=False, finished_ns=5, error="x")),
    Start(
        container_id="d",
        directory="/run/y",
        plan={},
        log=LogConfig(
            form="local",
            compress=True,
            target=LogTarget(
                driver="syslog",
                options={"syslog-address": "udp://127.0.0.1:514"},
                facts=LogFacts(container_id="d", created_ns=1, attributes={"a": "b"}, tag="t"),
                blocking=False,
            ),
        ),
    ),
)


def decode_all(chunks: list[tuple[bytes, list[int]]]) -> list[codec.Frame]:
    decoder = codec.Decoder()
    frames = []
    for data, fds in chunks:
        decoder.feed(data, fds)
        while (frame := decoder.next_frame()) is not None:
            frames.append(frame)
    assert not decoder.unclaimed()
    return frames


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=lambda m: type(m).__name__)
def test_a_message_comes_back_as_it_was(message):
    [frame] = decode_all([(codec.encode(message, seq=5), [])])
    assert frame == codec.Frame(5, message)


@given(
    picks=st.lists(
        st.tuples(st.sampled_from(ONE_OF_EACH), st.integers(0, 3)), min_size=1, max_size=6
    ),
    data=st.data(),
)
def test_any_split_of_the_stream_gives_the_same_frames_with_their_descriptors(picks, data):
    stream = b""
    numbers = itertools.count(100)
    arrivals: list[tuple[int, list[int]]] = []  # offset of a first byte, its descriptors
    expected = []
    for seq, (message, count) in enumerate(picks, 1):
        fds = [next(numbers) for _ in range(count)]
        arrivals.append((len(stream), fds))
        expected.append(codec.Frame(seq, message, tuple(fds)))
        stream += codec.encode(message, seq=seq, fds=count)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    chunks = []
    for start, end in itertools.pairwise([0, *cuts, len(stream)]):
        fds = [fd for at, group in arrivals if start <= at < end for fd in group]
        chunks.append((stream[start:end], fds))
    assert decode_all(chunks) == expected


def test_what_a_newer_peer_adds_is_passed_over():
    decoder = codec.Decoder()
    decoder.feed(raw(RESUME, {"attachment": 3, "surprise": {"n": 1}}))
    assert decoder.next_frame() == codec.Frame(1, Resume(attachment=3))


def test_an_older_peer_is_sent_nothing_that_it_needn_t_know():
    """What has its default's value isn't said: so a field of today doesn't disturb yesterday's."""
    sent = codec.encode(Attach(attachment=Attachment(stdin=True)), seq=1)
    assert json.loads(sent[12:]) == {"attachment": {"stdin": True}}
    assert json.loads(codec.encode(Exec(exec_id="e", plan={}), seq=1)[12:]) == {
        "exec_id": "e",
        "plan": {},
    }


def test_a_shim_of_before_protocols_had_numbers_has_the_first():
    decoder = codec.Decoder()
    old = {"container_id": "c", "status": "running", "pid": 7, "started_ns": 1, "exit": None}
    decoder.feed(raw(STATE, old))
    frame = decoder.next_frame()
    assert frame is not None
    assert frame.message == State(container_id="c", status="running", pid=7, started_ns=1)
    assert frame.message.protocol == 1


def test_kinds_keep_their_numbers_for_ever():
    """Shims of every version are spoken to: behind these there may come more, nothing else."""
    first = [codec.encode(message, seq=1)[8] for message in ONE_OF_EACH[:17]]
    assert first == list(range(17))


def raw(kind: int, body: object, *, seq: int = 1, fds: int = 0) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return struct.pack(">IIBBxx", len(data), seq, kind, fds) + data


RESUME, DONE, STATE = 3, 11, 12


@pytest.mark.parametrize(
    "data",
    [
        raw(DONE, []),
        raw(99, {}),
        raw(RESUME, {}),
        raw(RESUME, {"attachment": "1"}),
        raw(RESUME, {"attachment": True}),
        raw(DONE, {}, fds=200),
        raw(DONE, {}, fds=1),
        raw(DONE, b"x"),
        raw(DONE, b"\xff\xfe"),
        raw(DONE, b"[" * 4096),
        b"\xff" * 12,
    ],
)
def test_garbage_breaks_the_connection_for_good(data):
    decoder = codec.Decoder()
    decoder.feed(data)
    with pytest.raises(codec.ProtocolError):
        decoder.next_frame()
    decoder.feed(codec.encode(Done()), [8])
    with pytest.raises(codec.ProtocolError):
        decoder.next_frame()
    assert decoder.unclaimed() == (8,)
    assert decoder.unclaimed() == ()


def test_a_message_that_no_peer_would_accept_is_not_sent():
    with pytest.raises(codec.ProtocolError):
        codec.encode(Start(container_id="", directory="", plan={"x": "y" * codec.MAX_MESSAGE}))


def test_exit_record_comes_back_and_rubbish_is_refused():
    record = Exit(exit_code=3, oom_killed=False, finished_ns=17, error="é")
    assert codec.exit_from_json(codec.exit_to_json(record)) == record
    for rubbish in (b"", b"[]", b"{}", b"\xff", b'{"exit_code": "3"}'):
        with pytest.raises(codec.ProtocolError):
            codec.exit_from_json(rubbish)


def test_descriptors_that_were_dropped_are_missed_in_their_own_message_only():
    decoder = codec.Decoder()
    data = [codec.encode(Done(), seq=seq, fds=count) for seq, count in ((1, 2), (2, 3), (3, 1))]
    decoder.feed(data[0][:5], [10], cut=True)
    decoder.feed(data[0][5:] + data[1][:5], [], cut=True)
    decoder.feed(data[1][5:] + data[2], [11])
    frames = [decoder.next_raw() for _ in data]
    assert [(f.seq, f.fds, f.cut) for f in frames] == [
        (1, (10,), True),
        (2, (), True),
        (3, (11,), False),
    ]
    decoder.feed(b"", [12], cut=True)
    assert decoder.unclaimed() == (12,)


def test_a_logs_target_travels_alone_as_text():
    target = LogTarget(driver="gelf", options={"gelf-address": "udp://x:1"}, buffer_size=5)
    assert codec.target_from_json(codec.target_to_json(target)) == target
    with pytest.raises(TypeError):
        codec.target_from_json('{"driver":"gelf","options":{"a":1}}')
