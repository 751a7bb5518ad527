"""What prunes would remove, said without removing it."""

from boxship.api.openapi.operation import Operation, Parameter, filters, flag, ok
from boxship.wire import prune

_LABELS = ("label", "label!")


def _plan(kind: str, shape: object, *parameters: Parameter) -> Operation:
    return Operation(
        "GET", f"/{kind}/prune/plan", f"{kind.capitalize()}PrunePlan",
        f"Say what a prune of {kind} would remove" if kind != "system" else
        "Say what prunes of all kinds would remove, one after the other",
        parameters, replies=(ok(shape, "What would go, and its bytes"),), beyond=True,
    )  # fmt: skip


OPERATIONS = (
    _plan("containers", prune.ContainersPruned, filters("until", *_LABELS)),
    _plan("images", prune.ImagesPruned, filters("dangling", "unused-for", "until", *_LABELS)),
    _plan("networks", prune.NetworksPruned, filters("until", *_LABELS)),
    _plan("volumes", prune.VolumesPruned, filters("all", *_LABELS)),
    _plan(
        "system",
        prune.EverythingPruned,
        filters("until", *_LABELS),
        flag("all", "All images that nobody uses, not only those without a name"),
        flag("volumes", "Anonymous volumes, too"),
    ),
)
