"""Exit codes as Docker's: 125 of the daemon, 126 and 127 of the command, 128+n of a signal."""

import pytest

from support.cli import Cli

pytestmark = pytest.mark.privileged

RUN = ("run", "--rm", "--net=none")


def test_of_the_command(docker: Cli) -> None:
    assert docker.run(*RUN, "busybox", "sh", "-c", "exit 42").code == 42


def test_of_a_missing_command(docker: Cli) -> None:
    done = docker.run(*RUN, "busybox", "no-such-thing")
    assert done.code == 127
    assert "no-such-thing" in done.err
    assert "executable file not found in $PATH" in done.err
    assert docker("ps", "-aq") == ""


def test_of_a_missing_path(docker: Cli) -> None:
    done = docker.run(*RUN, "busybox", "/no/such/thing")
    assert done.code == 127
    assert "no such file or directory" in done.err


def test_of_what_can_not_be_executed(docker: Cli) -> None:
    done = docker.run(*RUN, "busybox", "/etc/passwd")
    assert done.code == 126
    assert "permission denied" in done.err


def test_of_a_bad_flag(docker: Cli) -> None:
    done = docker.run(*RUN, "--memory=1k", "busybox", "true")
    assert done.code == 125
    assert "6MB" in done.err
    assert docker("ps", "-aq") == ""


def test_of_a_missing_image(docker: Cli) -> None:
    done = docker.run("run", "--rm", "--pull=never", "no-such-image", "true")
    assert done.code == 125
    assert "No such image" in done.err


def test_of_a_signal(docker: Cli) -> None:
    docker("run", "-d", "--net=none", "--name", "web", "busybox", "sleep", "1000")
    docker("kill", "-s", "KILL", "web")
    assert docker("wait", "web") == "137"


def test_of_exec(docker: Cli) -> None:
    docker("run", "-d", "--net=none", "--name", "web", "busybox", "sleep", "1000")
    assert docker.run("exec", "web", "sh", "-c", "exit 9").code == 9
    # dockerd 20.10 says 126, later ones 127.
    assert docker.run("exec", "web", "no-such-thing").code in {126, 127}
    assert docker.run("exec", "web", "sh", "-c", "kill -TERM $$").code == 143


def test_of_exec_in_a_stopped_container(docker: Cli) -> None:
    docker("create", "--net=none", "--name", "web", "busybox", "true")
    done = docker.run("exec", "web", "true")
    assert done.code == 1
    assert "is not running" in done.err


def test_of_a_name_in_use(docker: Cli) -> None:
    docker("create", "--name", "web", "busybox")
    done = docker.run("create", "--name", "web", "busybox")
    assert done.code == 1
    assert "is already in use by container" in done.err
