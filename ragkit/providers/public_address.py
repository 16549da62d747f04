"""Which IP addresses are on the public internet, and which lead into somebody's own network.

A link may come from anyone, and this machine may reach what its author can't: a router's page, a
cloud's credentials at 169.254.169.254. The tables are IANA's registries of special addresses
(https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-), spelled out because
`ipaddress.is_global` says different things in different releases of Python.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_IPV4 = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-private"),  # CGNAT, RFC 6598; some clouds' metadata
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "cloud-internal"),  # Azure's own services, on a public address
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_IPV6 = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),  # Teredo, ORCHID and other protocols; no servers of pages
        ("2001:db8::/32", "documentation"),
        ("3fff::/20", "documentation"),
    )
)
_GLOBAL_IPV6 = IPv6Network("2000::/3")  # all that IANA has given out; the rest is reserved

# An IPv4 address stands in the last 32 bits of these, and traffic ends there.
_MAPPED = IPv6Network("::ffff:0:0/96")
_COMPATIBLE = IPv6Network("::/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")  # the IPv4 address follows the prefix
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")  # the last 64 bits begin so, RFC 5214


def why_not_public(address: str) -> str:
    """Say in a word what an IP address is where it isn't public, such as "private"; else ""."""
    found = ip_address(address)
    if isinstance(found, IPv4Address):
        return next((kind for network, kind in _IPV4 if found in network), "")
    found = IPv6Address(found.packed)  # without a zone such as %eth0
    for network, kind in _IPV6:
        if found in network:
            return kind
    inside = _ipv4_inside(found)
    if inside and (kind := why_not_public(str(inside))):
        return kind
    if found in _MAPPED or found in _NAT64 or found in _GLOBAL_IPV6:
        return ""
    return "reserved"


def _ipv4_inside(address: IPv6Address) -> IPv4Address | None:
    packed = address.packed
    if address in _SIX_TO_FOUR:
        return IPv4Address(packed[2:6])
    if address in _MAPPED or address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(packed[12:])
    return IPv4Address(packed[12:]) if packed[8:12] in _ISATAP else None
