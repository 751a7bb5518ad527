"""Which door a build goes through, and what the classic one is asked."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

REMOTE = "http://example.com/context.tar"
ANSWER = '{"stream":"Step 1/1 : FROM x\\n"}\n{"aux":{"ID":"sha256:abc"}}\n{"stream":"done\\n"}\n'


def asked(recorder) -> dict[str, list[str]]:
    requests = [each for each in recorder.take() if "/build?" in each.target]
    assert len(requests) == 1
    return parse_qs(urlsplit(requests[0].target).query)


@pytest.mark.parametrize("status", [404, 501])
def test_an_engine_without_buildkit_is_asked_by_the_classic_door(recorder, ours, status) -> None:
    recorder.answers["POST /grpc"] = (status, '{"message":"page not found"}')
    recorder.answers["POST /build"] = (200, ANSWER)
    done = ours("build", REMOTE)
    assert (done.code, done.out) == (0, "Step 1/1 : FROM x\ndone\n")
    assert asked(recorder)["remote"] == [REMOTE]


def test_an_engine_whose_buildkit_is_broken_is_not_asked_twice(recorder, ours) -> None:
    recorder.answers["POST /build"] = (200, ANSWER)
    done = ours("build", REMOTE)
    assert done.code == 1
    assert "recorded" in done.err
    assert not any("/build?" in each.target for each in recorder.take())


def test_the_classic_door_is_asked_everything(recorder, ours, tmp_path) -> None:
    recorder.answers["POST /build"] = (200, ANSWER)
    iid = tmp_path / "iid"
    done = ours(
        "build", "-f", "sub/Df", "-t", "a:1", "-t", "b", "--build-arg", "A=1",
        "--build-arg", "HOST", "--build-arg", "UNSET", "--label", "k=v", "--target", "t",
        "--no-cache", "--pull",
        "--cache-from", "c", "--network", "host", "--add-host", "h:1.2.3.4", "--shm-size", "64m",
        "--ulimit", "nofile=1:2", "-m", "64m", "--memory-swap", "-1", "-c", "5", "--cpu-period",
        "6", "--cpu-quota", "7", "--cpuset-cpus", "0", "--cpuset-mems", "0", "--cgroup-parent",
        "/p", "--security-opt", "seccomp=unconfined", "--squash", "--force-rm", "--rm=false",
        "--platform", "linux/amd64", "--iidfile", str(iid), "-q", REMOTE,
        DOCKER_BUILDKIT="0", HOST="ours",
    )  # fmt: skip
    assert (done.code, done.out) == (0, "sha256:abc\n")
    assert iid.read_text() == "sha256:abc"
    query = asked(recorder)
    documents = {
        name: json.loads(query.pop(name)[0])
        for name in ("buildargs", "labels", "cachefrom", "ulimits", "securityopt")
    }
    assert documents == {
        "buildargs": {"A": "1", "HOST": "ours", "UNSET": None},
        "labels": {"k": "v"},
        "cachefrom": ["c"],
        "ulimits": [{"Name": "nofile", "Hard": 2, "Soft": 1}],
        "securityopt": ["seccomp=unconfined"],
    }
    assert query == {
        "remote": [REMOTE],
        "dockerfile": ["sub/Df"],
        "t": ["a:1", "b"],
        "target": ["t"],
        "q": ["1"],
        "nocache": ["1"],
        "pull": ["1"],
        "rm": ["0"],
        "forcerm": ["1"],
        "networkmode": ["host"],
        "extrahosts": ["h:1.2.3.4"],
        "shmsize": ["67108864"],
        "memory": ["67108864"],
        "memswap": ["-1"],
        "cpushares": ["5"],
        "cpuperiod": ["6"],
        "cpuquota": ["7"],
        "cpusetcpus": ["0"],
        "cpusetmems": ["0"],
        "cgroupparent": ["/p"],
        "squash": ["1"],
        "platform": ["linux/amd64"],
        "version": ["1"],
    }


def test_the_code_of_a_step_that_failed_is_the_commands(recorder, ours) -> None:
    failure = {"errorDetail": {"code": 7, "message": "returned 7"}, "error": "returned 7"}
    recorder.answers["POST /build"] = (200, '{"stream":"words\\n"}\n' + json.dumps(failure))
    done = ours("build", REMOTE, DOCKER_BUILDKIT="0")
    assert (done.code, done.out, done.err) == (7, "words\n", "returned 7\n")
    quiet = ours("build", "-q", REMOTE, DOCKER_BUILDKIT="0")
    assert (quiet.code, quiet.out, quiet.err) == (7, "", "words\nreturned 7\n")


def test_a_wrong_wish_for_a_door_is_named(ours) -> None:
    done = ours("build", REMOTE, DOCKER_BUILDKIT="maybe")
    assert done.code == 1
    assert "DOCKER_BUILDKIT environment variable expects boolean value" in done.err
