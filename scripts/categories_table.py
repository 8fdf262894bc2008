"""Print the table of categories for docs/kinematics.md.

python scripts/categories_table.py          # print it
python scripts/categories_table.py --write  # write it into the page, between its two marks
"""

from __future__ import annotations

import sys
from pathlib import Path

from vimonet.motion.kinematics import categories, gait_categories, held_categories

PAGE = Path(__file__).parents[1] / "docs" / "kinematics.md"
START, END = "<!-- categories -->\n", "<!-- /categories -->"


def table() -> str:
    """Make the Markdown table: one row per threshold, one per class of a scale."""
    rows = ["| category | yes | no | unit | why |", "|---|--:|--:|---|---|"]
    for name, value in (vars(categories) | vars(gait_categories) | vars(held_categories)).items():
        if isinstance(value, categories.Threshold):
            sign = ">" if value.yes >= value.no else "<"
            other = "<" if sign == ">" else ">"
            rows.append(f"| `{name}` | {sign} {value.yes:g} | {other} {value.no:g} | {value.unit} | {value.why} |")
        elif isinstance(value, categories.Scale):
            rows += [
                f"| `{name}`: {label} | {_span(low, high)} | | {value.unit} | {value.why} |"
                for label, (low, high) in value.classes.items()
            ]
    rows += ["", "| stated quantity | agrees within | contradicts beyond | unit | why |", "|---|--:|--:|---|---|"]
    for name, value in vars(categories).items():
        if isinstance(value, categories.Tolerance):
            near, far = _distance(value.near, value.near_share), _distance(value.far, value.far_share)
            rows.append(f"| `{name}` | {near} | {far} | {value.unit} | {value.why} |")
    return "\n".join(rows) + "\n"


def _distance(least: float, share: float) -> str:
    return f"{least:g} or {share:.0%} of it" if share else f"{least:g}"


def _span(low: float, high: float) -> str:
    return f"< {high:g}" if low < 0 else f"> {low:g}" if high == categories.INFINITY else f"{low:g} to {high:g}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        text = PAGE.read_text(encoding="utf-8")
        before, rest = text.split(START)
        PAGE.write_text(before + START + table() + END + rest.split(END)[1], encoding="utf-8")
    else:
        print(table(), end="")
