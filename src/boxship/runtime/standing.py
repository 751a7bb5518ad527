"""The standing home of ``boxship-runtime``: where a call starts once instead of twice.

::

    /run/boxship-sealed/<directory of the program>/
    ├── python          the interpreter: a bind mount, read-only
    ├── interpreter     a link to the interpreter; another file there means that the mount is old
    ├── unfit           instead of that: a link to an interpreter that does not start there
    ├── pyvenv.cfg      tells the interpreter where its own library is
    ├── start           the code of ``start.py``
    └── modules         index (package's root, interpreter's version, modules, what was installed),
                        then the modules' code

A process that enters a container must be executed from an image that nobody can write to
(``sealed.py``). Sealing takes system calls, so whoever starts from the ordinary interpreter has to
start again: 7 of the 20 ms that a container's whole life takes. With a read-only mount that stays,
the shell script that users call can start the sealed interpreter at once. As with ``memfd-bind`` of
runc, it is a mount on the host until the host restarts. It belongs to root, who alone makes it; who
starts in it is asked for the seal like everybody else. Whatever goes wrong in making it is no
error: then calls go on starting twice.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import sys

from boxship.base.files import opened, write_atomic
from boxship.base.suppress import suppress
from boxship.kernel import mounts
from boxship.runtime.owned import make_owned
from boxship.runtime.sealed import read_only_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

HOMES = "/run/boxship-sealed"
_PROGRAM = "boxship-runtime.py"
_UNFIT = "unfit"

_EXPECTED = (
    "boxship.runtime.main",
    "boxship.runtime.seccomp.compiler",
    "boxship.runtime.seccomp.stored",
    *(
        f"boxship.runtime.cli.verbs.{verb}"
        for verb in ("create", "delete", "exec", "kill", "run", "start", "state")
    ),
    "boxship.runtime.cli.call",
    "boxship.runtime.cli.catalog",
)
"""What is called often, with all that it imports."""

_WRITE = (
    "import sys; sys.path.insert(0, sys.argv[1])\n"
    "from boxship.runtime.standing import write_code; write_code(*sys.argv[1:])"
)
_INDEX = 64 * 1024
"""The room for a file's index, whose length stands in the first four bytes, before the codes."""


def home_of(program: str) -> str:
    """Return the home of the program at ``program``, an absolute path."""
    return HOMES + os.path.dirname(program)


def establish(home: str, interpreter: str, *, stale: bool = False) -> None:
    """Make what is missing of a home, root alone can; with ``stale`` gather the code anew.

    Failing is no error.
    """
    if os.geteuid() != 0:
        return
    before = os.umask(0o022)  # everybody starts there
    try:
        with suppress(OSError):
            if make_owned(home):
                _renew(home, interpreter, stale=stale)
    finally:
        os.umask(before)


def _renew(home: str, interpreter: str, *, stale: bool) -> None:
    with opened(home, os.O_RDONLY | os.O_DIRECTORY) as directory:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_unfit(home, interpreter):
            return
        mounted = _is_mounted(home, interpreter)
        # Another interpreter may not understand what the one before it has compiled.
        if stale or not mounted or _index_of(home)[3:] != (_installed(home),):
            _write_code(home, interpreter)
        if not mounted:
            _mount(home, interpreter)
            _forget_orphans()


def forget(home: str) -> None:
    """Take a home away, root alone can. Who runs from it goes on. Failing is no error."""
    with suppress(OSError):
        mounts.umount2(f"{home}/python", mounts.MNT_DETACH)
    with suppress(OSError):
        for name in os.listdir(home):
            os.unlink(f"{home}/{name}")
        while home != HOMES:
            os.rmdir(home)
            home = os.path.dirname(home)


def _forget_orphans() -> None:
    """Forget the homes of programs that have been removed: nobody else would, until a restart."""
    end = "/python"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        places = [line.split()[4] for line in stream]
    for place in places:
        if place.startswith(f"{HOMES}/") and place.endswith(end):
            home = place.removesuffix(end)
            if not os.path.lexists(f"{home.removeprefix(HOMES)}/{_PROGRAM}"):
                forget(home)


def _installed(home: str) -> tuple[tuple[str, int, int], ...]:
    """Return what tells one installation from the next: the program, and where calls begin."""
    files = (f"{home.removeprefix(HOMES)}/{_PROGRAM}", f"{os.path.dirname(__file__)}/start.py")
    found = ((file, os.stat(file)) for file in map(os.path.abspath, files))
    return tuple((file, status.st_mtime_ns, status.st_size) for file, status in found)


