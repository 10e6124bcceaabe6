"""The few pages that the front shows itself, when there is no worker to show one."""

from __future__ import annotations

from html import escape

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh}<title>{title} - MSIQA</title>
<style>
  html {{ color-scheme: dark; background: #101316; color: #e6e9ec;
         font: 16px/1.5 system-ui, sans-serif; }}
  main {{ max-width: 34rem; margin: 22vh auto 0; padding: 0 1.5rem; }}
  h1 {{ font-size: 1.25rem; font-weight: 600; margin: 0 0 .5rem; }}
  p {{ margin: 0 0 1.25rem; color: #b9c0c7; }}
  a {{ color: #10161b; background: #8ec5e8; padding: .5rem 1rem; border-radius: .3rem;
      text-decoration: none; font-weight: 600; }}
  a:focus-visible {{ outline: 2px solid #fff; outline-offset: 2px; }}
</style>
</head>
<body><main><h1>{title}</h1><p>{text}</p>{link}</main></body>
</html>
"""


def message_page(
    title: str, text: str, *, link: tuple[str, str] | None = None, go_on: str | None = None
) -> str:
    """A page with one message.

    Args:
        title: What is the matter.
        text: What it means and what to do.
        link: Address and words of what can be clicked.
        go_on: Address that the browser goes to at once.
    """
    address, words = link or ("", "")
    return _FRAME.format(
        title=escape(title),
        text=escape(text),
        link=f'<a href="{escape(address)}">{escape(words)}</a>' if link else "",
        refresh=(
            f'<meta http-equiv="refresh" content="0; url={escape(go_on)}">\n' if go_on else ""
        ),
    )


def starting(go_on: str) -> str:
    """While the worker starts, which takes seconds."""
    return message_page("Starting the viewer…", "This takes a few seconds.", go_on=go_on)


def ended() -> str:
    """The worker has ended by itself."""
    return message_page(
        "The viewer has stopped",
        "Its process ended unexpectedly, perhaps for lack of memory. What was not exported is "
        "lost; the studies themselves are untouched. The terminal that started it says more.",
        link=("./?again", "Start again"),
    )


def hung(seconds: float) -> str:
    """The worker did not start in time.

    Args:
        seconds: How long it had.
    """
    return message_page(
        "The viewer does not start",
        f"Its process was not ready within {seconds:g} seconds and was ended. See the last lines "
        "in the terminal that started the viewer: they may tell what it waited for, such as a "
        "drive that does not answer. If the machine was only busy, try again.",
        link=("./?again", "Try again"),
    )


def token_needed() -> str:
    """Another machine's browser without the token."""
    return message_page(
        "This viewer asks for its token",
        "Open the address that was printed where it was started; it ends in ?token=…",
    )


def cookie_needed() -> str:
    """A browser that keeps no cookies."""
    return message_page(
        "This viewer needs a cookie",
        "With it, studies of two browsers are kept apart. Allow cookies for this address.",
        link=("./", "Try again"),
    )


def too_many() -> str:
    """All sessions are taken."""
    return message_page(
        "Too many browsers",
        "As many browsers as this viewer serves are connected already. Close one and wait, or "
        "start another viewer.",
        link=("./", "Try again"),
    )


def wrong_host() -> str:
    """Another Host than this server's: perhaps a name that somebody pointed here."""
    return message_page(
        "This is not an address of the viewer",
        "Open the address that was printed where it was started. A further name can be allowed "
        "with --allow-host.",
    )
