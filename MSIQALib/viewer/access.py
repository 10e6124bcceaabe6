"""Who may talk to the viewer: token, cookie, Host and Origin.

On 127.0.0.1 every program of this machine's user may connect, and so may every page in the user's
browser, unless the headers are looked at. Three rules keep those pages out: the Host must be this
server (a name that an attacker points to 127.0.0.1 is none, "DNS rebinding"), the Origin of
whatever changes something must be the same host, and the cookie is never sent with another site's
request (SameSite=Strict). From another machine a token is needed, once, for the cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TOKEN = "token"
"""The name of the query's item that holds the token."""

_HOST = re.compile(r"(?:(?P<name>[a-z0-9._-]+)|\[(?P<v6>[0-9a-f:.]+)\])(?::[0-9]{1,5})?")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether a host to listen on can be reached from this machine alone.

    Args:
        host: A name or an address; a name that cannot be resolved is not.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(item[4][0]).is_loopback for item in found)


@dataclass(frozen=True)
class Hosts:
    """The hosts under which the server may be asked for.

    Attributes:
        names: In lower case, without a port.
        any_address: Whether numeric addresses are all right. They cannot be rebound, and a server
            on 0.0.0.0 does not know all of its own.
    """

    names: frozenset[str]
    any_address: bool = False

    @classmethod
    def of(cls, host: str, also: Iterable[str] = ()) -> Hosts:
        """The hosts of a server that listens on ``host``.

        Args:
            host: A name or an address; "0.0.0.0" and "::" are every address.
            also: Further names, such as that of a reverse proxy.
        """
        wildcard = host in ("0.0.0.0", "::", "")
        names = {*_LOOPBACK_NAMES, host.lower(), *(name.lower() for name in also)}
        if wildcard:
            names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        return cls(frozenset(names - {""}), wildcard)

    def allow(self, header: str | None) -> bool:
        """Whether a Host header names this server. The port does not matter: SSH may forward it."""
        name = _hostname(header or "")
        return name in self.names or (self.any_address and _is_address(name))


def same_origin(origin: str | None, host: str | None) -> bool:
    """Whether a request comes from a page of this server.

    Args:
        origin: The Origin header. Browsers send it with every POST and WebSocket.
        host: The Host header, which was found to be this server.
    """
    if not origin or not host:
        return False
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


@dataclass(frozen=True)
class Access:
    """The rules for one server.

    Attributes:
        hosts: Where it may be asked for.
        token: What a browser must show once; None where none is needed.
        cookie: Name of the cookie. Browsers do not tell ports apart, so the name does.
        key: Signs the cookies: one that this server did not give is no cookie.
    """

    hosts: Hosts
    token: str | None
    cookie: str
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def knows(self, query: Mapping[str, str]) -> bool:
        """Whether a request without a cookie may have one: it shows the token, or needs none."""
        if self.token is None:
            return True
        return hmac.compare_digest(query.get(TOKEN, "").encode(), self.token.encode())

    def new_cookie(self) -> str:
        """The cookie for a browser that has none."""
        session = secrets.token_urlsafe(32)
        return f"{session}.{self._signature(session)}"

    def session_of(self, cookies: Mapping[str, str]) -> str | None:
        """The session that a request belongs to; None without a cookie of this server."""
        session, _, signature = cookies.get(self.cookie, "").partition(".")
        known = hmac.compare_digest(signature.encode(), self._signature(session).encode())
        return session if session and known else None

    def _signature(self, session: str) -> str:
        return hmac.new(self.key, session.encode(), hashlib.sha256).hexdigest()


def new_token() -> str:
    """A token of 192 bits that can be typed into an address."""
    return secrets.token_urlsafe(24)


def _hostname(header: str) -> str:
    found = _HOST.fullmatch(header.lower())
    return (found["name"] or found["v6"]) if found else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
