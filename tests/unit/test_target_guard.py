from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from patchbay.outbound.target_guard import (
    ForbiddenTarget,
    InvalidTarget,
    Target,
    TargetError,
    check_address,
    check_url,
)


def words(text: str) -> list[str]:
    return text.split()


PRIVATE_V4 = words("""
0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.0 10.0.0.1 10.255.255.255 100.64.0.0 100.64.0.1
100.100.100.200 100.127.255.255 127.0.0.0 127.0.0.1 127.0.0.53 127.1.2.3 127.255.255.255
168.63.129.16 169.254.0.0 169.254.0.1 169.254.100.1 169.254.169.123 169.254.169.253
169.254.169.254 169.254.170.2 169.254.170.23 169.254.255.255 172.16.0.0 172.16.0.1 172.17.0.1
172.31.255.255 192.0.0.0 192.0.0.1 192.0.0.192 192.0.0.255 192.0.2.0 192.0.2.1 192.0.2.255
192.88.99.0 192.88.99.1 192.88.99.255 192.168.0.0 192.168.0.1 192.168.255.255 198.18.0.0
198.18.0.1 198.19.255.255 198.51.100.0 198.51.100.7 198.51.100.255 203.0.113.0 203.0.113.7
203.0.113.255 224.0.0.0 224.0.0.1 239.255.255.255 240.0.0.0 240.0.0.1 255.255.255.254
255.255.255.255
""")

PUBLIC_V4 = words("""
1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255
128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0
192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255
""")

PRIVATE_V6 = words("""
:: ::1 0:0:0:0:0:0:0:1 ::2 ::7f00:1 ::127.0.0.1 ::8.8.8.8 ::ffff:0:0 ::ffff:127.0.0.1
::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:a9fe:a9fe ::ffff:192.168.0.1
::ffff:0.0.0.0 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a00:1
64:ff9b::169.254.169.254 64:ff9b::192.168.0.1 64:ff9b:0:0:0:1:7f00:1 64:ff9b:1::
64:ff9b:1::8.8.8.8 64:ff9b:1:ffff:ffff:ffff:ffff:ffff 64:ff9b:2::1 100:: 100::1 100:0:0:1::1
200::1 400::1 1000::1 1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2001:: 2001::1
2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:1::1 2001:2::1 2001:3::1 2001:4:112::1 2001:10::1
2001:20::1 2001:30::1 2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff 2001:db8:: 2001:db8::1
2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2002:: 2002:7f00:1:: 2002:a00:1::1 2002:808:808::1
3fff:: 3fff::1 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff 4000:: 4000::1 5f00:: 5f00::1 8000::1
fc00:: fc00::1 fd00::1 fd00:ec2::23 fd00:ec2::253 fd00:ec2::254
fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe00::1 fe80:: fe80::1 febf:ffff::1 fec0:: fec0::1
feff::1 ff00:: ff01::1 ff02::1 ff02::fb ff05::1:3 ff0e::1
ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
""")

PUBLIC_V6 = words("""
2000::1 2001:200:: 2001:4860:4860::8888 2001:db7:ffff::1 2001:db9::1 2003::1 2400:cb00::1
2600:1f18::1 2606:4700:4700::1111 2a00:1450:4001:800::200e 2a01:4f8::1 3ffe:ffff::1
3fff:1000::1 ::ffff:8.8.8.8 ::ffff:808:808 64:ff9b::8.8.8.8 64:ff9b::808:808
""")

