"""Whom credentials are shown to, and how long a token is good."""

from collections.abc import Iterator

import pytest

from boxship.distribution.authorization import Authorizer
from boxship.distribution.challenges import parse_challenges
from boxship.distribution.credentials import ANONYMOUS, Credentials
from boxship.distribution.errors import BadRegistryAnswerError, RegistryUnauthorizedError
from boxship.distribution.settings import RegistrySettings
from boxship.distribution.tls import DEFAULT_RULES, TlsRules
from boxship.distribution.transport import Transport
from support.faultyregistry import Answer, FaultyRegistry, refuse

ORIGIN = "https://reg.example"
ME = Credentials("me", "secret")
PULL = frozenset({"repository:app:pull"})


def rules_of(url: str) -> TlsRules:
    return TlsRules(verify=False) if "127.0.0.1" in url else DEFAULT_RULES


@pytest.fixture
def authorizer() -> Iterator[Authorizer]:
    transport = Transport(RegistrySettings(cert_directories=()), "boxship/test", rules_of)
    yield Authorizer(transport, rules_of)
    transport.close()


@pytest.fixture
def server() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as made:
        yield made


def challenge(authorizer: Authorizer, realm: str, credentials: Credentials = ME) -> None:
    challenges = parse_challenges([f'Bearer realm="{realm}",service="reg"'])
    assert authorizer.learn(ORIGIN, challenges, credentials, "") == frozenset()


def test_credentials_are_not_shown_without_encryption(authorizer: Authorizer) -> None:
    challenge(authorizer, "http://192.0.2.1/token")
    with pytest.raises(BadRegistryAnswerError, match="without encryption: refused") as caught:
        authorizer.header(ORIGIN, ME, PULL)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("realm", ["file:///etc/passwd", "token", "http:"])
def test_a_realm_is_a_url(realm: str, authorizer: Authorizer) -> None:
    challenge(authorizer, realm)
    with pytest.raises(BadRegistryAnswerError, match="as its token server"):
        authorizer.header(ORIGIN, ANONYMOUS, PULL)


def test_a_token_is_kept_by_scope_and_by_user(
    authorizer: Authorizer, server: FaultyRegistry
) -> None:
    tokens = [Answer(200, {}, b'{"token":"t%d","expires_in":300}' % n) for n in range(9)]
    server.on("GET", "/token", *tokens)
    challenge(authorizer, f"{server.url}/token")
    asked = [
        authorizer.header(ORIGIN, ME, PULL),
        authorizer.header(ORIGIN, ME, PULL),
        authorizer.header(ORIGIN, ANONYMOUS, PULL),
        authorizer.header(ORIGIN, ME, frozenset({"repository:other:pull"})),
    ]
    assert asked == ["Bearer t0", "Bearer t0", "Bearer t1", "Bearer t2"]
    assert ["Authorization" in a.headers for a in server.asked] == [True, False, True]


def test_a_token_that_is_refused_is_replaced(
    authorizer: Authorizer, server: FaultyRegistry
) -> None:
    server.on("GET", "/token", *[Answer(200, {}, b'{"token":"t%d"}' % n) for n in range(2)])
    challenge(authorizer, f"{server.url}/token")
    used = authorizer.header(ORIGIN, ME, PULL)
    again = parse_challenges([f'Bearer realm="{server.url}/token",service="reg",scope="x"'])
    assert authorizer.learn(ORIGIN, again, ME, used) == {"x"}
    assert authorizer.header(ORIGIN, ME, PULL) == "Bearer t1"


def test_a_server_without_get_is_asked_by_post(
    authorizer: Authorizer, server: FaultyRegistry
) -> None:
    server.on("GET", "/token", Answer(405))
    server.on("POST", "/token", Answer(200, {}, b'{"access_token":"posted"}'))
    challenge(authorizer, f"{server.url}/token")
    assert authorizer.header(ORIGIN, ME, PULL) == "Bearer posted"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refuse(401, "UNAUTHORIZED", "who?"), RegistryUnauthorizedError),
        (refuse(403, "DENIED", "no"), RegistryUnauthorizedError),
        (Answer(200, {}, b"{}"), BadRegistryAnswerError),
        (Answer(200, {}, b"<html>"), BadRegistryAnswerError),
    ],
)
def test_answers_without_a_token(
    answer: Answer, kind: type[Exception], authorizer: Authorizer, server: FaultyRegistry
) -> None:
    server.on("GET", "/token", answer)
    challenge(authorizer, f"{server.url}/token")
    with pytest.raises(kind):
        authorizer.header(ORIGIN, ME, PULL)
