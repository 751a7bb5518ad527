"""``update`` sends what Docker's own client sends, and refuses what it refuses."""

import shlex

import pytest

LINES = """
--cpus 1.5 a b
--cpus .5 --cpuset-cpus 0-1 --cpuset-mems 0 -c 7 a
-m 10m --memory-swap -1 --memory-reservation 7m a
--restart on-failure:3 --pids-limit -1 a
--restart no a
--pids-limit 0 a
--blkio-weight 300 --cpu-period 5 --cpu-quota 6 --cpu-rt-period 7 --cpu-rt-runtime 8 a
--kernel-memory 5m a
""".strip().splitlines()

REFUSED = """
a

--restart foo:x a
--cpus x a
-m foo a
--blkio-weight 70000 a
""".strip("\n").splitlines()


@pytest.mark.parametrize("line", LINES)
def test_the_request_equals_dockers(line: str, recorder, ours, theirs) -> None:
    names = [word for word in shlex.split(line) if word in ("a", "b")]
    for name in names:
        recorder.answers[f"POST /containers/{name}/update"] = (200, '{"Warnings":null}')
    recorded = []
    for client in (theirs, ours):
        outcome = client("update", *shlex.split(line), DOCKER_API_VERSION=recorder.version)
        assert (outcome.code, outcome.out.split()) == (0, names), outcome
        recorded.append([(request.target, request.json()) for request in recorder.take()])
    assert recorded[1] == recorded[0]
    assert len(recorded[0]) == len(names)


@pytest.mark.parametrize("line", REFUSED)
def test_what_docker_refuses_is_refused(line: str, recorder, ours, theirs) -> None:
    outcomes = [client("update", *shlex.split(line)) for client in (theirs, ours)]
    assert recorder.take() == []
    # Docker ends with 125 for a flag that cannot be read, and with 1 for the rest.
    assert outcomes[1].code == outcomes[0].code
    assert outcomes[1].out == ""


def test_warnings_are_shown(recorder, ours) -> None:
    recorder.answers["POST /containers/a/update"] = (200, '{"Warnings":["mind the gap"]}')
    outcome = ours("update", "--cpus", "1", "a")
    assert (outcome.code, outcome.out, outcome.err) == (0, "a\n", "mind the gap\n")


def test_ports_and_rules_beyond_docker(recorder, ours) -> None:
    recorder.answers["GET /version"] = (200, '{"Platform":{"Name":"Boxship"}}')
    recorder.answers["POST /containers/a/update"] = (200, '{"Warnings":null}')
    outcome = ours(
        "update", "--publish-add", "8080:80,source=10.0.0.0/8",
        "--publish-rm", "127.0.0.1:9090/udp", "--egress", "deny", "a",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    body = recorder.take()[-1].json()
    assert body["PublishAdd"] == {
        "80/tcp": [{"HostIp": "", "HostPort": "8080", "Sources": ["10.0.0.0/8"]}]
    }
    assert (body["PublishRemove"], body["Egress"]) == (["127.0.0.1:9090/udp"], ["deny"])


@pytest.mark.parametrize("line", [
    "update --publish-add 8080:80 a", "update --egress deny a", "create --egress deny bb",
    "run -p 80:80,source=10.0.0.0/8 bb",
])  # fmt: skip
def test_rules_are_not_entrusted_to_a_daemon_that_ignores_them(line: str, recorder, ours) -> None:
    recorder.answers["GET /version"] = (200, '{"Platform":{"Name":"Docker Engine"}}')
    outcome = ours(*line.split())
    assert outcome.code == 125
    assert "needs the Boxship daemon" in outcome.err
    assert not [request for request in recorder.take() if request.method == "POST"]


NEW = "POST /networks/new/connect", "POST /networks/old/disconnect", "POST /networks/new/disconnect"


@pytest.mark.parametrize(("status", "then"), [(200, "old/disconnect"), (409, "new/disconnect")])
def test_networks_come_first_and_go_again_if_the_rest_is_refused(
    status: int, then: str, recorder, ours
) -> None:
    recorder.answers |= dict.fromkeys(NEW, (200, "{}"))
    recorder.answers["POST /containers/a/update"] = (status, '{"message":"no"}')
    line = "update --network-add name=new,ip=10.0.0.9 --network-rm old --cpus 1 a"
    assert ours(*line.split()).code == (0 if status == 200 else 1)
    asked = [request for request in recorder.take() if request.method == "POST"]
    paths = [request.target.partition("/networks/")[2] for request in asked]
    assert paths == ["new/connect", "", then]
    assert asked[0].json()["EndpointConfig"]["IPAMConfig"] == {"IPv4Address": "10.0.0.9"}
