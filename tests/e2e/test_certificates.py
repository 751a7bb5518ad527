"""TCP with certificates: Docker's own client with good ones, wrong ones, none; renewal; tokens."""

import base64
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.certificates import Authority, Issued
from support.cli import Cli, Done
from support.engine import Engine
from support.fakeplugin import Answers, serving
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


@dataclass(frozen=True)
class Place:
    """A daemon on TCP, the authority that it trusts, another, and clients with certificates."""

    engine: Engine
    authority: Authority
    foreign: Authority

    def port(self, number: int = 0) -> int:
        """The port of the listener that was opened as the first, second … of TCP."""
        return int(re.findall(r"API listen on 127\.0\.0\.1:([0-9]+)", self.engine.log())[number])

    def ask(
        self,
        program: str,
        issued: Issued | None,
        *command: str,
        ca: Authority | None = None,
        host: str = "127.0.0.1",
    ) -> Done:
        """Run a client with a certificate, or without."""
        words = ["--tlsverify", f"--tlscacert={(ca or self.authority).certificate}"]
        if issued is not None:
            words += [f"--tlscert={issued.certificate}", f"--tlskey={issued.key}"]
        words += ["-H", f"tcp://{host}:{self.port()}", *command]
        empty = self.engine.home / "empty"
        empty.mkdir(exist_ok=True)
        client = Cli(program, {"DOCKER_CONFIG": str(empty), "DOCKER_CERT_PATH": str(empty)})
        return client.run(*words)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("certificates")
    authority, foreign = (
        Authority(directory / "ours"),
        Authority(directory / "foreign", "Elsewhere"),
    )
    server = authority.issue("server", "127.0.0.1", usage="server")
    with Engine(
        *("-H=tcp://127.0.0.1:0", "--tlsverify", "--token-host=tcp://127.0.0.1:0"),
        f"--tlscacert={authority.certificate}",
        *(f"--tlscert={server.certificate}", f"--tlskey={server.key}"),
    ) as engine:
        yield Place(engine, authority, foreign)


@pytest.fixture(params=["docker", "boxship"])
def program(request: pytest.FixtureRequest, place: Place) -> str:
    return str(getattr(place.engine, request.param).program)


def test_who_has_a_certificate_of_ours_is_let_in(place: Place, program: str) -> None:
    for usage in ("", "client"):
        client = place.authority.issue("client", usage=usage)
        done = place.ask(program, client, "info", "--format={{.ServerVersion}}")
        assert (done.code, done.out.count(".")) == (0, 2), done


def test_judges_are_shown_the_clients_chain(place: Place, tmp_path: Path) -> None:
    methods = ("AuthZPlugin.AuthZReq", "AuthZPlugin.AuthZRes")
    answers: Answers = dict.fromkeys(methods, lambda _: {"Allow": True})
    client = place.authority.issue("shown", usage="client")
    leaf, root = client.certificate.read_bytes(), place.authority.certificate.read_bytes()
    client.certificate.write_bytes(leaf + root)
    server = place.authority.issue("server", "127.0.0.1", usage="server")
    flags = (
        *("-H=tcp://127.0.0.1:0", "--tlsverify", f"--tlscacert={place.authority.certificate}"),
        *(f"--tlscert={server.certificate}", f"--tlskey={server.key}"),
        *(f"--plugin-dir={tmp_path}", "--authorization-plugin=judge"),
    )
    with serving(str(tmp_path / "judge.sock"), "authz", answers) as judge:
        with Engine(*flags) as engine:
            judge.asked.clear()
            judged = Place(engine, place.authority, place.foreign)
            assert judged.ask(str(engine.docker.program), client, "ps").code == 0
            asked = [judge_ for judge_ in judge.asked if judge_[0] in methods]
        assert {method for method, _ in asked} == {*methods}
        for _, wish in asked:
            chain = [base64.b64decode(one) for one in wish["RequestPeerCertificates"]]
            assert (wish["User"], chain) == ("shown", [leaf, root])


