"""Flags, daemon.json, and the two together."""

import json

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.config import changed, load_config, read_file
from boxship.daemon.main import run
from boxship.daemon.networks import network_settings
from boxship.daemon.options import DEFAULT_HOST, OPTIONS, Kind, usage
from boxship.engine.settings import AddressPoolSetting, RuntimeProgram


@pytest.fixture
def configured(tmp_path):
    def load(file, *arguments):
        path = tmp_path / "daemon.json"
        path.write_text(file if isinstance(file, str) else json.dumps(file))
        return load_config(["--config-file", str(path), *arguments])

    return load


def test_defaults(configured):
    config = configured({})
    assert config.hosts == (DEFAULT_HOST,)
    assert config.text("data-root") == "/var/lib/boxship"
    assert config.log_level == "info"
    assert config.number("shutdown-timeout") == 15
    assert config.tls is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["-D", "-l", "warn"],
        ["-Dl", "warn"],
        ["-Dlwarn"],
        ["-l=warn", "--debug"],
        ["--log-level", "warn", "--debug=true"],
        ["--log-level=warn", "--debug=false", "--debug=1"],
    ],
)
def test_ways_to_write_flags(configured, arguments):
    config = configured({}, *arguments)
    assert config.flag("debug")
    assert config.text("log-level") == "warn"
    assert config.log_level == "debug"


def test_flags_that_repeat(configured):
    config = configured(
        {}, "-H", "unix:///a", "--host=tcp://:1", "--label", "a=b", "--label", "c=d",
        "--default-ulimit", "nofile=5:10", "--default-ulimit=nproc=7",
    )  # fmt: skip
    assert config.hosts == ("unix:///a", "tcp://:1")
    assert config.words("labels") == ("a=b", "c=d")
    assert [(u.name, u.soft, u.hard) for u in config.default_ulimits] == [
        ("nofile", 5, 10),
        ("nproc", 7, 7),
    ]


def test_the_file(configured):
    config = configured(
        {
            "hosts": ["unix:///x"],
            "debug": True,
            "default-shm-size": "128m",
            "log-opts": {"max-size": "1m"},
            "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 9, "Soft": 3}},
        }
    )
    assert config.hosts == ("unix:///x",)
    assert config.number("default-shm-size") == 128 << 20
    assert config.mapping("log-opts") == {"max-size": "1m"}
    (ulimit,) = config.default_ulimits
    assert (ulimit.soft, ulimit.hard) == (3, 9)


def test_an_empty_file_is_an_empty_object(configured):
    assert configured("").hosts == (DEFAULT_HOST,)
    assert load_config(["--config-file", "/dev/null"]).hosts == (DEFAULT_HOST,)


def test_the_default_file_may_be_missing_and_a_named_one_may_not(tmp_path):
    assert not read_file(str(tmp_path / "no"), must_exist=False).values
    with pytest.raises(InvalidArgumentError, match="no such file or directory"):
        load_config(["--config-file", str(tmp_path / "no")])


