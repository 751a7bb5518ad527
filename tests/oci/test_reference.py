"""References: the grammar, Docker's familiar names, Docker's words for what is wrong."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.oci.digest import Digest
from boxship.oci.reference import (
    InvalidReferenceError,
    Reference,
    parse,
    parse_canonical,
)

HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

NORMALISED = {
    "busybox": ("docker.io/library/busybox", "busybox"),
    "busybox:1.36": ("docker.io/library/busybox:1.36", "busybox:1.36"),
    "library/busybox": ("docker.io/library/busybox", "busybox"),
    "docker.io/busybox": ("docker.io/library/busybox", "busybox"),
    "index.docker.io/busybox": ("docker.io/library/busybox", "busybox"),
    "me/app": ("docker.io/me/app", "me/app"),
    "docker.io/library/a/b": ("docker.io/library/a/b", "library/a/b"),
    "quay.io/app": ("quay.io/app", "quay.io/app"),
    "localhost/app": ("localhost/app", "localhost/app"),
    "localhost:5000/app:v1": ("localhost:5000/app:v1", "localhost:5000/app:v1"),
    "registry:5000/a/b/c": ("registry:5000/a/b/c", "registry:5000/a/b/c"),
    "[::1]:5000/app": ("[::1]:5000/app", "[::1]:5000/app"),
    "Host/app": ("Host/app", "Host/app"),
    "a--b__c/d.e-f": ("docker.io/a--b__c/d.e-f", "a--b__c/d.e-f"),
    "a__b.c/d": ("a__b.c/d", "a__b.c/d"),
    "xn--n3h.com/app:Tag_1.0-x": ("xn--n3h.com/app:Tag_1.0-x", "xn--n3h.com/app:Tag_1.0-x"),
    f"busybox@sha256:{HEX}": (
        f"docker.io/library/busybox@sha256:{HEX}",
        f"busybox@sha256:{HEX}",
    ),
    f"busybox:1@sha256:{HEX}": (
        f"docker.io/library/busybox:1@sha256:{HEX}",
        f"busybox:1@sha256:{HEX}",
    ),
    # One digit short of an identifier is a name again.
    HEX[:63]: (f"docker.io/library/{HEX[:63]}", HEX[:63]),
}


@pytest.mark.parametrize("text", NORMALISED)
def test_familiar_names_are_normalised_and_shown_familiar_again(text: str) -> None:
    full, familiar = NORMALISED[text]
    assert str(parse(text)) == full
    assert parse(text).familiar == familiar
    assert parse(full) == parse(text) == parse_canonical(full)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid reference format"),
        (":tag", "invalid reference format"),
        ("app:", "invalid reference format"),
        ("app:-tag", "invalid reference format"),
        ("app:" + "t" * 129, "invalid reference format"),
        ("app@sha256:abc", "invalid reference format"),
        ("-app", "invalid reference format"),
        ("a..b", "invalid reference format"),
        ("a___b", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("a/", "invalid reference format"),
        ("app ", "invalid reference format"),
        ("app\n", "invalid reference format"),
        ("äpp", "invalid reference format"),
        ("host:port/app", "invalid reference format"),
        ("-host.com/app", "invalid reference format"),
        ("App", "repository name (library/App) must be lowercase"),
        ("me/App", "repository name (me/App) must be lowercase"),
        ("a" * 256, "repository name must not be more than 255 characters"),
        (f"app@md5:{'a' * 32}", "unsupported digest algorithm"),
        (f"app@sha256:{HEX}00", "invalid checksum digest length"),
        (HEX, "cannot specify 64-byte hexadecimal strings"),
    ],
)
def test_refusals_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidReferenceError, match=re.escape(message)):
        parse(text)


def test_bare_grammar_names_its_refusals() -> None:
    with pytest.raises(InvalidReferenceError, match=r"^repository name must be lowercase$"):
        parse_canonical("docker.io/App")
    with pytest.raises(InvalidReferenceError, match="at least one component"):
        parse_canonical("")
    assert parse_canonical("app").domain == ""


def test_default_tag_only_where_nothing_else_says_which() -> None:
    assert parse("app").with_default_tag().tag == "latest"
    assert parse("app:1").with_default_tag().tag == "1"
    assert parse(f"app@sha256:{HEX}").with_default_tag().tag == ""


def test_replacing_tag_and_digest() -> None:
    digest = Digest("sha256", HEX)
    assert str(parse("app:1").with_digest(digest)) == f"docker.io/library/app@sha256:{HEX}"
    assert parse(f"app@sha256:{HEX}").with_tag("2") == parse("app:2")
    with pytest.raises(InvalidReferenceError, match="invalid tag format"):
        parse("app").with_tag(".dot-first")


_alnum = st.text("abcz019", min_size=1, max_size=6)
_component = st.builds(
    lambda first, rest: first + "".join(s + p for s, p in rest),
    _alnum,
    st.lists(st.tuples(st.sampled_from([".", "_", "__", "-", "---"]), _alnum), max_size=3),
)
_path = st.lists(_component, min_size=1, max_size=4).map("/".join)
_label = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,5}[a-zA-Z0-9])?", fullmatch=True)
_host = st.one_of(
    st.just("localhost"),
    st.lists(_label, min_size=2, max_size=4).map(".".join),
    st.just("[fe80::1]"),
)
_port = st.one_of(st.just(""), st.integers(0, 99999).map(lambda n: f":{n}"))
_domain = st.builds("{}{}".format, _host, _port)
_tag = st.one_of(st.just(""), st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True))
_digest = st.one_of(st.none(), st.binary(max_size=4).map(Digest.of))


@given(_domain, _path, _tag, _digest)
def test_whatever_the_grammar_produces_is_read_back(
    domain: str, path: str, tag: str, digest: Digest | None
) -> None:
    made = Reference(domain, path, tag, digest)
    assert parse_canonical(str(made)) == made
    assert parse(str(made)) == made


@given(_path, _tag)
def test_familiar_form_is_read_back(path: str, tag: str) -> None:
    text = f"docker.io/x/{path}" + (f":{tag}" if tag else "")
    assert parse(parse(text).familiar) == parse(text)


@given(st.text(max_size=40))
def test_anything_else_is_refused_and_nothing_crashes(text: str) -> None:
    try:
        found = parse(text)
    except InvalidReferenceError:
        return
    assert parse(str(found)) == found
    assert found.path == found.path.lower()


def test_long_hostile_names_are_judged_quickly() -> None:
    for hostile in ("a-" * 20_000, "a." * 20_000 + "/", "A" * 40_000 + "!", "a/" * 20_000 + "A"):
        with pytest.raises(InvalidReferenceError):
            parse(hostile)
