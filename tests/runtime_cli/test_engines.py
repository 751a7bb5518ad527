"""Other engines drive the program: podman through conmon, dockerd and containerd through a shim.

`scripts/try-engines` has each of them do what people do with it, with runc and with us, and what it
prints has to be the same.
"""

import difflib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.privileged

SCRIPT = Path(__file__).parents[2] / "scripts" / "try-engines"
PROGRAM = Path(sys.executable).parent / "boxship-runtime"
PLACES = f"{os.environ['PATH']}:/usr/sbin:{SCRIPT.parents[1]}/.cache/bin"
NEEDED = {
    "podman": ("podman", "conmon"),
    "dockerd": ("dockerd", "containerd", "docker"),
    "containerd": ("containerd", "ctr", "containerd-shim-runc-v2"),
}
PROOFS = {
    "podman": (
        "hello from podman", "[exit status 7]", "life Paused", "told", "life Exited (5)",
        "healthy" , "2 1", "net namespace: shared", "pid namespace: each its own", "pod Running 3",
    ),
    "dockerd": (
        "hello from dockerd", "[exit status 127]", "[exit status 126]", "(Paused)",
        "OOM killed: true, exit code 137", "once more\nonce more\nonce more", "told", "Exited (5)",
        "unhealthy\n", "\nhealthy\n", "33554432\n25000\n30\n",
    ),
    "containerd": (
        "hello from containerd", "[exit status 7]", "c RUNNING", "c PAUSED", "c STOPPED",
        "tasks metrics: ", "1 process",
    ),
}  # fmt: skip
"""What is to be found in any case, so that two failures are not taken for agreement."""
CHANGING = (
    (r"/[^ ]*/(runc|boxship-runtime)\b", "RUNTIME"),
    (r"\b(runc|boxship-runtime) (create|run) failed", "RUNTIME failed"),
    (r"/tmp/bx-eng-\w+", "HOME"),
    (r"/bx-eng-\w+", "/GROUP"),
    (r"\b[0-9a-f]{63,64}\b", "ID"),
    (r"\d{4}-\d\d-\d\dT[\d:]+Z", "TIME"),
    (r"[\d.]+[kKM]i?B / ", "MEMORY / "),
    (r"(\d+ seconds?|Less than a second) ago", "JUST NOW"),
    (r"Up .*(second|Less)\w*.*?(?= \(|$)", "Up"),
    (r"(?m)^\d+ +(sh|sleep)$", r"PID \1"),
    (r".*resize pty.*\n", ""),
    (r"(?m)^(\S+; )?exit \d\n", ""),
)


def blocks(text: str) -> dict[str, str]:
    """Return what was printed for each command, without what is another in every run."""
    for pattern, replacement in CHANGING:
        text = re.sub(pattern, replacement, text)
    found: dict[str, str] = {}
    for block in re.split(r"(?m)^(?=\$ |== )", text):
        head, _, body = block.partition("\n")
        found[f"{head} ({sum(head in key for key in found)})"] = body.rstrip()
    return found


def tried(engine: str, runtime: str) -> str:
    done = subprocess.run(
        [SCRIPT, "--runtime", runtime, engine],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cannot_be_compared(head: str, theirs: str) -> bool:
    """Tell where runc does less: it does not start without all it is asked for."""
    refused = ("operation not permitted", "unable to apply caps")
    # criu's own words, and where it writes them, are the engines' and the program's matter.
    return any(one in theirs for one in refused) or "checkpoint" in head


@pytest.mark.parametrize("engine", sorted(NEEDED))
def test_an_engine_finds_no_difference_to_runc(engine: str) -> None:
    for program in (*NEEDED[engine], "runc"):
        if shutil.which(program, path=PLACES) is None:
            pytest.skip(f"{program} is not installed")
    if not PROGRAM.exists():
        pytest.skip("boxship-runtime is not installed beside the interpreter")
    ours = tried(engine, str(PROGRAM))
    for proof in PROOFS[engine]:
        assert proof in ours, ours
    theirs = blocks(tried(engine, "/usr/sbin/runc"))
    found = blocks(ours)
    assert list(found) == list(theirs)
    if differing := _differing(found, theirs):
        # Once more: ctr drops what it has not read by the end of a process, on a busy machine.
        again = blocks(tried(engine, str(PROGRAM)))
        theirs_again = blocks(tried(engine, "/usr/sbin/runc"))
        differing = [head for head in differing if head in _differing(again, theirs_again)]
    assert not differing, "\n\n".join(
        f"{head}\n" + "\n".join(difflib.ndiff(theirs[head].splitlines(), found[head].splitlines()))
        for head in differing
    )


def _differing(found: dict[str, str], theirs: dict[str, str]) -> list[str]:
    return [
        head
        for head in theirs
        if sorted(found[head].splitlines()) != sorted(theirs[head].splitlines())
        and not cannot_be_compared(head, theirs[head])
    ]
