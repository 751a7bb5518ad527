"""The small languages inside flags, where no client of Docker's is needed to judge them."""

from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.cli.syntax import devices, environment, limits, mounts, networks, ports, security


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", [("80/tcp", "", "")]),
        ("8080:80/udp", [("80/udp", "", "8080")]),
        ("127.0.0.1::80", [("80/tcp", "127.0.0.1", "")]),
        ("[::1]:90:91", [("91/tcp", "::1", "90")]),
        ("1-2:3-4", [("3/tcp", "", "1"), ("4/tcp", "", "2")]),
        ("8000-8001:80", [("80/tcp", "", "8000-8001")]),
    ],
)
def test_published_ports(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert [tuple(spec) for spec in ports.parse_publish(text)] == [(*spec, ()) for spec in expected]


@pytest.mark.parametrize(
    "text",
    [
        "8080-8081:80-81,source=10.0.0.1/8,source=fd00::/8",
        "target=80-81,published=8080-8081,source=10.0.0.0/8,source=fd00::/8",
    ],
)
def test_who_may_use_a_port(text: str) -> None:
    first, second = ports.parse_publish(text)
    assert first.binding() == {
        "HostIp": "", "HostPort": "8080", "Sources": ["10.0.0.0/8", "fd00::/8"],
    }  # fmt: skip
    assert (second.port, second.sources) == ("81/tcp", first.sources)


@pytest.mark.parametrize("text", ["80:80,source", "80:80,source=x", "80:80,from=10.0.0.0/8", "80,"])
def test_who_may_use_no_port(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid (source|field)"):
        ports.parse_publish(text)


@pytest.mark.parametrize(
    "text", ["", "x", "0-", "70000", "2-1", "1-2:3-5", "80:80/x", "1.2.3:80:80", "a:80"]
)
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid|no port"):
        ports.parse_publish(text)


def test_a_mount_keeps_the_apis_shape() -> None:
    assert mounts.parse_mount("type=bind,src=/a,dst=/b,ro,bind-propagation=rslave") == {
        "Type": "bind",
        "Source": "/a",
        "Target": "/b",
        "ReadOnly": True,
        "BindOptions": {"Propagation": "rslave"},
    }
    assert mounts.parse_mount("type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=700") == {
        "Type": "tmpfs",
        "Target": "/x",
        "TmpfsOptions": {"SizeBytes": 1048576, "Mode": 0o700},
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("foo", "must be a key=value pair"),
        ("dst=/x,foo=1", "unexpected key 'foo'"),
        ("src=/x", "target is required"),
        ("type=bind,dst=/x,tmpfs-size=1m", "cannot mix 'tmpfs-"),
        ("type=tmpfs,dst=/x,tmpfs-size=a", "invalid value for tmpfs-size"),
        ("type=tmpfs,dst=/x,tmpfs-mode=9", "invalid value for tmpfs-mode"),
        ("dst=/x,ro=perhaps", "invalid value for ro"),
        ("type=bind,dst=/x,bind-recursive=foo", "invalid value for bind-recursive"),
        ("type=bind,dst=/x,bind-recursive=writable", "requires 'readonly'"),
    ],
)
def test_a_wrong_mount_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        mounts.parse_mount(text)


def test_relative_sources_become_absolute(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    binds, anonymous = mounts.split_volumes(("./a:/b:ro", "..:/up", "name:/c", "/anonymous"))
    assert binds == [f"{tmp_path}/a:/b:ro", f"{tmp_path.parent}:/up", "name:/c"]
    assert anonymous == {"/anonymous": {}}
    assert mounts.parse_mount("type=bind,src=.,dst=/x")["Source"] == str(tmp_path)


def test_environment_files_come_before_flags_and_bare_names_take_ours(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_bytes(b"\xef\xbb\xbfA=1\r\n# no\n\nOURS\nGONE\n B = 2 \n".replace(b" B =", b"B="))
    found = environment.variables([str(file)], ["OURS", "GONE", "E="], {"OURS": "x"})
    assert found == ["A=1", "OURS=x", "B= 2 ", "OURS=x", "GONE", "E="]


@pytest.mark.parametrize("content", ["A B=1\n", "=x\n"])
def test_a_wrong_environment_file_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text(content)
    with pytest.raises(InvalidArgumentError, match=str(file)):
        environment.variables([str(file)], [], {})


def test_ulimits() -> None:
    assert limits.parse_ulimit("nofile=10:20") == {"Name": "nofile", "Hard": 20, "Soft": 10}
    assert limits.parse_ulimit("core=-1") == {"Name": "core", "Hard": -1, "Soft": -1}


@pytest.mark.parametrize("text", ["nofile", "foo=1", "nofile=2:1", "nofile=-1:1", "nofile=1:2:3"])
def test_wrong_ulimits(text: str) -> None:
    with pytest.raises(ValueError, match=r"ulimit|limit"):
        limits.parse_ulimit(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/dev/a", ("/dev/a", "/dev/a", "rwm")),
        ("/dev/a:r", ("/dev/a", "/dev/a", "r")),
        ("/dev/a:/dev/b", ("/dev/a", "/dev/b", "rwm")),
        ("/dev/a:/dev/b:rw", ("/dev/a", "/dev/b", "rw")),
    ],
)
def test_devices(text: str, expected: tuple[str, str, str]) -> None:
    assert tuple(devices.parse_device(devices.check_device(text)).values()) == expected


def test_gpus() -> None:
    assert devices.parse_gpus("all")["Count"] == -1
    assert devices.parse_gpus('"device=0,1"')["DeviceIDs"] == ["0", "1"]
    with pytest.raises(ValueError, match="only once"):
        devices.parse_gpus("1,count=2")


def test_networks() -> None:
    assert networks.parse_network("web").name == "web"
    spec = networks.parse_network("name=web,alias=a,alias=b,ip=1.2.3.4,gw-priority=7")
    assert (spec.aliases, spec.ipv4, spec.priority) == (("a", "b"), "1.2.3.4", 7)
    with pytest.raises(ValueError, match="not specified"):
        networks.parse_network("alias=a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:1.2.3.4", "a:1.2.3.4"),
        ("a=::1", "a:::1"),
        ("a:[::1]", "a:::1"),
        ("a:host-gateway", "a:host-gateway"),
    ],
)
def test_extra_hosts(text: str, expected: str) -> None:
    assert networks.parse_extra_host(text) == expected


def test_a_seccomp_profile_is_read_by_the_client(tmp_path: Path) -> None:
    profile = tmp_path / "p.json"
    profile.write_text('{"defaultAction": "SCMP_ACT_ALLOW",\n "é": 1}')
    read = security.read_security_options([f"seccomp={profile}", "systempaths=unconfined"])
    assert read.options == ('seccomp={"defaultAction":"SCMP_ACT_ALLOW","é":1}',)
    assert read.bare_paths


@pytest.mark.parametrize("content", [None, "{"])
def test_a_profile_that_cannot_be_read_is_named(content: str | None, tmp_path: Path) -> None:
    profile = tmp_path / "p.json"
    if content is not None:
        profile.write_text(content)
    with pytest.raises(InvalidArgumentError, match=str(profile)):
        security.read_security_options([f"seccomp={profile}"])


def test_capabilities_have_full_names_in_order() -> None:
    assert security.capabilities(["sys_admin", "ALL", "CAP_CHOWN"], []) == (
        ["ALL", "CAP_CHOWN", "CAP_SYS_ADMIN"],
        None,
    )
