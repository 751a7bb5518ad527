"""What create refuses, in the words dockerd uses for the same request."""

import msgspec
import pytest

from boxship.base.errors import (
    InvalidArgumentError,
)
from boxship.engine.containers import mounts, portclaims
from boxship.engine.containers.checks import limits, request, rights
from boxship.engine.containers.checks.machine import Machine, format_list, parse_list
from boxship.engine.networks.record import NetworkRecord
from boxship.model.container import ContainerConfig, HostConfig, PortBinding

TWO_CPUS = Machine(frozenset({0, 1}), frozenset({0}))
MIB = 2**20


def check(config: str = "{}", host: str = "{}") -> list[str]:
    wanted = msgspec.json.decode(config, type=ContainerConfig)
    wanted_host = msgspec.json.decode(host, type=HostConfig)
    warnings = request.check(wanted, wanted_host, TWO_CPUS)
    mounts.resolve(wanted_host)
    mounts.tmpfs_options(wanted_host)
    return warnings


# Each request was made to dockerd 20.10; the texts are its answers.
REFUSED_HOST_CONFIGS = [
    ('{"Binds":["/tmp:/x:bad"]}', "invalid mode: bad"),
    ('{"Binds":["/tmp:/x:ro,rw"]}', "invalid mode: ro,rw"),
    (
        '{"Binds":["/tmp:x"]}',
        "invalid volume specification: '/tmp:x': invalid mount config for type \"bind\": "
        "invalid mount path: 'x' mount path must be absolute",
    ),
    (
        '{"Binds":["/tmp:/"]}',
        "invalid volume specification: '/tmp:/': invalid mount config for type \"bind\": "
        "invalid specification: destination can't be '/'",
    ),
    (
        '{"Binds":["vol:x"]}',
        "invalid volume specification: 'vol:x': invalid mount config for type \"volume\": "
        "invalid mount path: 'x' mount path must be absolute",
    ),
    (
        '{"Binds":["vol:/x:rprivate"]}',
        "invalid volume specification: 'vol:/x:rprivate': invalid mount config for type "
        '"volume": field BindOptions must not be specified',
    ),
    (
        '{"Binds":["v:/x"]}',
        "create v: volume name is too short, names should be at least two alphanumeric characters",
    ),
    (
        '{"Mounts":[{"Type":"tmpfs","Target":"/a\\u0000"}]}',
        "invalid mount config for type \"tmpfs\": invalid mount path: '/a\\x00' has a NUL in it",
    ),
    ('{"Binds":["/a:/b:rw:z:y"]}', "invalid volume specification: '/a:/b:rw:z:y'"),
    ('{"Binds":["/tmp:/x","/var:/x"]}', "Duplicate mount point: /x"),
    ('{"Tmpfs":{"/x":""},"Binds":["/tmp:/x"]}', "Duplicate mount point: /x"),
    (
        '{"Binds":["foo!bar:/x"]}',
        'create foo!bar: "foo!bar" includes invalid characters for a local volume name, only '
        '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, '
        "use absolute path",
    ),
    (
        '{"Mounts":[{"Type":"bind","Source":"/nonexist","Target":"/x"}]}',
        'invalid mount config for type "bind": bind source path does not exist: /nonexist',
    ),
    (
        '{"Mounts":[{"Type":"bind","Source":"rel","Target":"/x"}]}',
        "invalid mount config for type \"bind\": invalid mount path: 'rel' mount path must be "
        "absolute",
    ),
    (
        '{"Mounts":[{"Type":"bind","Source":"/tmp","Target":"x"}]}',
        "invalid mount config for type \"bind\": invalid mount path: 'x' mount path must be "
        "absolute",
    ),
    (
        '{"Mounts":[{"Type":"bind","Target":"/x"}]}',
        'invalid mount config for type "bind": field Source must not be empty',
    ),
    (
        '{"Mounts":[{"Type":"bind","Source":"/tmp"}]}',
        'invalid mount config for type "bind": field Target must not be empty',
    ),
    (
        '{"Mounts":[{"Type":"foo","Target":"/x"}]}',
        'invalid mount config for type "foo": mount type unknown',
    ),
    (
        '{"Mounts":[{"Type":"tmpfs","Source":"/y","Target":"/x"}]}',
        'invalid mount config for type "tmpfs": field Source must not be specified',
    ),
    (
        '{"Mounts":[{"Type":"image","Target":"/x"}]}',
        'invalid mount config for type "image": field Source must not be empty',
    ),
    (
        '{"Mounts":[{"Type":"image","Source":"a","Target":"/x","ImageOptions":{"Subpath":"/a"}}]}',
        'invalid mount config for type "image": subpath must be a relative path within the image: '
        "'/a'",
    ),
    (
        '{"Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"Subpath":"a"}}]}',
        'invalid mount config for type "volume": must not set Subpath when using anonymous volumes',
    ),
    ('{"Tmpfs":{"x":""}}', "invalid mount path: 'x' mount path must be absolute"),
    ('{"Memory":1000}', "Minimum memory limit allowed is 6MB"),
    (
        '{"Memory":10000000,"MemorySwap":9000000}',
        "Minimum memoryswap limit should be larger than memory limit, see usage",
    ),
    (
        '{"MemorySwap":9000000}',
        "You should always set the Memory limit when using Memoryswap limit, see usage",
    ),
    ('{"MemorySwappiness":101}', "Invalid value: 101, valid memory swappiness range is 0-100"),
    (
        '{"Memory":10000000,"MemoryReservation":20000000}',
        "Minimum memory limit can not be less than memory reservation limit, see usage",
    ),
    ('{"MemoryReservation":20}', "Minimum memory reservation allowed is 6MB"),
    ('{"KernelMemory":5}', "Minimum kernel memory limit allowed is 6MB"),
    (
        '{"NanoCpus":99000000000}',
        "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
    ),
    ('{"NanoCpus":-5}', "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
    (
        '{"NanoCpus":1000000000,"CpuQuota":5000}',
        "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
    ),
    (
        '{"CpuPeriod":5}',
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    ),
    ('{"CpuQuota":5}', "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
    ('{"CpusetCpus":"77"}', "Requested CPUs are not available - requested 77, available: 0-1"),
    ('{"CpusetCpus":"x-y"}', "Invalid value x-y for cpuset cpus: invalid format: x-y"),
    ('{"CpusetMems":"7"}', "Requested memory nodes are not available - requested 7, available: 0"),
    ('{"OomScoreAdj":2000}', "Invalid value 2000, range for oom score adj is [-1000, 1000]"),
    ('{"CapAdd":["FOO"]}', 'invalid CapAdd: unknown capability: "CAP_FOO"'),
    ('{"CapDrop":["CAP_FOO"]}', 'invalid CapDrop: unknown capability: "CAP_FOO"'),
    (
        '{"NetworkMode":"container:"}',
        "Invalid network mode: invalid container format container:<name|id>",
    ),
    (
        '{"NetworkMode":"host","Links":["a:b"]}',
        "conflicting options: host type networking can't be used with links. "
        "This would result in undefined behavior",
    ),
    ('{"CgroupnsMode":"foo"}', "invalid cgroup namespace mode: foo"),
    ('{"ShmSize":-1}', "SHM size can not be less than 0"),
    (
        '{"RestartPolicy":{"Name":"foo"}}',
        "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', "
        "'on-unhealthy', or 'unless-stopped'",
    ),
    (
        '{"RestartPolicy":{"Name":"always","MaximumRetryCount":3}}',
        "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    ),
    (
        '{"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":-3}}',
        "invalid restart policy: maximum retry count cannot be negative",
    ),
    (
        '{"AutoRemove":true,"RestartPolicy":{"Name":"always"}}',
        "can't create 'AutoRemove' container with restart policy",
    ),
    (
        '{"LogConfig":{"Type":"json-file","Config":{"foo":"1"}}}',
        "unknown log opt 'foo' for json-file log driver",
    ),
    ('{"ExtraHosts":["foo"]}', 'bad format for add-host: "foo"'),
    ('{"SecurityOpt":["foo"]}', 'invalid --security-opt 1: "foo"'),
    ('{"SecurityOpt":["foo=bar"]}', 'invalid --security-opt 2: "foo=bar"'),
    (
        '{"SecurityOpt":["no-new-privileges:maybe"]}',
        'invalid --security-opt 2: "no-new-privileges:maybe"',
    ),
    (
        '{"Isolation":"hyperv"}',
        "Invalid isolation: \"hyperv\" - linux only supports 'default'",
    ),
    (
        '{"PortBindings":{"80/tcp":[{"HostPort":"x"}]}}',
        'invalid port specification: "x"',
    ),
    (
        '{"StorageOpt":{"size":"1G"}}',
        "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
    ),
    ('{"PortBindings":{"x":[]}}', 'invalid port specification: "x"'),
    (
        '{"LogConfig":{"Type":"json-file","Config":{"max-buffer-size":"1m"}}}',
        "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    ),
    (
        '{"LogConfig":{"Type":"json-file","Config":'
        '{"mode":"non-blocking","max-buffer-size":"big"}}}',
        "error parsing option max-buffer-size: invalid size: 'big'",
    ),
    ('{"StorageOpt":{"size":"big"}}', "invalid --storage-opt size: invalid size: 'big'"),
    ('{"StorageOpt":{"size":"1k"}}', "invalid --storage-opt size: 1k: it is too small"),
    ('{"StorageOpt":{"foo":"1G"}}', "Unknown option foo"),
    ('{"CapAdd":["CAP_ALL"]}', 'invalid CapAdd: unknown capability: "CAP_ALL"'),
    ('{"CpusetCpus":"0,,1"}', "Invalid value 0,,1 for cpuset cpus: invalid format: 0,,1"),
    (
        '{"CpusetCpus":"9000"}',
        "Invalid value 9000 for cpuset cpus: value of out range, maximum is 8192",
    ),
    (
        '{"CpuRealtimeRuntime":2000,"CpuRealtimePeriod":1000}',
        "cpu real-time runtime cannot be higher than cpu real-time period",
    ),
    (
        '{"IOMaximumIOps":1}',
        "Invalid QoS settings: linux does not support configuration of maximum IOPs",
    ),
    ('{"KernelMemory":1}', "Minimum kernel memory limit allowed is 6MB"),
    (
        '{"SecurityOpt":["systempaths=unconfined"]}',
        'invalid --security-opt 2: "systempaths=unconfined"',
    ),
    (
        '{"SecurityOpt":["credentialspec=file://x"]}',
        'invalid --security-opt 2: "credentialspec=file://x"',
    ),
    (
        '{"Annotations":{"":"x"}}',
        "invalid Annotations: the empty string is not permitted as an annotation key",
    ),
    (
        '{"Mounts":[{"Type":"bind","Source":"/tmp","Target":"/x","VolumeOptions":{}}]}',
        'VolumeOptions must not be specified on mount type "bind"',
    ),
    (
        '{"Mounts":[{"Type":"tmpfs","Target":"/x","BindOptions":{}}]}',
        'BindOptions must not be specified on mount type "tmpfs"',
    ),
    (
        '{"Mounts":[{"Type":"bind","Source":"/tmp","Target":"/x",'
        '"BindOptions":{"ReadOnlyForceRecursive":true}}]}',
        'invalid mount config for type "bind": ReadOnlyForceRecursive needs ReadOnly',
    ),
]


@pytest.mark.option("HostConfig.StorageOpt")  # where the file system has no quotas
@pytest.mark.parametrize(("host", "answer"), REFUSED_HOST_CONFIGS)
def test_bad_host_config_gets_dockers_answer(host: str, answer: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check(host=host)
    assert str(caught.value) == answer


REFUSED_CONFIGS = [
    ('{"StopSignal":"SIGFOO"}', "invalid signal: SIGFOO"),
    (
        '{"WorkingDir":"rel"}',
        "the working directory 'rel' is invalid, it needs to be an absolute path",
    ),
    ('{"Env":["=x"]}', "invalid environment variable: =x"),
    ('{"Env":[""]}', "invalid environment variable: "),
    (
        '{"Healthcheck":{"Test":["CMD","x"],"Interval":5}}',
        "Interval in Healthcheck cannot be less than 1ms",
    ),
    (
        '{"Healthcheck":{"Test":["HTTP","80"]}}',
        "Test in Healthcheck: '80' is not [address]:port, as :80 or 10.0.0.5:80",
    ),
]


@pytest.mark.parametrize(("config", "answer"), REFUSED_CONFIGS)
def test_bad_config_gets_dockers_answer(config: str, answer: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check(config=config)
    assert str(caught.value) == answer


def test_hostname_conflicts_with_a_shared_network() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check(config='{"Hostname":"a"}', host='{"NetworkMode":"container:x"}')
    assert str(caught.value) == "conflicting options: hostname and the network mode"


def test_volumes_of_a_swarm_are_refused_by_name() -> None:
    with pytest.raises(InvalidArgumentError, match='type "cluster": mount type unknown'):
        check(host='{"Mounts":[{"Type":"cluster","Source":"c","Target":"/x"}]}')


@pytest.mark.parametrize(
    "host",
    [
        "{}",
        '{"Memory":6291456,"MemorySwap":-1}',
        '{"NanoCpus":1500000000}',
        '{"CpusetCpus":"0-1","CpusetMems":"0"}',
        '{"CapAdd":["net_admin","ALL"],"CapDrop":["CAP_CHOWN"]}',
        '{"NetworkMode":"none","PublishAllPorts":true,'
        '"PortBindings":{"80/tcp":[{"HostPort":"80"}]}}',
        '{"SecurityOpt":["no-new-privileges","seccomp=unconfined","apparmor=x","label:disable"]}',
        '{"LogConfig":{"Type":"json-file","Config":{"max-size":"-1","max-file":"2","tag":"t"}}}',
        '{"Ulimits":[{"Name":"nofile","Soft":10,"Hard":20},{"Name":"core","Soft":-1,"Hard":-1}]}',
        '{"ExtraHosts":["a:10.0.0.1","b=::1","c:host-gateway"]}',
        '{"DeviceCgroupRules":["c 1:* rwm","b *:* r"]}',
    ],
)
def test_good_requests_pass(host: str) -> None:
    assert check(host=host) == []


def test_the_loopback_of_ipv6_is_warned_of() -> None:
    host = '{"PortBindings":{"80/tcp":[{"HostIp":"0::1","HostPort":"80"}]}}'
    assert check(host=host) == ["Ports published on ::1 cannot be reached: use 127.0.0.1"]


def told_of_ports(address: str, *networks: NetworkRecord) -> list[str]:
    host = HostConfig(port_bindings={"80/tcp": (PortBinding(address, "8080"),)})
    return portclaims.in_vain(networks, host)


def test_an_address_of_a_family_that_no_network_has_is_warned_of() -> None:
    old, new = (NetworkRecord("1" * 64, "n", "bridge", 0, enable_ipv6=six) for six in (False, True))
    words = "Ports published on :: cannot be reached: no network of the container has IPv6"
    assert told_of_ports("::", old) == [words]
    for address, networks in (("::", (old, new)), ("", (old,)), ("0.0.0.0", (old,)), ("::", ())):
        assert told_of_ports(address, *networks) == []
    assert told_of_ports("::1", old) == []  # told of already, whatever the network
    assert told_of_ports("127.0.0.1", msgspec.structs.replace(new, enable_ipv4=False))
    assert told_of_ports("::", msgspec.structs.replace(old, driver="host")) == []


def test_the_hosts_network_publishes_nothing() -> None:
    host = '{"NetworkMode":"host","PortBindings":{"80/tcp":[{"HostPort":"80"}]}}'
    assert check(host=host) == ["Published ports are discarded when using host network mode"]


def test_a_limit_of_kernel_memory_is_warned_of() -> None:
    (warning,) = check(host='{"KernelMemory":8388608}')
    assert "kernel memory limit is deprecated" in warning


def test_binds_around_the_data_root_let_unmounts_through() -> None:
    def propagation(*binds: str) -> list[str]:
        points = mounts.resolve(HostConfig(binds=binds), "/var/lib/boxship")
        return [point.propagation for point in points]

    assert propagation("/:/a", "/var/lib/boxship/tmp:/b", "/var/lib:/c") == ["rslave"] * 3
    assert propagation("/etc:/a", "/var/lib/box:/b") == ["rprivate"] * 2
    assert propagation("/:/a:rshared", "/etc:/b:slave") == ["rshared", "slave"]
    with pytest.raises(InvalidArgumentError, match="must use either propagation mode"):
        propagation("/:/a:rprivate")


def test_cgroups_can_be_writable_on_version_2_alone() -> None:
    asked = HostConfig(security_opt=("writable-cgroups=true",))
    rights.check_writable_cgroups(asked, unified=True)
    with pytest.raises(InvalidArgumentError, match="only with cgroup v2"):
        rights.check_writable_cgroups(asked, unified=False)
    assert rights.writable_cgroups(asked)
    assert rights.writable_cgroups(HostConfig(privileged=True))
    kept = HostConfig(privileged=True, security_opt=("writable-cgroups=false",))
    assert not rights.writable_cgroups(kept)


def test_parents_of_systemds_scopes_are_slices() -> None:
    limits.check_cgroup_parent(HostConfig(cgroup_parent="a.slice"), systemd=True)
    limits.check_cgroup_parent(HostConfig(cgroup_parent="/a"), systemd=False)
    for parent in ("/a", ".slice", "a.scope"):
        with pytest.raises(InvalidArgumentError, match="should be a valid slice"):
            limits.check_cgroup_parent(HostConfig(cgroup_parent=parent), systemd=True)


def test_a_probe_that_will_not_run_is_warned_of() -> None:
    (warning,) = check('{"Healthcheck":{"Test":["WHAT","true"]}}')
    assert warning == "Unknown healthcheck type 'WHAT' (expected 'CMD'): nothing is checked"
    assert check('{"Healthcheck":{"Test":["CMD","true"]}}') == []
    assert check('{"Healthcheck":{"Test":["TCP",":80"]}}') == []
    assert check('{"Healthcheck":{"Test":["NONE"]}}') == []
    assert check('{"Healthcheck":null}') == []


def test_oom_killer_off_without_a_limit_is_warned_of() -> None:
    (warning,) = check(host='{"OomKillDisable":true}')
    assert warning.startswith("OOM killer is disabled for the container, but no memory limit")
    assert check(host=f'{{"OomKillDisable":true,"Memory":{64 * MIB}}}') == []


@pytest.mark.parametrize(
    ("text", "numbers"), [("0", {0}), ("0-3", {0, 1, 2, 3}), ("1,3-4", {1, 3, 4})]
)
def test_cpu_lists(text: str, numbers: set[int]) -> None:
    assert parse_list(text) == numbers
    assert format_list(frozenset(numbers)) == text


@pytest.mark.parametrize("text", ["", "-1", "1-", "3-1", "a", "1,,2", "0-99999999999"])
def test_bad_cpu_lists(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid format|out of range|of out range"):
        parse_list(text)


@pytest.mark.parametrize(
    "host",
    [
        r'{"CgroupParent":"a\u0000b"}',
        r'{"Devices":[{"PathOnHost":"/dev/a\u0000b"}]}',
        r'{"Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/a\u0000b"}]}',
        r'{"BlkioDeviceReadBps":[{"Path":"/dev/a\u0000b","Rate":1}]}',
    ],
)
def test_paths_that_no_system_call_takes(host: str) -> None:
    with pytest.raises(InvalidArgumentError, match="a path cannot contain a NUL byte"):
        check(host=host)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ({"DnsSearch": ["a b"]}, "invalid DNS search domain: 'a b'"),
        ({"DnsSearch": ["a\tb"]}, r"invalid DNS search domain: 'a\tb'"),
        ({"DnsSearch": ["a\nnameserver 6.6.6.6"]}, "invalid DNS search domain"),
        ({"DnsOptions": ["ndots:1\nnameserver 6.6.6.6"]}, "invalid DNS option: 'ndots"),
        ({"ExtraHosts": ["a\n6.6.6.6 b:1.2.3.4"]}, "invalid name in add-host: 'a"),
        ({"ExtraHosts": ["a\u2028b:1.2.3.4"]}, "invalid name in add-host: 'a"),
    ],
)
def test_names_that_would_write_lines_of_their_own(host: dict[str, list[str]], words: str) -> None:
    """Beyond Docker, which writes them to the files as they are."""
    with pytest.raises(InvalidArgumentError) as refused:
        check(host=msgspec.json.encode(host).decode())
    assert words in str(refused.value)


def test_what_resolvers_read_is_taken() -> None:
    assert check(host='{"DnsSearch":["."],"DnsOptions":["ndots:1 rotate"]}') == []
    assert check(host='{"ExtraHosts":["a b:1.2.3.4"]}') == []
