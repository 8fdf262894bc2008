"""Define `InputError`, the error that a user can cause and should read."""

from __future__ import annotations

import os
import re

_ENDLESS = re.compile(r"\S{301,}")


class InputError(ValueError):
    """Report input that cannot be used.

    The message is one sentence that names the file, the mistake and the remedy. The command line prints it and exits
    with code 2. A word of a damaged file that it repeats is cut to 300 letters.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(_ENDLESS.sub(lambda word: f"{word[0][:200]}...{word[0][-20:]}", str(message)))


def named_in_full(name: str, sentence: str) -> str:
    """Replace a file's name at the start of a sentence by the path as given: "a.npy: ..." is "dir/a.npy: ..."."""
    file = os.path.basename(name)
    return (
        name + sentence.removeprefix(file) if file and name not in sentence and sentence.startswith(file) else sentence
    )


def first_line(error: BaseException) -> str:
    """Cut an error's text down to its first line of at most 200 characters; its type where it has no text."""
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
