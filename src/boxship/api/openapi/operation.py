"""What is said of a route: its parameters, its body, its answers.

A route's variable has its name from the pattern and needs no parameter here; its meaning is said
once for all routes, in ``document.py``.
"""

from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
TAR = "application/x-tar"
ANY_MAY_FAIL_WITH = (400, 401, 403)
"""Not well formed; no token that is known; not allowed by the gate before every endpoint."""
OCTETS = "application/octet-stream"
RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A word of the query, or a header. ``schema`` is JSON Schema.

    ``encoded``: its text is JSON of that schema. ``unused`` says why nothing reads it.
    """

    name: str
    about: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})
    place: str = "query"
    required: bool = False
    encoded: bool = False
    unused: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: JSON of a shape, or a file of some media type."""

    shape: Any = None
    media: str = JSON
    required: bool = True
    about: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer; without a shape and media type it has no body.

    ``lines``: the shape is that of each line of a stream of JSON.
    """

    status: int
    about: str
    shape: Any = None
    media: tuple[str, ...] = ()
    lines: bool = False
    headers: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """A route. ``name`` is unique among all; ``path`` where the pattern says too little.

    ``errors`` are the statuses that it may fail with, beside ``ANY_MAY_FAIL_WITH``.
    """

    method: str
    pattern: str
    name: str
    about: str
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    replies: tuple[Reply, ...] = ()
    errors: tuple[int, ...] = ()
    path: str = ""
    beyond: bool = False
    """Docker has no such route."""


# ── parameters ───────────────────────────────────────────────────────────────────────────────────


def text(name: str, about: str, *, required: bool = False, **schema: Any) -> Parameter:
    return Parameter(name, about, {"type": "string", **schema}, required=required)


def flag(name: str, about: str, *, default: bool = False) -> Parameter:
    """A truth value: empty, 0, no, false and none are false, all else is true."""
    return Parameter(name, about, {"type": "boolean", "default": default})


def number(name: str, about: str, *, required: bool = False, **schema: Any) -> Parameter:
    return Parameter(name, about, {"type": "integer", **schema}, required=required)


def moment(name: str, about: str) -> Parameter:
    return text(name, f"{about}: seconds since 1970, with up to nine decimals, or RFC 3339")


def words(name: str, about: str, **schema: Any) -> Parameter:
    """A parameter that may be given several times."""
    return Parameter(name, about, {"type": "array", "items": {"type": "string", **schema}})


def filters(*names: str) -> Parameter:
    """Lists of values by name: all names have to fit, and of each name one value."""
    schema = {
        "type": "object",
        "properties": {name: {"$ref": "#/components/schemas/FilterValues"} for name in names},
        "additionalProperties": False,
    }
    about = "What to choose: values by name, each a list, or an object whose true members count"
    return Parameter("filters", about, schema, encoded=True)


def platform(name: str = "platform", about: str = "Which platform is meant") -> Parameter:
    """One platform or, as a parameter that is repeated, several."""
    return words(name, f"{about}: `os/arch/variant`, or JSON as in a descriptor")


def header(name: str, about: str, *, required: bool = False) -> Parameter:
    return Parameter(name, about, place="header", required=required)


def unused(parameter: Parameter, why: str) -> Parameter:
    """A parameter that is accepted and has no effect."""
    return Parameter(
        parameter.name,
        f"{parameter.about}. Without effect: {why}",
        parameter.schema,
        encoded=parameter.encoded,
        unused=why,
    )


AUTH = header("X-Registry-Auth", "What to show to the registry: base64url of JSON (`AuthConfig`)")

# ── replies ──────────────────────────────────────────────────────────────────────────────────────


def ok(shape: Any, about: str, status: int = 200) -> Reply:
    """JSON of a shape."""
    return Reply(status, about, shape, (JSON,))


def lines(shape: Any, about: str) -> Reply:
    """A stream of JSON, an object a line."""
    return Reply(200, about, shape, (JSON,), lines=True)


def file(media: str, about: str, *headers: Parameter) -> Reply:
    return Reply(200, about, media=(media,), headers=headers)


def done(about: str, status: int = 204) -> Reply:
    """No body."""
    return Reply(status, about)


UNCHANGED = Reply(304, "It is so already")
