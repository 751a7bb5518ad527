"""Each route that Docker has and we have not says what it lacks, whatever it is asked."""

import pytest

from boxship.api.openapi.absent import OPERATIONS

ANSWERS = {
    501: "is not implemented in this version of Boxship",
    503: "This node is not",
}
ABSENT = [each for each in OPERATIONS if each.errors]


@pytest.mark.parametrize("body", [b"", b'{"Name": "x"}'])
def test_what_is_not_there_says_so(api, body):
    """Of all in one test: it is their table that is long, not what there is to see."""
    for operation in ABSENT:
        (status,) = operation.errors
        path = operation.pattern.replace("{name...}", "thing").replace("{id}", "thing")
        answer = api.client.request(operation.method, path, body)
        assert answer.status == status, operation
        assert ANSWERS[status] in answer.message, operation


def test_they_are_many():
    assert len(ABSENT) > 30


def test_the_older_path_of_networks_lists_them(api):
    found = api.client.json("/networks/?filters=%7B%7D")
    assert [row["Name"] for row in found] == [row["Name"] for row in api.client.json("/networks")]
    assert found


def test_images_are_listed_with_what_has_no_effect(api):
    plain = api.client.json("/images/json")
    assert api.client.json("/images/json?digests=1") == plain
