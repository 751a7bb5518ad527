"""Managed plugins."""

from dataclasses import replace

from boxship.api.openapi.operation import (
    AUTH,
    TAR,
    Body,
    Operation,
    done,
    filters,
    flag,
    header,
    lines,
    number,
    ok,
    text,
)
from boxship.wire import plugins as shapes
from boxship.wire.jsonstream import Progress

_PROGRESS = lines(Progress, "How it goes, a line at a time; one with `error` is the last")
_PULLED = replace(_PROGRESS, headers=(header("Docker-Plugin-Name", "Its name here"),))
_REMOTE = text("remote", "Its name in a registry; the tag is `latest` if none is given")
_GRANTED = Body(
    tuple[shapes.PrivilegeRow, ...], about="What it may do, exactly as `/plugins/privileges` says"
)
_PRIVILEGES = ok(tuple[shapes.PrivilegeRow, ...], "What it asks for")

OPERATIONS = (
    Operation(
        "GET", "/plugins", "PluginList", "List plugins",
        (filters("capability", "enabled"),),
        replies=(ok(tuple[shapes.PluginRow, ...], "The plugins"),),
    ),
    Operation(
        "GET", "/plugins/privileges", "PluginPrivileges",
        "Tell what a plugin in a registry asks for",
        (_REMOTE, AUTH), replies=(_PRIVILEGES,), errors=(401, 403, 404, 500, 503),
    ),
    Operation(
        "POST", "/plugins/pull", "PluginPull", "Install a plugin from a registry, disabled",
        (_REMOTE, text("name", "Its name here; its own if none is given"), AUTH),
        _GRANTED, (_PULLED,), (401, 403, 404, 409, 500, 503),
    ),
    Operation(
        "POST", "/plugins/create", "PluginCreate", "Make a plugin of an archive, disabled",
        (text("name", "Its name"),),
        Body(media=TAR, about="`config.json` and the directory `rootfs`; compressed or not"),
        (done("It is installed"),), (409, 503),
    ),
    Operation(
        "GET", "/plugins/{name...}/json", "PluginInspect", "Look at a plugin",
        replies=(ok(shapes.PluginRow, "What it is"),), errors=(404,),
    ),
    Operation(
        "POST", "/plugins/{name...}/enable", "PluginEnable", "Start a plugin",
        (number("timeout", "Seconds for each call of it; 30 if it is 0", default=0),),
        replies=(done("It can be used", 200),), errors=(404, 409, 500, 503),
    ),
    Operation(
        "POST", "/plugins/{name...}/disable", "PluginDisable", "End a plugin",
        (flag("force", "Even if it is in use"),),
        replies=(done("It has ended", 200),), errors=(404, 409, 503),
    ),
    Operation(
        "POST", "/plugins/{name...}/set", "PluginSet", "Change settings of a disabled plugin",
        body=Body(tuple[str, ...], about="Settings: `name=value` or `name.field=value`"),
        replies=(done("They are changed"),), errors=(404, 409),
    ),
    Operation(
        "POST", "/plugins/{name...}/push", "PluginPush", "Send a plugin to its registry",
        (AUTH,), replies=(_PROGRESS,), errors=(401, 403, 404, 500, 503),
    ),
    Operation(
        "POST", "/plugins/{name...}/upgrade", "PluginUpgrade",
        "Put another version in a disabled plugin's place",
        (_REMOTE, AUTH), _GRANTED, (_PROGRESS,), (401, 403, 404, 409, 500, 503),
    ),
    Operation(
        "DELETE", "/plugins/{name...}", "PluginDelete", "Remove a plugin",
        (flag("force", "Even if it is enabled or in use"),),
        replies=(ok(shapes.PluginRow, "What it was"),), errors=(404, 409, 503),
    ),
)  # fmt: skip
