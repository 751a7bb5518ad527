"""A build as it is watched."""

import io
import json

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.cli.buildprogress.display import (
    check_mode,
    display_for,
    excerpt,
    failures,
    warnings,
)
from boxship.cli.buildprogress.plain import PlainDisplay
from boxship.cli.buildprogress.rawjson import encode
from boxship.cli.buildprogress.terminal import TerminalDisplay, frame
from boxship.cli.buildprogress.trace import LONGEST, SECOND, Trace
from boxship.cli.buildprogress.words import size
from boxship.client.buildkit.progress import (
    Log,
    Place,
    Source,
    Span,
    Status,
    Update,
    Vertex,
    Warned,
)

S = SECOND


def begun(digest: str, at: float = 1, **more: object) -> Vertex:
    return Vertex(digest, f"step {digest}", started=int(at * S), **more)  # type: ignore[arg-type]


def ended(digest: str, at: float, start: float = 1, **more: object) -> Vertex:
    return begun(digest, start, completed=int(at * S), **more)


def said(digest: str, text: bytes, at: float) -> Log:
    return Log(digest, 1, text, int(at * S))


def told(*updates: tuple[float, Update]) -> str:
    output = io.StringIO()
    display = PlainDisplay(output)
    for moment, update in updates:
        display.show(update, int(moment * S))
    display.finish(100 * S)
    return output.getvalue()


def test_a_step_is_introduced_says_lines_and_ends() -> None:
    text = told(
        (1, Update((begun("a"),))),
        (2, Update(logs=(said("a", b"one\ntw", 2), said("a", b"o\nthree", 2.5)))),
        (3, Update((ended("a", 3.26),))),
    )
    assert text == ("#1 step a\n#1 1.000 one\n#1 1.000 two\n#1 1.500 three\n#1 DONE 2.3s\n")


def test_how_steps_end() -> None:
    text = told(
        (1, Update((ended("a", 1, cached=True),))),
        (2, Update((ended("b", 2, error="exit code: 3"),))),
        (3, Update((ended("c", 2, error="x: context canceled"),))),
    )
    assert text == (
        "#1 step a\n#1 CACHED\n\n#2 step b\n#2 ERROR: exit code: 3\n\n#3 step c\n#3 CANCELED\n"
    )


def test_others_wait_until_a_step_that_speaks_has_ended() -> None:
    text = told(
        (1, Update((begun("a"), begun("b")))),
        (2, Update(logs=(said("a", b"A\n", 2), said("b", b"B\n", 2)))),
        (3, Update(logs=(said("a", b"AA\n", 3),))),
        (4, Update((ended("a", 4),))),
    )
    assert text == ("#1 step a\n#1 1.000 A\n#1 2.000 AA\n#1 DONE 3.0s\n\n#2 step b\n#2 1.000 B\n")


def test_a_step_that_is_silent_for_long_gives_way_and_is_introduced_again() -> None:
    text = told(
        (1, Update((begun("a"), begun("b")), logs=(said("b", b"B\n", 2),))),
        (9, Update(logs=(said("b", b"BB\n", 9),))),
        (10, Update((ended("b", 10),))),
        (11, Update((ended("a", 11),))),
    )
    assert text == (
        "#1 step a\n#1 ...\n\n#2 step b\n#2 1.000 B\n#2 8.000 BB\n#2 DONE 9.0s\n\n"
        "#1 step a\n#1 DONE 10.0s\n"
    )


def test_nobody_waits_for_ever_for_a_step_that_speaks_all_the_time() -> None:
    text = told(
        (1, Update((begun("a"), begun("b")), logs=(said("b", b"B\n", 1),))),
        *((at, Update(logs=(said("a", b"A\n", at),))) for at in range(2, 30, 3)),
    )
    lines = text.splitlines()
    assert lines.index("#2 step b") < lines.index("#1 28.000 A")
    assert "#2 0.000 B" in lines


