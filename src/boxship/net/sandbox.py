"""The network side of one container: a namespace, its interfaces, its routes.

How an interface of each kind comes to be stands in `veth.py` and `onparent.py`.
"""

from collections.abc import Iterable

from boxship.base.closing import Closing
from boxship.net import moved, onparent, veth
from boxship.net.host import MARK, Host
from boxship.net.interfaces import Counters
from boxship.net.links import Links
from boxship.net.namespaces import NetworkNamespace
from boxship.net.netlink import route
from boxship.net.nic import Inside, Nic, Plugged, Route
from boxship.net.owned import UserNamespace, Users, make_inside, make_owned

_LOOPBACK = 1


class Sandbox(Closing):
    """A network namespace and what is in it. For one thread at a time.

    It holds descriptors in the namespace, which therefore lives at least until ``close``; after
    that as long as processes are in it.
    """

    def __init__(
        self,
        namespace: NetworkNamespace,
        host: Host | None = None,
        user_namespace: UserNamespace | None = None,
    ) -> None:
        """Take over ``namespace``, whatever is in it already, and the user namespace it belongs to.

        ``host`` is shared with other sandboxes; without, this one makes its own in the calling
        thread's namespace, which takes a moment to close.
        """
        self.namespace = namespace
        self.user_namespace = user_namespace
        """Which owns the network namespace, for containers whose users are mapped to join."""
        self._pair: veth.Pair | None = None
        self._may_have_defaults = True
        self._links = Links.open(namespace)
        self._inside = Inside(namespace, self._links)
        self._host, self._own_host = host or Host(), host is None

    @classmethod
    def make(
        cls, host: Host | None = None, *, pair: bool = False, users: Users = None
    ) -> "Sandbox":
        """Return one with ``lo`` up and nothing else, in a new namespace.

        ``pair``: with a veth pair ready for the first interface, which saves a start the making.
        ``users``: who has rights over it.
        """
        if users is None:
            sandbox = cls(NetworkNamespace.make(), host)
        else:
            made = make_inside(users) if isinstance(users, int) else make_owned(users)
            sandbox = cls(made[1], host, made[0])
        try:
            sandbox._links.set_up(_LOOPBACK)
            sandbox._may_have_defaults = False
            if pair:
                sandbox._pair = veth.make_silent_pair(sandbox._host, sandbox._inside)
        except BaseException:
            sandbox.close()
            raise
        return sandbox

    @classmethod
    def of_process(cls, pid: int, host: Host | None = None) -> "Sandbox":
        """Return the one that process ``pid`` is in, to change it while it runs."""
        return cls(NetworkNamespace.of_process(pid), host)

    def add(self, nic: Nic) -> Plugged:
        """Add an interface, up, with its addresses; neighbours on the bridge are told of them.

        ``NetlinkError``, ``OSError`` or ``ValueError``, which name what was wrong; then nothing of
        it is left.
        """
        if nic.kind == "veth":
            pair, self._pair = self._pair, None
            return veth.add(nic, self._host, self._inside, pair)
        if self._pair is not None:
            # Nobody will use it, and its name may be the one that is asked for.
            self._links.remove(self._pair.ifindex)
            self._pair = None
        if nic.kind == "moved":
            return moved.add(nic, self._host, self._inside)
        return onparent.add(nic, self._host, self._inside)

    def remove(self, nic_name: str) -> None:
        """Remove an interface and with it its routes; not there is no error.

        The kernel takes some 20 ms for it. Where the whole sandbox ends, ``close`` is enough.
        """
        self._links.remove(nic_name, missing_ok=True)

    def set_routes(self, routes: Iterable[Route]) -> None:
        """Have these routes. Default routes are replaced, others added.

        Without a default route of a family in ``routes``, there is none afterwards.
        """
        # A gateway must be within reach before a route leads through it.
        wanted = sorted(routes, key=lambda one: one.gateway is not None)
        defaults = {one.destination.version for one in wanted if one.destination.prefixlen == 0}
        for entry in self._links.routes() if self._may_have_defaults else ():
            if entry.destination.prefixlen == 0 and entry.destination.version not in defaults:
                self._links.remove_route(entry.destination, metric=entry.metric)
        self._may_have_defaults = bool(defaults)
        indices = {name: self._links.index_of(name) for name in {one.nic for one in wanted}}
        self._links.socket.request(
            [route.add_route(one.destination, one.gateway, indices[one.nic]) for one in wanted]
        )

    def whole(self) -> frozenset[str]:
        """Return the names of interfaces on a parent whose making was not cut short."""
        return frozenset(link.name for link in self._links.all() if link.alias == MARK)

    def counters(self) -> dict[str, Counters]:
        """Return each interface's counters by its name inside, without ``lo``."""
        found = self._links.counters()
        found.pop("lo", None)
        return found

    def close(self) -> None:
        """Let go of the namespace; safe to repeat. With no process in it, it ends with all."""
        self._links.close()
        self.namespace.close()
        if self.user_namespace is not None:
            self.user_namespace.close()
        if self._own_host:
            self._host.close()


__all__ = ["Nic", "Plugged", "Route", "Sandbox"]
