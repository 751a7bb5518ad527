"""Options from environment variables."""

import json

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.config import load_config
from boxship.daemon.environment import unknown_variables, variable_of
from boxship.daemon.options import BY_NAME, OPTIONS


@pytest.fixture
def configured(tmp_path):
    def load(variables, file, *arguments):
        path = tmp_path / "daemon.json"
        path.write_text(json.dumps(file))
        return load_config(["--config-file", str(path), *arguments], variables)

    return load


def test_flags_over_environment_over_file(configured):
    variables = {"BOXSHIP_LOG_LEVEL": "warn", "BOXSHIP_MTU": "1400"}
    config = configured(variables, {"mtu": 1300, "icc": False}, "--log-level=error")
    assert config.text("log-level") == "error"
    assert config.number("mtu") == 1400
    assert not config.flag("icc")


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("BOXSHIP_DEBUG", "true", "debug", True),
        ("BOXSHIP_IP_MASQ", "0", "ip-masq", False),
        ("BOXSHIP_HOSTS", "unix:///a, tcp://127.0.0.1:1", "hosts",
         ("unix:///a", "tcp://127.0.0.1:1")),
        ("BOXSHIP_LABELS", '["a=b,c", "d=e"]', "labels", ("a=b,c", "d=e")),
        ("BOXSHIP_LABELS", "", "labels", ()),
        ("BOXSHIP_LOG_OPTS", "max-size=1m,max-file=2", "log-opts",
         {"max-size": "1m", "max-file": "2"}),
        ("BOXSHIP_DEFAULT_SHM_SIZE", "1g", "default-shm-size", 1 << 30),
        ("BOXSHIP_DEFAULT_ADDRESS_POOLS", "base=10.0.0.0/8,size=24", "default-address-pools",
         ("base=10.0.0.0/8,size=24",)),
        ("BOXSHIP_DEFAULT_ADDRESS_POOLS", '[{"base":"10.0.0.0/8","size":24}]',
         "default-address-pools", ("base=10.0.0.0/8,size=24",)),
        ("BOXSHIP_BUILDER", '{"gc": {"enabled": false}}', "builder", {"gc": {"enabled": False}}),
        ("BOXSHIP_HTTP_PROXY", "http://p", "http-proxy", "http://p"),
        ("DOCKER_DRIVER", "vfs", "storage-driver", "vfs"),
    ],
)  # fmt: skip
def test_forms(configured, variable, text, name, value):
    assert configured({variable: text}, {}).values[name] == value


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("BOXSHIP_DEBUG", "perhaps", 'BOXSHIP_DEBUG: invalid argument "perhaps"'),
        ("BOXSHIP_MTU", "x", 'BOXSHIP_MTU: invalid argument "x"'),
        ("BOXSHIP_LABELS", '["a"', "BOXSHIP_LABELS: line 1, column 5: expected ','"),
        ("BOXSHIP_BUILDER", "gc", "BOXSHIP_BUILDER: line 1, column 1: expected a value"),
        ("BOXSHIP_LOG_LEVEL", "loud", "invalid log-level: loud"),
        ("DOCKER_DRIVER", "zfs", "invalid storage-driver: zfs"),
    ],
)
def test_what_is_wrong_names_its_variable(configured, variable, text, told):
    with pytest.raises(InvalidArgumentError, match=told):
        configured({variable: text}, {})


@pytest.mark.parametrize(
    ("file", "verifies"),
    [
        ({"hosts": ["tcp://127.0.0.1:2376"]}, True),
        ({"hosts": ["unix:///x", "127.0.0.1:1"]}, True),
        ({"hosts": ["tcp://127.0.0.1:2376"], "tlsverify": False}, False),
        ({"hosts": ["unix:///x", "fd://"]}, False),
        ({}, False),
    ],
)
def test_dockers_variable_asks_for_client_certificates(configured, file, verifies):
    assert configured({"DOCKER_TLS_VERIFY": "1"}, file).flag("tlsverify") is verifies
    assert not configured({"DOCKER_TLS_VERIFY": ""}, file).flag("tlsverify")


def test_the_file_itself_is_named_by_a_variable(tmp_path):
    path = tmp_path / "another.json"
    path.write_text('{"mtu": 1300}')
    assert load_config([], {"BOXSHIP_CONFIG_FILE": str(path)}).number("mtu") == 1300
    with pytest.raises(InvalidArgumentError, match="no such file or directory"):
        load_config([], {"BOXSHIP_CONFIG_FILE": str(tmp_path / "none.json")})


def test_every_option_has_a_variable_and_typing_errors_are_told(configured):
    names = [variable_of(option) for option in OPTIONS]
    assert len(set(filter(None, names))) == len(names) - names.count("")
    assert variable_of(BY_NAME["version"]) == ""
    around = {"BOXSHIP_DATAROOT": "/x", "BOXSHIP_HOST": "tcp://x", "HOME": "/root"}
    assert configured(around, {}).unknown_variables == ("BOXSHIP_DATAROOT",)
    assert unknown_variables(filter(None, names)) == ()
