"""The grammar of references against a second reading of it, written without regular expressions.

What the grammar generates must be read, normalised, and found again under its familiar name. What
is one slip of the finger away from that is accepted exactly if the second reading accepts it.
"""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxship.oci.digest import Digest
from boxship.oci.reference import InvalidReferenceError, Reference, parse, parse_canonical

LOWER = frozenset(string.ascii_lowercase + string.digits)
LETTERS = frozenset(string.ascii_letters)
ALNUM = LETTERS | frozenset(string.digits)
HEX = frozenset(string.hexdigits)
LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


# ── the second reading ───────────────────────────────────────────────────────────────────────


def is_reference(text: str) -> bool:
    name, at, digest = text.partition("@")
    if at and not is_digest(digest):
        return False
    if is_name(name):
        return True
    name, colon, tag = name.rpartition(":")
    return bool(colon) and is_tag(tag) and is_name(name)


def is_name(text: str) -> bool:
    if is_path(text):
        return len(_path_of(text)) <= 255
    domain, slash, path = text.partition("/")
    return bool(slash) and is_domain(domain) and is_path(path) and len(path) <= 255


def _path_of(text: str) -> str:
    """The first component is a domain if it can be one: the grammar is greedy."""
    domain, slash, path = text.partition("/")
    return path if slash and is_domain(domain) and is_path(path) else text


def is_path(text: str) -> bool:
    return all(is_component(part) for part in text.split("/"))


def is_component(text: str) -> bool:
    at = 0
    while True:
        start = at
        while at < len(text) and text[at] in LOWER:
            at += 1
        if at == start:
            return False
        if at == len(text):
            return True
        start = at
        while at < len(text) and text[at] not in LOWER:
            at += 1
        separator = text[start:at]
        if separator not in (".", "_", "__") and set(separator) != {"-"}:
            return False


def is_domain(text: str) -> bool:
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        if not bracket or not address or not set(address) <= HEX | {":"}:
            return False
        return not rest or (rest[0] == ":" and is_port(rest[1:]))
    host, colon, port = text.partition(":")
    return all(map(is_label, host.split("."))) and (not colon or is_port(port))


def is_port(text: str) -> bool:
    return bool(text) and set(text) <= set(string.digits)


def is_label(text: str) -> bool:
    return bool(text) and set(text) <= ALNUM | {"-"} and {text[0], text[-1]} <= ALNUM


def is_tag(text: str) -> bool:
    word = ALNUM | {"_"}
    return 1 <= len(text) <= 128 and text[0] in word and set(text) <= word | {".", "-"}


def is_digest(text: str) -> bool:
    algorithm, _, digits = text.partition(":")
    if LENGTHS.get(algorithm) != len(digits):
        return False
    return set(digits) <= set(string.digits + "abcdef")


# ── what the grammar generates ───────────────────────────────────────────────────────────────

alnum = st.text("abz09", min_size=1, max_size=4)
separator = st.sampled_from([".", "_", "__", "-", "--", "-----"])
component = st.builds(
    lambda first, rest: first + "".join(s + part for s, part in rest),
    alnum,
    st.lists(st.tuples(separator, alnum), max_size=2),
)
path = st.lists(component, min_size=1, max_size=3).map("/".join)
label = st.text("aZ0-", min_size=1, max_size=5).filter(is_label)
host = st.lists(label, min_size=1, max_size=3).map(".".join) | st.sampled_from(
    ["localhost", "docker.io", "index.docker.io", "[::1]", "[2001:db8::F]"]
)
domain = st.builds("{}{}/".format, host, st.sampled_from(["", ":0", ":5000", ":99999"]))
tag = st.text("aZ0_.-", min_size=1, max_size=8).filter(is_tag).map(":{}".format)
digest = st.sampled_from(
    [f"@{Digest.of(b'x', algorithm)}" for algorithm in ("sha256", "sha384", "sha512")]
)
nothing = st.just("")
references = st.builds(
    "{}{}{}{}".format, nothing | domain, path, nothing | tag, nothing | nothing | digest
)


@given(references)
def test_both_readings_accept_what_the_grammar_generates(text: str) -> None:
    assert is_reference(text)
    assert str(parse_canonical(text)) == text


@given(references)
def test_a_reference_is_found_again_under_its_familiar_name(text: str) -> None:
    found = parse(text)
    assert parse(str(found)) == found
    # As in Docker, docker.io/a.b/c loses its domain, and then a.b looks like one.
    first, slash, _ = found.path.partition("/")
    if found.domain == "docker.io" and slash and ("." in first or first == "localhost"):
        return
    assert parse(found.familiar) == found
    assert parse(found.with_default_tag().familiar) == found.with_default_tag()
    assert len(found.familiar) <= len(str(found))


slips = st.tuples(
    st.sampled_from(["insert", "delete", "replace", "double", "swap"]),
    st.integers(0, 10**6),
    st.sampled_from([*"aA0_-.:/@[]% \n\0ä", "sha256:", "library/", "localhost/"]),
)


def slipped(text: str, slip: tuple[str, int, str]) -> str:
    kind, where, what = slip
    at = where % (len(text) + 1)
    match kind:
        case "insert":
            return text[:at] + what + text[at:]
        case "delete":
            return text[:at] + text[at + 1 :]
        case "replace":
            return text[:at] + what + text[at + 1 :]
        case "double":
            return text[: at + 1] + text[at:]
        case _:
            return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]


