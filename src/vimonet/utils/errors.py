"""The one error a user can cause and should read: a sentence, never a traceback."""

from __future__ import annotations


class InputError(ValueError):
    """Input that cannot be used.

    The message is one sentence that names the file, what is wrong and what would be right. The command line prints it
    and exits with code 2.
    """
