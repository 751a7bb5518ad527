"""Verbs of networks, and ``port``: the same requests and texts as Docker's own client."""

import json
import shlex

import pytest

NETWORK = {
    "Name": "a",
    "Id": "1d" * 32,
    "Created": "2026-01-01T00:00:00Z",
    "Scope": "local",
    "Driver": "bridge",
    "EnableIPv4": True,
    "EnableIPv6": False,
    "IPAM": {
        "Driver": "default",
        "Options": None,
        "Config": [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}],
    },
    "Internal": False,
    "Containers": {"c1": {"Name": "web", "IPv4Address": "172.18.0.2/16"}},
    "Options": {},
    "Labels": {"x": "y"},
}
LIST = [
    NETWORK | {"Name": "b10", "Created": "2026-01-01T00:00:00.1234Z", "Labels": {"a": "b"}},
    NETWORK
    | {"Name": "b2", "Driver": "null", "Internal": True, "EnableIPv6": True, "Labels": None},
    NETWORK | {"Name": "B", "Created": "2026-01-01T02:00:00+02:00"},
    NETWORK | {"Name": "b-x"},
]
PORTS = {
    "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
    "443/tcp": None,
    "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "53"}],
    "100/tcp": [{"HostIp": "", "HostPort": "9"}, {"HostIp": "0.0.0.0", "HostPort": "10"}],
    "9/sctp": [],
}


@pytest.fixture(autouse=True)
def answers(recorder) -> None:
    missing = (404, '{"message":"network gone not found"}')
    recorder.answers |= {
        "POST /networks/create": (201, '{"Id":"abc","Warning":"mind"}'),
        "POST /networks/n/connect": (200, ""),
        "POST /networks/n/disconnect": (200, ""),
        "POST /networks/gone/connect": missing,
        "POST /networks/prune": (200, '{"NetworksDeleted":["x","y"]}'),
        "DELETE /networks/a": (204, ""),
        "DELETE /networks/gone": missing,
        "DELETE /networks/used": (403, '{"message":"network used has active endpoints"}'),
        "GET /networks/a": (200, json.dumps(NETWORK)),
        "GET /networks/gone": missing,
        "GET /networks/used": (200, json.dumps(NETWORK)),
        "GET /networks": (200, json.dumps(LIST)),
        "GET /containers/c/json": (200, json.dumps({"NetworkSettings": {"Ports": PORTS}})),
        "GET /containers/off/json": (200, '{"NetworkSettings":{"Ports":{}}}'),
        "GET /containers/gone/json": (404, '{"message":"No such container: gone"}'),
    }


CREATE = r"""
n
-d macvlan -o parent=eth0 --opt a --label x=y --label z --internal --attachable n
-d '' --label a=b --label a=c -o a=1 -o a=2 -o =x n
--subnet 10.0.0.0/24 --gateway 10.0.0.1 --ip-range 10.0.0.128/25 --aux-address h=10.0.0.5 n
--subnet 10.0.0.0/24 --aux-address h=10.0.0.5 --aux-address g=10.0.0.6 n
--subnet fd00::/64 --gateway fd00::1 --ip-range fd00::/80 --aux-address x=fd00::5 --ipv6 n
--subnet 10.0.0.0/24 --gateway 10.0.0.5/24 n
--subnet xx n
--subnet 10.0.0.5/24 n
--subnet '' --gateway '' n
--ipv6=false --ipv4=false n
--ipv4 n
--ipam-driver x --ipam-opt a=b --ipam-opt c --scope swarm --config-only --ingress n
--config-from c n
--scope local --ingress=false --attachable=false n
""".strip().splitlines()

SEVERAL_SUBNETS = r"""
--subnet 10.0.0.0/24,10.1.0.0/24 --gateway 10.1.0.1 n
--subnet 10.0.0.0/8 --subnet 11.0.0.0/8 --ip-range 10.0.0.0/28 --gateway 11.0.0.3,10.0.0.1 n
""".strip().splitlines()

