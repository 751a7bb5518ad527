"""Pure parts: challenges, proxies, insecure registries, refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.base.errors import InvalidArgumentError
from boxship.distribution.answers import refusal, retry_after
from boxship.distribution.challenges import Challenge, parse_challenges
from boxship.distribution.credentials import Credentials
from boxship.distribution.errors import RateLimitedError, RegistryDeniedError
from boxship.distribution.insecure import InsecureRegistries
from boxship.distribution.login import registry_host
from boxship.distribution.proxies import proxy_for
from boxship.distribution.search import parse
from boxship.distribution.settings import Proxies


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            'Bearer realm="https://auth/token",service="reg",scope="repository:a/b:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth/token",
                        "service": "reg",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        (
            'Basic realm="x", Bearer realm="y"',
            [("basic", {"realm": "x"}), ("bearer", {"realm": "y"})],
        ),
        ("Negotiate, Basic", [("negotiate", {}), ("basic", {})]),
        (
            "NTLM TlRMTVNTUAAC==, Basic realm=x",
            [("ntlm", {"": "TlRMTVNTUAAC=="}), ("basic", {"realm": "x"})],
        ),
        (
            r'Bearer realm = "a \"quoted\" \\ one" , x=y',
            [("bearer", {"realm": r'a "quoted" \ one', "x": "y"})],
        ),
        ('BASIC REALM="x"', [("basic", {"realm": "x"})]),
        (",,  Basic  ,", [("basic", {})]),
        ("", []),
        ('Bearer realm="never closed', [("bearer", {"realm": '"never'}), ("closed", {})]),
        ("===", []),
    ],
)
def test_challenges(line: str, found: list[tuple[str, dict[str, str]]]) -> None:
    read = parse_challenges([line])
    if "never" in line:
        assert read[0].scheme == "bearer"  # and no exception
        return
    assert list(read) == [Challenge(scheme, parameters) for scheme, parameters in found]


def test_challenges_of_several_lines() -> None:
    read = parse_challenges(['Bearer realm="a"', 'Basic realm="b"'])
    assert [(challenge.scheme, challenge.get("realm")) for challenge in read] == [
        ("bearer", "a"),
        ("basic", "b"),
    ]


@given(st.lists(st.text(alphabet='Basicr =",\\\\\\t/x1', max_size=60), max_size=3))
def test_no_line_is_too_odd_to_be_read(lines: list[str]) -> None:
    for challenge in parse_challenges(lines):
        assert challenge.scheme == challenge.scheme.lower() != ""


@given(st.binary(max_size=200), st.integers(400, 599))
def test_no_refusal_is_too_odd_to_be_told(body: bytes, status: int) -> None:
    assert str(refusal(status, {}, body))


PROXIES = "http://proxy:3128"


@pytest.mark.parametrize(
    ("url", "no_proxy", "proxied"),
    [
        ("https://registry.example.com/v2/", "", True),
        ("https://registry.example.com/v2/", "*", False),
        ("https://registry.example.com/v2/", "example.com", False),
        ("https://registry.example.com/v2/", ".example.com", False),
        ("https://example.com/v2/", ".example.com", True),
        ("https://notexample.com/v2/", "example.com", True),
        ("https://registry.example.com:5000/v2/", "registry.example.com:5000", False),
        ("https://registry.example.com:5001/v2/", "registry.example.com:5000", True),
        ("https://10.1.2.3/v2/", "10.0.0.0/8", False),
        ("https://11.1.2.3/v2/", "10.0.0.0/8,::1", True),
        ("https://10.1.2.3:443/v2/", "10.1.2.3", False),
        ("https://127.0.0.1:5000/v2/", "", False),
        ("https://localhost:5000/v2/", "", False),
        ("https://[::1]:5000/v2/", "", False),
    ],
)
def test_proxies(url: str, no_proxy: str, proxied: bool) -> None:
    assert bool(proxy_for(url, Proxies("", PROXIES, no_proxy))) is proxied
    assert proxy_for(url.replace("https:", "http:"), Proxies("", PROXIES, no_proxy)) == ""


def test_a_proxy_may_lack_its_scheme() -> None:
    assert proxy_for("http://a.example/", Proxies("proxy:3128")) == PROXIES


@pytest.mark.parametrize(
    ("entries", "host", "insecure"),
    [
        ((), "127.0.0.1:5000", True),
        ((), "127.8.9.10", True),
        ((), "[::1]:5000", True),
        ((), "localhost:5000", True),
        ((), "10.0.0.1:5000", False),
        (("10.0.0.0/8",), "10.0.0.1:5000", True),
        (("10.0.0.0/8",), "11.0.0.1", False),
        (("10.0.0.1:5000",), "10.0.0.1:5000", True),
        (("10.0.0.1:5000",), "10.0.0.1:5001", False),
        (("10.0.0.1",), "10.0.0.1:5001", False),
        (("fd00::/8",), "[fd00::1]:443", True),
        (("Reg.Example",), "reg.example", True),
    ],
)
def test_insecure_registries(entries: tuple[str, ...], host: str, insecure: bool) -> None:
    assert InsecureRegistries(entries).contains(host) is insecure


@pytest.mark.parametrize(
    ("server", "host"),
    [
        ("", "registry-1.docker.io"),
        ("https://index.docker.io/v1/", "registry-1.docker.io"),
        ("docker.io", "registry-1.docker.io"),
        ("reg:5000", "reg:5000"),
        ("https://reg.example/v2/", "reg.example"),
    ],
)
def test_servers_of_logins(server: str, host: str) -> None:
    assert registry_host(server) == host


@pytest.mark.parametrize(
    ("term", "host", "rest"),
    [
        ("app", "index.docker.io", "app"),
        ("me/app", "index.docker.io", "me/app"),
        ("docker.io/library/app", "index.docker.io", "app"),
        ("reg:5000/app", "reg:5000", "app"),
        ("localhost/app", "localhost", "app"),
    ],
)
def test_terms_of_searches(term: str, host: str, rest: str) -> None:
    found = parse(term)
    assert (found.host, found.term) == (host, rest)


def test_the_first_error_is_told() -> None:
    body = b'{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}'
    error = refusal(403, {}, body)
    assert isinstance(error, RegistryDeniedError)
    assert error.told == "denied: requested access to the resource is denied"


def test_retry_after_may_be_a_date() -> None:
    assert retry_after({"Retry-After": "7"}) == 7
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({}) is None
    assert isinstance(refusal(429, {}, b""), RateLimitedError)


def test_secrets_are_in_no_repr() -> None:
    given = Credentials("me", "pass-w", "identity-t", "registry-t", "reg")
    assert repr(given) == "Credentials(username='me', server='reg')"


@pytest.mark.parametrize(
    "server", ["x y", "https://c d/", "[::1", "a:b:c", "http://[x]/", "a..b", "..", "x" * 64 + ".y"]
)
def test_what_is_no_host_is_told_so(server):
    with pytest.raises(InvalidArgumentError, match="unable to parse server address"):
        registry_host(server)


@pytest.mark.parametrize("term", ["../..", "a..b/x", ".a/x", "a b.c/x", "x" * 64 + ".y/z"])
def test_a_search_of_what_is_no_host(term):
    with pytest.raises(InvalidArgumentError, match="is no host's name"):
        parse(term)


def test_a_name_that_no_resolver_takes_is_not_trusted():
    assert not InsecureRegistries(("10.0.0.0/8",)).contains("a..b:5000")
