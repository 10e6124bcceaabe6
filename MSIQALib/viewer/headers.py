"""What every answer tells the browser to do and to leave."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import PurePosixPath

_PROGRAM_SUFFIXES = frozenset({".js", ".mjs", ".css", ".woff", ".woff2", ".ttf", ".wasm"})


def content_security_policy(host: str) -> str:
    """Allow what comes from this server and nothing else.

    Vue compiles its templates in the browser, which needs 'unsafe-eval'; trame and Vuetify set
    styles in the page. Pictures arrive as blobs over the WebSocket.

    Args:
        host: The Host header, which was found to be this server. Some browsers do not count a
            WebSocket to the same host as 'self'.
    """
    rules = {
        "default-src": "'self'",
        "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": f"'self' data: blob: ws://{host} wss://{host}",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def secure(headers: MutableMapping[str, str], host: str, path: str) -> None:
    """Set the headers of an answer.

    Args:
        headers: Those of the answer.
        host: The Host header of the request, which was found to be this server.
        path: The path that was asked for.
    """
    headers["Content-Security-Policy"] = content_security_policy(host)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    # The page's programs may be kept, if asked about again; pictures and tables of patients not.
    program = PurePosixPath(path).suffix.lower() in _PROGRAM_SUFFIXES
    headers["Cache-Control"] = "private, no-cache" if program else "no-store"
