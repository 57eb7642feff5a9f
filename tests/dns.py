"""A name server of the tests' own, and the system's resolver made to ask it.

    with asked_by_system({"hooks.example.com": [["93.184.215.14"], ["127.0.0.1"]]}) as names:
        socket.getaddrinfo("hooks.example.com", 443)     # glibc asks `names`, over UDP, or TCP if it is much
        assert names.asked == [("hooks.example.com", "A"), ("hooks.example.com", "AAAA")]

A name has one answer per turn; each question for an A or an AAAA record uses up one turn of its type, and the
last turn stays. An answer is a list of addresses, of which a question gets those of its type, and of names:
`["inner.example.com"]` is a CNAME. Every TTL is 0. NXDOMAIN and SILENT are answers, too; a name that is not
there does not exist.
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
_MOST_BYTES_BY_UDP = 512  # RFC 1035, 4.2.1


class NameServer:
    """Listens on 127.0.0.1, at `port` for UDP and TCP. `asked` is each question, with its type."""

    def __init__(self, zone: Mapping[str, Sequence[Answer]]) -> None:
        self.asked: list[tuple[str, str]] = []
        self._zone = zone
        self._lock = threading.Lock()
        self._tcp, self._udp = _at_one_port()
        self.port: int = self._tcp.server_address[1]
        self._tcp.names = self._udp.names = self

    def __enter__(self) -> Self:
        for server in (self._tcp, self._udp):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._tcp, self._udp):
            server.shutdown()
            server.server_close()

    def reply(self, query: bytes, *, over_tcp: bool) -> bytes | None:
        """The message that answers a query, if any (RFC 1035, 4.1). By UDP it says that it is cut, if it
        would be too long; then the same question comes over TCP.
        """
        name, end = _read_name(query, 12)
        (wanted,) = struct.unpack_from("!H", query, end)
        with self._lock:
            if not over_tcp:
                self.asked.append((name, _TYPES[wanted]))
            turn = self.asked.count((name, _TYPES[wanted])) - 1
        answers = self._zone.get(name, [NXDOMAIN])
        found = answers[min(turn, len(answers) - 1)]
        if found == SILENT:
            return None
        records = [] if found == NXDOMAIN else list(self._records(name, found, wanted))
        flags = 0x8180 | (_NO_SUCH_NAME if found == NXDOMAIN else 0)
        question = query[12 : end + 4]
        whole = struct.pack("!2s5H", query[:2], flags, 1, len(records), 0, 0) + question + b"".join(records)
        if over_tcp or len(whole) <= _MOST_BYTES_BY_UDP:
            return whole
        return struct.pack("!2s5H", query[:2], flags | _TRUNCATED, 1, 0, 0, 0) + question

    def _records(self, name: str, answer: Answer, wanted: int) -> Iterator[bytes]:
        for entry in answer:
            try:
                address = ip_address(entry)
            except ValueError:
                yield _record(name, _CNAME, _write_name(entry))
                yield from self._records(entry, self._zone[entry][-1], wanted)
                continue
            if wanted == {4: 1, 6: 28}[address.version]:
                yield _record(name, wanted, address.packed)


def _read_name(message: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    return ".".join(labels), at + 1


def _write_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _record(name: str, type: int, data: bytes) -> bytes:
    return _write_name(name) + struct.pack("!HHIH", type, _INTERNET, 0, len(data)) + data


class _TCPServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    names: NameServer


class _UDPServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    names: NameServer


class _OverUDP(socketserver.BaseRequestHandler):
    server: _UDPServer

    def handle(self) -> None:
        query, channel = self.request
        if reply := self.server.names.reply(query, over_tcp=False):
            channel.sendto(reply, self.client_address)


class _OverTCP(socketserver.StreamRequestHandler):
    server: _TCPServer

    def handle(self) -> None:
        while prefix := self.rfile.read(2):
            query = self.rfile.read(int.from_bytes(prefix, "big"))
            if reply := self.server.names.reply(query, over_tcp=True):
                self.wfile.write(len(reply).to_bytes(2, "big") + reply)


def _at_one_port() -> tuple[_TCPServer, _UDPServer]:
    """A port that is free for TCP may be taken for UDP: then another one."""
    while True:
        tcp = _TCPServer(("127.0.0.1", 0), _OverTCP)
        try:
            return tcp, _UDPServer(tcp.server_address, _OverUDP)
        except OSError as error:
            tcp.server_close()
            if error.errno != errno.EADDRINUSE:
                raise


class _State(ctypes.Structure):
    """The beginning of glibc's `struct __res_state`, <resolv.h>."""

    _fields_ = (
        ("retrans", ctypes.c_int),
        ("retry", ctypes.c_int),
        ("options", ctypes.c_ulong),
        ("nscount", ctypes.c_int),
        ("nsaddr_list", ctypes.c_uint8 * 16 * 3),
    )


_SEARCH = 0x80 | 0x200  # RES_DEFNAMES, RES_DNSRCH: this machine's search list stays out of it


@contextlib.contextmanager
def asked_by_system(zone: Mapping[str, Sequence[Answer]]) -> Iterator[NameServer]:
    """`socket.getaddrinfo` asks a name server that has this zone, and nobody else, not even /etc/hosts.

    Needs no privilege: glibc's resolver keeps its configuration per thread, in the documented `_res`, and
    goes by what a program writes there. Skips the test where libc is another one.
    """
    libc = ctypes.CDLL(None)
    try:
        state_of_thread, configure_lookup = libc.__res_state, libc.__nss_configure_lookup
    except AttributeError:
        pytest.skip("the system's resolver is not glibc's")
    state_of_thread.restype = ctypes.POINTER(_State)
    system = socket.getaddrinfo

    def getaddrinfo(*args: Any, **more: Any) -> Any:
        libc.__res_init()
        state = state_of_thread().contents
        state.nscount, state.retrans, state.retry = 1, 1, 1  # one server, one second, one try
        state.options &= ~_SEARCH
        # A `struct sockaddr_in`.
        address = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", names.port, b"\x7f\0\0\1")
        ctypes.memmove(state.nsaddr_list, address, len(address))
        try:
            return system(*args, **more)
        finally:
            libc.__res_init()

    configure_lookup(b"hosts", b"dns")
    try:
        with NameServer(zone) as names, pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", getaddrinfo)
            yield names
    finally:
        configure_lookup(b"hosts", b"files dns")
