"""Builds, and what they keep."""

from boxship.api.openapi.operation import (
    TAR,
    Body,
    Operation,
    Parameter,
    Reply,
    done,
    filters,
    flag,
    header,
    lines,
    number,
    ok,
    platform,
    text,
    unused,
    words,
)
from boxship.wire import prune
from boxship.wire.jsonstream import Progress

_NOTHING_LEFT = "no container outlives its step"


def _json(name: str, about: str, **schema: object) -> Parameter:
    return Parameter(name, about, schema, encoded=True)


_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_OR_NULL = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
_ULIMIT = {
    "type": "object",
    "properties": {name: {"type": kind} for name, kind in
                   (("Name", "string"), ("Soft", "integer"), ("Hard", "integer"))},
}  # fmt: skip

_UPGRADE = (header("Upgrade", "`h2c`", required=True),)

_OUTPUT = {"type": "object", "properties": {"Type": {"type": "string"}, "Attrs": _TEXTS}}

OPERATIONS = (
    Operation(
        "POST", "/build", "ImageBuild", "Build an image from a Dockerfile",
        (
            text("dockerfile", "The Dockerfile's path within the context", default="Dockerfile"),
            words("t", "A name for the image, `latest` if it has no tag"),
            text("remote", "In place of a body: a git repository, the URL of a tar or Dockerfile"),
            text("target", "Build this stage and what it needs; by default the last one"),
            _json("buildargs", "Values of ARG by name; null takes a default away", **_OR_NULL),
            _json("labels", "Labels by name, besides the Dockerfile's", **_TEXTS),
            flag("q", "Say the image's id alone, unless it fails"),
            flag("nocache", "Take nothing from earlier builds"),
            _json("cachefrom", "Images to take steps from", type="array", items={"type": "string"}),
            flag("pull", "Ask registries for base images that are here already"),
            platform(),
            text("networkmode", "Steps' network: `bridge`, `none`, `host`, `container:…`, a name"),
            words("extrahosts", "A line of steps' hosts file, as `name:address`"),
            number("memory", "Bytes that a step may have"),
            number("memswap", "Bytes of memory and swap together; -1: without bound"),
            number("cpushares", "Weight among those that want to compute"),
            number("cpuperiod", "Microseconds that `cpuquota` is of"),
            number("cpuquota", "Microseconds of computing in a period"),
            text("cpusetcpus", "Processors, as `0-3,5`"),
            text("cpusetmems", "Nodes of memory, as `0,1`"),
            text("cgroupparent", "Where steps' cgroups are made"),
            number("shmsize", "Bytes of /dev/shm; by default 64 MiB"),
            _json("ulimits", "Limits of processes", type="array", items=_ULIMIT),
            words("securityopt", "Security options of steps: refused, they have the default ones"),
            flag("squash", "Make one layer of all that are new"),
            text("buildid", "A name to cancel the build by"),
            text("version", "How it is told: `1`, in lines, `2`, as BuildKit does", default="1"),
            text("session", "With version 2: the client's session, which has its files"),
            _json("outputs", "With version 2: what to make", type="array", items=_OUTPUT),
            text("isolation", "`default`, the only one there is"),
            unused(flag("rm", "Remove containers of steps that succeeded"), _NOTHING_LEFT),
            unused(flag("forcerm", "Remove containers of all steps"), _NOTHING_LEFT),
            header(
                "X-Registry-Config", "Logins: base64url of JSON, `AuthConfig` by registry"
            ),
        ),
        Body(media=TAR, required=False, about="The context as an archive, compressed or not"),
        (lines(Progress, "How it goes, a line at a time; one with `error` is the last"),),
        (401, 403, 404, 409, 500, 501, 503),
    ),
    Operation(
        "POST", "/build/cancel", "BuildCancel", "End a build that runs",
        (text("id", "The name it was given by `buildid`", required=True),),
        replies=(done("It has ended, or there is none of that name", 200),),
        errors=(501,),
    ),
    Operation(
        "POST", "/build/prune", "BuildPrune", "Remove what builds keep",
        (
            number("keep-storage", "How many bytes to keep; until API 1.47"),
            number("reserved-space", "How many bytes to keep"),
            number("max-used-space", "How many bytes to keep at most"),
            number("min-free-space", "How many bytes of the disk to have free"),
            flag("all", "Also what images have in common with it, and what is internal"),
            filters(
                "id", "parent", "type", "description", "until", "unused-for", "inuse", "shared",
                "private", "mutable", "immutable", "label", "label!",
            ),
        ),
        replies=(ok(prune.CachesPruned, "What is gone, and its bytes"),),
        errors=(501,),
    ),
    Operation(
        "POST", "/grpc", "Grpc", "Call BuildKit's services, over HTTP/2",
        _UPGRADE,
        replies=(Reply(101, "The connection is HTTP/2 from here on; the client calls"),),
    ),
    Operation(
        "POST", "/session", "Session", "Offer files, secrets and credentials to one's builds",
        (
            *_UPGRADE,
            header("X-Docker-Expose-Session-Uuid", "The session's name", required=True),
            header("X-Docker-Expose-Session-Name", "What people call it"),
            header("X-Docker-Expose-Session-Sharedkey", "Whose directories they are"),
            unused(
                header("X-Docker-Expose-Session-Grpc-Method", "A method served, one each"),
                "what isn't served says so when it is called",
            ),
        ),
        replies=(Reply(101, "The connection is HTTP/2 from here on; the client is called"),),
        errors=(409,),
    ),
)  # fmt: skip