@pytest.mark.parametrize(
    ("file", "arguments", "message"),
    [
        (
            {"debug": True, "hosts": ["fd://"], "colour": 1},
            ("-D",),
            "the following directives don't match any configuration option: colour",
        ),
        (
            {"debug": True, "labels": ["a=b"]},
            ("--debug=false", "--label", "c=d"),
            "the following directives are specified both as a flag and in the configuration "
            "file: debug: (from flag: false, from file: true), "
            "labels: (from flag: [c=d], from file: [a=b])",
        ),
        ({"debug": "yes"}, (), 'debug: expected true or false, got "yes"'),
        ({"shutdown-timeout": True}, (), "shutdown-timeout: expected a number, got true"),
        ({"labels": "a=b"}, (), "labels: expected a list"),
        ({"log-level": "loud"}, (), "invalid log-level: loud"),
        ({"labels": ["novalue"]}, (), "bad attribute format: novalue"),
        ({"default-ulimits": {"nofile": "many"}}, (), "invalid default-ulimit nofile=many"),
        ("{", (), "invalid JSON"),
        ("[]", (), "invalid JSON"),
    ],
)
def test_what_is_wrong_is_named(configured, file, arguments, message):
    with pytest.raises(InvalidArgumentError) as caught:
        configured(file, *arguments)
    assert str(caught.value).startswith("unable to configure the daemon with file ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--colour"], "unknown flag: --colour"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["--data-root"], "flag needs an argument: --data-root"),
        (["--debug=perhaps"], 'invalid argument "perhaps" for "--debug"'),
        (["--shutdown-timeout", "soon"], 'invalid argument "soon" for "--shutdown-timeout"'),
        (["start"], "accepts no arguments"),
        (["--bridge", "br0", "--bip", "10.0.0.1/8"], "--bridge and --bip are mutually exclusive"),
        (["--bip", "10.0.0.1"], "invalid bip: 10.0.0.1"),
        (["--bip", "fd00::1/64"], "invalid bip: fd00::1/64"),
        (["--fixed-cidr-v6", "10.0.0.0/8"], "invalid fixed-cidr-v6"),
        (["--default-gateway", "x"], "invalid default-gateway: x"),
        (["--mtu", "5"], "invalid mtu: 5"),
        (["--ip", "x"], "invalid ip: x"),
        (["--firewall", "off"], "invalid firewall: off"),
        (["--firewall-backend", "pf"], "invalid firewall-backend: pf"),
        (["--default-address-pool", "10.0.0.0/8"], "must be base=CIDR,size=number"),
        (["--default-address-pool", "base=10.0.0.0/24,size=8"], "size 8: subnets of 10.0.0.0/24"),
        (["--default-network-opt", "bridge=mtu"], "must be name=key=value"),
        (
            ["--default-network-opt", "bridge=com.docker.network.driver.mtu=x"],
            "failed to parse com.docker.network.driver.mtu value: x",
        ),
    ],
)
def test_bad_flags(arguments, message):
    with pytest.raises(InvalidArgumentError, match=message):
        load_config(["--config-file", "/dev/null", *arguments])


def test_flags_of_other_test_benches_are_accepted(configured):
    config = configured(
        {"builder": {"gc": {"enabled": True}}},
        *("--containerd", "/run/c.sock", "--iptables=false", "--ip6tables=false"),
        *("--fixed-cidr", "10.0.0.0/8", "--bip=10.0.0.1/8", "--live-restore", "--userland-proxy"),
        *("--authorization-plugin", "x", "--default-address-pool", "base=10.0.0.0/8,size=24"),
        *("--firewall-backend=nftables", "--feature", "a=true", "--storage-driver", "overlay2"),
        *("--containerd-namespace", "n", "--containerd-plugins-namespace", "p"),
        *("--bridge", "none", "--exec-opt", "native.cgroupdriver=cgroupfs"),
    )
    assert config.flag("live-restore")
    assert {"userland-proxy", "containerd"} <= set(config.without_effect)


def test_options_of_networks_are_the_same_as_flags_and_in_the_file(configured):
    flags = configured(
        {},
        *("--default-address-pool", "size=24,base=10.10.0.0/16"),
        *("--default-address-pool", "base=10.20.0.0/16,size=26"),
        *("--default-network-opt", "bridge=com.docker.network.driver.mtu=1400"),
        *("--default-network-opt", "bridge=com.docker.network.bridge.enable_icc=false"),
        *("--icc=false", "--mtu=1300", "--bip=10.1.0.1/24", "--host-gateway-ip", "10.1.0.9"),
    )
    file = configured(
        {
            "default-address-pools": [
                {"base": "10.10.0.0/16", "size": 24},
                {"base": "10.20.0.0/16", "size": 26},
            ],
            "default-network-opts": {
                "bridge": {
                    "com.docker.network.driver.mtu": "1400",
                    "com.docker.network.bridge.enable_icc": "false",
                }
            },
            "icc": False,
            "mtu": 1300,
            "bip": "10.1.0.1/24",
            "host-gateway-ip": "10.1.0.9",
        }
    )
    settings = network_settings(flags)
    assert settings == network_settings(file)
    assert settings.address_pools[1] == AddressPoolSetting("10.20.0.0/16", 26)
    assert settings.default_options["bridge"]["com.docker.network.driver.mtu"] == "1400"
    assert (settings.icc, settings.ip_masq, settings.mtu) == (False, True, 1300)


