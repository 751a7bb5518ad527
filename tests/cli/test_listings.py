"""What the listing verbs ask the daemon, and the text they make of the answer."""

import json
import time

import pytest

NOW = 0  # stands for the moment of the test in the samples

RUNNING = {
    "Id": "41a8150825ee10c67ef76bd8b4a72a9bc41d135aefc90a988fcef027c5c660a5",
    "Names": ["/web", "/other/alias"],
    "Image": "busybox",
    "ImageID": "sha256:55f5e36f76d4",
    "Command": "sh -c 'while true; do date; sleep 1; done'",
    "Created": NOW - 7500,
    "Ports": [{"PrivatePort": 80, "PublicPort": 8080, "Type": "tcp", "IP": "0.0.0.0"}],
    "Labels": {"b": "2", "a": "1"},
    "State": "running",
    "Status": "Up 2 hours",
    "NetworkSettings": {"Networks": {"none": {}}},
    "Mounts": [{"Type": "bind", "Source": "/a/very/long/path/name", "Destination": "/x"}],
}
ENDED = {
    "Id": "b7d38ce92f72000000000000000000000000000000000000000000000000000f",
    "Names": ["/job"],
    "Image": "sha256:529091e16959856338a8b70f269d990a8fe806bc4f252fb25a40b70ea32cb3e6",
    "ImageID": "sha256:529091e16959856338a8b70f269d990a8fe806bc4f252fb25a40b70ea32cb3e6",
    "Command": "true",
    "Created": NOW - 86400 * 3,
    "Ports": [],
    "Labels": None,
    "State": "exited",
    "Status": "Exited (3) 2 days ago",
    "SizeRw": 12288,
    "SizeRootFs": 1982256,
}


def as_of_now(entries: list[dict[str, object]]) -> str:
    """The samples as JSON, their times of creation counted from this moment."""
    now = int(time.time())
    moved = [entry | {"Created": now + int(str(entry["Created"]))} for entry in entries]
    return json.dumps(moved)


@pytest.fixture(autouse=True)
def answers(recorder) -> None:
    recorder.answers["GET /containers/json"] = (200, as_of_now([RUNNING, ENDED]))
    recorder.answers["GET /images/json"] = (200, as_of_now(IMAGES))
    recorder.answers["GET /images/bb/history"] = (200, as_of_now(HISTORY))
    recorder.answers["GET /containers/web/top"] = (
        200,
        json.dumps({"Titles": ["PID", "CMD"], "Processes": [["1", "sh"], ["22", "sleep 1"]]}),
    )


IMAGES = [
    {
        "Id": "sha256:529091e16959856338a8b70f269d990a8fe806bc4f252fb25a40b70ea32cb3e6",
        "RepoTags": ["bb:latest", "localhost:5000/bb:1"],
        "RepoDigests": ["bb@sha256:1111"],
        "Created": NOW - 450,
        "Size": 1982256,
        "SharedSize": -1,
        "Containers": -1,
    },
    {
        "Id": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "RepoTags": ["<none>:<none>"],
        "RepoDigests": [],
        "Created": NOW - 86400 * 800,
        "Size": 0,
        "SharedSize": 0,
        "Containers": 2,
    },
]

HISTORY = [
    {
        "Id": "sha256:529091e16959856338a8b70f269d990a8fe806bc4f252fb25a40b70ea32cb3e6",
        "Created": NOW - 450,
        "CreatedBy": '/bin/sh -c #(nop)  CMD ["sh"] and\tmore than forty-five characters',
        "Size": 0,
        "Comment": "",
    },
    {
        "Id": "<missing>",
        "Created": -(10**12),
        "CreatedBy": "",
        "Size": 1982256,
        "Comment": "Imported",
    },
]


def test_the_table_of_containers(ours) -> None:
    assert ours("ps", "-a").out == (
        "CONTAINER ID   IMAGE          COMMAND                  CREATED       STATUS"
        "                  PORTS                  NAMES\n"
        '41a8150825ee   busybox        "sh -c \'while true; …"   2 hours ago   Up 2 hours'
        "              0.0.0.0:8080->80/tcp   web\n"
        'b7d38ce92f72   529091e16959   "true"                   3 days ago    Exited (3) 2 days ago'
        "                          job\n"
    )


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ((), ""),
        (("-a",), "?all=1"),
        (("-l",), "?all=1&limit=1"),
        (("-n", "5"), "?all=1&limit=5"),
        (("-s",), "?size=1"),
        (("--format", "{{.Size}}"), "?size=1"),
        (("--format", "{{json .}}"), "?size=1"),
        (("--format", "json"), ""),
        (("-q", "-s"), "?size=1"),
        (
            ("-f", "status=running", "-f", "label=b", "-f", "label=a=1"),
            "?filters=%7B%22label%22%3A%7B%22a%3D1%22%3Atrue%2C%22b%22%3Atrue%7D%2C"
            "%22status%22%3A%7B%22running%22%3Atrue%7D%7D",
        ),
    ],
)
def test_what_ps_asks_for(arguments, query, recorder, ours) -> None:
    assert ours("ps", *arguments).code == 0
    assert [r.target for r in recorder.take()] == [f"/v1.50/containers/json{query}"]