# What inet_aton, browsers or other parsers read as 127.0.0.1, 169.254.169.254 or another address.
ODD_SPELLINGS = words("""
0177.0.0.1 0177.0.0.01 00177.0.0.1 0177.1 017700000001 127.0.0.01 127.0.0.001 127.000.000.001
0127.0.0.1 0x7f.0.0.1 0x7f.0.0.0x1 0X7F.0.0.1 0x7f.1 0x7f.0.1 0x7f000001 0x7F000001 0x7f
127.0x0.0.1 127.0.0.0x1 127.1 127.0.1 127.0.0 127 2130706433 02130706433 017777777777 0 0x0 0x
00 1 1.1 0.0 0.1 0.0.0 2852039166 0xa9fea9fe 0xa9.0xfe.0xa9.0xfe 0251.0376.0251.0376 169.254.43518
169.16689662 025177524776 169.254.169.0376 3232235521 0xc0a80001 4294967295 4294967296
99999999999999999999 256.1.1.1 1.256.1.1 127.0.0.1.5 1.2.3.4.5 127.0.0.1. 127.0.0.1.. .127.0.0.1
127..0.0.1 127.0.0.256 127.0.0.1.0x7f example.1 example.0x7f foo.127.0.0.1 8.8.8.08 010.8.8.8
[127.0.0.1] [::1.] [:::1] [::1::] [1] [::g] [] [::1 ::1] ::1 [[::1]] [::1%25eth0] [::1%eth0]
[fe80::1%25lo] [fe80::1%1] [2606:4700::1%25eth0] [::ffff:0177.0.0.1] [::ffff:127.1] [::127.0.0.01]
[::ffff:0x7f.0.0.1] [12345::1] [2606:4700::1]x x[::1] 127.0.0.1%00 127.0.0.1%2f 127%2e0%2e0%2e1
%31%32%37.0.0.1 %6cocalhost localhost%00.example.com localhost%2eexample.com
""")

NOT_ASCII = [
    "\uff11\uff12\uff17.0.0.1",  # full-width digits
    "127\u30020.0.1",  # ideographic full stop
    "127\uff0e0.0.1",  # full-width full stop
    "127\uff610\uff610\uff611",  # half-width full stop
    "\u2460\u2461\u2466.0.0.1",  # circled digits
    "\u2491.0.0.1",  # number with a full stop
    "\U0001d7cf\U0001d7d0\U0001d7d5.0.0.1",  # mathematical digits
    "\u0661\u0662\u0667.0.0.1",  # arabic-indic digits
    "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",  # circled "localhost"
    "loc\u00adalhost",  # soft hyphen
    "local\u200bhost",  # zero-width space
    "\uff4cocalhost",
    "b\u00fccher.example",
    "127.0.0.1\u3002",
]

LOCAL_NAMES = words("""
localhost LOCALHOST LocalHost localhost.localdomain a.localhost a.b.LOCALHOST printer.local
metadata.google.internal ip-10-0-0-1.ec2.internal metadata.internal router.lan box.home.arpa
1.0.0.127.in-addr.arpa intranet metadata instance-data db com
""")

BAD_URLS = [
    "",
    "example.com",
    "//example.com/",
    "/path",
    "http:",
    "http:/",
    "http://",
    "http:///path",
    "http:example.com",
    "http:/example.com",
    "https//example.com",
    "http://?a=b",
    "http://:80/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "ws://example.com/",
    "unix:///var/run/docker.sock",
    "javascript:alert(1)",
    "data:text/plain,x",
    "http+unix://x/",
    " http://example.com/",
    "http://example.com/ ",
    "http://exa mple.com/",
    "http://example.com/a b",
    "http://example.com/\t",
    "http://example.com/\r\nHost: x",
    "http://example.com\n.evil.example/",
    "http://example.com/\x00",
    "http://example.com/\x7f",
    "http://example.com/\x85",
    "http://example.com/\u00e9",
    "http://example.com\\@127.0.0.1/",
    "http:\\\\example.com\\",
    "http://example.com/\\",
    "http://user@example.com/",
    "http://user:secret@example.com/",
    "http://:secret@example.com/",
    "http://@example.com/",
    "http://example.com@127.0.0.1/",
    "http://example.com:80@127.0.0.1/",
    "http://127.0.0.1@example.com/",
    "http://a@b@example.com/",
    "http://example.com#@127.0.0.1/",
    "http://example.com/#",
    "http://example.com/#fragment",
    "http://example.com:/",
    "http://example.com:0/",
    "http://example.com:00080/",
    "http://example.com:-1/",
    "http://example.com:+80/",
    "http://example.com:0x50/",
    "http://example.com:80:80/",
    "http://example.com:65536/",
    "http://example.com:99999/",
    "http://example.com:800000/",
    "http://example.com:\u0668\u0660/",
    "http://example.com:http/",
    "http://example.com./",
    "http://example..com/",
    "http://.example.com/",
    "http://./",
    "http://exam!ple.com/",
    "http://exam%70le.com/",
    "http://<example>.com/",
    "http://" + "a" * 64 + ".com/",
    "http://" + "a." * 126 + "example/",
    "http://example.com/" + "a" * 2030,
]

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


