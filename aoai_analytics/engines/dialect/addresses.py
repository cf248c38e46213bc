"""Functions of IPv4 addresses, in Python."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

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
