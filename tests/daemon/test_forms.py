"""Values of options beyond their form."""

import pytest

from boxship.daemon import forms
from boxship.daemon.option import Check, Value


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (forms.one_of("", "a"), ""),
        (forms.plugin_or("syslog"), "syslog"),
        (forms.plugin_or("syslog"), "acme/shelf:1.0"),
        (forms.at_least(-1), -1),
        (forms.port, 0),
        (forms.port, 65535),
        (forms.hosts, ("unix:///x", "tcp://:1", "fd://", "/x", "127.0.0.1:1", "[::1]:1")),
        (forms.addresses, ("10.0.0.1", "fd00::1")),
        (forms.labels, ("a=b", "a=b", "c=", "d=e=f")),
        (forms.fwmark, ""),
        (forms.fwmark, "0xff/0xff"),
        (forms.fwmark, "7"),
        (forms.generic_resources, ("SSD=3", "GPU=a", "GPU=b")),
        (forms.listens, ""),
        (forms.listens, "127.0.0.1:9323"),
        (forms.listens, ":9323"),
        (forms.api_version, ""),
        (forms.api_version, "1.24"),
    ],
)
def test_what_can_be(check: Check, value: Value) -> None:
    check(value)


@pytest.mark.parametrize(
    ("check", "value", "told"),
    [
        (forms.one_of("", "b", "a"), "c", r"^c \(one of a, b\)"),
        (forms.plugin_or("syslog"), "sysslog", r"^sysslog \(one of syslog\)"),
        (forms.plugin_or("syslog"), "a b", r"^a b \(one of syslog\)"),
        (forms.plugin_or("syslog"), "", r"one of syslog"),
        (forms.at_least(-1, "-1 (for ever)"), -2, r"^-2 \(it must be -1 \(for ever\) or more\)"),
        (forms.port, 65536, "65536"),
        (forms.port, -1, "-1"),
        (forms.hosts, ("unix:///x", "foo://x"), "^foo://x"),
        (forms.hosts, ("",), "nothing can be listened on there"),
        (forms.addresses, ("10.0.0.1:53",), r"^10\.0\.0\.1:53"),
        (forms.labels, ("a",), "a label is key=value"),
        (forms.labels, ("=a",), "a label is key=value"),
        (forms.labels, ("a=b", "a=c"), "conflict labels for a=c and a=b"),
        (forms.fwmark, "x", "a mark is a number"),
        (forms.fwmark, "1/", "a mark is a number"),
        (forms.fwmark, "0x100000000", "32 bits"),
        (forms.generic_resources, ("SSD",), "^SSD "),
        (forms.generic_resources, ("SSD=3", "SSD=a"), "by number and by name"),
        (forms.generic_resources, ("SSD=3", "SSD=4"), "given twice"),
        (forms.listens, "9323", "host:port"),
        (forms.listens, "http://x:1", "host:port"),
        (forms.api_version, "1.23", r"1\.24 to 1\."),
        (forms.api_version, "2.0", "an API version is like"),
    ],
)
def test_what_cannot_be_is_named(check: Check, value: Value, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check(value)


def test_a_mark_without_a_mask_counts_whole() -> None:
    assert forms.read_fwmark("0x10") == (16, 0xFFFFFFFF)
    assert forms.read_fwmark("3/0xf") == (3, 15)
