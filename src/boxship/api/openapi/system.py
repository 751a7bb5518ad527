"""The daemon itself, and what Docker has not."""

from typing import Any

from boxship.api.openapi.operation import (
    JSON,
    Operation,
    Parameter,
    Reply,
    filters,
    flag,
    header,
    lines,
    moment,
    number,
    ok,
    text,
    words,
)
from boxship.api.openapi.shapes import DiskUsage
from boxship.base.metrics import CONTENT_TYPE
from boxship.model.check import CheckEvent
from boxship.model.connection import Connection
from boxship.model.debug import Variables
from boxship.wire import system as shapes
from boxship.wire.events import EventMessage

_TEXT = "text/plain; charset=utf-8"
_PING: tuple[Parameter, ...] = (
    header("Api-Version", "The newest version that is spoken here"),
    header("Docker-Experimental", "Whether there are experimental features"),
    header("Ostype", "`linux`"),
    header("Builder-Version", "The builder that clients should use"),
    header("Swarm", "`inactive`"),
)

OPERATIONS = (
    Operation(
        "GET", "/_ping", "SystemPing", "Ask whether anybody is there",
        replies=(Reply(200, "`OK`", media=("text/plain; charset=utf-8",), headers=_PING),),
    ),
    Operation(
        "HEAD", "/_ping", "SystemPingHead", "The same, for the headers alone",
        replies=(Reply(200, "Headers", headers=_PING),),
    ),
    Operation(
        "GET", "/version", "SystemVersion", "Tell the version of each part",
        replies=(ok(shapes.Version, "Versions"),),
    ),
    Operation(
        "GET", "/info", "SystemInfo", "Describe the daemon and its machine",
        replies=(ok(shapes.Info, "What there is"),),
    ),
    Operation(
        "GET", "/metrics", "SystemMetrics", "Tell what is measured, to Prometheus",
        replies=(Reply(200, "Its text format", media=(CONTENT_TYPE,)),), beyond=True,
    ),
    Operation(
        "GET", "/debug", "DebugIndex", "List what there is to look at",
        replies=(Reply(200, "Text", media=(_TEXT,)),), errors=(404,), beyond=True,
    ),
    Operation(
        "GET", "/debug/vars", "DebugVariables", "Tell what the daemon's process holds",
        replies=(ok(Variables, "What there is"),), errors=(404,), beyond=True,
    ),
    Operation(
        "GET", "/debug/stacks", "DebugStacks", "Tell where each thread and task stands",
        replies=(Reply(200, "Text", media=(_TEXT,)),), errors=(404,), beyond=True,
    ),
    Operation(
        "GET", "/debug/profile", "DebugProfile", "Look where the daemon's time goes",
        (number("seconds", "How long, up to 300; 10 by default"),),
        replies=(Reply(200, "Folded stacks", media=(_TEXT,)),), errors=(404,), beyond=True,
    ),
    Operation(
        "GET", "/events", "SystemEvents", "Follow what happens",
        (
            moment("since", "From then on; without it, from now on"),
            moment("until", "Up to then; without it, for ever"),
            filters(
                *("config", "container", "daemon", "event", "image", "label", "network", "node"),
                *("plugin", "scope", "secret", "service", "type", "volume"),
            ),
        ),
        replies=(lines(EventMessage, "An event a line"),),
    ),
    Operation(
        "GET", "/system/df", "SystemDataUsage", "Add up what everything takes on the disk",
        (
            words(
                "type", "Which kinds; all, if none is given",
                enum=["container", "image", "volume", "build-cache"],
            ),
            flag("verbose", "Tell of each object"),
        ),
        replies=(ok(DiskUsage, "Bytes by kind"),),
    ),
    Operation(
        "GET", "/openapi.json", "SystemDescription", "Describe this API: this document",
        replies=(ok(dict[str, Any], "OpenAPI 3.1"),), beyond=True,
    ),
    Operation(
        "GET", "/boxship/networks/audit", "NetworkAudit",
        "Tell where containers with egress rules connected to",
        (
            text("container", "Only this one"),
            text("verdict", "Only those that were", enum=["allow", "deny"]),
            number("limit", "How many of the last; 0: all", minimum=0),
        ),
        replies=(ok(tuple[Connection, ...], "The latest are the last"),),
        errors=(404,), beyond=True,
    ),
    Operation(
        "POST", "/boxship/system/check", "SystemCheck", "Check the store of images and containers",
        (flag("repair", "Put right what can be without loss"),),
        replies=(Reply(200, "An event a line", CheckEvent, (JSON,), lines=True),),
        errors=(409,), beyond=True,
    ),
)  # fmt: skip
