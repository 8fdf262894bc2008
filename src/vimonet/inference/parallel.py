"""Apply one function to many recordings: in this process, or with Ray on all cores of a machine or a cluster.

    for outcome in in_process(make, names): ...
    for outcome in on_ray(make, names): ...

Both yield, for every name in order, the JSON-ready result of the work or the `InputError` it raised. ``make`` builds
the work (for instance, loads the model) once per process, before its first recording; an `InputError` of ``make`` is
raised. If a process or machine of Ray dies, its recordings are processed again elsewhere; results come in order, each
exactly once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import sys
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from vimonet.utils.errors import InputError

Work = Callable[[str], Any]

_RETRIES = 3
"""Retries of a block whose worker died; a recording that kills its reader (by memory) would do so forever."""

_MAX_BLOCKS = 4096
"""A worker takes one block at a time and loses it when it dies: blocks are small, but not too many for Ray."""

_OBJECT_STORE = 128 * 2**20
"""Bytes of memory shared by the processes of a Ray started here (its default is a third of the machine): names and
results only."""


def in_process(make: Callable[[], Work], names: Sequence[str]) -> Generator[Any | InputError]:
    """Yield the outcome of every name in order, computed in this process.

    Raises:
        InputError: the work cannot be built.
    """
    work: Work | None = None
    for name in names:
        if work is None:
            work = make()
        try:
            yield work(name)
        except InputError as error:
            yield error


def on_ray(
    make: Callable[[], Work], names: Sequence[str], *, workers: int | None = None, gpu: bool = False
) -> Generator[Any | InputError]:
    """Yield the outcome of every name in order, computed by Ray Data.

    It runs on the Ray this process is connected to, else on the cluster of ``$RAY_ADDRESS``, else in processes of this
    machine that end with the iteration.

    Args:
        make: builds the work in every worker process; picklable.
        names: recordings; paths are relative to the working directory.
        workers: processes, each of which holds a model; None for one per core or per GPU, which is the maximum.
        gpu: give every worker a GPU.

    Raises:
        InputError: Ray is missing or cannot be reached, the work cannot be built, or a recording kills every worker.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}; give 1 or more.")
    if not names:
        return
    with _ray() as ray:
        from ray.exceptions import RayActorError

        done = 0
        while done < len(names):
            begun = done
            try:
                for outcome in _pass(ray, make, names[done:], workers, gpu):
                    done += 1
                    yield outcome
            except RayActorError as error:
                if "creation task" in str(error):
                    last = str(error).strip().splitlines()[-1]
                    raise InputError(f"a worker cannot start ({last}); every machine needs the same vimonet.") from None
                # A lost machine takes its workers with it: go on with the others, unless nothing was finished since.
                if done == begun:
                    raise InputError(
                        f"worker processes keep dying at or after {names[done]} (out of memory?); "
                        "give fewer --workers, or leave that recording out."
                    ) from None


def _pass(
    ray: Any, make: Callable[[], Work], names: Sequence[str], workers: int | None, gpu: bool
) -> Generator[Any | InputError]:
    """Yield outcomes of one pool of workers, as large as Ray's machines allow now."""
    from ray.data import ActorPoolStrategy, DataContext, from_items
    from ray.util.annotations import RayDeprecationWarning

    kind = "GPU" if gpu else "CPU"
    available = int(ray.cluster_resources().get(kind, 0))
    if available == 0:
        raise InputError(f"the Ray cluster has no {kind} to work with.")
    most = min(workers or available, available, len(names))
    context = DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = context.print_on_execution_start = False
    # Ray assumes this size until it has seen a result; its default of 128 MiB would fill the store.
    context.target_max_block_size = 2**20
    blocks = from_items([{"name": name} for name in names], override_num_blocks=min(len(names), _MAX_BLOCKS))
    with warnings.catch_warnings():
        # Ray 2.64 takes this option away: pyproject.toml stays below it.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        done = blocks.map(
            _Worker,  # type: ignore[arg-type]  # a class is built once per process; Ray's annotation forgets it
            fn_constructor_args=(make, os.getcwd()),
            compute=ActorPoolStrategy(min_size=1, max_size=most, initial_size=most),
            num_cpus=0 if gpu else 1,
            num_gpus=1 if gpu else 0,
            max_task_retries=_RETRIES,
        )
    # No prefetching: results are yielded as soon as they are finished.
    tables: Any = done.iter_batches(batch_size=None, prefetch_batches=0, batch_format="pyarrow")
    rows = (row for table in tables for row in table.to_pylist())
    for name, row in zip(names, rows, strict=True):
        if row["name"] != name:
            raise RuntimeError(f"{row['name']} came in place of {name}")
        yield _outcome(json.loads(row["outcome"]))


class _Worker:
    """Run the work in a worker process and return its outcomes as JSON."""

    def __init__(self, make: Callable[[], Work], folder: str) -> None:
        with contextlib.suppress(OSError):  # another machine may lack the folder; names are then absolute or addresses
            os.chdir(folder)
        self._work: Work | None = None
        self._make = make

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        return {"name": row["name"], "outcome": json.dumps(self._outcome(row["name"]))}

    def _outcome(self, name: str) -> dict[str, Any]:
        if self._work is None:
            try:
                self._work = self._make()
            except InputError as error:
                return {"unmade": str(error)}
        try:
            return {"result": self._work(name)}
        except InputError as error:
            return {"error": str(error)}


def _outcome(reply: dict[str, Any]) -> Any | InputError:
    if "unmade" in reply:
        raise InputError(reply["unmade"])
    return InputError(reply["error"]) if "error" in reply else reply["result"]


@contextlib.contextmanager
def _ray() -> Iterator[Any]:
    """Connect to Ray or start it until the context ends, without usage statistics, dashboard or output."""
    settings = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run`, workers would each build an environment of their own
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_BACKEND_LOG_LEVEL": "fatal",
        "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # messages of its daemons about dead workers, on our standard output
    }
    for key, value in settings.items():
        os.environ.setdefault(key, value)
    address = os.environ.get("RAY_ADDRESS")
    if address is None and "ray" not in sys.modules:  # it reads these when it is imported
        # Ray listens on every interface and runs any program sent to it: only its own processes get the key.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
        import ray.data
    except ImportError:
        raise InputError(
            "work by many processes or machines needs Ray; install it with: uv pip install 'vimonet[ray]'."
        ) from None
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.CRITICAL}
    # Paths of sockets are limited to 103 characters, which a long $TMPDIR would exceed.
    parent = "/tmp" if os.path.isdir("/tmp") else None
    with tempfile.TemporaryDirectory(prefix="ray-", dir=parent, ignore_cleanup_errors=True) as folder:
        try:
            with _hushed():
                if address is None:
                    ray.init("local", object_store_memory=_OBJECT_STORE, _temp_dir=folder, **quiet)
                else:
                    ray.init(address, **quiet)
        except Exception as error:  # of no class of its own if Ray does not start in time on a busy machine
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise InputError(f"Ray cannot be started or reached ({reason}).") from None
        try:
            yield ray
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Discard file descriptor 2, to which Ray's core writes in spite of its settings; exceptions still pass."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
