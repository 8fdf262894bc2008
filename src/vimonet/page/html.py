"""Write the page: served with its assets beside it, or as one HTML file that holds everything.

The modules are plain ES modules that a browser reads as they are. In one file they stand in a single script: each is a
function of its imports, in the order of their imports, so no names meet. The file's Content Security Policy names the
hashes of this script and of the style sheet, and lets nothing else run or be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from graphlib import TopologicalSorter
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from vimonet.utils.errors import InputError
from vimonet.utils.files import write_text

MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
SERVED_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content Security Policy of the served page."""

_ENTRY = "app.js"
_IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./([\w]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) )", re.MULTILINE)
_EXPORTED = re.compile(r"^export (?:async )?(?:function\*?|class|const) (\w+)", re.MULTILINE)


def served_page(name: str = "index.html") -> str:
    """Return the page that loads its assets from ``/assets/``: ``index.html``, or ``watch.html`` of a watch."""
    return _read(name)


def asset_names() -> list[str]:
    """List the files that the served page loads."""
    return sorted(file.name for file in _folder().iterdir() if Path(file.name).suffix in MEDIA_TYPES)


def asset(name: str) -> tuple[bytes, str] | None:
    """Return the content and media type of an asset; None for any other name."""
    if name not in asset_names():
        return None
    return _read(name).encode(), MEDIA_TYPES[Path(name).suffix]


def check_page_path(path: str | Path) -> Path:
    """Check the path of a page before any work.

    Raises:
        InputError: it does not end in .html, or its folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{path}: the page is HTML; give a name that ends in .html.")
    if path.is_dir():
        raise InputError(f"{path}: this is a directory; give the name of a file to write.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: its folder does not exist; create it or give another name.")
    return path


def write_page(path: str | Path, documents: Sequence[dict[str, Any]], title: str) -> Path:
    """Write documents of `write_document` as one self-contained HTML file.

    Raises:
        InputError: `path` is no writable HTML file.
    """
    path = check_page_path(path)
    write_text(path, single_file(documents, title))
    return path


def single_file(documents: Sequence[dict[str, Any]], title: str) -> str:
    """Return the page with its modules, styles and documents inside."""
    script, styles = _bundle(), _read("page.css")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(styles)}; "
        "img-src data: blob:; media-src blob:; base-uri 'none'; form-action 'none'"
    )
    # "</" in a name or an answer would end the element; NaN is no JSON.
    data = json.dumps({"title": title, "documents": list(documents)}, ensure_ascii=False, allow_nan=False)
    data = data.replace("<", "\\u003c")
    page = _read("index.html")
    for old, new in (
        ("<title>ViMoNet</title>", f"<title>{escape(title)}</title>"),
        ("<!-- policy -->", f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        ('<link rel="stylesheet" href="/assets/page.css">', f"<style>{styles}</style>"),
        (
            '<script type="module" src="/assets/app.js"></script>',
            f'<script type="application/json" id="data">{data}</script>\n<script type="module">{script}</script>',
        ),
    ):
        if page.count(old) != 1:
            raise ValueError(f"index.html holds {page.count(old)} times {old!r}")
        page = page.replace(old, new)
    return page


@cache
def _bundle() -> str:
    """Join the modules into one script without imports."""
    sources = {name: _read(name) for name in asset_names() if name.endswith(".js")}
    graph = {name: {match[1] for match in _IMPORT.findall(text)} for name, text in sources.items()}
    reached, waiting = set(), [_ENTRY]
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached.add(name)
            waiting += graph[name]
    order = [name for name in TopologicalSorter(graph).static_order() if name in reached]
    return '"use strict";\n' + "\n".join(_wrapped(name, sources[name]) for name in order)


def _wrapped(name: str, source: str) -> str:
    exports = _EXPORTED.findall(source)
    body = _IMPORT.sub(lambda match: f"const {{ {match[1]} }} = {_variable(match[2])};\n", source)
    body = _EXPORT.sub("", body)
    if re.search(r"^(import|export)\b", body, re.MULTILINE):
        raise ValueError(f'{name}: write imports as import {{ a, b }} from "./c.js"; and export at the declaration')
    return f"const {_variable(name)} = (() => {{\n{body}return {{ {', '.join(exports)} }};\n}})();"


def _variable(name: str) -> str:
    return "module_" + Path(name).stem


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _folder() -> Any:
    return resources.files("vimonet.page") / "assets"


def _read(name: str) -> str:
    return (_folder() / name).read_text(encoding="utf-8")