NOT_CREATED = r"""
--subnet 10.0.0.0/24 --subnet 10.0.0.0/25 n
--subnet 10.0.0.0/25 --subnet 10.0.0.0/24 n
--gateway 10.0.0.1 n
--ip-range 10.0.0.0/28 n
--subnet 10.0.0.0/24 --gateway 10.5.0.1 n
--subnet 10.0.0.0/24 --gateway xx n
--subnet 10.0.0.0/24 --gateway 10.0.0.1 --gateway 10.0.0.2 n
--subnet 10.0.0.0/24 --subnet 10.1.0.0/24 --gateway 10.0.0.1 --gateway 10.0.0.2 n
--subnet 10.0.0.0/24 --subnet 10.1.0.0/24 --ip-range 10.0.0.0/28 --ip-range 10.0.0.16/28 n
--subnet 10.0.0.0/24 --ip-range 10.5.0.0/28 n
--subnet 10.0.0.0/24 --ip-range xx/1 n
--subnet 10.0.0.0/24 --aux-address h=10.9.0.5 n
--subnet 10.0.0.0/24 --aux-address h n
--aux-address h=10.0.0.5 n
--subnet xx --gateway 10.0.0.1 n
--subnet 10.0.0.0/24 --subnet xx n
--subnet 010.0.0.0/24 --gateway 10.0.0.1 n
""".strip().splitlines()

CONNECT = r"""
n c
--alias a,b --alias 'c,"d,e"' --ip 10.0.0.1 --ip6 fd00::1 --gw-priority -5 n c
--link x:y --link z --link z --link a: --link-local-ip 169.254.1.1,fe80::1 n c
--driver-opt a=b,c=d --driver-opt ' e = f=g ' n c
--alias '' --driver-opt '' --ip '' --link-local-ip '' n c
--ip x --link-local-ip y n c
""".strip().splitlines()


@pytest.mark.parametrize("line", [f"create {line}" for line in CREATE])
def test_the_body_of_create(line: str, recorder, ours, theirs) -> None:
    assert _asked(recorder, ours, line) == _asked(recorder, theirs, line)


@pytest.mark.parametrize("line", [f"create {line}" for line in SEVERAL_SUBNETS])
def test_the_body_of_create_with_several_subnets(line: str, recorder, ours, theirs) -> None:
    """Docker's client sends them in the order of a map, which is none."""
    bodies = []
    for client in (ours, theirs):
        ((_, _, body),) = _asked(recorder, client, line)
        body["IPAM"]["Config"].sort(key=lambda pool: pool["Subnet"])
        bodies.append(body)
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("line", [f"connect {line}" for line in CONNECT])
def test_the_body_of_connect(line: str, recorder, ours, theirs) -> None:
    ((_, target, body),) = _asked(recorder, ours, line)
    ((_, their_target, their_body),) = _asked(recorder, theirs, line)
    assert target == their_target
    # Docker's client sends the fields of an answer as well, all empty.
    endpoint, theirs_sent = body.pop("EndpointConfig"), their_body.pop("EndpointConfig")
    assert body == their_body
    assert endpoint == {name: theirs_sent[name] for name in endpoint}
    assert not any(value for name, value in theirs_sent.items() if name not in endpoint)


SAME = r"""
network disconnect n c
network disconnect -f n c
network prune -f
network prune -f --filter until=1h --filter label!=x
network prune
network ls
network list -q
network ls --no-trunc
network ls -f driver=bridge -f label=x
network ls --format json
network ls --format '{{.IPv4}} {{.IPv6}} {{.Internal}} {{.Labels}} {{.CreatedAt}} {{.Label "a"}}'
network ls --format 'table {{.Name}}\t{{.IPv6}}\t{{.Label "a"}}\t{{.CreatedAt}}\t{{.Labels}}'
network ls -q --format '{{.Name}}'
network inspect a
network inspect -v a
network inspect -f json a
network inspect -f '{{.Name}} {{.Labels}} {{.Options}} {{range .IPAM.Config}}{{.Subnet}}{{end}}' a
network inspect -f '{{range $id, $c := .Containers}}{{$id}} {{$c.Name}}{{end}}' a
network inspect -f '{{.IPAM.Config}} {{.Created}} {{json .Created}} {{.Options}}' a
network inspect -f '{{range .IPAM.Config}}{{.Gateway}}{{.IPRange}}{{.AuxAddress}}{{end}}' a
network inspect -f '{{json .IPAM}}' a
network inspect gone a
network inspect '' a
network connect gone c
inspect --type network a
inspect --type network gone
port c
port c 80
port c 80/tcp
port c 80/
port c 53/udp
port c 53
port c 80/x
port c ''
port off
port gone
container port c
""".strip().splitlines()


