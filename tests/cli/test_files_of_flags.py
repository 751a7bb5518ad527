"""Files that flags name are read and written as by Docker's own client, with all that is odd."""

from pathlib import Path

import pytest

ODD = (
    b"\xef\xbb\xbfMARKED=1\n\xef\xbb\xbfMARKED_INSIDE=1\n"
    b"# comment\n  # another\n \n\t\n\x0b\nNOT=a # comment\nNEITHER=#\n"
    b"CRLF=1\r\nCR=1\rSAME=line\n  PADDED= x  \nQUOTED=\"x y\"\n'QUOTED'=1\n"
    b"EMPTY=\nTWICE=1\nTWICE=2\n"
    b"PASSED\nPASSED\r\nMISSING\nA=b=c\n\xc3\x84=\xc3\xb6\nNUL=\0\nFEED=\x0c\n"
    b"IN\xc2\xa0NAME=1\n\xc2\xa0\xe3\x80\x80BEFORE=1\n\x1cSEPARATOR=1\nLAST=x"
)
REFUSED = {
    "no name": b"A=1\n =1\n",
    "space": b"A B=1\n",
    "space behind": b"A =1\n",
    "tab": b"A\tB=1\n",
    "bare with a space behind": b"PASSED \n",
    "export": b"export A=1\n",
    "no UTF-8": b"A=1\nB=\xe4\n",
}


def test_odd_lines(recorder, ours, theirs, tmp_path: Path) -> None:
    (tmp_path / "odd").write_bytes(ODD)
    read = []
    for client in (theirs, ours):
        environment = {"PASSED": "on", "DOCKER_API_VERSION": recorder.version}
        client("create", "--env-file=odd", "--label-file=odd", "bb", **environment)
        (created,) = [request for request in recorder.take() if "/create" in request.target]
        read.append((sorted(created.json()["Env"]), created.json()["Labels"]))
    assert read[1] == read[0]
    assert "CR=1\rSAME=line" in read[1][0]


@pytest.mark.parametrize("case", REFUSED)
def test_lines_that_are_refused(case: str, recorder, ours, theirs, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_bytes(REFUSED[case])
    flag = "--label-file" if case == "tab" else "--env-file"
    told = []
    for client in (theirs, ours):
        done = client("create", flag, "wrong", "bb")
        assert (done.code, recorder.take()) == (125, [])
        told.append(done.err.splitlines()[0].partition(": ")[2])
    assert told[1] == told[0] or case == "no UTF-8"
    assert case != "no UTF-8" or told[1] == "invalid env file (wrong): line 2 is not UTF-8"


def test_a_line_may_be_long(recorder, ours, tmp_path: Path) -> None:
    """Docker's client gives up on lines of more than 64 kB."""
    (tmp_path / "long").write_bytes(b"A=" + 100_000 * b"x")
    ours("create", "--env-file", "long", "bb")
    (created,) = [request for request in recorder.take() if "/create" in request.target]
    assert len(created.json()["Env"][0]) == 100_002


@pytest.mark.parametrize("path", ["directory", "none/id", "old", "/dev/null"])
def test_an_id_goes_to_a_new_file(path: str, recorder, ours, theirs, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "old").write_text("of another")
    told = []
    for client in (theirs, ours):
        done = client("create", "--cidfile", path, "bb", DOCKER_API_VERSION=recorder.version)
        assert not any("/create" in request.target for request in recorder.take())
        told.append((done.code, done.err))
    assert told[1] == told[0]
    assert (tmp_path / "old").read_text() == "of another"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["d.sock", "directory", "old"]
