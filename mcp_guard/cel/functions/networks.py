"""The network extension: IP addresses and the networks that they are in.

An IPv4 address that is written as an IPv6 one (`::ffff:a00:1`) is the same address, and so it is of a network: were it
another, an agent could walk past any rule about a network by writing it so.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.functions import Function, function, method
from mcp_guard.cel.limits import READING_ADDRESS
from mcp_guard.cel.types import BOOL, CIDR, INT, IP, STRING
from mcp_guard.cel.values import TYPE_NAMES, Value, refusal

LONGEST = 64
"""Characters that an address can have, with much to spare."""

BITS = {4: 32, 6: 128}
BEFORE_MAPPED = 96  # bits of an IPv6 address before the IPv4 one that is written in it
BROADCAST = IPv4Address("255.255.255.255")


class IPValue:
    """An address: `text` as it is printed, `plain` with an IPv4 address taken out of an IPv6 one."""

    __slots__ = ("address", "plain", "text")

    def __init__(self, address: IPv4Address | IPv6Address) -> None:
        self.address = address
        self.text = str(address)
        self.plain = _mapped(address) or address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IPValue) and self.plain == other.plain

    def __hash__(self) -> int:
        return hash(self.plain)


class CIDRValue:
    """A network: an address in it, and how many of its first bits all addresses in it share. `plain` is both, with an
    IPv4 network taken out of an IPv6 one.
    """

    __slots__ = ("address", "length", "plain", "text")

    def __init__(self, address: IPv4Address | IPv6Address, length: int) -> None:
        self.address = address
        self.length = length
        self.text = f"{address}/{length}"
        mapped = _mapped(address) if length >= BEFORE_MAPPED else None
        self.plain = (address, length) if mapped is None else (mapped, length - BEFORE_MAPPED)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CIDRValue) and self.plain == other.plain

    def __hash__(self) -> int:
        return hash(self.plain)

    def holds(self, address: IPv4Address | IPv6Address, length: int) -> bool:
        """Whether all addresses are in this network that share so many first bits with this one."""
        own, shared = self.plain
        shift = BITS[own.version] - shared
        return address.version == own.version and length >= shared and int(address) >> shift == int(own) >> shift


def _mapped(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    return address.ipv4_mapped if isinstance(address, IPv6Address) else None


TYPE_NAMES[IPValue] = "net.IP"
TYPE_NAMES[CIDRValue] = "net.CIDR"


def _parsed(text: str, budget: Budget) -> IPv4Address | IPv6Address | None:
    """The address of a text: no zone, and no dotted numbers at the end of an IPv6 address."""
    budget.spend(READING_ADDRESS)
    if len(text) > LONGEST or "%" in text or (":" in text and "." in text):
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


def to_ip(budget: Budget, value: Value) -> Value:
    """`ip(text)`."""
    if type(value) is IPValue:
        return value
    if type(value) is not str:
        raise refusal("ip", value)
    address = _parsed(value, budget)
    if address is None:
        raise EvaluationError("the string is no IP address")
    return IPValue(address)


def to_cidr(budget: Budget, value: Value) -> Value:
    """`cidr(text)`."""
    if type(value) is CIDRValue:
        return value
    if type(value) is not str:
        raise refusal("cidr", value)
    text, _, digits = value.partition("/")
    address = _parsed(text, budget)
    if address is None or not digits.isascii() or not digits.isdigit() or len(digits) > 3 or digits != str(int(digits)):
        raise EvaluationError("the string is no network")
    if int(digits) > BITS[address.version]:
        raise EvaluationError("the string is no network")
    return CIDRValue(address, int(digits))


def is_ip(budget: Budget, value: Value) -> Value:
    """`isIP(text)`."""
    if type(value) is not str:
        raise refusal("isIP", value)
    return _parsed(value, budget) is not None


def is_cidr(budget: Budget, value: Value) -> Value:
    """`isCIDR(text)`."""
    if type(value) is not str:
        raise refusal("isCIDR", value)
    try:
        to_cidr(budget, value)
    except EvaluationError:
        return False
    return True


def is_canonical(budget: Budget, value: Value) -> Value:
    """`ip.isCanonical(text)`: whether the text is how the address would be printed."""
    return to_ip(budget, value).text == value


def contains_ip(budget: Budget, network: Value, address: Value) -> Value:
    """`network.containsIP(address)`, of an address or its text."""
    if type(network) is not CIDRValue or type(address) not in (str, IPValue):
        raise refusal("containsIP", network, address)
    plain = to_ip(budget, address).plain
    return network.holds(plain, BITS[plain.version])


def contains_cidr(budget: Budget, network: Value, other: Value) -> Value:
    """`network.containsCIDR(other)`, of a network or its text."""
    if type(network) is not CIDRValue or type(other) not in (str, CIDRValue):
        raise refusal("containsCIDR", network, other)
    return network.holds(*to_cidr(budget, other).plain)


def address_of(budget: Budget, network: Value) -> Value:
    """`network.ip()`."""
    return IPValue(_network("ip", network).address)


def masked(budget: Budget, network: Value) -> Value:
    """`network.masked()`: the same with all bits behind the prefix 0."""
    found = _network("masked", network)
    shift = BITS[found.address.version] - found.length
    return CIDRValue(type(found.address)(int(found.address) >> shift << shift), found.length)


def prefix_length(budget: Budget, network: Value) -> Value:
    """`network.prefixLength()`."""
    return _network("prefixLength", network).length


def _network(name: str, value: Value) -> CIDRValue:
    if type(value) is not CIDRValue:
        raise refusal(name, value)
    return value


def _address(name: str, value: Value) -> IPv4Address | IPv6Address:
    if type(value) is not IPValue:
        raise refusal(name, value)
    return value.plain


def family(budget: Budget, value: Value) -> Value:
    """`address.family()`: 4 or 6, as it is written."""
    _address("family", value)
    return value.address.version


def is_unspecified(budget: Budget, value: Value) -> Value:
    """`address.isUnspecified()`: `0.0.0.0`, `::`."""
    return _address("isUnspecified", value).is_unspecified


def is_loopback(budget: Budget, value: Value) -> Value:
    """`address.isLoopback()`: `127.0.0.0/8`, `::1`."""
    return _address("isLoopback", value).is_loopback


def is_link_local_unicast(budget: Budget, value: Value) -> Value:
    """`address.isLinkLocalUnicast()`: `169.254.0.0/16`, `fe80::/10`."""
    return _address("isLinkLocalUnicast", value).is_link_local


MULTICAST_4 = IPv4Address("224.0.0.0")
MULTICAST_6 = IPv6Network("ff02::/16")


def is_link_local_multicast(budget: Budget, value: Value) -> Value:
    """`address.isLinkLocalMulticast()`: `224.0.0.0/24`, `ff02::/16`."""
    address = _address("isLinkLocalMulticast", value)
    if isinstance(address, IPv4Address):
        return int(address) >> 8 == int(MULTICAST_4) >> 8
    return address in MULTICAST_6


def is_global_unicast(budget: Budget, value: Value) -> Value:
    """`address.isGlobalUnicast()`: one host, of any network; private networks too."""
    address = _address("isGlobalUnicast", value)
    special = address.is_unspecified or address.is_loopback or address.is_link_local or address.is_multicast
    return not special and address != BROADCAST


FUNCTIONS: tuple[Function, ...] = (
    function("ip", [STRING], IP, to_ip),
    function("ip", [IP], IP, to_ip),
    function("cidr", [STRING], CIDR, to_cidr),
    function("cidr", [CIDR], CIDR, to_cidr),
    function("isIP", [STRING], BOOL, is_ip),
    function("isCIDR", [STRING], BOOL, is_cidr),
    function("ip.isCanonical", [STRING], BOOL, is_canonical),
    method(CIDR, "containsIP", [IP], BOOL, contains_ip),
    method(CIDR, "containsIP", [STRING], BOOL, contains_ip),
    method(CIDR, "containsCIDR", [CIDR], BOOL, contains_cidr),
    method(CIDR, "containsCIDR", [STRING], BOOL, contains_cidr),
    method(CIDR, "ip", [], IP, address_of),
    method(CIDR, "masked", [], CIDR, masked),
    method(CIDR, "prefixLength", [], INT, prefix_length),
    method(IP, "family", [], INT, family),
    method(IP, "isUnspecified", [], BOOL, is_unspecified),
    method(IP, "isLoopback", [], BOOL, is_loopback),
    method(IP, "isLinkLocalUnicast", [], BOOL, is_link_local_unicast),
    method(IP, "isLinkLocalMulticast", [], BOOL, is_link_local_multicast),
    method(IP, "isGlobalUnicast", [], BOOL, is_global_unicast),
)
