"""Network namespaces."""

import os
import threading

import pytest

from boxship.net.links import Links
from boxship.net.namespaces import NetworkNamespace, make_and, run_inside

pytestmark = pytest.mark.privileged


def own() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


def test_a_new_one_is_another_and_nobody_is_in_it() -> None:
    before = own()
    with NetworkNamespace.make() as namespace:
        assert namespace.inode not in {before, 0}
        assert own() == before
        assert os.stat(namespace.path).st_ino == namespace.inode
        with NetworkNamespace.open(namespace.path) as again:
            assert again.inode == namespace.inode
    assert namespace.fd == -1
    namespace.close()


def test_that_of_a_process() -> None:
    with NetworkNamespace.of_process(os.getpid()) as namespace:
        assert namespace.inode == own()
    with pytest.raises(FileNotFoundError):
        NetworkNamespace.of_process(1 << 22)


def test_a_function_runs_inside_and_the_thread_comes_back() -> None:
    before = own()
    with NetworkNamespace.make() as namespace:
        # From the main thread in another thread, since the main thread stays where it is.
        assert run_inside(namespace, own) == namespace.inode
        assert run_inside(namespace, threading.current_thread) is not threading.main_thread()
        seen: list[int] = []

        def twice() -> None:
            seen.append(run_inside(namespace, own))
            seen.append(own())
            seen.append(run_inside(namespace, threading.get_ident))
            seen.append(threading.get_ident())

        thread = threading.Thread(target=twice)
        thread.start()
        thread.join()
    assert seen[:2] == [namespace_inode(seen), before]
    assert seen[2] == seen[3]


def namespace_inode(seen: list[int]) -> int:
    assert seen[0] != seen[1]
    return seen[0]


def test_an_error_inside_is_an_error_outside() -> None:
    before = own()

    def fail() -> None:
        raise LookupError("inside")

    with pytest.raises(LookupError, match="inside"):
        make_and(fail)
    assert own() == before


def test_a_namespace_ends_with_its_last_descriptor(place) -> None:
    place.links.add_veth("outer", "inner")
    namespace = NetworkNamespace.make()
    place.links.move("inner", namespace)
    assert [link.name for link in place.links.all()] == ["lo", "outer"]
    watch = watching(place)
    namespace.close()
    while place.links.find("outer") is not None:
        watch.receive()
    watch.close()


def watching(place):
    from boxship.net.netlink.sockets import ROUTE, NetlinkSocket

    return run_inside(place.namespace, lambda: NetlinkSocket(ROUTE, groups=[1]))


def test_links_of_a_namespace_keep_it_alive() -> None:
    namespace = NetworkNamespace.make()
    with Links.open(namespace) as links:
        namespace.close()
        assert links.get("lo").ifindex == 1
