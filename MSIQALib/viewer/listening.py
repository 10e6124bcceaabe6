"""The socket that the viewer listens on, and the addresses to print for it."""

from __future__ import annotations

import errno
import socket

from MSIQALib.errors import MSIQAError

DEFAULT_PORT = 8080
_TRIES = 20
_WILDCARDS = ("0.0.0.0", "::")


def listen(host: str, port: int | None) -> socket.socket:
    """Open the socket.

    Args:
        host: A name or an address of this machine.
        port: The port; 0 for any that is free; None for 8080 or, if that is taken, the next one.

    Returns:
        A socket that listens.

    Raises:
        MSIQAError: The host is none of this machine's, or the port is taken.
    """
    ports = range(DEFAULT_PORT, DEFAULT_PORT + _TRIES) if port is None else (port,)
    for candidate in ports:
        try:
            return _listen(host, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                reason = (error.strerror or str(error)).lower()
                raise MSIQAError(
                    f"The viewer cannot listen on {host}, port {candidate} ({reason}). Choose "
                    "another with --host and --port."
                ) from error
    if port is None:
        raise MSIQAError(
            f"The ports {ports[0]} to {ports[-1]} are taken. Choose another with --port, or 0 for "
            "any that is free."
        )
    raise MSIQAError(
        f"Port {port} is taken. Choose another with --port, or 0 for any that is free."
    )


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    opened = socket.socket(family, kind, protocol)
    try:
        # A viewer that has just ended may leave connections behind that still block its port.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(128)
    except OSError:
        opened.close()
        raise
    return opened


def address(host: str, port: int, token: str | None) -> str:
    """What to open in a browser.

    Args:
        host: What the viewer listens on.
        port: The port.
        token: The token, where one is needed.
    """
    name = _own_address(host) if host in _WILDCARDS else host
    shown = f"[{name}]" if ":" in name else name
    query = f"?token={token}" if token else ""
    return f"http://{shown}:{port}/{query}"


def _own_address(wildcard: str) -> str:
    """The address of this machine that others probably see."""
    family = socket.AF_INET6 if ":" in wildcard else socket.AF_INET
    # Connecting a datagram socket only chooses a route; nothing is sent. The addresses are those
    # reserved for documentation.
    target = "2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1"
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
