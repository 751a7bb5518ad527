"""The memory of where a tar's payloads are: right, and small."""

import time
import tracemalloc

from boxship.storage.payloads import PayloadPaths


def test_payloads_are_found_whether_they_were_packed_or_came_last() -> None:
    payloads = PayloadPaths()
    for number in range(10_000):
        payloads.add(b"dir%d/file" % number)
    assert payloads.forget(b"dir3/file") == {3: b""}
    assert payloads.forget(b"dir9999") == {9999: b"/file"}
    assert payloads.forget(b"dir999") == {999: b"/file"}
    assert payloads.forget(b"dir3") == {}
    payloads.add(b"dir3/file")
    assert payloads.forget(b"dir3") == {10_000: b"/file"}


def test_a_hundred_thousand_paths_cost_a_few_bytes_each() -> None:
    payloads = PayloadPaths()
    tracemalloc.start()
    try:
        for number in range(100_000):
            payloads.add(b"usr/share/documents/part%04d/file-%07d.txt" % (number // 50, number))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2_000_000


def test_forgetting_one_after_the_other_takes_no_longer_for_there_being_many() -> None:
    payloads = PayloadPaths()
    paths = [b"dir%d/file%d" % (number % 100, number) for number in range(30_000)]
    for path in paths:
        payloads.add(path)
    began = time.process_time()
    assert [payloads.forget(path) for path in paths] == [{n: b""} for n in range(len(paths))]
    assert time.process_time() - began < 5, "it took minutes when each was looked for among all"


def test_a_tree_of_any_depth_is_forgotten_at_once() -> None:
    payloads = PayloadPaths()
    below = b"/d" * 5000 + b"/file"
    payloads.add(b"top" + below)
    payloads.add(b"topmost")
    assert payloads.forget(b"top") == {0: below}
    assert payloads.forget(b"topmost/nothing") == {}
    assert payloads.forget(b"topmost") == {1: b""}