@pytest.mark.parametrize("line", SAME)
def test_requests_and_texts(line: str, recorder, ours, theirs) -> None:
    outcomes = []
    for client in (ours, theirs):
        outcome = client(*shlex.split(line), stdin="n\n")
        requests = [(one.method, one.target, one.json()) for one in recorder.take()]
        outcomes.append((outcome.code, outcome.out, outcome.err, requests))
    ours_did, they_did = outcomes
    if line.startswith("network connect"):
        ours_did, they_did = ours_did[:3], they_did[:3]
    assert ours_did == they_did


@pytest.mark.parametrize("line", NOT_CREATED)
def test_pools_that_docker_refuses(line: str, recorder, ours, theirs) -> None:
    mine, other = (client("network", "create", *shlex.split(line)) for client in (ours, theirs))
    assert recorder.take() == []
    # Which subnet of several a map names first is chance.
    assert (mine.code, mine.out, mine.err) == (other.code, other.out, other.err)


@pytest.mark.parametrize(
    "line",
    [
        "network create",
        "network create a b",
        "network create --label =x n",
        "network connect n",
        "network connect --link '' n c",
        "network connect --link a:b:c n c",
        "network connect --driver-opt a n c",
        "network connect --driver-opt =a n c",
        "network ls -f driver",
        "network inspect",
        "network prune x",
        "network rm",
        "port",
        "port c 80 81",
        "port c x",
        "port c 81",
    ],
)
def test_what_docker_refuses_is_refused(line: str, ours, theirs) -> None:
    mine, other = (client(*shlex.split(line)) for client in (ours, theirs))
    assert (mine.code, mine.out) == (other.code, other.out)
    wrong = other.err.splitlines()[0].replace("docker", "boxship")
    assert mine.err.splitlines()[0].split(":")[:2] == wrong.split(":")[:2]


@pytest.mark.parametrize(
    ("names", "out", "errors"),
    [
        ("a", "a\n", []),
        ("gone a used", "a\n", ["network gone not found", "network used has active endpoints"]),
        ("-f gone a used", "a\n", ["network used has active endpoints"]),
        ("-f gone", "", []),
    ],
)
def test_rm(names: str, out: str, errors: list[str], recorder, request) -> None:
    for client in map(request.getfixturevalue, ("ours", "theirs")):
        outcome = client("network", "rm", *names.split())
        assert (outcome.code, outcome.out) == (1 if errors else 0, out)
        said = [line for line in outcome.err.splitlines() if "exit status" not in line]
        assert said == [f"Error response from daemon: {error}" for error in errors]
        deleted = [one.target for one in recorder.take() if one.method == "DELETE"]
        assert len(deleted) == len(names.replace("-f ", "").split())


@pytest.mark.parametrize(
    "line",
    ["create --ipv6=x n", "connect --gw-priority x n c", "ls --format {{.Foo}}"],
)
def test_values_that_cannot_be_read(line: str, ours, theirs) -> None:
    mine, other = (client("network", *shlex.split(line)) for client in (ours, theirs))
    assert (mine.code, mine.out) == (other.code, other.out)


def test_create_prints_id_and_warning(ours, theirs) -> None:
    assert ours("network", "create", "n").out == theirs("network", "create", "n").out == "abc\n"
    assert ours("network", "create", "n").err == "WARNING: mind\n"


def test_the_format_of_the_config_file(ours, theirs, tmp_path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{"networksFormat":"{{.Name}}!"}')
    assert ours("network", "ls").out == theirs("network", "ls").out
    assert ours("network", "ls").out.startswith("B!\n")


def _asked(recorder, client, line: str):
    outcome = client("network", *shlex.split(line))
    assert outcome.code == 0, outcome
    return [(one.method, one.target, one.json()) for one in recorder.take()]
