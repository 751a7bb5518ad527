"""Networks and volumes."""

from boxship.api.openapi.operation import Body, Operation, done, filters, flag, ok, text
from boxship.wire import networks as shapes
from boxship.wire import prune
from boxship.wire import volumes as volume_shapes

_NETWORK_FILTERS = filters("dangling", "driver", "id", "label", "name", "scope", "type")
_LIST = ok(tuple[shapes.Network, ...], "The networks")

NETWORKS = (
    Operation(
        "GET", "/networks", "NetworkList", "List networks",
        (_NETWORK_FILTERS,), replies=(_LIST,),
    ),
    Operation(
        "GET", "/networks/", "NetworkListSlash", "The same, as old clients ask",
        (_NETWORK_FILTERS,), replies=(_LIST,),
    ),
    Operation(
        "POST", "/networks/create", "NetworkCreate", "Create a network",
        body=Body(shapes.NetworkBody, required=False),
        replies=(ok(shapes.NetworkCreated, "It is there", 201),),
        errors=(403, 404, 409, 500, 501, 503),
    ),
    Operation(
        "GET", "/networks/{id}", "NetworkInspect", "Look at a network",
        (
            flag("verbose", "Beyond Docker: what its containers have received and sent"),
            text("scope", "Only if it has this scope", enum=["local", "global", "swarm"]),
        ),
        replies=(ok(shapes.NetworkInspect, "What it is, and who is on it"),),
        errors=(404,),
    ),
    Operation(
        "DELETE", "/networks/{id}", "NetworkDelete", "Remove a network",
        replies=(done("It is gone"),),
        errors=(403, 404, 409),
    ),
    Operation(
        "POST", "/networks/{id}/connect", "NetworkConnect", "Put a container on a network",
        body=Body(shapes.ConnectBody, required=False),
        replies=(done("It is on it", 200),),
        errors=(403, 404, 409, 500),
    ),
    Operation(
        "POST", "/networks/{id}/disconnect", "NetworkDisconnect", "Take a container off a network",
        body=Body(shapes.DisconnectBody, required=False),
        replies=(done("It is off it", 200),),
        errors=(403, 404, 409, 500),
    ),
    Operation(
        "POST", "/networks/prune", "NetworkPrune", "Remove networks that nobody is on",
        (filters("until", "label", "label!"),),
        replies=(ok(prune.NetworksPruned, "What is gone"),),
    ),
)  # fmt: skip

VOLUMES = (
    Operation(
        "GET", "/volumes", "VolumeList", "List volumes",
        (filters("dangling", "driver", "label", "name"),),
        replies=(ok(volume_shapes.VolumeList, "The volumes"),),
    ),
    Operation(
        "POST", "/volumes/create", "VolumeCreate", "Create a volume, unless it is there",
        body=Body(volume_shapes.VolumeBody, required=False),
        replies=(ok(volume_shapes.VolumeRow, "It is there", 201),),
        errors=(404, 409, 500, 503),
    ),
    Operation(
        "GET", "/volumes/{name}", "VolumeInspect", "Look at a volume",
        replies=(ok(volume_shapes.VolumeRow, "What it is"),),
        errors=(404,),
    ),
    Operation(
        "PUT", "/volumes/{name}", "VolumeUpdate", "Change a volume of a swarm: there is none",
        errors=(503,),
    ),
    Operation(
        "DELETE", "/volumes/{name}", "VolumeDelete", "Remove a volume",
        (flag("force", "No error if it is not there"),),
        replies=(done("It is gone"),),
        errors=(404, 409),
    ),
    Operation(
        "POST", "/volumes/prune", "VolumePrune", "Remove volumes that no container has",
        (filters("all", "label", "label!"),),
        replies=(ok(prune.VolumesPruned, "What is gone, and its bytes"),),
    ),
)  # fmt: skip