@pytest.mark.parametrize(
    ("template", "lines"),
    [
        ("{{.Names}}", ["web", "job"]),
        ("{{.ID}}|{{.State}}", ["41a8150825ee|running", "b7d38ce92f72|exited"]),
        ("{{.Labels}}", ["a=1,b=2", ""]),
        ('{{.Label "a"}}', ["1", ""]),
        ("{{.Size}}", ["0B", "12.3kB (virtual 1.98MB)"]),
        ("{{.Mounts}} {{.LocalVolumes}}", ["/a/very/long/p… 0", " 0"]),
        ("{{.Networks}}{{.Platform}}", ["none<nil>", "<nil>"]),
        ("{{upper .State}}\\t{{.Names}}", ["RUNNING\tweb", "EXITED\tjob"]),
        (
            "table {{.Names}}\\t{{.State}}",
            ["NAMES     STATE", "web       running", "job       exited"],
        ),
        ('table {{.Label "com.x.role"}}\\t{{.ID}}', ["role      CONTAINER ID"]),
        ("table {{upper .Names}}", ["NAMES", "WEB", "JOB"]),
    ],
)
def test_templates_over_containers(template: str, lines: list[str], ours) -> None:
    assert ours("ps", "--format", template).out.splitlines()[: len(lines)] == lines


def test_ids_only(ours) -> None:
    assert ours("ps", "-q").out == "41a8150825ee\nb7d38ce92f72\n"
    assert ours("ps", "-q", "--no-trunc").out.splitlines()[0] == RUNNING["Id"]


def test_each_row_as_json(ours) -> None:
    first = json.loads(ours("ps", "--format", "json").out.splitlines()[0])
    assert list(first) == sorted(first)
    assert first["Names"] == "web"
    assert first["Command"] == '"sh -c \'while true; …"'


def test_an_unknown_placeholder_is_an_error(ours) -> None:
    outcome = ours("ps", "--format", "{{.Foo}}")
    assert outcome.code == 1
    assert "can't evaluate field Foo" in outcome.err


def test_the_format_of_the_configuration_file_is_used(ours, tmp_path) -> None:
    (tmp_path / "config.json").write_text('{"psFormat": "{{.Names}}!"}')
    assert ours("ps", DOCKER_CONFIG=str(tmp_path)).out == "web!\njob!\n"
    assert ours("ps", "--format", "{{.ID}}", DOCKER_CONFIG=str(tmp_path)).out.startswith("41a8")


def test_the_table_of_images(ours) -> None:
    assert ours("images").out == (
        "REPOSITORY          TAG       IMAGE ID       CREATED         SIZE\n"
        "bb                  latest    529091e16959   7 minutes ago   1.98MB\n"
        "localhost:5000/bb   1         529091e16959   7 minutes ago   1.98MB\n"
        "<none>              <none>    000000000000   2 years ago     0B\n"
    )


def test_images_with_digests(ours) -> None:
    lines = ours("images", "--digests", "--format", "{{.Repository}} {{.Digest}}").out.splitlines()
    assert lines == ["bb sha256:1111", "localhost:5000/bb <none>", "<none> <none>"]


def test_an_argument_of_images_is_a_filter(recorder, ours) -> None:
    ours("images", "bb:l*")
    assert "reference" in recorder.take()[0].target


def test_history(ours) -> None:
    assert ours("history", "bb").out == (
        "IMAGE          CREATED         CREATED BY                                      SIZE"
        "      COMMENT\n"
        '529091e16959   7 minutes ago   /bin/sh -c #(nop)  CMD ["sh"] and more than …   0B'
        "        \n"
        "<missing>      N/A                                                             1.98MB"
        "    Imported\n"
    )


def test_history_for_programs(ours) -> None:
    lines = ours("history", "-H=false", "bb").out.splitlines()
    assert lines[0].split()[:3] == ["IMAGE", "CREATED", "AT"]
    assert "1982256" in lines[2]


def test_top(recorder, ours) -> None:
    outcome = ours("top", "web", "-o", "pid,cmd")
    assert outcome.out == "".join(
        f"{pid:<20}{command}\n" for pid, command in (("PID", "CMD"), ("1", "sh"), ("22", "sleep 1"))
    )
    assert recorder.take()[0].target == "/v1.50/containers/web/top?ps_args=-o+pid%2Ccmd"
