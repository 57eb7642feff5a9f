"""The SSRF guard: which URLs, and which of their addresses, Patchbay may call.

The rules are pure. `check_url` checks the URL that a caller registers. `check_address` checks the addresses
of a name when it is dialed (see `dialer`), because a name may point elsewhere by then.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

MAX_URL_LENGTH = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}

# Special-use names that always mean the local host or network (RFC 6761, 6762, 8375; ICANN on .internal), and
# two that routers assign.
_LOCAL_SUFFIXES = {"arpa", "internal", "lan", "local", "localdomain", "localhost"}

_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[1-9][0-9]{0,4}))?")
# If the last label matches, inet_aton and browsers read the whole name as an IPv4 address.
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")

# Not `ipaddress.is_global`: it differs between Python versions, and it accepts 6to4, Teredo, and NAT64, which
# contain another address.
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_FORBIDDEN_V4 = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata
        "127.0.0.0/8",  # the Lambda runtime API listens here
        "168.63.129.16/32",  # Azure's host agent
        "169.254.0.0/16",  # link-local; metadata of AWS and others, credentials of ECS
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112, anycast like the next two: the local network may respond
        "192.52.193.0/24",  # multicast relays (AMT)
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# Everything outside 2000::/3 is forbidden: ::, ::1, unique local (AWS metadata: fd00:ec2::254),
# link-local, site-local, multicast, 100::/64, 5f00::/16, 64:ff9b:1::/48, IPv4-compatible …
_GLOBAL_V6 = ip_network("2000::/3")
_FORBIDDEN_V6 = tuple(
    ip_network(block)
    for block in (
        "2001::/23",  # protocol assignments, Teredo, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# … except these two, which represent the IPv4 address in their last 32 bits.
_V4_IN_V6 = (ip_network("::ffff:0:0/96"), ip_network("64:ff9b::/96"))


class TargetError(ValueError):
    """A URL that Patchbay does not call. `reason` is a stable code; the message is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class InvalidTarget(TargetError):
    """Not a valid URL for a webhook."""


class ForbiddenTarget(TargetError):
    """A URL that leads, or may lead, to a private network."""


class Target(NamedTuple):
    """The parts of a checked URL. The dialer uses them as they were checked, so no second parser can
    disagree.
    """

    scheme: str
    host: str  # in lowercase; an IPv6 address has no brackets
    port: int
    path: str  # including the query
    authority: str  # for the Host header


def check_url(url: str, *, https_only: bool, allow_loopback: bool) -> Target:
    """The parts of `url`. Raises InvalidTarget or ForbiddenTarget if Patchbay does not call it.

    Resolves no name. `allow_loopback` (only for the local stack) allows 127.0.0.0/8, ::1, and `localhost`,
    and no other private address.
    """
    if len(url) > MAX_URL_LENGTH:
        raise InvalidTarget("too_long", f"The URL has more than {MAX_URL_LENGTH} characters.")
    if not re.fullmatch(r"[!-\[\]-~]*", url):
        raise InvalidTarget(
            "invalid_characters",
            (
                "The URL has a space, a backslash, a control character, or a non-ASCII character. "
                "Percent-encode them, and use the xn-- form of international host names."
            ),
        )
    if "#" in url:
        raise InvalidTarget("fragment", "The URL has a fragment, which is never sent. Remove it.")
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise InvalidTarget("not_http", "The URL does not start with https:// or http://.")
    if https_only and scheme != "https":
        raise InvalidTarget("https_required", "The URL does not start with https://.")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise InvalidTarget("credentials", "The URL has a user name or a password. Remove it.")
    match = _AUTHORITY.fullmatch(authority)
    if not match:
        raise InvalidTarget("invalid_host", "The URL has no valid host and port.")
    default_port = _DEFAULT_PORTS[scheme]
    port = int(match["port"] or default_port)
    if not (port in (80, 443) or 1024 <= port <= 65535):
        raise InvalidTarget("port", "The port is not 80, 443, or between 1024 and 65535.")
    name = match["host"].lower()
    host = _check_host(name, allow_loopback)
    path = rest[len(authority) :]
    return Target(
        scheme,
        host,
        port,
        path if path.startswith("/") else f"/{path}",
        name if port == default_port else f"{name}:{port}",
    )


def _check_host(name: str, allow_loopback: bool) -> str:
    labels = name.split(".")
    if name.startswith("[") or _NUMERIC_LABEL.fullmatch(labels[-1]):
        try:
            literal = str(IPv6Address(name[1:-1]) if name.startswith("[") else IPv4Address(name))
        except ValueError:
            raise InvalidTarget(
                "ambiguous_address", "The host is not an IP address in its standard notation."
            ) from None
        check_address(literal, allow_loopback=allow_loopback)
        return literal
    if len(name) > 253 or not all(1 <= len(label) <= 63 for label in labels):
        raise InvalidTarget("invalid_host", "The host is not a valid name.")
    if name == "localhost" and allow_loopback:
        return name
    if len(labels) == 1 or labels[-1] in _LOCAL_SUFFIXES:
        raise ForbiddenTarget("local_name", "The host is the name of a local network.")
    return name


def check_address(address: str, *, allow_loopback: bool = False) -> None:
    """Raises ForbiddenTarget unless `address` (IPv4 or IPv6) is a public unicast address.

    The message does not repeat the address: it may come from a private DNS zone.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        allowed = False
    else:
        is_allowed_loopback = allow_loopback and any(ip in block for block in _LOOPBACK)
        allowed = "%" not in address and (is_allowed_loopback or _is_public(ip))  # no zone IDs
    if not allowed:
        raise ForbiddenTarget("forbidden_address", "The host's address is not public.")


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv4Address):
        return not any(ip in block for block in _FORBIDDEN_V4)
    if any(ip in block for block in _V4_IN_V6):
        return _is_public(IPv4Address(int(ip) & 0xFFFFFFFF))
    return ip in _GLOBAL_V6 and not any(ip in block for block in _FORBIDDEN_V6)