def test_what_is_counted_is_told_at_its_end_and_now_and_then() -> None:
    def counted(current: int, moment: float, completed: float | None = None) -> Update:
        end = None if completed is None else int(completed * S)
        status = Status("layer", "a", "", current, 4000, int(moment * S), S, end)
        return Update(statuses=(status,))

    text = told(
        (1, Update((begun("a"),))),
        (1, counted(0, 1)),
        (2, counted(1000, 2)),
        (8, counted(2000, 8)),
        (9, counted(4000, 9, 9)),
        (9, counted(4000, 9, 9)),
    )
    assert text == (
        "#1 step a\n#1 layer 2.00kB / 4.00kB 7.0s\n#1 layer 4.00kB / 4.00kB 8.0s done\n"
    )


def test_what_comes_right_after_a_steps_end_is_still_its_own() -> None:
    late = Status("transferring", "a", "", 30, 0, S, S, S)
    text = told((1, Update((ended("a", 1),))), (1.01, Update(statuses=(late,))))
    assert text == "#1 step a\n#1 transferring 30B done\n#1 DONE 0.0s\n"


def test_a_carriage_return_leaves_what_was_seen_last() -> None:
    text = told((1, Update((begun("a"),), logs=(said("a", b"10%\r100%\n", 1),))))
    assert text == "#1 step a\n#1 0.000 100%\n"


def test_a_line_that_comes_byte_by_byte_and_never_ends_is_told_in_parts() -> None:
    job = Trace().put(begun("a"))
    parts = [job.add_log(said("a", b"x", 2)) for _ in range(150_000)]
    lines = [line.text for part in parts for line in part] + [each.text for each in job.flush()]
    assert "".join(lines) == "x" * 150_000
    assert max(map(len, lines)) <= LONGEST + 1


def test_what_is_written_over_is_not_kept() -> None:
    job = Trace().put(begun("a"))
    for number in range(100_000):
        assert job.add_log(said("a", b"\r%d%%" % number, 2)) == []
    assert [
        line.text for line in job.add_log(said("a", b"\r", 2)) + job.add_log(said("a", b"\n", 3))
    ] == ["99999%"]


def test_the_screen_has_what_goes_on_and_fits() -> None:
    trace = Trace()
    trace.add(Update((ended("a", 2), begun("b"), ended("c", 3, cached=True), begun("d", 2))))
    trace.add(Update(logs=(said("b", b"1\n2\n\x1b[2Jred\x1b[31m\n", 2),)))
    lines = [text for text, _ in frame(trace, 4 * S, S, 40, 24)]
    assert lines == [
        "[+] Building 3.0s (2/4)",
        f"{' => step a':<36}1.0s",
        f"{' => step b':<36}3.0s",
        " => => # 1",
        " => => # 2",
        " => => # red",
        f"{' => CACHED step c':<36}2.0s",
        f"{' => step d':<36}2.0s",
    ]
    assert all(len(line) <= 40 for line in lines)
    few = [text for text, _ in frame(trace, 4 * S, S, 40, 7)]
    assert len(few) <= 6
    assert any("step d" in line for line in few)
    assert not any("step a" in line for line in few)
    over = [text for text, _ in frame(trace, 4 * S, S, 40, 4, over=True)]
    assert over[0] == "[+] Building 3.0s (2/4) FINISHED"
    assert len(over) == 5


def test_frames_are_drawn_over_each_other() -> None:
    output = io.StringIO()
    display = TerminalDisplay(output, S, colors=False)
    display.show(Update((begun("a"), begun("b"))), S)
    display.tick(2 * S)
    display.show(Update((ended("a", 3), ended("b", 3))), 3 * S)
    display.finish(3 * S)
    assert output.getvalue().count("\x1b[3A") == 1
    assert "FINISHED" in output.getvalue()
    assert "\x1b[34m" not in output.getvalue()