@given(references, st.lists(slips, min_size=1, max_size=3))
@settings(max_examples=400)
def test_one_slip_away_both_readings_agree(text: str, mistakes: list[tuple[str, int, str]]) -> None:
    for mistake in mistakes:
        text = slipped(text, mistake)
    try:
        found: Reference | None = parse_canonical(text)
    except InvalidReferenceError as error:
        found = None
        assert str(error)
    assert (found is not None) == is_reference(text)
    if found is not None:
        assert str(found) == text


@given(references, slips)
def test_nothing_else_than_a_refusal_comes_of_a_slip(text: str, mistake: tuple[str, int, str]):
    try:
        found = parse(slipped(text, mistake))
    except InvalidReferenceError:
        return
    assert parse(str(found)) == found
    assert is_reference(str(found))


# ── at the edges ─────────────────────────────────────────────────────────────────────────────

SHA256 = "a1b2c3d4" * 8
LONGEST_TAG = "t" * 128


@pytest.mark.parametrize(
    ("text", "full"),
    [
        # Only a whole part that could be a host is one.
        ("docker.io", "docker.io/library/docker.io"),
        ("localhost", "docker.io/library/localhost"),
        ("LOCALHOST/a", "LOCALHOST/a"),
        ("library", "docker.io/library/library"),
        ("library/library/a", "docker.io/library/library/a"),
        ("index.docker.io/a/b", "docker.io/a/b"),
        ("index.docker.io/library/a", "docker.io/library/a"),
        ("Index.docker.io/a", "Index.docker.io/a"),
        ("registry-1.docker.io/a", "registry-1.docker.io/a"),
        ("docker.io:443/a", "docker.io:443/a"),
        ("a:5000", "docker.io/library/a:5000"),
        ("a:05000/b", "a:05000/b"),
        ("a:99999999/b", "a:99999999/b"),
        ("a_b/c", "docker.io/a_b/c"),
        ("a_b.c/d", "a_b.c/d"),
        ("[:]/a", "[:]/a"),
        ("[2001:db8::1]:5000/a/b:t", "[2001:db8::1]:5000/a/b:t"),
        (f"a:{LONGEST_TAG}", f"docker.io/library/a:{LONGEST_TAG}"),
        ("a:_.-", "docker.io/library/a:_.-"),
        # 64 digits are an image's id only when they are all there is.
        (f"{SHA256}:t", f"docker.io/library/{SHA256}:t"),
        (f"x/{SHA256}", f"docker.io/x/{SHA256}"),
        (f"{SHA256}0", f"docker.io/library/{SHA256}0"),
        (f"sha256:{SHA256}", f"docker.io/library/sha256:{SHA256}"),
        (f"a@sha512:{SHA256 * 2}", f"docker.io/library/a@sha512:{SHA256 * 2}"),
        (
            f"a:t@sha384:{SHA256}{SHA256[:32]}",
            f"docker.io/library/a:t@sha384:{SHA256}{SHA256[:32]}",
        ),
        # The limit is on the path, with the "library/" that nobody wrote, without the domain.
        ("a" * 247, "docker.io/library/" + "a" * 247),
        ("x/" + "a" * 253, "docker.io/x/" + "a" * 253),
        ("h.com/" + "a" * 255, "h.com/" + "a" * 255),
        ("h" * 300 + ".com/a", "h" * 300 + ".com/a"),
    ],
)
def test_accepted_at_the_edge(text: str, full: str) -> None:
    assert str(parse(text)) == full


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a" * 248, "repository name must not be more than 255 characters"),
        ("x/" + "a" * 254, "repository name must not be more than 255 characters"),
        ("h.com/" + "a" * 256, "repository name must not be more than 255 characters"),
        (SHA256, f"invalid repository name ({SHA256}), cannot specify 64-byte hexadecimal strings"),
        (f"library/{SHA256.upper()}", "must be lowercase"),
        (f"a@sha256:{SHA256[:-1]}", "invalid checksum digest length"),
        (f"a@sha256:{SHA256.upper()}", "invalid checksum digest format"),
        (f"a@sha512:{SHA256}", "invalid checksum digest length"),
        (f"a@sha256+b64:{SHA256}", "unsupported digest algorithm"),
        (f"a@SHA256:{SHA256}", "must be lowercase"),
        (f"a@{SHA256}", "invalid reference format"),
        (f"a@@sha256:{SHA256}", "invalid reference format"),
        (f"a@sha256:{SHA256}:t", "invalid reference format"),
        (f"a:@sha256:{SHA256}", "invalid reference format"),
        (f"a:{LONGEST_TAG}t", "invalid reference format"),
        ("a:b:c", "invalid reference format"),
        ("docker.io/", "invalid reference format"),
        ("http://a/b", "invalid reference format"),
        ("[fe80::1%eth0]/a", "invalid reference format"),
        ("[127.0.0.1]/a", "invalid reference format"),
        ("[]/a", "invalid reference format"),
        ("::1/a", "invalid reference format"),
        ("<none>:<none>", "invalid reference format"),
        ("a\0", "invalid reference format"),
        ("localhost/A", "repository name (A) must be lowercase"),
        ("docker.io/A", "repository name (library/A) must be lowercase"),
    ],
)
def test_refused_at_the_edge(text: str, message: str) -> None:
    with pytest.raises(InvalidReferenceError) as refused:
        parse(text)
    assert message in str(refused.value)
