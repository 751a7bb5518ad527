"""Further processes in a container: create, start, look, resize."""

from boxship.api.call import EMPTY, Call
from boxship.api.hijack import ClientStream, hand_over
from boxship.api.http.messages import Answer
from boxship.api.views.containers import exec_inspect
from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.requests import ExecConfig
from boxship.wire.containers import ExecAnswer, ExecBody, ExecStartBody


async def create(call: Call) -> Answer:
    body = await call.optional_body(ExecBody)
    if not body.cmd:
        raise InvalidArgumentError("No exec command specified")
    exec_id = await call.backend.containers.exec_create(
        call.target,
        ExecConfig(
            cmd=body.cmd,
            attach_stdin=body.attach_stdin,
            attach_stdout=body.attach_stdout,
            attach_stderr=body.attach_stderr,
            tty=body.tty,
            env=body.env or (),
            working_dir=body.working_dir,
            user=body.user,
            privileged=body.privileged,
            detach_keys=body.detach_keys or None,
            console_size=_console_size(call, body),
        ),
    )
    return call.json(ExecAnswer(exec_id), 201)


def _console_size(call: Call, body: ExecBody | ExecStartBody) -> tuple[int, int] | None:
    return body.console_size if call.version >= 42 and body.tty else None


async def start(call: Call) -> Answer:
    body = await call.optional_body(ExecStartBody)
    containers = call.backend.containers
    view = containers.exec_inspect(call.target)
    size = _console_size(call, body)
    if body.detach:
        await containers.exec_start(view.id, detach=True, tty=body.tty, console_size=size)
        return EMPTY
    stream = ClientStream(call, tty=body.tty)
    return await hand_over(
        stream,
        lambda s: containers.exec_start(view.id, tty=body.tty, console_size=size, stream=s),
    )


def inspect(call: Call) -> Answer:
    return call.json(exec_inspect(call.backend.containers.exec_inspect(call.target)))


async def resize(call: Call) -> Answer:
    await call.backend.containers.exec_resize(
        call.target, call.characters("h"), call.characters("w")
    )
    return EMPTY


ROUTES = (
    ("POST", "/containers/{id}/exec", create),
    ("POST", "/exec/{id}/start", start),
    ("POST", "/exec/{id}/resize", resize),
    ("GET", "/exec/{id}/json", inspect),
)
