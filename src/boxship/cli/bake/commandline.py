"""``bake`` from the command line to the exit code."""

import os
import sys

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.bake.carryingout import Baking
from boxship.cli.bake.hcl.syntax import HclError
from boxship.cli.bake.listing import listed
from boxship.cli.bake.overrides import OverrideError, parse_override
from boxship.cli.bake.project import DEFAULT_FILES, BakeError, Source, printed, read_project
from boxship.cli.bake.wishes import Common
from boxship.cli.building.builders import check_builder
from boxship.cli.buildprogress.display import check_mode
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.session import Session
from boxship.cli.verb import Invocation
from boxship.oci.platform import host


def bake(session: Session, given: Invocation) -> int:
    """Read files, and print, list or build what they define; return the exit code."""
    try:
        return _bake(session, given)
    except (HclError, BakeError, OverrideError) as error:
        raise ExitError(FAILURE, f"ERROR: {error}") from None


def _bake(session: Session, given: Invocation) -> int:
    values = given.values
    if values.many("policy"):
        raise InvalidArgumentError("--policy: policies of sources are not supported")
    project = read_project(
        _sources(values.many("file")),
        _environment(session, values.many("var")),
        {"BAKE_CMD_CONTEXT": "cwd://", "BAKE_LOCAL_PLATFORM": str(host())},
    )
    if values.text("list"):
        session.out.write(listed(project, values.text("list")))
        return 0
    overrides = [parse_override(text) for text in (*_shorthands(given), *values.many("set"))]
    plan = project.plan(given.arguments, overrides)
    if values.on("print"):
        session.say(printed(plan))
        return 0
    check_builder(session, given)
    return Baking(session, _common(session, given), plan).carry_out(values.text("metadata-file"))


def _sources(files: tuple[str, ...]) -> list[Source]:
    names = files or tuple(name for name in DEFAULT_FILES if os.path.exists(name))
    if not names:
        raise BakeError(f"no bake file found: there is none of {', '.join(DEFAULT_FILES)}")
    sources = []
    for name in names:
        try:
            if name == "-":
                text = sys.stdin.read()
            else:
                with open(name, encoding="utf-8") as file:
                    text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
            raise BakeError(f"failed to read {name}: {reason}") from None
        sources.append(Source(name, text))
    return sources


def _environment(session: Session, given: tuple[str, ...]) -> dict[str, str]:
    found = _dotenv() | dict(session.environment)
    for text in given:
        name, separator, value = text.partition("=")
        if not separator:
            raise InvalidArgumentError(f"invalid --var {text}: it is NAME=value")
        found[name] = value
    return found


def _dotenv() -> dict[str, str]:
    """Return what ``.env`` in this directory defines, as Compose reads it beside its file."""
    try:
        with open(".env", encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found = {}
    for line in lines:
        name, separator, value = line.strip().removeprefix("export ").partition("=")
        if separator and not name.startswith("#"):
            value = value.strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
            found[name.strip()] = value[1:-1] if quoted else value
    return found


def _shorthands(given: Invocation) -> list[str]:
    """Return the flags that stand for overrides of all targets, in the words of ``--set``."""
    values = given.values
    found = [
        f"*.{name}=true"
        for name in ("no-cache", "pull", "load", "push")
        if values.changed(name) and values.on(name)
    ]
    for kind in ("provenance", "sbom"):
        if values.changed(kind):
            found.append(f"*.attest+={_attestation(kind, values.text(kind))}")
    return found


def _attestation(kind: str, text: str) -> str:
    try:
        disabled = not kinds.parse_bool(text)
    except ValueError:
        return f"type={kind},{text}"
    return f"type={kind},disabled=true" if disabled else f"type={kind}"


def _common(session: Session, given: Invocation) -> Common:
    values = given.values
    call = values.one("call")
    if values.on("check"):
        call = call._replace(method="check")
    mode = values.text("progress") or session.environment.get("BUILDKIT_PROGRESS", "") or "auto"
    proxies = session.config.proxy_environment(str(session.choice.endpoint))
    arguments: dict[str, str | None] = {}
    for text in proxies:
        name, _, value = text.partition("=")
        arguments[name] = value
    epoch = session.environment.get("SOURCE_DATE_EPOCH")
    if epoch is not None:
        arguments["SOURCE_DATE_EPOCH"] = epoch
    # Buildx asks before a file of another directory is read; here the file's author is the user.
    allowed = tuple(one for one in values.many("allow") if not one.startswith("fs"))
    return Common(check_mode(mode), allowed, call, tuple(arguments.items()))
