"""daemon.json's keys for registries, and what they come to."""

import json

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.config import DaemonConfig, changed, load_config, unchanged
from boxship.daemon.registries import registry_settings
from boxship.distribution.settings import Proxies, Timeouts


@pytest.fixture
def configured(tmp_path):
    def load(file, *arguments) -> DaemonConfig:
        path = tmp_path / "daemon.json"
        path.write_text(json.dumps(file))
        return load_config(["--config-file", str(path), *arguments])

    return load


def test_defaults_are_dockers(configured):
    config = configured({})
    settings = registry_settings(config, {})
    assert (settings.mirrors, settings.insecure, settings.retries.attempts) == ((), (), 5)
    assert settings.proxies == Proxies()
    assert config.number("max-concurrent-downloads") == 3


def test_mirrors_and_insecure_registries(configured):
    given = {
        "registry-mirrors": ["https://mirror.example", "http://127.0.0.1:5000/"],
        "insecure-registries": ["reg:5000", "10.0.0.0/8", "[::1]:5000", "fe80::1"],
        "max-download-attempts": 2,
        "registry-connect-timeout": 3,
        "registry-read-timeout": 4,
    }
    settings = registry_settings(configured(given), {})
    assert settings.mirrors == ("https://mirror.example/", "http://127.0.0.1:5000/")
    assert settings.insecure == ("reg:5000", "10.0.0.0/8", "[::1]:5000", "fe80::1")
    assert settings.retries.attempts == 2
    assert settings.timeouts == Timeouts(connect=3, read=4)
    flags = configured({}, "--registry-mirror", "http://m", "--insecure-registry=r")
    settings = registry_settings(flags, {})
    assert (settings.mirrors, settings.insecure) == (("http://m/",), ("r",))


def test_proxies_come_from_options_then_the_environment(configured):
    around = {"HTTP_PROXY": "http://e", "HTTPS_PROXY": "http://e", "NO_PROXY": "e"}
    given = {"proxies": {"https-proxy": "http://f"}}
    found = registry_settings(configured(given, "--http-proxy", "http://g"), around).proxies
    assert found == Proxies("http://g", "http://f", "e")
    with pytest.raises(InvalidArgumentError) as refused:
        configured({"proxies": {"http-proxy": "http://me:pw@f"}}, "--http-proxy=g")
    assert "http-proxy: (from flag: g, from file: http://xxxxx:xxxxx@f)" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"registry-mirrors": ["mirror"]}, 'invalid mirror: "mirror" is not a URL'),
        ({"registry-mirrors": ["ftp://m"]}, "is not a URL"),
        ({"registry-mirrors": ["https://m/path"]}, "path, query, or fragment"),
        ({"registry-mirrors": ["https://me:pw@m"]}, "username/password not allowed"),
        ({"insecure-registries": ["http://r"]}, "should not contain '://'"),
        ({"insecure-registries": ["10.0.0.0/99"]}, '"10.0.0.0/99" is not valid: .*CIDR block'),
        ({"insecure-registries": ["r:99999"]}, '"r:99999" is not valid: Port out of range'),
        ({"insecure-registries": ["a b"]}, '"a b" is not valid: it names no host'),
        ({"insecure-registries": [""]}, '"" is not valid: it names no host'),
        ({"proxies": {"ftp-proxy": "http://p"}}, r"proxies\.ftp-proxy .*is http-proxy meant"),
        ({"proxies": {"http-proxy": 3}}, "http-proxy: expected a text, got 3"),
        ({"max-concurrent-uploads": 0}, "invalid max concurrent uploads: 0"),
        ({"registry-connect-timeout": 0}, "invalid registry connect timeout: 0"),
        ({"registry-read-timeout": -1}, "invalid registry read timeout: -1"),
        ({"max-concurrent-downloads": 0}, "invalid max concurrent downloads: 0"),
        ({"max-download-attempts": -1}, "invalid max download attempts: -1"),
    ],
)
def test_what_is_wrong_is_said_at_start_up(configured, given, said):
    with pytest.raises(InvalidArgumentError, match=said) as refused:
        configured(given)
    assert "pw" not in str(refused.value)


def test_a_reload_changes_them(configured):
    given = {
        "registry-mirrors": ["http://m"],
        "max-concurrent-downloads": 1,
        "registry-read-timeout": 1,
    }
    assert set(changed(configured({}), configured(given))) == set(given)


def test_what_waits_for_a_restart_is_named(configured):
    before = configured({})
    after = configured({"storage-driver": "vfs", "max-concurrent-uploads": 1})
    assert unchanged(before, after) == ["storage-driver"]
    assert unchanged(before, configured({})) == []
