"""A name server for tests, which the system's resolver queries.

    with system_name_server({"hooks.example.com": [["93.184.215.14"], ["127.0.0.1"]]}) as server:
        socket.getaddrinfo("hooks.example.com", 443)    # glibc queries `server` over UDP, or TCP if truncated
        assert server.questions == [("hooks.example.com", "A"), ("hooks.example.com", "AAAA")]

A name has a list of answers. Each question for an A or AAAA record takes the next answer for its type, and
the last answer repeats. An answer is a list of addresses and names. A question gets the addresses of its
type, and a name such as `["inner.example.com"]` is a CNAME. NXDOMAIN and SILENT are also answers. Every TTL
is 0. Unknown names do not exist.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Self

import pytest

Answer = Sequence[str]
NXDOMAIN: Answer = ("NXDOMAIN",)
SILENT: Answer = ("SILENT",)

_TYPES = {1: "A", 28: "AAAA"}
_CNAME, _INTERNET = 5, 1
_TRUNCATED, _NO_SUCH_NAME = 0x0200, 3
_MAX_UDP_BYTES = 512  # RFC 1035, 4.2.1


class NameServer:
    """Listens on 127.0.0.1 at `port`, over UDP and TCP. `questions` has each question with its type."""

    def __init__(self, zone: Mapping[str, Sequence[Answer]]) -> None:
        self.questions: list[tuple[str, str]] = []
        self._zone = zone
        self._lock = threading.Lock()
        self._tcp, self._udp = _bind_one_port()
        self.port: int = self._tcp.server_address[1]
        self._tcp.name_server = self._udp.name_server = self

    def __enter__(self) -> Self:
        for server in (self._tcp, self._udp):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._tcp, self._udp):
            server.shutdown()
            server.server_close()

    def reply(self, query: bytes, *, over_tcp: bool) -> bytes | None:
        """The response to a query, if any (RFC 1035, 4.1). If it is too long for UDP, it is truncated, and
        the resolver repeats the question over TCP.
        """
        name, end = _read_name(query, 12)
        (record_type,) = struct.unpack_from("!H", query, end)
        with self._lock:
            if not over_tcp:
                self.questions.append((name, _TYPES[record_type]))
            index = self.questions.count((name, _TYPES[record_type])) - 1
        answers = self._zone.get(name, [NXDOMAIN])
        answer = answers[min(index, len(answers) - 1)]
        if answer == SILENT:
            return None
        records = [] if answer == NXDOMAIN else list(self._records(name, answer, record_type))
        flags = 0x8180 | (_NO_SUCH_NAME if answer == NXDOMAIN else 0)
        question = query[12 : end + 4]
        response = (
            struct.pack("!2s5H", query[:2], flags, 1, len(records), 0, 0) + question + b"".join(records)
        )
        if over_tcp or len(response) <= _MAX_UDP_BYTES:
            return response
        return struct.pack("!2s5H", query[:2], flags | _TRUNCATED, 1, 0, 0, 0) + question

    def _records(self, name: str, answer: Answer, record_type: int) -> Iterator[bytes]:
        for entry in answer:
            try:
                address = ip_address(entry)
            except ValueError:
                yield _record(name, _CNAME, _write_name(entry))
                yield from self._records(entry, self._zone[entry][-1], record_type)
                continue
            if record_type == {4: 1, 6: 28}[address.version]:
                yield _record(name, record_type, address.packed)


def _read_name(message: bytes, offset: int) -> tuple[str, int]:
    labels = []
    while length := message[offset]:
        labels.append(message[offset + 1 : offset + 1 + length].decode("ascii").lower())
        offset += 1 + length
    return ".".join(labels), offset + 1


def _write_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _record(name: str, type: int, data: bytes) -> bytes:
    return _write_name(name) + struct.pack("!HHIH", type, _INTERNET, 0, len(data)) + data


class _TCPServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    name_server: NameServer


class _UDPServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    name_server: NameServer


class _OverUDP(socketserver.BaseRequestHandler):
    server: _UDPServer

    def handle(self) -> None:
        query, channel = self.request
        if reply := self.server.name_server.reply(query, over_tcp=False):
            channel.sendto(reply, self.client_address)


class _OverTCP(socketserver.StreamRequestHandler):
    server: _TCPServer

    def handle(self) -> None:
        while prefix := self.rfile.read(2):
            query = self.rfile.read(int.from_bytes(prefix, "big"))
            if reply := self.server.name_server.reply(query, over_tcp=True):
                self.wfile.write(len(reply).to_bytes(2, "big") + reply)


def _bind_one_port() -> tuple[_TCPServer, _UDPServer]:
    """Bind TCP and UDP to one port. A port that is free for TCP may be in use for UDP; then try another."""
    while True:
        tcp = _TCPServer(("127.0.0.1", 0), _OverTCP)
        try:
            return tcp, _UDPServer(tcp.server_address, _OverUDP)
        except OSError as error:
            tcp.server_close()
            if error.errno != errno.EADDRINUSE:
                raise


class _State(ctypes.Structure):
    """The start of glibc's `struct __res_state`, <resolv.h>."""

    _fields_ = (
        ("retrans", ctypes.c_int),
        ("retry", ctypes.c_int),
        ("options", ctypes.c_ulong),
        ("nscount", ctypes.c_int),
        ("nsaddr_list", ctypes.c_uint8 * 16 * 3),
    )


_SEARCH = 0x80 | 0x200  # RES_DEFNAMES, RES_DNSRCH: ignore the system's search list


@contextlib.contextmanager
def system_name_server(zone: Mapping[str, Sequence[Answer]]) -> Iterator[NameServer]:
    """Make `socket.getaddrinfo` query only a name server with this zone, and not read /etc/hosts.

    This needs no privileges: glibc's resolver keeps its configuration per thread in the documented `_res`,
    which a program may change. Skips the test with another libc.
    """
    libc = ctypes.CDLL(None)
    try:
        thread_state, configure_lookup = libc.__res_state, libc.__nss_configure_lookup
    except AttributeError:
        pytest.skip("the resolver is not glibc's")
    thread_state.restype = ctypes.POINTER(_State)
    original = socket.getaddrinfo

    def getaddrinfo(*args: Any, **options: Any) -> Any:
        libc.__res_init()
        state = thread_state().contents
        state.nscount, state.retrans, state.retry = 1, 1, 1  # one server, one second, one attempt
        state.options &= ~_SEARCH
        # A `struct sockaddr_in`.
        address = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", name_server.port, b"\x7f\0\0\1")
        ctypes.memmove(state.nsaddr_list, address, len(address))
        try:
            return original(*args, **options)
        finally:
            libc.__res_init()

    configure_lookup(b"hosts", b"dns")
    try:
        with NameServer(zone) as name_server, pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", getaddrinfo)
            yield name_server
    finally:
        configure_lookup(b"hosts", b"files dns")
