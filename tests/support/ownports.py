"""A network namespace for the thread of the tests, in which every port is theirs."""

from collections.abc import Iterator
from contextlib import contextmanager

from boxship.kernel import namespaces
from boxship.net.links import Links
from boxship.net.namespaces import NetworkNamespace


@contextmanager
def own_ports() -> Iterator[None]:
    """Be in a namespace of one's own, with loopback up; needs root."""
    with NetworkNamespace.own() as home, NetworkNamespace.make() as place:
        with Links.open(place) as links:
            links.set_up("lo")
        namespaces.setns(place.fd, namespaces.CLONE_FLAGS["net"])
        try:
            yield
        finally:
            namespaces.setns(home.fd, namespaces.CLONE_FLAGS["net"])
