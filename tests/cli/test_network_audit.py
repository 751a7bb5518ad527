"""``network audit``: where containers connected to."""

import json

LINES = [
    {"time": "2026-01-31T12:00:00.123456789Z", "verdict": "allow", "container": "c" * 64,
     "name": "web", "source": "172.17.0.2", "destination": "203.0.113.9", "protocol": "tcp",
     "port": 443, "names": ["example.org"], "repeated": 0},
    {"time": "2026-01-31T12:00:01Z", "verdict": "deny", "container": "c" * 64, "name": "web",
     "source": "fd00::2", "destination": "2001:db8::9", "protocol": "udp", "port": 53,
     "names": [], "repeated": 9},
    {"time": "2026-01-31T12:00:02Z", "verdict": "deny", "container": "c" * 64, "name": "web",
     "source": "172.17.0.2", "destination": "203.0.113.9", "protocol": "icmp", "port": 0,
     "names": [], "repeated": 0},
]  # fmt: skip

TABLE = """\
TIME                  CONTAINER   VERDICT   DESTINATION            NAME          TIMES
2026-01-31 12:00:00   web         allow     203.0.113.9:443/tcp    example.org   1
2026-01-31 12:00:01   web         deny      [2001:db8::9]:53/udp   -             10
2026-01-31 12:00:02   web         deny      203.0.113.9/icmp       -             1
"""


def test_a_table(recorder, ours) -> None:
    recorder.answers["GET /boxship/networks/audit"] = (200, json.dumps(LINES))
    assert ours("network", "audit").out == TABLE
    assert json.loads(ours("network", "audit", "--format", "json").out) == LINES
    asked = [request.target.partition("/boxship")[2] for request in recorder.take()]
    assert "/networks/audit?limit=100" in asked


def test_what_is_asked_for(recorder, ours) -> None:
    recorder.answers["GET /boxship/networks/audit"] = (200, "[]")
    assert ours("network", "audit", "--denied", "-n", "0", "web").code == 0
    assert "container=web&verdict=deny" in recorder.take()[-1].target
    assert ours("network", "audit", "--format", "x").code == 1
