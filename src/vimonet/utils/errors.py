"""The one error a user can cause and should read: a sentence, never a traceback."""

from __future__ import annotations


class InputError(ValueError):
    """Input that cannot be used.

    The message is one sentence that names the file, what is wrong and what would be right. The command line prints it
    and exits with code 2.
    """


def first_line(error: BaseException) -> str:
    """Cut an error's text down to its first line of at most 200 characters; its type where it has no text."""
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
