"""A fake of all providers: an HTTPS server on loopback that plays recorded responses and stores the requests.
Its certificate covers the providers' hosts, so the client verifies it as it verifies the real servers.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from patchbay.outbound.dialer import connect
from patchbay.outbound.transport import GuardedTransport

PUBLIC = "93.184.215.14"


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as received."""

    method: str
    host: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes
    content_type: str = "application/json"


class FakeProvider:
    def __init__(self, folder: Path, hosts: Iterable[str]) -> None:
        authority, certificate = _certificates(folder, sorted(set(hosts)))
        self.requests: list[ReceivedRequest] = []
        self._responses: list[Response] = []
        self._trust = ssl.create_default_context(cafile=str(authority))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def play(self, responses: Iterable[Response]) -> None:
        """Send these responses, in this order. Drops the requests received before."""
        self._responses = list(responses)
        self.requests = []

    @property
    def remaining(self) -> int:
        return len(self._responses)

    def transport(self) -> GuardedTransport:
        """The real transport, which reaches this server whatever it dials."""

        async def resolver(_host: str, _port: int) -> list[str]:
            return [PUBLIC]

        async def dialer(address: str, port: int) -> socket.socket:
            assert (address, port) == (PUBLIC, 443)
            return await connect("127.0.0.1", self._server.server_address[1])

        return GuardedTransport(
            max_bytes=64 * 1024,
            ssl_context=self._trust,
            resolver=resolver,
            dialer=dialer,
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def respond(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                fake.requests.append(ReceivedRequest(self.command, headers["host"], self.path, headers, body))
                response = (
                    fake._responses.pop(0)
                    if fake._responses
                    else Response(418, b"no more responses recorded")
                )
                self.send_response(response.status)
                self.send_header("content-type", response.content_type)
                self.send_header("content-length", str(len(response.body)))
                self.end_headers()
                self.wfile.write(response.body)

            do_GET = do_POST = do_DELETE = respond

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _certificates(folder: Path, hosts: list[str]) -> tuple[Path, Path]:
    """Return the files of a certificate authority, and of a certificate for `hosts` it signed, with key."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _name("Test authority")
    authority = (
        _builder(issuer, issuer, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    leaf = (
        _builder(_name("All providers"), issuer, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "authority.pem").write_bytes(authority.public_bytes(pem))
    (folder / "certificate.pem").write_bytes(
        leaf.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "authority.pem", folder / "certificate.pem"


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
