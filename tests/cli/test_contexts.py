"""Contexts: the same texts as Docker's own client, one store for both, and no way out of it."""

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.cli.main import main
from boxship.cli.target import Target, chosen, context_name
from boxship.client.contextarchive import packed, unpacked
from boxship.client.contexts import ContextStore, document_of
from boxship.client.endpoint import TcpEndpoint, TlsOptions
from support.certificates import Authority

DOCKER = "/usr/local/bin/docker"
PEM = {"ca.pem": b"ca", "cert.pem": b"cert", "key.pem": b"key"}


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files that a connection could be made with."""
    authority = Authority(tmp_path_factory.mktemp("ca"))
    issued = authority.issue("client")
    paths = (authority.certificate, issued.certificate, issued.key)
    return {name: path.read_bytes() for name, path in zip(PEM, paths, strict=True)}


@dataclass
class Home:
    """A configuration directory that both clients use."""

    path: Path

    def filled(self, pem: dict[str, bytes]) -> "Home":
        (self.path / "config").mkdir(parents=True)
        for name, data in pem.items():
            (self.path / name).write_bytes(data)
        return self

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return kept | {"DOCKER_CONFIG": str(self.path / "config")}

    def docker(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [DOCKER, *arguments], env=self.environment | variables, cwd=self.path,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def boxship(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """The same in this process, which spares the test an interpreter's start."""
        out, err = io.StringIO(), io.StringIO()
        saved, here = dict(os.environ), os.getcwd()
        os.environ.clear()
        os.environ.update(self.environment | variables)
        os.chdir(self.path)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(arguments)
        finally:
            os.chdir(here)
            os.environ.clear()
            os.environ.update(saved)
        return code, out.getvalue(), err.getvalue()


@pytest.fixture
def home(tmp_path: Path, pem: dict[str, bytes]) -> Home:
    return Home(tmp_path).filled(pem)


LINES = r"""
context ls
context ls -q
context show
context create one --docker host=tcp://1.2.3.4:2376 --description 'Some thing'
context create one --docker host=tcp://other:1
context create 'a b'
context create a
context create default
context create two --from one --description other
context create two2 --from nope
context create three --docker host=tcp://h:1,ca=/nope
context create three --docker host=tcp://h:1,ca=ca.pem,cert=cert.pem,key=key.pem,skip-tls-verify=true
context create ten10 --docker from=three
context create bad --docker host=tcp://h:1,ca=key.pem
context create six --docker hots=x
context create six --from one --docker host=tcp://x:1
context create seven --docker host=ssh://me@there
context inspect three
context inspect nope
context inspect one two --format '{{.Name}} {{.Endpoints.docker.Host}} {{.TLSMaterial}}'
context ls
context ls --format json
context ls --format '{{.Name}}: {{.DockerEndpoint}}'
context list --format 'table {{.Name}}\t{{.Error}}'
context use nope
context use one
context show
context ls
context rm one
context rm -f one
context show
context use default
context rm nope
context rm default
context rm nope two
context update nope
context update seven --description new
context inspect seven
context update ten10 --docker host=unix:///x
context inspect ten10
context export three
context export three
context export default
context export nope -
context import eight three.dockercontext
context import eight three.dockercontext
context inspect eight --format '{{.TLSMaterial}} {{.Endpoints}}'
context import nine nothing-there
context import 'x y' three.dockercontext
-c seven context show
context ls -q
"""


def test_texts_are_those_of_docker(tmp_path: Path, pem: dict[str, bytes]) -> None:
    ours, theirs = (Home(tmp_path / name).filled(pem) for name in ("ours", "theirs"))
    different = []
    # What no option says is each engine's own.
    default = {"DOCKER_HOST": ""}
    for line in LINES.strip().splitlines():
        words = shlex.split(line)
        asked, expected = ours.boxship(*words, **default), theirs.docker(*words, **default)
        shown = [
            (code, _neutral(out, one), _neutral(err, one))
            for (code, out, err), one in ((asked, ours), (expected, theirs))
        ]
        if shown[0] != shown[1]:
            different.append((line, *shown))
    assert not different, "\n".join(map(str, different))


