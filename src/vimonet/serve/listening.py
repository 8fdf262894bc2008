"""Listen safely: on this machine alone, or on others with tokens that every client must send."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

from vimonet.utils.errors import InputError


def is_loopback(host: str) -> bool:
    """Test whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_reach(host: str, tokens: list[str], told: str = "--token-file") -> None:
    """Check that a server which other machines reach asks for a token.

    Args:
        host: address to listen on.
        tokens: its tokens.
        told: how the user names the file of tokens.

    Raises:
        InputError: it would let everybody in.
    """
    if not is_loopback(host) and not tokens:
        raise InputError(f"host {host} is reached from other machines; give {told} with a token for them.")


def read_tokens(file: str | Path | None) -> list[str]:
    """Read the tokens of a file, one a line.

    Raises:
        InputError: it cannot be read, or holds no token or a short one.
    """
    if file is None:
        return []
    try:
        lines = [line.strip() for line in Path(file).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: the tokens cannot be read ({getattr(error, 'strerror', 'not UTF-8')}).") from None
    tokens = [line for line in lines if line and not line.startswith("#")]
    if not tokens or any(len(token) < 16 or not token.isascii() or " " in token for token in tokens):
        raise InputError(f"{file}: give one token a line, of 16 or more ASCII characters without spaces.")
    return tokens


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        InputError: the address is not this machine's, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{host}:{port}: the server cannot listen there ({reason}); give another port or host."
        ) from None


def address_of(host: str, port: int) -> str:
    """Write the address at which a browser of this machine finds the server."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"
