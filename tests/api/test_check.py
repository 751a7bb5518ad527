"""The check of the store as a stream of lines."""

import msgspec


def test_events_are_lines_and_the_summary_is_last(api):
    answer = api.client.request("POST", "/boxship/system/check?repair=1")
    assert answer.status == 200
    progress, finding, summary = map(msgspec.json.decode, answer.body.splitlines())
    assert progress == {
        "type": "progress", "kind": "layer", "id": "sha256:ab", "current": 5, "total": 10,
    }  # fmt: skip
    assert finding["type"] == "finding"
    assert (finding["outcome"], finding["path"], finding["images"]) == ("lost", "etc/x", ["a:1"])
    assert summary["type"] == "summary"
    assert (summary["repaired"], summary["remaining"], summary["snapshots"]) == (1, 1, 3)
