"""Functions of IPv4 and IPv6 addresses, in Python."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from .arities import MANY
from .values import as_text


def network_of(text: Any, prefix: Any = 32) -> ipaddress.IPv4Network | None:
    """An IPv4 address, with or without a prefix length, as a network; the shorter of the two prefixes counts."""
    address, _, own = as_text(text).partition("/")
    try:
        length = min(int(own) if own else 32, 32 if prefix is None else int(prefix))
        return ipaddress.IPv4Network((address, length), strict=False)
    except ValueError:
        return None


def compare(one: Any, other: Any, prefix: Any = 32) -> int | None:
    left, right = network_of(one, prefix), network_of(other, prefix)
    if left is None or right is None:
        return None
    length = min(left.prefixlen, right.prefixlen)
    first, second = (int(net.network_address) >> (32 - length) for net in (left, right))
    return (first > second) - (first < second)


def is_match(one: Any, other: Any, prefix: Any = 32) -> bool | None:
    compared = compare(one, other, prefix)
    return None if compared is None else compared == 0


def is_in_range(address: Any, *ranges: Any) -> bool | None:
    found = network_of(address)
    flat = [item for value in ranges for item in (value if isinstance(value, list) else [value])]
    networks = [network for item in flat if (network := network_of(item)) is not None]
    if found is None or not networks:
        return None
    return any(found.network_address in network for network in networks)


def is_private(address: Any) -> bool | None:
    found = network_of(address)
    if found is None:
        return None
    private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    return any(found.subnet_of(ipaddress.IPv4Network(network)) for network in private)


def format_ipv4(address: Any, prefix: Any = 32, *, mask: bool = False) -> str:
    if isinstance(address, int) and not isinstance(address, bool):
        address = str(ipaddress.IPv4Address(address % 2**32))
    found = network_of(address, prefix)
    if found is None:
        return ""
    return f"{found.network_address}/{found.prefixlen}" if mask else str(found.network_address)


def suffix(address: Any) -> int | None:
    found = network_of(address)
    return None if found is None else found.prefixlen


def masked(address: Any, prefix: Any) -> int | None:
    found = network_of(address, prefix)
    return None if found is None else int(found.network_address)


def has_ipv4(source: Any, *addresses: Any, prefix: bool = False) -> bool:

    flat = [item for value in addresses for item in (value if isinstance(value, list) else [value])]
    end = "" if prefix else r"(?![\w.])"
    text = as_text(source)
    if prefix:
        flat = [item for item in flat if re.fullmatch(r"(\d{1,3}\.){1,3}(\d{1,3})?", as_text(item))]
    else:
        flat = [item for item in flat if network_of(item) is not None]
    return any(re.search(rf"(?<![\w.]){re.escape(as_text(item))}{end}", text) for item in flat)


def cidr_list(first: Any, last: Any) -> list[str] | None:
    """The fewest networks that hold the addresses from *first* to *last*."""
    start, end = network_of(first), network_of(last)
    if start is None or end is None or start.network_address > end.network_address:
        return None
    return [str(found) for found in ipaddress.summarize_address_range(start.network_address, end.network_address)]


def network6_of(text: Any, prefix: Any = 128) -> ipaddress.IPv6Network | None:
    """An IPv6 address, or an IPv4 address as one, as a network; the shorter of the two prefixes counts."""
    address, _, own = as_text(text).partition("/")
    try:
        found = ipaddress.ip_address(address)
        length = int(own) if own else None
        if "." in address:  # the length of an IPv4 prefix
            if isinstance(found, ipaddress.IPv4Address):
                found = ipaddress.IPv6Address(f"::ffff:{found}")
            elif not found.ipv4_mapped:
                found = ipaddress.IPv6Address(int(found) | 0xFFFF << 32)
            length = length if length is None else 96 + length
        length = min(128 if length is None else length, 128 if prefix is None else int(prefix))
        return ipaddress.IPv6Network((found, length), strict=False)
    except ValueError:
        return None


def compare6(one: Any, other: Any, prefix: Any = 128) -> int | None:
    left, right = network6_of(one, prefix), network6_of(other, prefix)
    if left is None or right is None:
        return None
    length = min(left.prefixlen, right.prefixlen)
    first, second = (int(net.network_address) >> (128 - length) for net in (left, right))
    return (first > second) - (first < second)


def is_match6(one: Any, other: Any, prefix: Any = 128) -> bool | None:
    compared = compare6(one, other, prefix)
    return None if compared is None else compared == 0


def is_in_range6(address: Any, *ranges: Any) -> bool | None:
    found = network6_of(address)
    flat = [item for value in ranges for item in (value if isinstance(value, list) else [value])]
    networks = [network for item in flat if (network := network6_of(item)) is not None]
    if found is None or not networks:
        return None
    return any(found.network_address in network for network in networks)


def canonical6(address: Any, prefix: Any = 128) -> str:
    found = network6_of(address, prefix)
    # Not ``exploded``: since Python 3.13 it ends an IPv4 address in decimals.
    return "" if found is None else found.network_address.packed.hex(":", 2)


#: Function -> fewest and most arguments, the type of the result, and what computes it.
FUNCTIONS: dict[str, tuple[int, int, str, Any]] = {
    "parse_ipv4_mask": (2, 2, "long", masked),
    "ipv4_is_in_range": (2, 2, "bool", is_in_range),
    "ipv4_is_in_any_range": (2, MANY, "bool", is_in_range),
    "ipv4_is_private": (1, 1, "bool", is_private),
    "ipv4_is_match": (2, 3, "bool", is_match),
    "ipv4_compare": (2, 3, "long", compare),
    "ipv4_netmask_suffix": (1, 1, "long", suffix),
    "ipv4_range_to_cidr_list": (2, 2, "dynamic", cidr_list),
    "format_ipv4": (1, 2, "string", format_ipv4),
    "format_ipv4_mask": (1, 2, "string", lambda address, prefix=32: format_ipv4(address, prefix, mask=True)),
    "has_ipv4": (2, 2, "bool", has_ipv4),
    "has_any_ipv4": (2, MANY, "bool", has_ipv4),
    "has_ipv4_prefix": (2, 2, "bool", lambda source, start: has_ipv4(source, start, prefix=True)),
    "has_any_ipv4_prefix": (2, MANY, "bool", lambda source, *starts: has_ipv4(source, *starts, prefix=True)),
    "ipv6_compare": (2, 3, "long", compare6),
    "ipv6_is_match": (2, 3, "bool", is_match6),
    "ipv6_is_in_range": (2, 2, "bool", is_in_range6),
    "ipv6_is_in_any_range": (2, MANY, "bool", is_in_range6),
    "parse_ipv6": (1, 1, "string", canonical6),
    "parse_ipv6_mask": (2, 2, "string", canonical6),
}
