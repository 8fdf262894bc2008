"""Write names and words of files into Markdown, where they are text and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_SPECIAL: Final = re.compile(r"([\\`|]|\*(?=\S)|(?<=\])\(|(?<=~)~)")


def plain_text(value: object) -> str:
    """Escape a text for one line of Markdown: no HTML, no formatting, no link, no end of a table's cell."""
    text = _one_line(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", text)


def code_span(value: object) -> str:
    """Write a name as code, between more backticks than it holds, for one line of text (not for a table)."""
    text = _one_line(value)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if text.startswith("`") or text.endswith("`") else f"{fence}{text}{fence}"


def code_block(text: str, language: str = "") -> str:
    """Write a block of code, between more backticks than any line of it holds."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[bool] = ()) -> str:
    """Write a table of escaped cells; ``right`` aligns columns to the right."""
    marks = ["---:" if at < len(right) and right[at] else "---" for at in range(len(head))]
    lines = [list(head), marks, *([plain_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _one_line(value: object) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
