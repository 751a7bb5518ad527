"""Settings of plugins: what can be set, what stays through an upgrade, and what they may do."""

import pytest

from boxship.base.errors import ForbiddenError, InvalidArgumentError
from boxship.engine.managed import privileges, settings
from boxship.engine.managed.privileges import Privilege
from boxship.oci.plugin import PluginConfig, decode_config, encode_config

CONFIG = b"""{
  "entrypoint": ["/p"], "interface": {"types": ["docker.volumedriver/1.0"], "socket": "v.sock"},
  "env": [{"name": "DEBUG", "settable": ["value"], "value": "0"}, {"name": "FIXED", "value": "1"},
          {"name": "EMPTY", "settable": ["value"]}],
  "args": {"name": "args", "settable": ["value"], "value": ["a", "b"]},
  "mounts": [{"name": "my.state", "settable": ["source"], "source": "/s", "destination": "/state",
              "type": "bind"}, {"name": "usr", "source": "/usr", "destination": "/usr"}],
  "linux": {"capabilities": ["CAP_SYS_ADMIN"], "allowAllDevices": true,
            "devices": [{"name": "fuse", "settable": ["path"], "path": "/dev/fuse"}]},
  "network": {"type": "host"}, "ipchost": true, "PidHost": true
}"""


def config(text: bytes = CONFIG) -> PluginConfig:
    return decode_config(text)


def test_names_of_members_are_taken_in_any_case_and_written_as_gos() -> None:
    read = config()
    assert (read.linux.allow_all_devices, read.ipc_host, read.pid_host) == (True, True, True)
    assert decode_config(encode_config(read)) == read
    assert b'"PropagatedMount":""' in encode_config(read)


@pytest.mark.parametrize(
    "text",
    [b"{", b'{"entrypoint": "x"}', b'{"linux": {"devices": [{"path": 1}]}}', b"\xff", b'"x"'],
)
def test_what_is_no_configuration_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"config\.json"):
        decode_config(text)


def test_settings_begin_as_the_configuration_says() -> None:
    found = settings.initial(config())
    assert found.env == ("DEBUG=0", "FIXED=1")
    assert found.args == ("a", "b")
    assert [mount.source for mount in found.mounts] == ["/s", "/usr"]


def test_settings_are_changed_one_after_the_other() -> None:
    words = ["DEBUG=a=b", "EMPTY.value=x", "args='c d' e", "my.state.source=/t", "fuse.path=/dev/x"]
    found = settings.changed(config(), settings.initial(config()), words)
    assert found.env == ("DEBUG=a=b", "FIXED=1", "EMPTY=x")
    assert found.args == ("c d", "e")
    assert found.mounts[0].source == "/t"
    assert found.devices[0].path == "/dev/x"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("FIXED=2", '"FIXED" is not settable'),
        ("usr.source=/x", '"usr.source" is not settable'),
        ("my.state.options=/x", '"my.state.options" is not settable'),
        ("NOPE=1", 'setting "NOPE" not found in the plugin configuration'),
        ("novalue", 'setting "novalue" not found in the plugin configuration'),
        ("args='x", '"args": no closing quotation'),
    ],
)
def test_what_cannot_be_set_is_named(word: str, told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told.replace(".", "[.]")):
        settings.changed(config(), settings.initial(config()), ["DEBUG=1", word])


def test_what_was_set_stays_set_through_an_upgrade_where_it_can() -> None:
    before = config()
    words = ["DEBUG=1", "args=z", "my.state.source=/t", "fuse.path=/dev/x"]
    own = settings.changed(before, settings.initial(before), words)
    newer = CONFIG.replace(b'"name": "fuse", "settable": ["path"]', b'"name": "fuse"')
    after = config(newer.replace(b'"name": "FIXED", "value": "1"', b'"name": "NEW", "value": "2"'))
    found = settings.carried_over(before, own, after)
    assert found.env == ("DEBUG=1", "NEW=2")
    assert found.args == ("z",)
    assert found.mounts[0].source == "/t"
    assert found.devices[0].path == "/dev/fuse"


def test_what_a_plugin_asks_for_is_said_in_dockers_order() -> None:
    assert [(each.name, each.value) for each in privileges.asked(config())] == [
        ("network", ("host",)),
        ("host ipc namespace", ("true",)),
        ("host pid namespace", ("true",)),
        ("mount", ("/s",)),
        ("mount", ("/usr",)),
        ("device", ("/dev/fuse",)),
        ("allow-all-devices", ("true",)),
        ("capabilities", ("CAP_SYS_ADMIN",)),
    ]


def test_nobody_gets_more_than_was_agreed_to() -> None:
    wanted = privileges.asked(config())
    privileges.check_granted(config(), tuple(reversed(wanted)))
    with pytest.raises(ForbiddenError, match=r"incorrect privileges.*capabilities"):
        privileges.check_granted(config(), wanted[:-1])
    with pytest.raises(ForbiddenError, match="asks for less"):
        privileges.check_granted(config(), (*wanted, Privilege("mount", "", ("/",))))
