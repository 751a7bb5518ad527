"""The memory of where a tar's payloads are: right, and small."""

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