def test_only_what_can_be_reloaded_is(configured):
    before = configured({"debug": False, "labels": ["a=b"], "data-root": "/x"})
    after = configured({"debug": True, "labels": ["a=c"], "data-root": "/y"})
    assert changed(before, after) == {"debug": True, "labels": ("a=c",)}


def test_help_names_every_option_with_an_effect():
    text = usage()
    for option in OPTIONS:
        assert (f"--{option.flag}" in text) is option.effect or not option.effect


def test_the_table_is_consistent():
    for key in ("key", "flag", "short"):
        names = [getattr(option, key) for option in OPTIONS if getattr(option, key)]
        assert len(names) == len(set(names)), key
    for option in OPTIONS:
        if option.effect and option.kind is Kind.FLAG:
            assert isinstance(option.default, bool)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"runtimes": {"runc": {"path": "/x"}}}, "runtime name 'runc' is reserved"),
        ({"runtimes": {"boxship": {"path": "/x"}}}, "runtime name 'boxship' is reserved"),
        ({"runtimes": {"x": {}}}, "invalid runtimes: x: a path is needed"),
        ({"runtimes": {"x": {"path": "/x", "args": []}}}, 'x: unknown key "args"'),
        ({"runtimes": {"x": {"path": "/x", "runtimeArgs": "a"}}}, "x: runtimeArgs is a list"),
        ({"runtimes": {"x": {"runtimeType": "io.containerd.kata.v2"}}}, "x: runtimeType"),
        (
            {"runtimes": {"x": {"runtimeType": "io.containerd.runc.v2", "options": "a"}}},
            "x: options is an object",
        ),
        ({"runtimes": []}, "runtimes: expected an object"),
        ({"default-runtime": "nope"}, "specified default runtime 'nope' does not exist"),
    ],
)
def test_runtimes_that_are_wrong(configured, given, told):
    with pytest.raises(InvalidArgumentError, match=told) as raised:
        configured(given)
    assert "\n" not in str(raised.value)


def test_runtimes(configured):
    config = configured({}, "--add-runtime", "a=/x", "--add-runtime=b=y", "--default-runtime=b")
    assert config.runtimes == {"a": RuntimeProgram("/x"), "b": RuntimeProgram("y")}
    config = configured(
        {
            "runtimes": {
                "c": {"path": "/x", "runtimeArgs": ["--debug"]},
                "d": {"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": "/z"}},
                "e": {"runtimeType": "io.containerd.runc.v2"},
            },
            "default-runtime": "io.containerd.runc.v2",
        }
    )
    assert config.runtimes == {
        "c": RuntimeProgram("/x", ("--debug",)),
        "d": RuntimeProgram("/z"),
        "e": RuntimeProgram("runc"),
    }
    with pytest.raises(InvalidArgumentError, match='invalid argument "foo" for "--add-runtime"'):
        configured({}, "--add-runtime=foo")


@pytest.mark.parametrize(
    ("arguments", "directories"),
    [
        ([], ("/etc/cdi", "/var/run/cdi")),
        (["--cdi-spec-dir=/a", "--cdi-spec-dir=/b"], ("/a", "/b")),
        (["--cdi-spec-dir="], ()),
        (["--feature=cdi=false", "--cdi-spec-dir=/a"], ()),
    ],
)
def test_directories_of_devices(configured, arguments, directories):
    assert configured({}, *arguments).cdi_spec_dirs == directories