def test_who_has_none_or_a_wrong_one_is_told_so(place: Place, program: str) -> None:
    issue = place.authority.issue
    for what, issued, words in (
        ("none", None, "certificate required"),
        ("foreign", place.foreign.issue("client"), "unknown ca|unknown certificate authority"),
        ("expired", issue("old", since=-9, days=-1), "expired"),
        ("to come", issue("new", since=2, days=9), "certificate"),
        ("a server's", issue("srv", "127.0.0.1", usage="server"), "unsupported certificate"),
    ):
        done = place.ask(program, issued, "ps")
        assert done.code != 0, what
        assert re.search(words, done.err.replace("_", " "), re.IGNORECASE), (what, done)


def test_a_client_does_not_speak_with_a_stranger(place: Place, program: str) -> None:
    client = place.authority.issue("client")
    done = place.ask(program, client, "ps", ca=place.foreign)
    assert done.code != 0
    assert re.search("certificate.*(unknown authority|verify failed)", done.err), done
    done = place.ask(program, client, "ps", host="localhost")
    assert done.code != 0
    assert re.search("not valid for|valid for 127|doesn't match|mismatch", done.err), done


def test_without_tls_nobody_is_understood(place: Place, program: str) -> None:
    plain = Cli(program, {"DOCKER_HOST": f"tcp://127.0.0.1:{place.port()}"})
    assert plain.run("ps").code != 0


def test_a_context_has_a_daemon_s_certificates(place: Place, tmp_path: Path) -> None:
    """Made by either client, used by both, and nothing of the environment counts beside it."""
    issued = place.authority.issue("client")
    words = f"host=tcp://127.0.0.1:{place.port()},ca={place.authority.certificate},"
    words += f"cert={issued.certificate},key={issued.key}"
    clean = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_HOST": "", "DOCKER_TLS_VERIFY": ""}
    docker = Cli(place.engine.docker.program, clean)
    boxship = Cli(place.engine.boxship.program, clean)
    docker("context", "create", "far", "--docker", words)
    boxship("context", "create", "also", "--docker", words)
    version = ("version", "--format={{.Server.Version}} {{.Client.Context}}")
    assert boxship("--context=far", *version).endswith(" far")
    assert docker("--context=also", *version).endswith(" also")
    boxship("context", "use", "far")
    for client in (boxship, docker):
        assert client("info", "--format={{.ClientInfo.Context}}") == "far"
        assert client("ps", "-q") == ""
    foreign = place.foreign.issue("stranger")
    boxship(
        "context",
        "update",
        "far",
        "--docker",
        words.replace(str(issued.certificate), str(foreign.certificate)).replace(
            str(issued.key), str(foreign.key)
        ),
    )
    assert boxship.run("ps").code == docker.run("ps").code == 1


def test_certificates_are_renewed_while_it_runs(place: Place) -> None:
    """What doesn't fit changes nothing; what does holds from the next connection on."""
    engine, program = place.engine, place.engine.docker.program
    theirs, ours = place.foreign.issue("theirs"), place.authority.issue("ours")
    trusted = place.authority.certificate
    before = trusted.read_bytes()

    def reload(told: str) -> None:
        seen = engine.log().count(told)
        os.kill(engine.pid, signal.SIGHUP)
        eventually(lambda: engine.log().count(told) > seen, "the end of the reload")

    try:
        trusted.write_bytes(b"no certificate")
        reload("certificates not reloaded: could not load TLS files")
        trusted.write_bytes(before)
        assert place.ask(program, ours, "ps").code == 0
        shutil.copy(place.foreign.certificate, trusted)
        reload("Reloaded configuration")
        trusted.write_bytes(before)  # for the clients, to know the daemon by
        assert place.ask(program, theirs, "ps").code == 0
        assert place.ask(program, ours, "ps").code != 0
    finally:
        trusted.write_bytes(before)
        reload("Reloaded configuration")
    assert place.ask(program, ours, "ps").code == 0


