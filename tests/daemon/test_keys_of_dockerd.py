"""Every key of dockerd's daemon.json is known, with a value of its form; others are refused."""

import json
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.config import load_config
from boxship.daemon.options import BY_FLAG, BY_KEY, OPTIONS

KEYS: dict[str, object] = {
    "allow-direct-routing": True,
    "allow-nondistributable-artifacts": ["r"],
    "authorization-plugins": ["a"],
    "bip": "10.1.0.1/24",
    "bip6": "fd01::1/64",
    "bridge": "none",
    "bridge-accept-fwmark": "0x1/0x3",
    "builder": {
        "gc": {
            "enabled": True,
            "defaultKeepStorage": "1GB",
            "policy": [{"all": True, "keepStorage": "1GB", "filter": ["unused-for=48h"]}],
        },
        "entitlements": {"network-host": True},
        "history": {"maxAge": 3600, "maxEntries": 5},
    },
    "cdi-spec-dirs": ["/etc/cdi"],
    "cgroup-parent": "/x",
    "containerd": "/run/c.sock",
    "containerd-namespace": "n",
    "cpu-rt-period": 1000,
    "cpu-rt-runtime": 10,
    "cri-containerd": True,
    "data-root": "/x",
    "debug": True,
    "default-address-pools": [{"base": "10.0.0.0/8", "size": 24}],
    "default-cgroupns-mode": "private",
    "default-gateway": "10.1.0.1",
    "default-gateway-v6": "fd01::1",
    "default-ipc-mode": "shareable",
    "default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1400"}},
    "default-runtime": "runc",
    "default-shm-size": "64M",
    "default-stop-timeout": 3,
    "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 64000}},
    "deprecated-key-path": "/etc/docker/key.json",
    "dns": ["10.0.0.2"],
    "dns-opts": ["ndots:1"],
    "dns-search": ["example.com"],
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    "exec-root": "/y",
    "experimental": True,
    "features": {"cdi": True, "containerd-snapshotter": True},
    "firewall-backend": "nftables",
    "fixed-cidr": "10.1.0.0/25",
    "fixed-cidr-v6": "fd01::/80",
    "group": "",
    "host-gateway-ip": "10.1.0.1",
    "host-gateway-ips": ["10.1.0.1", "fd01::1"],
    "hosts": ["unix:///x"],
    "icc": False,
    "init": True,
    "init-path": "/bin/true",
    "insecure-registries": ["r:5000"],
    "ip": "127.0.0.1",
    "ip-forward": False,
    "ip-forward-no-drop": True,
    "ip-masq": False,
    "ip6tables": False,
    "iptables": True,
    "ipv6": True,
    "labels": ["a=b"],
    "live-restore": True,
    "log-driver": "local",
    "log-format": "json",
    "log-level": "warn",
    "log-opts": {"max-size": "1m"},
    "max-concurrent-downloads": 1,
    "max-concurrent-uploads": 1,
    "max-download-attempts": 1,
    "metrics-addr": "127.0.0.1:9323",
    "min-api-version": "1.40",
    "mtu": 1400,
    "network-control-plane-mtu": 1400,
    "network-diagnostic-port": 7777,
    "no-new-privileges": True,
    "node-generic-resources": ["GPU=1"],
    "nri-opts": {"enable": False},
    "pidfile": "/p",
    "proxies": {"http-proxy": "http://p", "https-proxy": "http://p", "no-proxy": "x"},
    "raw-logs": True,
    "registry-mirrors": ["https://m"],
    "rootless": False,
    "runtimes": {"r": {"path": "/r", "runtimeArgs": ["--debug"]}},
    "seccomp-profile": "unconfined",
    "selinux-enabled": False,
    "shutdown-timeout": 5,
    "storage-driver": "overlay2",
    "storage-opts": ["overlay2.override_kernel_check=true"],
    "swarm-default-advertise-addr": "10.0.0.1",
    "tls": True,
    "tlscacert": "/ca",
    "tlscert": "/c",
    "tlskey": "/k",
    "tlsverify": True,
    "userland-proxy": False,
    "userland-proxy-path": "/x",
    "userns-remap": "default",
}
REJECTED = ("default-init", "resolv-conf", "swarm-raft-heartbeat-tick", "swarm-raft-election-tick")
RELOADED = {
    "debug", "default-cgroupns-mode", "default-ipc-mode", "default-runtime", "default-shm-size",
    "default-stop-timeout", "features", "insecure-registries", "labels", "live-restore",
    "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts",
    "network-diagnostic-port", "registry-mirrors", "runtimes", "shutdown-timeout",
}  # fmt: skip


def load(tmp_path: Path, file: dict[str, object]) -> None:
    path = tmp_path / "daemon.json"
    path.write_text(json.dumps(file))
    load_config(["--config-file", str(path)], {})


@pytest.mark.parametrize("key", KEYS)
def test_each_alone(tmp_path: Path, key: str) -> None:
    beside = {"bip": KEYS["bip"]} if key in ("default-gateway", "fixed-cidr") else {}
    load(tmp_path, {**beside, key: KEYS[key]})


def test_all_together(tmp_path: Path) -> None:
    separate = ("bridge", "host-gateway-ip")
    load(tmp_path, {key: value for key, value in KEYS.items() if key not in separate})


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_another_form_is_refused_with_its_place(tmp_path: Path, key: str) -> None:
    if key == "deprecated-key-path":
        return  # nobody looks at it
    wrong: object = [[]] if not isinstance(KEYS[key], list) else {"x": 1}
    with pytest.raises(InvalidArgumentError, match=rf"line 1, column \d+: {key}: expected"):
        load(tmp_path, {key: wrong})


@pytest.mark.parametrize("key", REJECTED)
def test_what_dockerd_refuses(tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"any configuration option: {key}"):
        load(tmp_path, {key: 1})


def test_what_dockerd_reloads_is_reloaded() -> None:
    assert {option.key for option in OPTIONS if option.reload} >= RELOADED


def test_each_option_without_effect_says_why() -> None:
    for option in OPTIONS:
        assert option.effect or len(option.idle) > 20, option.name
    assert "containerd" in BY_FLAG
    assert KEYS.keys() <= BY_KEY.keys()