def host_of(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def test_the_table_is_long_enough() -> None:
    addresses = {*PRIVATE_V4, *PRIVATE_V6, *ODD_SPELLINGS, *NOT_ASCII}
    assert len(addresses) >= 150


@pytest.mark.parametrize("address", [*PRIVATE_V4, *PRIVATE_V6])
def test_private_addresses_are_forbidden_as_an_answer_and_as_a_literal(address: str) -> None:
    with pytest.raises(ForbiddenTarget) as caught:
        check_address(address)
    assert caught.value.reason == "forbidden_address"
    assert address not in str(caught.value)
    with pytest.raises(ForbiddenTarget):
        check(f"https://{host_of(address)}/")


@pytest.mark.parametrize("address", [*PUBLIC_V4, *PUBLIC_V6])
def test_public_addresses_may_be_called(address: str) -> None:
    check_address(address)
    target = check(f"https://{host_of(address)}/")
    assert ip_address(target.host) == ip_address(address)


@pytest.mark.parametrize("spelling", [*ODD_SPELLINGS, *NOT_ASCII])
@pytest.mark.parametrize("allow_loopback", [False, True])
def test_odd_spellings_of_addresses_are_refused(spelling: str, allow_loopback: bool) -> None:
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
def test_what_is_not_a_webhook_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidTarget) as caught:
        check(url, allow_loopback=True)
    assert caught.value.reason.replace("_", "").isalpha()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("port", FORBIDDEN_PORTS)
def test_ports_of_other_services_are_refused(port: int) -> None:
    with pytest.raises(InvalidTarget) as caught:
        check(f"https://example.com:{port}/", allow_loopback=True)
    assert caught.value.reason == "port"


@pytest.mark.parametrize(("url", "target"), GOOD_URLS.items())
def test_good_urls_and_their_parts(url: str, target: Target) -> None:
    assert check(url) == target


def test_a_url_has_at_most_2048_characters() -> None:
    url = "https://example.com/"
    assert check(url + "a" * (2048 - len(url))).path.endswith("a")
    with pytest.raises(InvalidTarget) as caught:
        check(url + "a" * (2049 - len(url)))
    assert caught.value.reason == "too_long"


def test_https_only() -> None:
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
def test_allow_loopback_allows_nothing_else(address: str) -> None:
    with pytest.raises(ForbiddenTarget):
        check_address(address, allow_loopback=True)
    with pytest.raises(ForbiddenTarget):
        check(f"https://{host_of(address)}/", allow_loopback=True)


@pytest.mark.parametrize("name", [name for name in LOCAL_NAMES if name.lower() != "localhost"])
def test_allow_loopback_allows_no_other_local_name(name: str) -> None:
    with pytest.raises(ForbiddenTarget):
        check(f"https://{name}/", allow_loopback=True)


@pytest.mark.parametrize(
    "answer", ["", "text", "127.1", "0x7f000001", "::1%lo", "fe80::1%eth0", "2606:4700::1%eth0"]
)
def test_an_answer_that_is_no_plain_address_is_forbidden(answer: str) -> None:
    with pytest.raises(ForbiddenTarget):
        check_address(answer, allow_loopback=True)


@given(st.ip_addresses(v=4))
def test_no_more_ipv4_is_allowed_than_python_calls_global(ip: IPv4Address) -> None:
    try:
        check_address(str(ip))
    except ForbiddenTarget:
        return
    assert ip.is_global
    assert not ip.is_multicast


@given(st.ip_addresses(v=6))
@example(IPv6Address("2606:4700::1"))
def test_an_allowed_ipv6_is_global_unicast(ip: IPv6Address) -> None:
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
def test_an_address_inside_another_is_judged_by_itself(ip: IPv4Address, prefix: IPv6Address) -> None:
    outer = IPv6Address(int(prefix) | int(ip))
    assert allowed(str(outer)) == allowed(str(ip))


def allowed(address: str) -> bool:
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
def test_whatever_is_allowed_is_dialled_as_judged(url: str) -> None:
    try:
        target = check(url)
    except TargetError:
        return
    assert target.host.isascii()
    assert "localhost" not in target.host.split(".")[-1:]
    try:
        dialled = socket.inet_aton(target.host)  # what a lenient resolver would make of it
    except OSError:
        return
    assert str(IPv4Address(dialled)) == target.host
    check_address(target.host)


def test_the_guard_itself_resolves_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("resolved a name")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", refuse)
    check("https://never-looked-up.example.com/")
