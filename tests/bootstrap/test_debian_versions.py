"""The order of versions, against dpkg's own where that is installed."""

import subprocess
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from boxship.bootstrap.versions import compare
from support.programs import needs

ASCENDING = (
    "0~~", "0~", "0", "0+b1", "1.0~rc1-1", "1.0-1", "1.0-1+deb12u1", "1.0-1.1", "1.0-2", "1.0a-1",
    "1.0+dfsg-1", "1.2", "1.10", "2:0.1",
)  # fmt: skip


def test_policys_examples() -> None:
    for older, newer in pairwise(ASCENDING):
        assert compare(older, newer) < 0, (older, newer)
        assert compare(newer, older) > 0, (older, newer)
        assert compare(older, older) == 0


@needs("dpkg")
@given(*[st.from_regex(r"([0-9]:)?[0-9][0-9a-c.+~]{0,5}(-[0-9a-b.+~]{1,3})?", fullmatch=True)] * 2)
@settings(max_examples=60, deadline=None)
def test_as_dpkg_orders_them(left: str, right: str) -> None:
    older = subprocess.run(["dpkg", "--compare-versions", left, "lt", right], check=False)
    assert (compare(left, right) < 0) == (older.returncode == 0)
