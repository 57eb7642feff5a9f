"""Spellings of addresses, names, and URLs that the SSRF guard must reject or accept."""

from __future__ import annotations


def words(text: str) -> list[str]:
    return text.split()


PRIVATE_V4 = words("""
0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.0 10.0.0.1 10.255.255.255 100.64.0.0 100.64.0.1
100.100.100.200 100.127.255.255 127.0.0.0 127.0.0.1 127.0.0.53 127.1.2.3 127.255.255.255
168.63.129.16 169.254.0.0 169.254.0.1 169.254.100.1 169.254.169.123 169.254.169.253
169.254.169.254 169.254.170.2 169.254.170.23 169.254.255.255 172.16.0.0 172.16.0.1 172.17.0.1
172.31.255.255 192.0.0.0 192.0.0.1 192.0.0.192 192.0.0.255 192.0.2.0 192.0.2.1 192.0.2.255
192.31.196.1 192.52.193.1 192.175.48.1 169.254.0.23 169.254.42.42 192.88.99.0 192.88.99.1
192.88.99.255 192.168.0.0 192.168.0.1 192.168.255.255 198.18.0.0
198.18.0.1 198.19.255.255 198.51.100.0 198.51.100.7 198.51.100.255 203.0.113.0 203.0.113.7
203.0.113.255 224.0.0.0 224.0.0.1 239.255.255.255 240.0.0.0 240.0.0.1 255.255.255.254
255.255.255.255
""")

PUBLIC_V4 = words("""
1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255
128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0
192.0.3.0 192.88.98.255 192.88.100.0 192.31.195.255 192.31.197.0 192.52.192.255
192.52.194.0 192.175.47.255 192.175.49.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
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
2620:4f:8000:: 2620:4f:8000::1 fd00:c1::a9fe:a9fe fd20:ce::254 0:0:0:0:0:ffff:7f00:0001
0000:0000:0000:0000:0000:0000:0000:0001 ::FFFF:7F00:1 FE80::1 FD00:EC2::254 64:FF9B::A9FE:A9FE
2002:a9fe:a9fe::1 64:ff9b::10.0.0.1 64:ff9b::100.100.100.200 ::ffff:100.100.100.200 ::ffff:169.254.170.2
::ffff:168.63.129.16 3fff:: 3fff::1 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff 4000:: 4000::1 5f00:: 5f00::1
8000::1 fc00:: fc00::1 fd00::1 fd00:ec2::23 fd00:ec2::253 fd00:ec2::254
fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe00::1 fe80:: fe80::1 febf:ffff::1 fec0:: fec0::1
feff::1 ff00:: ff01::1 ff02::1 ff02::fb ff05::1:3 ff0e::1
ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
""")

PUBLIC_V6 = words("""
2000::1 2001:200:: 2001:4860:4860::8888 2001:db7:ffff::1 2001:db9::1 2003::1 2400:cb00::1
2600:1f18::1 2606:4700:4700::1111 2a00:1450:4001:800::200e 2a01:4f8::1 2620:4f:7fff::1 2620:4f:8001::1
3ffe:ffff::1 3fff:1000::1 ::ffff:8.8.8.8 ::ffff:808:808 64:ff9b::8.8.8.8 64:ff9b::808:808
""")

# Spellings that inet_aton, browsers, or other parsers read as 127.0.0.1, 169.254.169.254, or another address.
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

# Forbidden or unusual URLs with the port that a test's receiver listens on.
TRICKS = [
    "http://127.0.0.1:{port}",
    "HTTP://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}?x",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://hooks.localhost:{port}/",
    "http://localhost.localdomain:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::]:{port}/",
    "http://127.1:{port}/",
    "http://2130706433:{port}/",
    "http://user@127.0.0.1:{port}/",
    "http://user:password@127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://example.com:443@127.0.0.1:{port}/",
    "http://example.com%40127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\t/",
    "http://127.0.0.1\t:{port}/",
    "http://12\n7.0.0.1:{port}/",
    "ht\ntp://127.0.0.1:{port}/",
    "\thttp://127.0.0.1:{port}/",
    " http://127.0.0.1:{port}/",
    "http://127.0.0.1 :{port}/",
    "http://127.0.0.1:{port} /",
    "http://127.0.0.1: {port}/",
    "http://127.0.0.1:+{port}/",
    "http://127.0.0.1:0{port}/",
    "http://127.0.0.1::{port}/",
    "http://127.0.0.1:80:{port}/",
    "http://127.0.0.1%3a{port}/",
    "http://127.0.0.1\uff1a{port}/",
    "http:///127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "http+unix://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: example.com",
    "http://127.0.0.1\x00.example.com:{port}/",
    "http://" + "a" * 10_000 + ".example.com:{port}/",
    "http://" + "127.0.0.1." * 1_000 + ":{port}/",
    "http://" + "[" * 1_000 + "::1" + "]" * 1_000 + ":{port}/",
]


def forbidden_urls(port: int) -> list[str]:
    """Every URL in this file that the guard must reject, with `port` where the URL has a host."""
    hosts = [
        *PRIVATE_V4,
        *(f"[{address}]" for address in PRIVATE_V6),
        *ODD_SPELLINGS,
        *NOT_ASCII,
        *LOCAL_NAMES,
    ]
    return [
        *(f"http://{host}:{port}/" for host in hosts),
        *(trick.replace("{port}", str(port)) for trick in TRICKS),
        *BAD_URLS,
    ]


def permitted_urls() -> list[str]:
    """URLs of public addresses in their standard notation."""
    v6 = [f"[{address}]" for address in PUBLIC_V6]
    return [f"https://{host}:8443/hook" for host in [*PUBLIC_V4, *v6]]
