"""Bound a foreign chat template: its size, and the time and memory it takes in a process of its own.

transformers renders templates in a sandbox, which keeps them from files and code; a loop or a text that grows without
end it does not stop. ViMoNet's own templates need no trial.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from vimonet.model.chat_templates import is_own_template
from vimonet.utils.errors import InputError, first_line

MAX_TEMPLATE: Final = 1 << 16
"""Bytes of a chat template; the longest of known models have some 20,000."""
_SECONDS: Final = 5
_MEMORY: Final = 512 << 20
_WALL: Final = 120.0
_LONGEST: Final = 100_000
"""Letters of the trial's text, whose messages have a hundred."""

_TRIAL = [
    {"role": "system", "content": [{"type": "text", "text": "Facts."}]},
    {"role": "user", "content": [{"type": "motion"}, {"type": "text", "text": "What is done?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "The person walks."}]},
    {"role": "user", "content": [{"type": "text", "text": "Where to?"}]},
]


def check_template(template: object, folder: Path) -> None:
    """Check the chat template of a model folder before it is used.

    Raises:
        InputError: it is no text, too long, cannot be rendered, or takes more than 5 s or 512 MiB for a short chat.
    """
    where = f"{folder}: the chat template"
    if not isinstance(template, str):
        raise InputError(f"{where} is a {type(template).__name__}; a model folder has one Jinja text.")
    if len(template) > MAX_TEMPLATE:
        raise InputError(f"{where} has {len(template):,} letters; at most {MAX_TEMPLATE:,} are read.")
    if is_own_template(template):
        return
    # A shell of our own: `python -m` would put the working directory's files before the installed package.
    code = "from vimonet.model.template_trial import try_here; try_here()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=template,
            capture_output=True,
            text=True,
            env=environment,
            timeout=_WALL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{where} takes more than {_SECONDS} s for a short chat; use another model.") from None
    if done.returncode == 0:
        return
    try:
        reason = str(json.loads(done.stdout)["error"])
    except (ValueError, KeyError, TypeError):
        reason = f"it takes more than {_SECONDS} s or {_MEMORY >> 20} MiB for a short chat"
    raise InputError(f"{where} cannot be used ({reason}); use another model, or restore the file.")


def try_here() -> None:
    """Render the template of standard input in this process, within the limits; print an error as JSON."""
    from transformers.utils.chat_template_utils import render_jinja_template

    template = sys.stdin.read()
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        seconds = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + _SECONDS + 1
        resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, used + _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    except (ImportError, OSError, ValueError):
        pass  # the clock of the parent remains
    reason = ""
    for chat in (_TRIAL, _TRIAL[1:]):  # a template may refuse the system message, which only a context needs
        try:
            rendered = render_jinja_template([chat], chat_template=template, add_generation_prompt=True)[0]
            reason = "" if len(rendered[0]) <= _LONGEST else f"it makes {len(rendered[0]):,} letters of a short chat"
            break
        except MemoryError:
            reason = f"it takes more than {_MEMORY >> 20} MiB for a short chat"
        except Exception as error:
            reason = first_line(error)
    if reason:
        print(json.dumps({"error": reason}), flush=True)
    os._exit(1 if reason else 0)
