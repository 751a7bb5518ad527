"""What the client has for a build: secrets from files and variables, agents from keys."""

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from boxship.base.errors import BoxshipError
from boxship.cli.building.offering import open_agents, secret_source
from boxship.cli.building.specs import Secret, Ssh


def test_a_secret_is_a_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_bytes(b"of the file")
    environment = {"NAME": "of the variable", "token2": "of its own name"}
    assert secret_source(Secret("a", "token"), environment).read() == b"of the file"
    assert secret_source(Secret("a", "", "NAME"), environment).read() == b"of the variable"
    assert secret_source(Secret("token"), environment).read() == b"of the file"
    assert secret_source(Secret("token2"), environment).read() == b"of its own name"
    assert "variable" not in repr(secret_source(Secret("a", "", "NAME"), environment))


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (Secret("a", "nothing"), "no such file: secret a"),
        (Secret("a", "", "UNSET"), "variable UNSET is not set"),
        (Secret("big", "big"), "invalid secret size"),
    ],
)
def test_what_is_no_secret_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: Secret, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "big").write_bytes(bytes(600_000))
    with pytest.raises(BoxshipError, match=reason):
        secret_source(secret, {}).read()


def test_keys_get_an_agent_that_ends_with_the_build(tmp_path: Path) -> None:
    key = str(tmp_path / "key")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "of the test", "-f", key], check=True
    )
    with ExitStack() as stack:
        sockets = open_agents((Ssh("mine", (key,)),), {}, stack)
        listed = subprocess.run(
            ["ssh-add", "-l"],
            env={**os.environ, "SSH_AUTH_SOCK": sockets["mine"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "of the test" in listed.stdout
    assert not os.path.exists(sockets["mine"])


def test_the_users_own_agent_is_forwarded(tmp_path: Path) -> None:
    with ExitStack() as stack:
        environment = {"SSH_AUTH_SOCK": "/run/agent"}
        assert open_agents((Ssh("default"),), environment, stack) == {"default": "/run/agent"}


@pytest.mark.parametrize(
    ("ssh", "reason"),
    [
        (Ssh("default"), "invalid empty ssh agent socket"),
        (Ssh("mine", ("nothing",)), "failed to stat nothing"),
        (Ssh("mine", ("no-key",)), "--ssh mine:"),
    ],
)
def test_what_is_no_agent_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ssh: Ssh, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no-key").write_text("nonsense")
    with ExitStack() as stack, pytest.raises(BoxshipError, match=reason):
        open_agents((ssh,), {}, stack)
