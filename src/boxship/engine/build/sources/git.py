"""Checkouts of git repositories, by the ``git`` program.

What a Dockerfile names is no option and no command: only protocols of the network are spoken (git
knows others that run programs), nothing of the machine's configuration holds, no question is asked,
and what a repository brings along (hooks, filters, links) is not executed or followed. Credentials
travel in the environment, which others cannot read, and never as arguments.
"""

import asyncio
import base64
import contextlib
import os
import posixpath
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from boxship.base.errors import InvalidArgumentError, NotFoundError, UnavailableError
from boxship.engine.build.planning.filesteps import shown_url
from boxship.kernel.paths import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from boxship.solver.operations import GitSource

Tell = Callable[[int, bytes], None]

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PROTOCOLS = "http:https:git:ssh"
_SCP = re.compile(r"(?!-)[\w.-]+@(?!-)[\w.-]+:.*")
_SSH = "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o IdentityFile=none"
"""Not with the keys of whoever runs the daemon: ssh finds their home without being told."""
_SAFE = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("advice.detachedHead", "false"),
    ("gc.auto", "0"),
    ("submodule.recurse", "false"),
)
_MOST_TOLD = 4096


@dataclass(frozen=True, slots=True)
class Access:
    """What a repository is reached with; empty: nothing. ``header`` is a whole ``Authorization``.

    ``agent`` is the path of a socket where an SSH agent answers, ``known_hosts`` of a file; without
    one a server is believed the first time.
    """

    token: str = ""
    header: str = ""
    agent: str = ""
    known_hosts: str = "/dev/null"


NO_ACCESS = Access()


async def commit_of(source: GitSource, access: Access = NO_ACCESS) -> str:
    """Return the commit that a source means now.

    InvalidArgumentError: such a remote is not spoken to; NotFoundError: no such branch or tag;
    UnavailableError: the remote does not answer.
    """
    check(source)
    if _COMMIT.fullmatch(source.ref):
        return _checked(source, source.ref)
    wanted = source.ref or "HEAD"
    with tempfile.TemporaryDirectory() as nowhere:
        git = _Git(nowhere, source, access)
        listed = await git.run("ls-remote", "--", source.remote, wanted, f"{wanted}^{{}}")
    lines = (line.partition("\t") for line in listed.splitlines())
    refs = {name: commit for commit, _, name in lines}
    for name in (wanted, f"refs/heads/{wanted}", f"refs/tags/{wanted}", f"refs/{wanted}"):
        found = refs.get(f"{name}^{{}}") or refs.get(name)
        if found:
            return _checked(source, found)
    raise NotFoundError(f"repository {shown_url(source.remote)} does not contain ref {wanted}")


async def fetch(source: GitSource, directory: str, tell: Tell, access: Access = NO_ACCESS) -> str:
    """Check a source out into ``directory`` (absolute), which is empty; return its commit.

    Errors as of :func:`commit_of`; InvalidArgumentError: there is no such subdirectory.
    """
    commit = await commit_of(source, access)
    place = tempfile.mkdtemp(dir=posixpath.dirname(directory))
    try:
        git = _Git(place, source, access, tell)
        await git.run("init", "--quiet")
        await _bring(git, source, commit)
        await git.run("checkout", "--quiet", "--force", commit)
        if source.submodules:
            await git.run("submodule", "update", "--init", "--recursive", "--depth=1")
        await asyncio.to_thread(_hand_over, place, source, directory)
    finally:
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
    return commit


def check(source: GitSource) -> None:
    """Raise InvalidArgumentError for what git must not be asked."""
    scheme, colon, _ = source.remote.partition("://")
    known = scheme in _PROTOCOLS.split(":") if colon else _SCP.fullmatch(source.remote)
    if not known:
        raise InvalidArgumentError(
            f"{shown_url(source.remote)}: a git repository is reached by http, https, git or ssh"
        )
    if source.ref.startswith("-") or any(c in source.ref for c in "\0\n :?*[\\^~"):
        raise InvalidArgumentError(f"{source.ref!r} cannot be a branch, a tag or a commit")


def _checked(source: GitSource, commit: str) -> str:
    if source.checksum and not commit.startswith(source.checksum):
        raise InvalidArgumentError(
            f"expected checksum to match {source.checksum}, got {commit}: "
            f"{shown_url(source.remote)}"
        )
    return commit


async def _bring(git: "_Git", source: GitSource, commit: str) -> None:
    """Fetch one commit alone where the server gives it by its name, else what the ref has."""
    try:
        await git.run("fetch", "--depth=1", "--no-tags", "--", source.remote, commit)
    except UnavailableError:
        refs = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
        await git.run("fetch", "--", source.remote, *refs)


def _hand_over(place: str, source: GitSource, directory: str) -> None:
    if not source.keep_git_directory:
        shutil.rmtree(f"{place}/.git")
    top = os.open(place, os.O_PATH | os.O_DIRECTORY)
    try:
        part = source.subdirectory.strip("/") or "."
        try:
            flags, how = os.O_PATH | os.O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
            os.close(openat2(top, part, flags, how))
        except OSError as error:
            raise InvalidArgumentError(
                f"{shown_url(source.remote)}: there is no directory {source.subdirectory!r}: "
                f"{error.strerror}"
            ) from error
    finally:
        os.close(top)
    whole = os.path.join(place, part)
    for name in os.listdir(whole):
        os.rename(os.path.join(whole, name), os.path.join(directory, name))


class _Git:
    """Runs git in a directory; what is cancelled is killed, with all that it has started."""

    def __init__(
        self, place: str, source: GitSource, access: Access, tell: Tell = lambda *_: None
    ) -> None:
        self._place = place
        self._environment = _environment(place, source, access)
        self._tell = tell

    async def run(self, *arguments: str) -> str:
        """Return what it says. UnavailableError: what it complains of."""
        try:
            process = await asyncio.create_subprocess_exec(
                "git", *arguments,
                cwd=self._place, env=self._environment, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise UnavailableError("the program git is not installed") from None
        try:
            output, complaint = await process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if complaint:
            self._tell(2, complaint)
        if process.returncode:
            said = complaint[-_MOST_TOLD:].decode(errors="replace").strip()
            raise UnavailableError(f"git {arguments[0]}: {said}")
        return output.decode(errors="surrogateescape")


def _environment(place: str, source: GitSource, access: Access) -> Mapping[str, str]:
    settings = list(_SAFE)
    header = access.header
    if access.token and not header:
        basic = base64.b64encode(f"x-access-token:{access.token}".encode()).decode()
        header = f"basic {basic}"
    if header:  # for this remote alone, and not where it redirects to
        settings.append(("http.followRedirects", "false"))
        settings.append((f"http.{source.remote}.extraHeader", f"Authorization: {header}"))
    found = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": place,
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_SSH_COMMAND": f"{_SSH} -o UserKnownHostsFile={access.known_hosts} "
        f"-o IdentityAgent={access.agent or 'none'}",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY"):
        if name in os.environ:
            found[name] = os.environ[name]
    if access.agent:
        found["SSH_AUTH_SOCK"] = access.agent
    return found
