"""What isn't there yet: what it will be, and what it answers until then.

What these routes will read is not described, because nothing reads it.
"""

from boxship.api.openapi.operation import Operation, ok

_SWARM = (
    ("GET", "/swarm", "SwarmInspect"),
    ("GET", "/swarm/unlockkey", "SwarmUnlockKey"),
    ("POST", "/swarm/update", "SwarmUpdate"),
    ("POST", "/swarm/unlock", "SwarmUnlock"),
    ("POST", "/swarm/leave", "SwarmLeave"),
)
_NOT_YET = (
    ("GET", "/images/{name...}/attestations", "ImageAttestations"),
    ("POST", "/plugins/create", "PluginCreate"),
    ("GET", "/plugins/privileges", "PluginPrivileges"),
    ("POST", "/plugins/pull", "PluginPull"),
    ("POST", "/swarm/init", "SwarmInit"),
    ("POST", "/swarm/join", "SwarmJoin"),
)
_PLUGIN = (
    ("GET", "/plugins/{name...}/json", "PluginInspect"),
    ("POST", "/plugins/{name...}/disable", "PluginDisable"),
    ("POST", "/plugins/{name...}/enable", "PluginEnable"),
    ("POST", "/plugins/{name...}/push", "PluginPush"),
    ("POST", "/plugins/{name...}/set", "PluginSet"),
    ("POST", "/plugins/{name...}/upgrade", "PluginUpgrade"),
    ("DELETE", "/plugins/{name...}", "PluginDelete"),
)
_VERBS = {
    "List": ("GET", "/{nouns}", ("config", "node", "secret", "service", "task")),
    "Inspect": ("GET", "/{nouns}/{{id}}", ("config", "node", "secret", "service", "task")),
    "Create": ("POST", "/{nouns}/create", ("config", "secret", "service")),
    "Update": ("POST", "/{nouns}/{{id}}/update", ("config", "node", "secret", "service")),
    "Delete": ("DELETE", "/{nouns}/{{id}}", ("config", "node", "secret", "service")),
    "Logs": ("GET", "/{nouns}/{{id}}/logs", ("service", "task")),
}
_OF_A_SWARM = tuple(
    (method, pattern.format(nouns=f"{noun}s"), f"{noun.capitalize()}{verb}")
    for verb, (method, pattern, nouns) in _VERBS.items()
    for noun in nouns
)

OPERATIONS = (
    Operation(
        "GET", "/plugins", "PluginList", "List plugins, of which none can be installed yet",
        replies=(ok(tuple[dict[str, str], ...], "None"),),
    ),
    *(Operation(*route, "Needs a plugin: there is none", errors=(404,)) for route in _PLUGIN),
    *(
        Operation(*route, "Needs a swarm: this node is in none", errors=(503,))
        for route in (*_SWARM, *_OF_A_SWARM)
    ),
    *(Operation(*route, "Is not implemented yet", errors=(501,)) for route in _NOT_YET),
)  # fmt: skip
