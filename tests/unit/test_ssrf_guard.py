"""The rules of the SSRF guard for URLs and addresses."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from patchbay.outbound.ssrf_guard import (
    ForbiddenTarget,
    InvalidTarget,
    Target,
    TargetError,
    check_address,
    check_url,
)
from tests.ssrf_vectors import (
    BAD_URLS,
    LOCAL_NAMES,
    NOT_ASCII,
    ODD_SPELLINGS,
    PRIVATE_V4,
    PRIVATE_V6,
    PUBLIC_V4,
    PUBLIC_V6,
    words,
)

NAT64 = IPv6Network("64:ff9b::/96")
FORBIDDEN_PORTS = [1, 21, 22, 23, 25, 53, 79, 81, 110, 389, 442, 444, 465, 587, 636, 993, 1023]

GOOD_URLS = {
    "https://example.com": Target("https", "example.com", 443, "/", "example.com"),
    "https://example.com?a=b": Target("https", "example.com", 443, "/?a=b", "example.com"),
    "HTTPS://Hooks.Example.COM/A?b=C%20d": Target(
        "https", "hooks.example.com", 443, "/A?b=C%20d", "hooks.example.com"
    ),
    "https://example.com/a;b=c/@x:y//z?q=//u@h": Target(
        "https", "example.com", 443, "/a;b=c/@x:y//z?q=//u@h", "example.com"
    ),
    "https://example.com:443/": Target("https", "example.com", 443, "/", "example.com"),
    "https://example.com:80/": Target("https", "example.com", 80, "/", "example.com:80"),
    "http://example.com:1024/": Target("http", "example.com", 1024, "/", "example.com:1024"),
    "http://example.com:65535/": Target("http", "example.com", 65535, "/", "example.com:65535"),
    "https://xn--bcher-kva.example/": Target(
        "https", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"
    ),
    "https://my_app.1a.example/": Target("https", "my_app.1a.example", 443, "/", "my_app.1a.example"),
    "https://127.0.0.1.example.com/": Target(
        "https", "127.0.0.1.example.com", 443, "/", "127.0.0.1.example.com"
    ),
    "http://8.8.8.8:8080/x": Target("http", "8.8.8.8", 8080, "/x", "8.8.8.8:8080"),
    "https://[2606:4700:4700:0::1111]/": Target(
        "https", "2606:4700:4700::1111", 443, "/", "[2606:4700:4700:0::1111]"
    ),
}


def check(url: str, *, https_only: bool = False, allow_loopback: bool = False) -> Target:
    return check_url(url, https_only=https_only, allow_loopback=allow_loopback)


def as_host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@pytest.mark.parametrize("address", [*PRIVATE_V4, *PRIVATE_V6])
def test_private_addresses_are_forbidden_when_resolved_and_in_urls(address: str) -> None:
    with pytest.raises(ForbiddenTarget) as caught:
        check_address(address)
    assert caught.value.reason == "forbidden_address"
    assert address not in str(caught.value)
    with pytest.raises(ForbiddenTarget):
        check(f"https://{as_host(address)}/")


@pytest.mark.parametrize("address", [*PUBLIC_V4, *PUBLIC_V6])
def test_public_addresses_are_allowed(address: str) -> None:
    check_address(address)
    target = check(f"https://{as_host(address)}/")
    assert ip_address(target.host) == ip_address(address)


@pytest.mark.parametrize("spelling", [*ODD_SPELLINGS, *NOT_ASCII])
@pytest.mark.parametrize("allow_loopback", [False, True])
def test_odd_spellings_of_addresses_are_rejected(spelling: str, allow_loopback: bool) -> None:
    with pytest.raises(TargetError):
        check(f"http://{spelling}/", allow_loopback=allow_loopback)
    with pytest.raises(TargetError):
        check(f"http://{spelling}:8080/", allow_loopback=allow_loopback)


@pytest.mark.parametrize("name", LOCAL_NAMES)
def test_local_names_are_forbidden(name: str) -> None:
    with pytest.raises(ForbiddenTarget) as caught:
        check(f"https://{name}/")
    assert caught.value.reason == "local_name"


@pytest.mark.parametrize("url", BAD_URLS)
def test_invalid_urls_are_rejected(url: str) -> None:
    with pytest.raises(InvalidTarget) as caught:
        check(url, allow_loopback=True)
    assert caught.value.reason.replace("_", "").isalpha()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("port", FORBIDDEN_PORTS)
def test_ports_of_other_services_are_rejected(port: int) -> None:
    with pytest.raises(InvalidTarget) as caught:
        check(f"https://example.com:{port}/", allow_loopback=True)
    assert caught.value.reason == "port"


@pytest.mark.parametrize(("url", "target"), GOOD_URLS.items())
def test_check_url_returns_the_parts_of_a_valid_url(url: str, target: Target) -> None:
    assert check(url) == target


def test_urls_over_2048_characters_are_rejected() -> None:
    url = "https://example.com/"
    assert check(url + "a" * (2048 - len(url))).path.endswith("a")
    with pytest.raises(InvalidTarget) as caught:
        check(url + "a" * (2049 - len(url)))
    assert caught.value.reason == "too_long"


def test_https_only_rejects_http() -> None:
    check("https://example.com/", https_only=True)
    with pytest.raises(InvalidTarget) as caught:
        check("http://example.com/", https_only=True)
    assert caught.value.reason == "https_required"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.53", "127.255.255.255", "[::1]", "[0:0::1]", "localhost"]
)
def test_allow_loopback_allows_loopback(host: str) -> None:
    check(f"http://{host}:8788/hook", allow_loopback=True)
    with pytest.raises(ForbiddenTarget):
        check(f"http://{host}:8788/hook")


@pytest.mark.parametrize(
    "address",
    [a for a in [*PRIVATE_V4, *PRIVATE_V6] if not a.startswith("127.") and int(ip_address(a)) != 1],
)
def test_allow_loopback_allows_no_other_private_address(address: str) -> None:
    with pytest.raises(ForbiddenTarget):
        check_address(address, allow_loopback=True)
    with pytest.raises(ForbiddenTarget):
        check(f"https://{as_host(address)}/", allow_loopback=True)


@pytest.mark.parametrize("name", [name for name in LOCAL_NAMES if name.lower() != "localhost"])
def test_allow_loopback_allows_no_other_local_name(name: str) -> None:
    with pytest.raises(ForbiddenTarget):
        check(f"https://{name}/", allow_loopback=True)


@pytest.mark.parametrize(
    "resolved", ["", "text", "127.1", "0x7f000001", "::1%lo", "fe80::1%eth0", "2606:4700::1%eth0"]
)
def test_resolved_values_other_than_plain_addresses_are_forbidden(resolved: str) -> None:
    with pytest.raises(ForbiddenTarget):
        check_address(resolved, allow_loopback=True)


@given(st.ip_addresses(v=4))
def test_allowed_ipv4_addresses_are_global(ip: IPv4Address) -> None:
    try:
        check_address(str(ip))
    except ForbiddenTarget:
        return
    assert ip.is_global
    assert not ip.is_multicast


@given(st.ip_addresses(v=6))
@example(IPv6Address("2606:4700::1"))
def test_allowed_ipv6_addresses_are_global_unicast(ip: IPv6Address) -> None:
    try:
        check_address(str(ip))
    except ForbiddenTarget:
        return
    if ip.ipv4_mapped is not None or ip in NAT64:
        return  # tested below
    assert ip in ip_network("2000::/3")
    assert ip.is_global
    assert ip.teredo is None
    assert ip.sixtofour is None


@given(st.ip_addresses(v=4), st.sampled_from([IPv6Address("::ffff:0:0"), NAT64[0]]))
def test_ipv4_address_in_an_ipv6_address_is_checked_itself(ip: IPv4Address, prefix: IPv6Address) -> None:
    outer = IPv6Address(int(prefix) | int(ip))
    assert is_allowed(str(outer)) == is_allowed(str(ip))


def is_allowed(address: str) -> bool:
    try:
        check_address(address)
    except ForbiddenTarget:
        return False
    return True


@given(
    st.lists(
        st.sampled_from(
            words("http s :// / @ # ? \\ : . 127 0x7f %2e [::1] localhost example.com 8080 \u3002")
        ),
        max_size=10,
    ).map("".join)
    | st.text(max_size=50).map("http://".__add__)
)
def test_allowed_host_is_dialed_as_checked(url: str) -> None:
    try:
        target = check(url)
    except TargetError:
        return
    assert target.host.isascii()
    assert "localhost" not in target.host.split(".")[-1:]
    try:
        dialed = socket.inet_aton(target.host)  # as a lenient resolver reads it
    except OSError:
        return
    assert str(IPv4Address(dialed)) == target.host
    check_address(target.host)


def test_check_url_resolves_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("resolved a name")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", fail)
    check("https://never-resolved.example.com/")