def _neutral(text: str, home: Home) -> str:
    """Without what has to differ: directories, sockets by default, and names of programs."""
    text = text.replace(str(home.path), "HOME")
    text = text.replace("/run/boxship/boxship.sock", "/var/run/docker.sock")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    # Docker ends with a hint at --help where a line is wrong, Boxship with its own.
    return "\n".join(line for line in lines if not line.startswith(("Run '", "Usage:")) and line)


def test_each_reads_what_the_other_writes(home: Home, pem: dict[str, bytes]) -> None:
    tls = "ca=ca.pem,cert=cert.pem,key=key.pem"
    assert home.boxship("context", "create", "mine", "--docker", f"host=tcp://h:1,{tls}")[0] == 0
    assert home.docker("context", "create", "theirs", "--docker", f"host=tcp://i:2,{tls}")[0] == 0
    for client in (home.docker, home.boxship):
        shown = client("context", "inspect", "mine", "theirs")[1]
        assert [each["Endpoints"]["docker"]["Host"] for each in json.loads(shown)] == [
            "tcp://h:1", "tcp://i:2",
        ]  # fmt: skip
    assert home.boxship("context", "use", "theirs")[0] == 0
    assert home.docker("context", "show")[1] == "theirs\n"
    assert home.docker("context", "use", "mine")[0] == 0
    assert home.boxship("context", "show")[1] == "mine\n"
    for exporting, importing, name in (
        (home.docker, home.boxship, "mine"),
        (home.boxship, home.docker, "theirs"),
    ):
        assert exporting("context", "export", name)[0] == 0
        assert importing("context", "import", f"{name}2", f"{name}.dockercontext")[0] == 0
    ours, theirs = (home.path / f"{name}.dockercontext" for name in ("theirs", "mine"))
    assert ours.stat().st_mode & 0o777 == 0o600
    with tarfile.open(ours) as tar:
        files = ["tls", "tls/docker", *(f"tls/docker/{name}" for name in pem)]
        assert tar.getnames() == ["meta.json", *files]
    assert unpacked(ours.read_bytes(), "x")[1] == unpacked(theirs.read_bytes(), "x")[1]
    store = ContextStore(str(home.path / "config"))
    for name in ("mine2", "theirs2"):
        assert store.tls_data(store.find(name)) == {"docker": pem}
    key = Path(store.tls_path("mine2"), "docker/key.pem")
    assert key.stat().st_mode & 0o777 == 0o600


def test_what_others_keep_in_a_document_stays(home: Home) -> None:
    store = ContextStore(str(home.path / "config"))
    document = document_of("k8s", "unix:///x") | {"More": [1]}
    document["Endpoints"]["kubernetes"] = {"Host": "https://k"}
    store.create(document, {"kubernetes": {"ca.pem": b"k"}})
    assert home.boxship("context", "update", "k8s", "--docker", "host=unix:///y")[0] == 0
    changed = store.find("k8s")
    assert (changed.host, changed.document["More"]) == ("unix:///y", [1])
    assert changed.document["Endpoints"]["kubernetes"] == {"Host": "https://k"}
    assert store.tls_data(changed) == {"kubernetes": {"ca.pem": b"k"}}
    (home.path / "config/config.json").write_text('{"auths":{"r":{"auth":"eA=="}},"own":1}')
    assert home.boxship("context", "use", "k8s")[0] == 0
    assert json.loads((home.path / "config/config.json").read_text()) == {
        "auths": {"r": {"auth": "eA=="}}, "own": 1, "currentContext": "k8s",
    }  # fmt: skip


NO_TLS = TlsOptions()


@pytest.mark.parametrize(
    ("host", "context", "environment", "current", "name"),
    [
        (None, None, {}, "", "default"),
        (None, None, {}, "one", "one"),
        (None, None, {"DOCKER_CONTEXT": "two"}, "one", "two"),
        (None, None, {"DOCKER_HOST": "unix:///q", "DOCKER_CONTEXT": "two"}, "one", "default"),
        (None, None, {"BOXSHIP_HOST": "unix:///q"}, "one", "default"),
        (None, "three", {"DOCKER_HOST": "unix:///q", "DOCKER_CONTEXT": "two"}, "one", "three"),
        ("unix:///q", None, {"DOCKER_CONTEXT": "two"}, "one", "default"),
        (None, "default", {}, "one", "default"),
    ],
)
def test_which_context_holds(host, context, environment, current, name):
    target = Target(host, context, NO_TLS)
    assert context_name(target, environment, lambda: current) == name


