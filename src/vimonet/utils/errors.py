"""Define `InputError`, the error that a user can cause and should read."""

from __future__ import annotations


class InputError(ValueError):
    """Report input that cannot be used.

    The message is one sentence that names the file, the mistake and the remedy. The command line prints it and exits
    with code 2.
    """


def first_line(error: BaseException) -> str:
    """Cut an error's text down to its first line of at most 200 characters; its type where it has no text."""
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