def test_a_token_is_worth_its_scope_and_no_more(place: Place, tmp_path: Path) -> None:
    engine = place.engine
    create = ("system", "socket", "create", "--token", "--allow=containers:read", "ci")
    token = engine.boxship(*create)
    words = ["--tlsverify", f"--tlscacert={place.authority.certificate}"]
    words += ["-H", f"tcp://127.0.0.1:{place.port(1)}"]

    def client(shown: str, config: Path) -> Cli:
        config.mkdir()
        headers = {"HttpHeaders": {"Authorization": f"Bearer {shown}"}} if shown else {}
        (config / "config.json").write_text(json.dumps(headers))
        return Cli(engine.docker.program, {"DOCKER_CONFIG": str(config)})

    with_it = client(token, tmp_path / "with")
    assert with_it("-l", "error", *words, "ps", "-q") == ""
    done = with_it.run(*words, "images")
    assert "the scope ci does not allow this: it lacks images:read" in done.err, done
    for shown, told in (("", "a token is needed here"), (token + "x", "no such token")):
        done = client(shown, tmp_path / f"without{len(shown)}").run(*words, "ps")
        assert (done.code, told in done.err) == (1, True), done
    lines = engine.boxship("system", "socket", "audit", "ci").splitlines()
    assert len(lines) == 2
    assert "at 127.0.0.1:" in lines[0]
    assert token not in engine.log() + "".join(lines)
    assert token.encode() not in b"".join(
        path.read_bytes() for path in engine.data.rglob("*") if path.is_file()
    )
    done = engine.boxship.run(*words, "ps")
    assert done.code != 0
    engine.boxship("system", "socket", "rm", "ci")
    assert with_it.run(*words, "ps").code == 1


def test_who_shows_a_certificate_and_a_token_has_the_token_s_limits(place: Place) -> None:
    engine = place.engine
    token = engine.boxship("system", "socket", "create", "--token", "--allow=system:read", "both")
    config = engine.home / "both"
    config.mkdir()
    headers = {"HttpHeaders": {"Authorization": f"Bearer {token}"}}
    (config / "config.json").write_text(json.dumps(headers))
    alice = place.authority.issue("alice")
    words = [
        *("--tlsverify", f"--tlscacert={place.authority.certificate}"),
        *(f"--tlscert={alice.certificate}", f"--tlskey={alice.key}"),
        *("-H", f"tcp://127.0.0.1:{place.port()}"),
    ]
    docker = Cli(engine.docker.program, {"DOCKER_CONFIG": str(config)})
    assert docker.run(*words, "info").code == 0
    assert "the scope both does not allow this" in docker.run(*words, "ps").err
    engine.boxship("system", "socket", "rm", "both")


def test_a_reload_lets_nobody_in_who_was_not_let_in(tmp_path: Path) -> None:
    """Whether clients need a certificate counts from the next start on, as addresses do."""
    authority = Authority(tmp_path / "ours")
    server = authority.issue("server", "127.0.0.1")
    document = {
        "tlsverify": True,
        "tlscacert": str(authority.certificate),
        "tlscert": str(server.certificate),
        "tlskey": str(server.key),
    }
    file = tmp_path / "daemon.json"
    file.write_text(json.dumps(document))
    with Engine("-H=tcp://127.0.0.1:0", f"--config-file={file}") as engine:
        place = Place(engine, authority, authority)
        file.write_text(json.dumps(document | {"tlsverify": False, "tls": True, "debug": True}))
        os.kill(engine.pid, signal.SIGHUP)
        eventually(lambda: "Restart the daemon to change" in engine.log(), "the reload")
        assert place.ask(engine.docker.program, authority.issue("alice"), "ps").code == 0
        assert place.ask(engine.docker.program, None, "ps").code == 1
