"""What isn't there yet: what it will be, and what it answers until then.

What these routes will read is not described, because nothing reads it.
"""

from boxship.api.openapi.operation import Operation

_SWARM = (
    ("GET", "/swarm", "SwarmInspect"),
    ("GET", "/swarm/unlockkey", "SwarmUnlockKey"),
    ("POST", "/swarm/update", "SwarmUpdate"),
    ("POST", "/swarm/unlock", "SwarmUnlock"),
    ("POST", "/swarm/leave", "SwarmLeave"),
)
_NOT_YET = (
    ("GET", "/images/{name...}/attestations", "ImageAttestations"),
    ("POST", "/swarm/init", "SwarmInit"),
    ("POST", "/swarm/join", "SwarmJoin"),
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
    *(
        Operation(*route, "Needs a swarm: this node is in none", errors=(503,))
        for route in (*_SWARM, *_OF_A_SWARM)
    ),
    *(Operation(*route, "Is not implemented yet", errors=(501,)) for route in _NOT_YET),
)  # fmt: skip