def test_a_host_and_a_context_at_once_are_refused(home: Home) -> None:
    done = home.boxship("-H", "unix:///q", "--context", "x", "ps")
    assert done[0] != 0
    assert "conflicting options: cannot specify both --host and --context" in done[2]


def test_a_context_that_is_gone_is_named_and_can_be_left(home: Home) -> None:
    (home.path / "config/config.json").write_text('{"currentContext":"gone"}')
    code, _, told = home.boxship("ps")
    assert code != 0
    assert 'unable to resolve docker endpoint: context "gone": context not found' in told
    assert "gone *" in home.boxship("context", "ls")[1]
    assert home.boxship("context", "use", "default")[0] == 0
    assert home.boxship("context", "show")[1] == "default\n"


def test_tls_of_a_context_is_its_own(home: Home) -> None:
    store = ContextStore(str(home.path / "config"))
    store.create(document_of("all", "tcp://h:1"), {"docker": PEM})
    store.create(document_of("system-ca", "tcp://h:1"), {"docker": {"cert.pem": b"c"}})
    store.create(document_of("trusting", "tcp://h:1", skip_verify=True), {})
    store.create(document_of("plain", "tcp://h:1"), {})

    def tls(name: str):
        endpoint = chosen(Target(None, None, NO_TLS), name, {}, str(home.path / "config")).endpoint
        assert isinstance(endpoint, TcpEndpoint)
        return endpoint.tls

    directory = os.path.join(store.tls_path("all"), "docker")
    assert tls("all") == (*(os.path.join(directory, name) for name in PEM), True)
    assert (tls("system-ca").ca, tls("system-ca").verify) == ("", True)
    assert tls("trusting") == ("", "", "", False)
    assert tls("plain") is None
    with pytest.raises(NotFoundError):
        tls("nobodys")


def archive(*members: tuple[str, bytes], kind: str = "tar") -> bytes:
    output = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(output, "w") as zipped:
            for name, data in members:
                zipped.writestr(name, data)
    else:
        with tarfile.open(fileobj=output, mode="w") as tar:
            for name, data in members:
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return output.getvalue()


META = ("meta.json", b'{"Name":"old","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://h:1"}}}')


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_archives_are_read_and_get_their_new_name(kind):
    given = archive(META, ("tls/docker/ca.pem", b"ca"), kind=kind)
    document, tls = unpacked(given, "new")
    assert document["Name"] == "new"
    assert tls == {"docker": {"ca.pem": b"ca"}}
    assert unpacked(packed(document, tls), "new") == (document, tls)


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize(
    "name",
    ["../x", "tls/../../x", "tls/docker/../../../x", "/etc/x", "tls/.ssh/x", "tls/docker/.x",
     "tls/docker/a/b", "more.json", "tls/docker/", "tls//x"],
)  # fmt: skip
def test_what_has_no_place_in_an_archive_is_refused(kind, name):
    if name.endswith("/"):
        name += "\0x" if kind == "tar" else " x"
    with pytest.raises(InvalidArgumentError):
        unpacked(archive(META, (name, b"x"), kind=kind), "new")


def test_a_link_in_an_archive_is_refused():
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        link = tarfile.TarInfo("meta.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(InvalidArgumentError, match="no file of a context"):
        unpacked(output.getvalue(), "new")


@pytest.mark.parametrize(
    "data",
    [b"", b"x" * 2000, archive(("meta.json", b"{")), archive(("meta.json", b"[]")), archive()],
    ids=["nothing", "noise", "cut", "list", "empty"],
)
def test_what_is_no_archive_is_refused(data):
    with pytest.raises(InvalidArgumentError):
        unpacked(data, "new")


def test_the_client_starts_without_the_store() -> None:
    """Contexts are loaded by who has one."""
    code = "import sys, boxship.cli.main, boxship.cli.session; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "boxship.client.contexts" not in loaded.stdout.split()
