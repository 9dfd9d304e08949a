"""What the tool's project allows it to connect to, for the sake of messages: the host decides.

A pattern is a host name, `*.` before one for everything below it, and a port behind it where the usual two of HTTP
are not meant; an address with colons stands in brackets. The host's rule is the same, in the crate `sdk`, in
`egress.rs`, which also wrote the patterns that arrive here.
"""

from dataclasses import dataclass

HTTP_PORTS = (80, 443)


@dataclass(frozen=True)
class Egress:
    """The table `[tool.toolplane.egress]`."""

    allow: tuple[str, ...] = ()
    tcp: tuple[str, ...] = ()


# Set at every invocation. While a tool is built, nothing is allowed.
_egress: Egress | None = None


def install(egress: Egress | None) -> None:
    """Sets what this invocation may connect to; None while a tool is built."""
    global _egress
    _egress = egress


def explain(host: str, port: int | None) -> str | None:
    """Why this may not be connected to and what to do about it; None where the project allows it."""
    if _egress is None:
        return (
            f"the network cannot be used while the tool is imported, and its import asks for {host}: "
            "connect within the function"
        )
    ports = HTTP_PORTS if port is None else (port,)
    if any(_matches(pattern, host, port, HTTP_PORTS) for pattern in _egress.allow for port in ports):
        return None
    if any(_matches(pattern, host, port, ()) for pattern in _egress.tcp for port in ports):
        return None
    name = f"[{host}]" if ":" in host else host
    entry = name if port is None or port in HTTP_PORTS else f"{name}:{port}"
    return (
        f"the tool may not connect to {name}{'' if port is None else f':{port}'}: "
        f'add "{entry}" to `allow` in [tool.toolplane.egress] of pyproject.toml, '
        "or to `tcp` with its port when it does not speak HTTP"
    )


def _matches(pattern: str, host: str, port: int, default_ports: tuple[int, ...]) -> bool:
    if pattern.startswith("["):
        name, _, number = pattern[1:].partition("]")
        number = number.removeprefix(":")
    else:
        name, _, number = pattern.partition(":")
    if port not in ((int(number),) if number.isdecimal() else default_ports):
        return False
    host, name = host.lower().rstrip("."), name.lower()
    return host.endswith(name[1:]) if name.startswith("*.") else _canonical(host) == name


def _canonical(host: str) -> str:
    """A host as the patterns have it: of the ways to write an address, one."""
    if ":" not in host:
        return host
    import ipaddress  # Hardly ever needed, and it would be frozen into every tool.

    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return str(address.ipv4_mapped or address)