def test_raw_updates_have_the_names_of_buildkits_client() -> None:
    warned = Warned("a", "short", ("long",), "https://x", 1, Source("Df", b"x", (SPAN,)))
    line = encode(
        Update(
            (ended("a", 2, inputs=("z",), error="bad"),),
            (Status("i", "a", "n", 5, 9, 2 * S, S, 2 * S + 5),),
            (said("a", b"hi", 1.5),),
            (warned,),
        )
    )
    assert json.loads(line) == {
        "vertexes": [
            {
                "digest": "a",
                "inputs": ["z"],
                "name": "step a",
                "started": "1970-01-01T00:00:01Z",
                "completed": "1970-01-01T00:00:02Z",
                "error": "bad",
            }
        ],
        "statuses": [
            {
                "id": "i",
                "vertex": "a",
                "name": "n",
                "total": 9,
                "current": 5,
                "timestamp": "1970-01-01T00:00:02Z",
                "started": "1970-01-01T00:00:01Z",
                "completed": "1970-01-01T00:00:02.000000005Z",
            }
        ],
        "logs": [
            {"vertex": "a", "stream": 1, "data": "aGk=", "timestamp": "1970-01-01T00:00:01.5Z"}
        ],
        "warnings": [
            {
                "vertex": "a",
                "level": 1,
                "short": "c2hvcnQ=",
                "detail": ["bG9uZw=="],
                "url": "https://x",
                "sourceInfo": {"filename": "Df", "data": "eA=="},
                "range": [
                    {"start": {"line": 2, "character": 0}, "end": {"line": 2, "character": 0}}
                ],
            }
        ],
    }
    assert encode(Update()) == ""


SPAN = Span(Place(2), Place(2))


def test_failures_show_the_last_words_of_a_step_and_not_of_cancelled_ones() -> None:
    trace = Trace()
    trace.add(Update((begun("a"), begun("b")), logs=(said("a", b"x\n" * 20 + b"last\n", 2),)))
    trace.add(Update((ended("a", 3, error="exit"), ended("b", 3, error="context canceled"))))
    lines = failures(trace).split("\n")
    assert lines[:2] == ["------", " > step a:"]
    assert lines[-2:] == ["1.000 last", "------"]
    assert len(lines) == 13


def test_an_excerpt_marks_the_lines_that_are_meant() -> None:
    data = b"FROM a\nRUN b\nRUN c \\\n  d\nRUN e\nRUN f\nRUN g\nRUN h\nRUN i\n"
    assert excerpt(Source("Dockerfile", data, (Span(Place(3), Place(4)),))) == (
        "Dockerfile:3\n"
        "--------------------\n"
        "   1 |     FROM a\n"
        "   2 |     RUN b\n"
        "   3 | >>> RUN c \\\n"
        "   4 | >>>   d\n"
        "   5 |     RUN e\n"
        "   6 |     RUN f\n"
        "   7 |     RUN g\n"
        "--------------------"
    )
    assert excerpt(Source("Dockerfile", data)) == ""


def test_warnings_are_listed_and_explained_on_request() -> None:
    trace = Trace()
    assert warnings(trace) == ""
    source = Source("Dockerfile", b"FROM a", (Span(Place(1), Place(1)),))
    trace.add(Update(warnings=(Warned("a", "Short (line 1)", ("Long",), "https://x", 1, source),)))
    assert warnings(trace) == "1 warning found (-D shows more):\n - Short (line 1)"
    assert warnings(trace, expanded=True).split("\n")[:4] == [
        "1 warning found:",
        " - Short (line 1)",
        "   Long",
        "   More info: https://x",
    ]
    assert ">>> FROM a" in warnings(trace, expanded=True)


def test_sizes() -> None:
    assert [size(n) for n in (0, 999, 1050, 29_120_000)] == ["0B", "999B", "1.05kB", "29.12MB"]


def test_modes() -> None:
    assert isinstance(display_for("auto", io.StringIO(), 0), PlainDisplay)
    assert isinstance(display_for("tty", io.StringIO(), 0), TerminalDisplay)
    with pytest.raises(InvalidArgumentError, match="use one of auto, plain"):
        check_mode("loud")