def test_features_are_on_or_off(configured):
    assert configured({"features": {"cdi": False}}).cdi_spec_dirs == ()
    idle = configured({"features": {"cdi": True, "buildkit": True, "nope": True}}).without_effect
    assert idle == {
        "the feature buildkit": "both builders are always there, and clients choose",
        "the feature nope": "there is no such feature",
    }
    with pytest.raises(InvalidArgumentError, match="invalid feature cdi=maybe"):
        configured({"features": {"cdi": "maybe"}})


def test_the_cgroup_driver(configured):
    assert configured({}).cgroup_driver == "cgroupfs"
    systemd = "--exec-opt=native.cgroupdriver=systemd"
    assert configured({}, systemd, "--cgroup-parent=a.slice").cgroup_driver == "systemd"
    with pytest.raises(InvalidArgumentError, match=r'valid slice named as "xxx\.slice"'):
        configured({}, systemd, "--cgroup-parent=/a")
    with pytest.raises(InvalidArgumentError, match=r"native\.cgroupdriver option x not supported"):
        configured({"exec-opts": ["native.cgroupdriver=x"]})


def test_a_seccomp_profile_is_looked_at(configured, tmp_path):
    profile = tmp_path / "profile.json"
    option = f"--seccomp-profile={profile}"
    with pytest.raises(InvalidArgumentError, match=r"open .*: no such file or directory"):
        configured({}, option)
    profile.write_text("{")
    with pytest.raises(InvalidArgumentError, match="invalid JSON"):
        configured({}, option)
    profile.write_text("{}")
    assert configured({}, option).text("seccomp-profile") == str(profile)


@pytest.mark.parametrize(
    ("file", "code", "told"),
    [
        ('{"debug": true}', 0, "configuration OK\n"),
        ('{"debug": 1}', 1, "line 1, column 2: debug: expected true or false, got 1\n"),
        ('{"debug": true', 1, "line 1, column 15: expected ',' or '}', found the end of the file"),
        ('{"colour": 1}', 1, "any configuration option: colour (line 1, column 2)\n"),
        (
            '{"log-opts": {"max-size": "x"}}',
            1,
            "invalid log-opts: invalid value for max-size: invalid size: 'x'",
        ),
        ('{"hosts": ["tcp://0.0.0.0:2375"]}', 1, "refusing to listen on 0.0.0.0: whoever"),
        ('{"hosts": ["tcp://127.0.0.1:2375", "unix:///x"]}', 0, "configuration OK\n"),
        ('{"log-opts": {"max-file": 2}}', 1, "max-file: expected a text, got 2"),
        ('{"log-opts": {"speed": "2"}}', 1, "unknown log opt 'speed' for json-file log driver"),
        ('{"userns-remap": "nouser"}', 1, 'userns-remap: no user "nouser" in /etc/passwd'),
        ('{"userns-remap": "default:nope"}', 1, 'userns-remap: no group "nope" in /etc/group'),
        ('{"userns-remap": "default"}', 0, "configuration OK\n"),
        ('{"group": "nogroupatall"}', 1, "group nogroupatall not found"),
        ('{"group": "no", "hosts": ["tcp://127.0.0.1:1"]}', 0, "configuration OK\n"),
        ('{"authorization-plugins": ["no"]}', 1, 'authorization-plugins: plugin "no" not found'),
        ('{"log-driver": "myown/driver"}', 1, 'log-driver: plugin "myown/driver" not found'),
    ],
)
def test_a_configuration_is_validated_without_starting_anything(tmp_path, capsys, file, code, told):
    (tmp_path / "daemon.json").write_text(file)
    place = f"--data-root={tmp_path / 'data'}"
    arguments = ["--validate", place, "--config-file", str(tmp_path / "daemon.json")]
    assert run(arguments) == code
    assert told in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_one_option_by_two_names_is_a_conflict(configured):
    with pytest.raises(InvalidArgumentError, match="are the same option: give one of them"):
        configured({"host-gateway-ip": "10.0.0.1"}, "--host-gateway-ip=10.0.0.2")
