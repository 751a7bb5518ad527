"""``--check`` and ``--call``: what the frontend says of a Dockerfile, without a build."""

import json
from contextlib import ExitStack
from typing import Any

from boxship.cli.building.inputs import Inputs
from boxship.cli.building.options import BuildOptions
from boxship.cli.building.solving import FRONTEND, open_session, plan
from boxship.cli.buildprogress.display import excerpt
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.session import Session
from boxship.client.buildkit.bridge import ask
from boxship.client.buildkit.builder import Builder, BuildFailedError, new_ref

_REQUESTS = {"check": "lint", "outline": "outline", "targets": "targets"}


def call(session: Session, options: BuildOptions, inputs: Inputs, builder: Builder) -> int:
    """Print the answer; the exit code is 1 if a check found something."""
    planned = plan(options, inputs)
    attributes = {
        **planned.attributes,
        "requestid": f"frontend.{_REQUESTS[options.call.method]}",
        "frontend.caps": "moby.buildkit.frontend.subrequests",
    }
    with ExitStack() as stack:
        offered = open_session(session, options, planned, stack)
        try:
            answer = ask(builder, new_ref(), offered.id, FRONTEND, attributes)
        except BuildFailedError as error:
            for place in filter(None, map(excerpt, error.places)):
                session.warn(place)
            raise ExitError(FAILURE, f"ERROR: failed to solve: {error}") from error
    if "result.json" not in answer and "result.txt" not in answer:
        raise ExitError(FAILURE, f"the builder does not know --call {options.call.method}")
    return _shown(session, options, answer)


def _shown(session: Session, options: BuildOptions, answer: dict[str, bytes]) -> int:
    document = _document(answer)
    found = len(document.get("warnings") or ()) if isinstance(document, dict) else 0
    if options.call.json:
        session.say(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        if options.call.method == "check":
            session.say(_summary(found))
        text = answer.get("result.txt", b"").decode("utf-8", "replace").rstrip("\n")
        if text:
            session.say(text)
    status = int(answer.get("result.statuscode", b"0").decode() or 0)
    failed = status or (options.call.method == "check" and found)
    return FAILURE if failed and not options.call.ignore_status else 0


def _document(answer: dict[str, bytes]) -> Any:
    try:
        return json.loads(answer.get("result.json", b"{}"))
    except ValueError:
        return {}


def _summary(found: int) -> str:
    if not found:
        return "Check complete, no warnings found."
    if found == 1:
        return "Check complete, 1 warning has been found!"
    return f"Check complete, {found} warnings have been found!"
