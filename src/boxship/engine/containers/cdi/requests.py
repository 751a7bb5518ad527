"""Which devices a request means: CDI names, or GPUs by number, as ``--gpus`` asks for them.

A request that no driver answers is refused as dockerd does without that driver. There is one driver
here, ``cdi``; GPUs are given through it if their vendor has described them.
"""

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.cdi.registry import Registry
from boxship.model.container import DeviceRequest

DRIVER = "cdi"
_GPUS = (("nvidia", "nvidia.com/gpu"), ("amd", "amd.com/gpu"))
_ALL = -1


def names_of(requests: tuple[DeviceRequest, ...], registry: Registry) -> tuple[str, ...]:
    """Return the full names of the devices, each once. InvalidArgumentError: nobody has such."""
    names: list[str] = []
    for request in requests:
        names += _by_name(request) if request.driver == DRIVER else _by_number(request, registry)
    return tuple(dict.fromkeys(names))


def _by_name(request: DeviceRequest) -> tuple[str, ...]:
    if request.count:
        raise InvalidArgumentError("unexpected count in CDI device request")
    if request.options:
        raise InvalidArgumentError("unexpected options in CDI device request")
    return request.device_ids or ()


def _by_number(request: DeviceRequest, registry: Registry) -> tuple[str, ...]:
    asked = {word for words in request.capabilities or () for word in words}
    for vendor, kind in _GPUS:
        known = registry.of_kind(kind)
        if known and "gpu" in asked and request.driver in ("", vendor):
            return _chosen(request, kind, known)
    words = " ".join(f"[{' '.join(words)}]" for words in request.capabilities or ())
    raise InvalidArgumentError(
        f'could not select device driver "{request.driver}" with capabilities: [{words}]'
    )


def _chosen(request: DeviceRequest, kind: str, known: tuple[str, ...]) -> tuple[str, ...]:
    if request.device_ids:
        return tuple(f"{kind}={number}" for number in request.device_ids)
    if request.count == _ALL:
        everything = f"{kind}=all"
        return (everything,) if everything in known else known
    return tuple(f"{kind}={number}" for number in range(request.count))
