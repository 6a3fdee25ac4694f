"""A network bridge of its own for each engine, so that several run side by side.

Made through ioctls: the `ip` command is not on every machine.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import socket
import struct
from pathlib import Path

from .errors import RigError

# From linux/sockios.h and linux/if.h.
SIOCBRADDBR, SIOCBRDELBR = 0x89A0, 0x89A1
SIOCGIFADDR, SIOCSIFADDR, SIOCSIFNETMASK = 0x8915, 0x8916, 0x891C
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
IFF_UP = 0x1

# All of the rig's addresses: the first quarter for bridges, a sixteenth for each engine's networks.
POOL = ipaddress.IPv4Network("10.219.0.0/16")


def up(name: str, lasting: bool = False) -> None:
    """Make a bridge with an address in a /24 that no route uses; a bridge that exists is kept.

    One that is to have a lasting address gets the last of the free networks, which nobody else takes.
    """
    if Path("/sys/class/net", name).exists():
        return
    network = _free_network(last=lasting)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        fcntl.ioctl(channel, SIOCBRADDBR, name.encode() + b"\0")
        fcntl.ioctl(channel, SIOCSIFADDR, _address_request(name, str(network[1])))
        fcntl.ioctl(channel, SIOCSIFNETMASK, _address_request(name, str(network.netmask)))
        _set_up(channel, name, True)


def down(name: str) -> None:
    """Remove a bridge, if there is one."""
    if Path("/sys/class/net", name).exists():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            _set_up(channel, name, False)
            fcntl.ioctl(channel, SIOCBRDELBR, name.encode() + b"\0")


def address(name: str) -> str:
    """Give a bridge's address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        answer = fcntl.ioctl(channel, SIOCGIFADDR, _address_request(name, "0.0.0.0"))
    return socket.inet_ntoa(answer[20:24])


def pool(number: int) -> ipaddress.IPv4Network:
    """Give the addresses from which an engine takes those of the networks that people create."""
    return list(POOL.subnets(new_prefix=20))[3 + number]


def any_left() -> bool:
    """Tell whether any bridge of a rig exists."""
    return any(Path("/sys/class/net").glob("jdr*-*"))


def mtu() -> int:
    """Give the MTU of the interface that leads outside; a bridge with a larger one stalls downloads."""
    for interface, destination, _ in _routes():
        if destination == "00000000":
            return int(Path("/sys/class/net", interface, "mtu").read_text())
    return 1500


def _free_network(last: bool) -> ipaddress.IPv4Network:
    # Addresses too: the route of a bridge that nobody is on may be missing.
    used = [ipaddress.IPv4Network(f"{found}/24", strict=False) for found in _addresses()]
    for _, destination, mask in _routes():
        if destination != "00000000":
            used.append(ipaddress.IPv4Network((_from_hex(destination), _from_hex(mask)), strict=False))
    candidates = list(next(POOL.subnets(new_prefix=18)).subnets(new_prefix=24))
    for candidate in reversed(candidates) if last else candidates:
        if not any(candidate.overlaps(network) for network in used):
            return candidate
    raise RigError("no network for a bridge: every part of 10.219.0.0/18 is routed elsewhere; remove a route")


def _addresses() -> list[str]:
    """Give the IPv4 address of each interface that has one."""
    found = []
    for interface in Path("/sys/class/net").iterdir():
        with contextlib.suppress(OSError):
            found.append(address(interface.name))
    return found


def _routes() -> list[tuple[str, str, str]]:
    """Give (interface, destination, mask) of each IPv4 route, in the kernel's hexadecimal."""
    lines = Path("/proc/net/route").read_text().splitlines()[1:]
    return [(fields[0], fields[1], fields[7]) for fields in map(str.split, lines)]


def _from_hex(word: str) -> str:
    return socket.inet_ntoa(struct.pack("<L", int(word, 16)))


def _address_request(name: str, address: str) -> bytes:
    """Give a struct ifreq that holds a sockaddr_in."""
    return struct.pack("16sHH4s8x8x", name.encode(), socket.AF_INET, 0, socket.inet_aton(address))


def _set_up(channel: socket.socket, name: str, wanted: bool) -> None:
    request = struct.pack("16sh22x", name.encode(), 0)
    flags = struct.unpack("16sh22x", fcntl.ioctl(channel, SIOCGIFFLAGS, request))[1]
    flags = flags | IFF_UP if wanted else flags & ~IFF_UP
    fcntl.ioctl(channel, SIOCSIFFLAGS, struct.pack("16sh22x", name.encode(), flags))
