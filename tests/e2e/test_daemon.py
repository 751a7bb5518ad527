"""The daemon as a program: signals, flags, a second one on the same root."""

import json
import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


def test_a_second_daemon_on_the_same_root_is_refused(make_engine: Callable[..., Engine]) -> None:
    first, second = make_engine(), make_engine()
    first.start()
    second.data = first.data
    second.launch()
    assert second.wait() == 1
    assert str(first.data) in second.log()
    assert first.answers()


def test_a_terminated_daemon_leaves_nothing_of_itself(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    engine.start()
    assert (engine.home / "d.pid").read_text().strip() == str(engine.pid)
    assert oct(engine.socket.stat().st_mode & 0o777) == "0o660"
    assert engine.stop() == 0
    assert not engine.socket.exists()
    assert not (engine.home / "d.pid").exists()


def test_others_on_the_machine_get_at_none_of_its_data(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    engine.data.mkdir(mode=0o755)  # as of a daemon that did not take care
    engine.start()
    assert oct(engine.data.stat().st_mode & 0o777) == "0o710"
    records = {path.name: path.stat().st_mode & 0o777 for path in engine.data.glob("boxship.db*")}
    assert records == dict.fromkeys(records, 0o600)
    assert "boxship.db-wal" in records


def test_hang_up_reads_the_configuration_again(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    file = engine.home / "daemon.json"
    file.write_text(json.dumps({"debug": False}))
    engine.add_flags(f"--config-file={file}")
    engine.start()
    assert engine.api.get("/info").json()["Debug"] is False
    file.write_text(json.dumps({"debug": True, "no-new-privileges": True}))
    os.kill(engine.pid, signal.SIGHUP)
    eventually(lambda: engine.api.get("/info").json()["Debug"] is True, "the new configuration")
    eventually(
        lambda: "Restart the daemon to change no-new-privileges" in engine.log(), "what has to wait"
    )
    file.write_text("{ this is no JSON")
    os.kill(engine.pid, signal.SIGHUP)
    eventually(lambda: "daemon.json" in engine.log(), "a word about the bad file")
    assert engine.answers()


@pytest.mark.parametrize("flag", ["--no-such-flag", "--data-root", "-H=carrier-pigeon://coop"])
def test_a_bad_flag(make_engine: Callable[..., Engine], flag: str) -> None:
    engine = make_engine()
    done = subprocess.run(
        [*engine.command, flag],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode != 0
    assert flag.partition("=")[0].lstrip("-") in done.stderr or "carrier-pigeon" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_answers_within_a_second(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine("--storage-driver=overlay2", "--live-restore", "--debug")
    engine.launch()
    eventually(engine.answers, "the first answer", timeout=1.0)


def test_images_and_containers_are_there_after_a_restart(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    engine.api.create("kept", Cmd=["echo", "hi"], Labels={"color": "blue"})
    before = engine.api.inspect("kept")
    engine.stop()
    engine.start()
    assert engine.api.inspect("kept") == before
    engine.api.start("kept")
    assert engine.api.wait("kept") == 0
    assert engine.api.logs("kept") == b"hi\n"
