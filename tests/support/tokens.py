"""A token server as registries with Bearer authentication name it, for docker-registry 2.8.

`GET` with basic authentication (or none) and `POST` with `grant_type=password|refresh_token`, as
the token and OAuth 2 specifications of the distribution project have it. Tokens are JWTs signed
with the key of a certificate that travels in the token (x5c) and that the registry trusts.
"""

import base64
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from support.certificates import Issued

SERVICE = "boxship-tests"


@dataclass
class TokenServer:
    """`users` maps names to passwords; they may do anything, anybody may pull `public/…`.

    `requests` are the methods and parameters that arrived, for tests to look at.
    """

    issued: Issued
    users: dict[str, str]
    lifetime: int = 300
    posts: bool = True
    requests: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)

    def __enter__(self) -> Self:
        server = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer_get(self)

            def do_POST(self) -> None:
                server.answer_post(self)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def realm(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/token"

    @property
    def bundle(self) -> Path:
        """What the registry is told to trust."""
        return self.issued.certificate

    def answer_get(self, request: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(request.path).query)
        self.requests.append(("GET", query))
        user = ""
        kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            user, _, password = base64.b64decode(encoded).decode().partition(":")
            if self.users.get(user) != password:
                return _send(request, 401, _denied("incorrect username or password"))
        answer = self._answer(user, query.get("scope", []))
        if query.get("offline_token") == ["true"] and user:
            answer["refresh_token"] = self._refresh_token(user)
        return _send(request, 200, answer)

    def answer_post(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length", 0))
        form = parse_qs(request.rfile.read(length).decode())
        self.requests.append(("POST", form))
        if not self.posts:
            return _send(request, 405, {})
        if form.get("grant_type") == ["refresh_token"]:
            user = form["refresh_token"][0].removeprefix("refresh-")
            known = user in self.users
        else:
            user = form["username"][0]
            known = self.users.get(user) == form["password"][0]
        if not known:
            return _send(request, 401, _denied("incorrect username or password"))
        answer = self._answer(user, " ".join(form.get("scope", [])).split())
        answer["access_token"] = answer.pop("token")
        if form.get("access_type") == ["offline"]:
            answer["refresh_token"] = self._refresh_token(user)
        return _send(request, 200, answer)

    def _refresh_token(self, user: str) -> str:
        return f"refresh-{user}"

    def _answer(self, user: str, scopes: list[str]) -> dict[str, Any]:
        access = []
        for scope in " ".join(scopes).split():
            kind, name, actions = scope.rsplit(":", 2) if scope.count(":") > 1 else (scope, "", "")
            allowed = actions.split(",")
            if not user:
                allowed = ["pull"] if name.startswith("public/") and "pull" in allowed else []
            access.append({"type": kind, "name": name, "actions": allowed})
        return {"token": self._sign(user, access), "expires_in": self.lifetime}

    def _sign(self, user: str, access: list[dict[str, Any]]) -> str:
        certificate = x509.load_pem_x509_certificate(self.issued.certificate.read_bytes())
        key = serialization.load_pem_private_key(self.issued.key.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        der = certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        now = int(time.time())
        claims = {
            "iss": SERVICE,
            "sub": user,
            "aud": SERVICE,
            "exp": now + max(self.lifetime, 60),
            "nbf": now - 10,
            "iat": now,
            "jti": uuid.uuid4().hex,
            "access": access,
        }
        text = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
        r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _denied(message: str) -> dict[str, Any]:
    return {"errors": [{"code": "UNAUTHORIZED", "message": message}]}


def _send(request: BaseHTTPRequestHandler, status: int, document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
