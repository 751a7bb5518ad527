"""A package mirror of our own on loopback: a signed suite of packages that hold a file each."""

import functools
import hashlib
import lzma
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Mirror:
    """Its tree, its address, and who signs."""

    root: Path
    url: str
    keyring: Path
    signer: "Signer"
    asked: list[str] = field(default_factory=list)

    def publish(self, suite: str, packages: Mapping[str, str], **head: str) -> None:
        """Write a suite: control paragraphs by package; ``head`` overrides the release's fields."""
        pool = self.root / "pool"
        pool.mkdir(exist_ok=True)
        paragraphs = []
        for name, control in packages.items():
            deb = pool / f"{name}_1_all.deb"
            deb.write_bytes(name.encode() * 100)
            digest = hashlib.sha256(deb.read_bytes()).hexdigest()
            paragraphs.append(
                f"Package: {name}\nVersion: 1\nArchitecture: all\n{control}\n"
                f"Filename: pool/{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n"
            )
        index = lzma.compress("\n".join(paragraphs).encode())
        place = self.root / "dists" / suite / "main/binary-amd64"
        place.mkdir(parents=True, exist_ok=True)
        (place / "Packages.xz").write_bytes(index)
        fields = {"Suite": suite, "Codename": suite} | head
        lines = [f"{key.replace('_', '-')}: {value}" for key, value in fields.items()]
        digest = hashlib.sha256(index).hexdigest()
        lines += ["SHA256:", f" {digest} {len(index)} main/binary-amd64/Packages.xz"]
        release = self.root / "dists" / suite / "InRelease"
        release.write_bytes(self.signer.sign("\n".join(lines) + "\n"))


class Signer:
    """An OpenPGP key in a home of its own."""

    def __init__(self, home: Path, name: str) -> None:
        self._gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
        home.mkdir(mode=0o700)
        self._home = home
        self._run(
            "--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", "never"
        )

    def export(self, path: Path) -> Path:
        path.write_bytes(self._run("--export"))
        return path

    def sign(self, text: str) -> bytes:
        return self._run("--clearsign", stdin=text.encode())

    def close(self) -> None:
        command = ["gpgconf", "--homedir", str(self._home), "--kill", "all"]
        subprocess.run(command, check=True)

    def _run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        done = subprocess.run(
            [*self._gpg, *arguments], input=stdin, stdout=subprocess.PIPE, check=True
        )
        return done.stdout


@contextmanager
def mirror(home: Path) -> Iterator[Mirror]:
    """Serve an empty mirror below ``home``."""
    root = home / "mirror"
    root.mkdir()
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    signer = Signer(home / "signer", "archive")
    try:
        keyring = signer.export(home / "archive.gpg")
        url = f"http://127.0.0.1:{server.server_address[1]}"
        yield Mirror(root, url, keyring, signer, asked)
    finally:
        signer.close()
        server.shutdown()
        thread.join()
        server.server_close()
