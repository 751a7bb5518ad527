"""Verbs that send a request for each name."""

import json
import subprocess
import sys

import pytest

DONE = (204, "")


@pytest.mark.parametrize(
    ("arguments", "method", "target"),
    [
        (("kill", "c"), "POST", "/containers/c/kill"),
        (("kill", "-s", "HUP", "c"), "POST", "/containers/c/kill?signal=HUP"),
        (("stop", "c"), "POST", "/containers/c/stop"),
        (("stop", "-t", "0", "-s", "INT", "c"), "POST", "/containers/c/stop?signal=INT&t=0"),
        (("stop", "--time", "5", "c"), "POST", "/containers/c/stop?t=5"),
        (("stop", "-t=-1", "c"), "POST", "/containers/c/stop?t=-1"),
        (("restart", "-t", "3", "c"), "POST", "/containers/c/restart?t=3"),
        (("pause", "c"), "POST", "/containers/c/pause"),
        (("unpause", "c"), "POST", "/containers/c/unpause"),
        (("start", "c"), "POST", "/containers/c/start"),
        (("rm", "c"), "DELETE", "/containers/c"),
        (("rm", "-fv", "/c"), "DELETE", "/containers/c?v=1&force=1"),
        (("container", "remove", "-l", "c"), "DELETE", "/containers/c?link=1"),
    ],
)
def test_the_request(arguments, method, target, recorder, ours) -> None:
    path = target.partition("?")[0]
    recorder.answers[f"{method} {path}"] = DONE
    outcome = ours(*arguments)
    assert [(r.method, r.target) for r in recorder.take()] == [(method, f"/v1.50{target}")]
    assert (outcome.code, outcome.out) == (0, arguments[-1] + "\n")


def test_every_name_gets_its_turn_and_one_failure_is_exit_1(recorder, ours) -> None:
    recorder.answers["POST /containers/a/kill"] = (404, '{"message":"No such container: a"}')
    recorder.answers["POST /containers/b/kill"] = DONE
    outcome = ours("kill", "a", "b")
    assert outcome.code == 1
    assert outcome.out == "b\n"
    assert outcome.err == "Error response from daemon: No such container: a\n"


def test_what_is_so_already_is_fine(recorder, ours) -> None:
    recorder.answers["POST /containers/c/start"] = (304, "")
    assert ours("start", "c").out == "c\n"


def test_start_says_which_failed(recorder, ours) -> None:
    recorder.answers["POST /containers/a/start"] = DONE
    outcome = ours("start", "a", "b")
    assert (outcome.code, outcome.out) == (1, "a\n")
    assert outcome.err.endswith("Error: failed to start containers: b\n")


def test_rm_with_force_does_not_mind_what_is_gone(recorder, ours) -> None:
    recorder.answers["DELETE /containers/c"] = (404, '{"message":"No such container: c"}')
    assert ours("rm", "-f", "c").code == 0
    assert ours("rm", "c").code == 1


def test_rename(recorder, ours) -> None:
    recorder.answers["POST /containers/a/rename"] = DONE
    assert ours("rename", "a", "b").code == 0
    assert recorder.take()[0].target == "/v1.50/containers/a/rename?name=b"


def test_wait_prints_the_codes(recorder, ours) -> None:
    recorder.answers["POST /containers/a/wait"] = (200, '{"StatusCode":7}')
    recorder.answers["POST /containers/b/wait"] = (200, '{"StatusCode":0}')
    assert ours("wait", "a", "b").out == "7\n0\n"


def test_tag_takes_the_target_apart(recorder, ours) -> None:
    recorder.answers["POST /images/a/tag"] = (201, "")
    assert ours("tag", "a", "localhost:5000/b").code == 0
    assert ours("tag", "a", "me/b:1").code == 0
    assert [request.target for request in recorder.take()] == [
        "/v1.50/images/a/tag?repo=localhost%3A5000%2Fb&tag=latest",
        "/v1.50/images/a/tag?repo=me%2Fb&tag=1",
    ]


@pytest.mark.parametrize("target", ["Upper", "a@sha256:" + "0" * 64, "a:b:c"])
def test_tag_refuses_what_is_no_name(target: str, recorder, ours) -> None:
    assert ours("tag", "a", target).code == 1
    assert recorder.take() == []


def test_rmi_says_what_went(recorder, ours) -> None:
    answer = [{"Untagged": "a:latest"}, {"Deleted": "sha256:1"}]
    recorder.answers["DELETE /images/a"] = (200, json.dumps(answer))
    outcome = ours("rmi", "--no-prune", "a")
    assert outcome.out == "Untagged: a:latest\nDeleted: sha256:1\n"
    assert recorder.take()[0].target == "/v1.50/images/a?noprune=1"


def test_save_writes_a_file_whole_or_not_at_all(recorder, ours, tmp_path) -> None:
    recorder.answers["GET /images/get"] = (200, "archive")
    assert ours("save", "-o", "x.tar", "a", "b").code == 0
    assert (tmp_path / "x.tar").read_text() == "archive"
    assert recorder.take()[0].target == "/v1.50/images/get?names=a&names=b"
    del recorder.answers["GET /images/get"]
    assert ours("save", "-o", "y.tar", "a").code == 1
    assert [path.name for path in tmp_path.glob("y.tar*")] == []


def test_an_archive_is_no_directory(recorder, ours, tmp_path) -> None:
    for verb in ("save", "export"):
        outcome = ours(verb, "-o", str(tmp_path), "a")
        assert outcome.code == 1
        assert outcome.err.endswith(f'"{tmp_path}" is a directory\n')
    assert recorder.take() == []


def test_a_full_disk_is_said_in_one_line(recorder, ours) -> None:
    recorder.answers["GET /images/get"] = (200, "archive")
    recorder.answers["GET /images/json"] = (200, "[]")
    outcome = ours("save", "-o", "/dev/full", "a")
    assert (outcome.code, outcome.err) == (1, "cannot write: no space left on device\n")
    outcome = ours("-D", "save", "-o", "/dev/full", "a")
    assert "Traceback" in outcome.err
    for arguments in (("--help",), ("images",), ("images", "--help")):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "boxship", "-H", f"unix://{recorder.path}", *arguments],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert (done.returncode, done.stderr) == (1, "cannot write: no space left on device\n")


def test_cp_says_what_is_not_there(recorder, ours) -> None:
    """An answer to HEAD has no body; only the one to GET has words."""
    recorder.answers["HEAD /containers/c/archive"] = (404, "")
    words = "Could not find the file /x in container c"
    recorder.answers["GET /containers/c/archive"] = (404, json.dumps({"message": words}))
    outcome = ours("cp", "c:/x", ".")
    assert (outcome.code, outcome.err) == (1, f"Error response from daemon: {words}\n")


def test_save_to_a_pipe(recorder, ours) -> None:
    recorder.answers["GET /images/get"] = (200, "archive")
    assert ours("save", "a").out == "archive"


def test_a_file_that_is_not_there_is_said_before_anything_is_sent(recorder, ours) -> None:
    outcome = ours("load", "-i", "none.tar")
    assert outcome.err == "open none.tar: no such file or directory\n"
    assert ours("import", "none.tar").code == 1
    assert recorder.take() == []
