"""Users, capabilities, mount options and the runtime spec's types: rules without effects."""

from typing import Any

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.kernel import mounts as k
from boxship.oci.runtime import Linux, Spec
from boxship.runtime.capabilities import CAPABILITIES, adjust, mask_of, names_of
from boxship.runtime.defaults import CAPABILITIES as DEFAULT
from boxship.runtime.defaults import default_spec
from boxship.runtime.options import parse_options
from boxship.runtime.users import Identity, UnknownUserError, resolve_user

PASSWD = """root:x:0:0:root:/root:/bin/sh
# a comment
user:x:1000:1001::/home/user:
twin:x:1000:7::/twin:
broken:line
123:x:500:500::/odd:
"""
GROUP = "root:x:0:root\nwheel:x:10:root,user\nusers:x:1001:\nextra:x:77:other,user\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Identity(0, 0, (0, 10), "/root")),
        ("0", Identity(0, 0, (0, 10), "/root")),
        ("user", Identity(1000, 1001, (10, 77), "/home/user")),
        ("1000", Identity(1000, 1001, (10, 77), "/home/user")),
        ("twin", Identity(1000, 7, (), "/twin")),
        ("user:wheel", Identity(1000, 10, (), "/home/user")),
        ("user:4242", Identity(1000, 4242, (), "/home/user")),
        ("4242", Identity(4242, 0, (), "")),
        ("4242:77", Identity(4242, 77, (), "")),
        ("123", Identity(500, 500, (), "/odd")),
        (":wheel", Identity(0, 10, (), "/root")),
    ],
)
def test_a_user_is_looked_up(text: str, expected: Identity) -> None:
    assert resolve_user(text, PASSWD, GROUP) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nobody", "unable to find user nobody: no matching entries in passwd file"),
        ("user:nobody", "unable to find group nobody: no matching entries in group file"),
        ("-1", "uids and gids must be in range 0-2147483647"),
        ("2147483648", "uids and gids must be in range 0-2147483647"),
    ],
)
def test_nobody_is_refused_in_dockers_words(text: str, words: str) -> None:
    with pytest.raises(UnknownUserError, match=words):
        resolve_user(text, PASSWD, GROUP)


def test_more_groups_by_name_and_number() -> None:
    assert resolve_user("user", PASSWD, GROUP, ("users", "55")).groups == (10, 77, 1001, 55)
    with pytest.raises(UnknownUserError, match="unable to find group nosuch"):
        resolve_user("user", PASSWD, GROUP, ("nosuch",))


def test_an_image_without_users_has_root() -> None:
    assert resolve_user("", "", "") == Identity(0, 0, (), "")


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        ((), (), set(DEFAULT)),
        (("sys_admin",), ("CAP_CHOWN",), set(DEFAULT) - {"CAP_CHOWN"} | {"CAP_SYS_ADMIN"}),
        (("ALL",), ("NET_RAW",), set(CAPABILITIES) - {"CAP_NET_RAW"}),
        (("KILL",), ("all",), {"CAP_KILL"}),
        ((), ("ALL",), set()),
    ],
)
def test_capabilities_are_added_and_dropped(
    add: tuple[str, ...], drop: tuple[str, ...], expected: set[str]
) -> None:
    assert set(adjust(DEFAULT, add, drop)) == expected


def test_all_capabilities_are_those_we_have_ourselves() -> None:
    available = mask_of(CAPABILITIES) & ~mask_of(("CAP_SYS_RESOURCE",))
    assert "CAP_SYS_RESOURCE" not in adjust(DEFAULT, ("ALL",), (), available)


def test_an_unknown_capability_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match='unknown capability: "CAP_NOSUCH"'):
        adjust(DEFAULT, ("nosuch",), ())


def test_masks_and_names() -> None:
    assert mask_of(("CAP_CHOWN", "CAP_KILL", "CAP_NOSUCH")) == 0b100001
    assert names_of(0b100001) == ("CAP_CHOWN", "CAP_KILL")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("ro",), (k.MOUNT_ATTR_RDONLY, 0)),
        (("ro", "rw"), (0, k.MOUNT_ATTR_RDONLY)),
        (("noatime",), (k.MOUNT_ATTR_NOATIME, k.MOUNT_ATTR_ATIME)),
        (("noatime", "relatime"), (0, k.MOUNT_ATTR_ATIME)),
        (("nosuid", "suid", "nodev"), (k.MOUNT_ATTR_NODEV, k.MOUNT_ATTR_NOSUID)),
    ],
)
def test_the_last_of_contradicting_options_wins(
    options: tuple[str, ...], expected: tuple[int, int]
) -> None:
    parsed = parse_options(options)
    assert (parsed.set_bits, parsed.clear_bits) == expected


def test_options_are_sorted_into_their_kinds() -> None:
    parsed = parse_options(
        ("rbind", "rro", "rslave", "size=1m", "defaults", "tmpcopyup", "newinstance")
    )
    assert parsed.bind and parsed.recursive and parsed.copy_up
    assert parsed.recursive_set == k.MOUNT_ATTR_RDONLY
    assert parsed.propagation == "rslave"
    assert parsed.data == ("size=1m", "newinstance")


def test_a_spec_survives_json() -> None:
    spec = default_spec(("sh", "-c", "x"), terminal=True)
    assert Spec.from_json(spec.to_json()) == spec


def test_odd_names_of_the_specification() -> None:
    document = {
        "ociVersion": "1.0.2",
        "linux": {
            "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}],
            "resources": {
                "memory": {"disableOOMKiller": True, "kernelTCP": 5},
                "blockIO": {"throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 3}]},
            },
        },
    }
    linux: Linux = Spec.from_json(document).linux
    assert linux.uid_mappings[0].host_id == 1000
    assert linux.resources.memory is not None
    assert linux.resources.memory.disable_oom_killer
    assert linux.resources.memory.kernel_tcp == 5
    assert linux.resources.block_io is not None
    assert linux.resources.block_io.throttle_read_iops_device[0].rate == 3


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (
            {"process": {"cwd": "/", "rlimits": [{"type": "RLIMIT_CPU"}, {"type": "X"}]}},
            r"^process\.rlimits\[1\]\.type: 'X' is none of RLIMIT_",
        ),
        ({"process": {}}, r"^process\.cwd: missing"),
        ({"process": {"cwd": 3}}, r"^process\.cwd: text expected, not 3"),
        ({"mounts": {}}, r"^mounts: a list expected"),
        ({"annotations": {"a": 1}}, r"^annotations\.a: text expected"),
        (
            {"linux": {"resources": {"pids": {"limit": True}}}},
            r"^linux\.resources\.pids\.limit: a whole number",
        ),
        (
            {"linux": {"namespaces": [{"type": "net"}]}},
            r"^linux\.namespaces\[0\]\.type: 'net' is none of",
        ),
        ({"ociVersion": None}, r"^ociVersion: missing"),
    ],
)
def test_a_wrong_spec_is_refused_by_field(part: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Spec.from_json({"ociVersion": "1.0.2", **part})