def _is_mounted(home: str, interpreter: str) -> bool:
    try:
        known = os.readlink(f"{home}/interpreter") == interpreter
        return known and os.path.samefile(f"{home}/python", interpreter)
    except FileNotFoundError:
        return False


def _mount(home: str, interpreter: str) -> None:
    python, link = f"{home}/python", f"{home}/interpreter"
    with suppress(OSError):
        mounts.umount2(python, mounts.MNT_DETACH)  # an interpreter that has been replaced
    os.close(os.open(python, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o755))
    with suppress(FileNotFoundError):
        os.unlink(link)
    text = f"home = {os.path.dirname(interpreter)}\n"
    write_atomic(f"{home}/pyvenv.cfg", text.encode(), durable=False)
    image = read_only_image(interpreter)
    try:
        with opened(python, os.O_PATH) as place:
            mounts.move_mount(image, place)
    finally:
        os.close(image)
    if _works(home):
        os.symlink(interpreter, link)
    else:
        mounts.umount2(python, mounts.MNT_DETACH)
        with suppress(FileExistsError):
            os.symlink(interpreter, f"{home}/{_UNFIT}")


def _is_unfit(home: str, interpreter: str) -> bool:
    """Tell whether it has been tried in vain, which takes as long as many calls."""
    try:
        return os.readlink(f"{home}/{_UNFIT}") == interpreter
    except FileNotFoundError:
        return False


def _works(home: str) -> bool:
    """Try it: not every build of the interpreter finds its libraries from another place."""
    return _succeeds([f"{home}/python", "-I", "-S", "-c", "import ctypes"])


def _succeeds(words: list[str]) -> bool:
    null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    pid = os.posix_spawn(words[0], words, os.environ, file_actions=null)
    return os.waitpid(pid, 0)[1] == 0


def _write_code(home: str, interpreter: str) -> None:
    """Have a fresh interpreter write it, in which nothing is loaded but what is asked for."""
    root = os.path.abspath(__file__)
    for _ in __name__.split("."):
        root = os.path.dirname(root)
    if not _succeeds([interpreter, "-I", "-S", "-c", _WRITE, root, home]):
        raise OSError("the code cannot be gathered")


def write_code(root: str, home: str) -> None:
    """Load what is called often, and write down its code."""
    for name in (*_EXPECTED, *_names_before(home)):
        with suppress(ImportError):
            __import__(name)
    index, codes = {}, b""
    for name in list(sys.modules):
        if found := _look_up(name):
            index[name] = (*found[:4], _INDEX + len(codes), len(found[4]))
            codes += found[4]
    head = marshal.dumps((root, sys.hexversion, index, _installed(home)))
    if len(head) > _INDEX - 4:
        raise ValueError("more modules than there is room for")
    content = len(head).to_bytes(4, "little") + head.ljust(_INDEX - 4, b"\0") + codes
    here = os.path.dirname(os.path.abspath(__file__))
    start = marshal.dumps(_compiled(f"{here}/start.py"))
    write_atomic(f"{home}/start", start, durable=False)
    write_atomic(f"{home}/modules", content, durable=False)


def _names_before(home: str) -> tuple[str, ...]:
    """Return what has been asked for until now, expected or not."""
    index = _index_of(home)
    return tuple(index[2]) if index else ()


def _index_of(home: str) -> tuple[Any, ...]:
    """Return the index of what has been written; empty if nothing has been."""
    try:
        with open(f"{home}/modules", "rb") as stream:
            return tuple(marshal.loads(stream.read(_INDEX)[4:]))
    except (OSError, EOFError, ValueError, TypeError):
        return ()


def _look_up(name: str) -> tuple[str, int, int, bool, bytes] | None:
    """Return what the archive has of a module; None if it does not come from a file."""
    module = sys.modules[name]
    file = getattr(getattr(module, "__spec__", None), "origin", None) or ""
    if name == "__main__" or not file.startswith("/"):
        return None
    status = os.stat(file)
    # An extension module has no code of ours, only a place.
    code = marshal.dumps(_compiled(file)) if file.endswith(".py") else b""
    return file, status.st_mtime_ns, status.st_size, hasattr(module, "__path__"), code


def _compiled(file: str) -> CodeType:
    with open(file, encoding="utf-8") as stream:
        return compile(stream.read(), file, "exec", optimize=2, dont_inherit=True)
