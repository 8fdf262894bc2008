"""Implement `vimonet serve`: answer over HTTP, as OpenAI's API does, and show the page."""

from __future__ import annotations

import argparse
import logging
import sys
import webbrowser
from typing import Any

from vimonet.cli.shared import add_flag, one_line
from vimonet.utils.errors import InputError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    serve = commands.add_parser(
        "serve",
        help="answer over HTTP (OpenAI-compatible) and show the page in a browser",
        usage="%(prog)s [options] [LIMIT=VALUE ...]",
        description="Serve one model: chat that every OpenAI client can call, facts, captions, search, keypoints, and "
        "the page. It listens on this machine alone, until --host and --token-file say otherwise.",
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=int, default=8000, metavar="N", help="port, 0 for a free one (default: 8000)")
    serve.add_argument("--token-file", metavar="FILE", help="file of bearer tokens, one a line, that clients must send")
    add_flag(serve, "--model")
    add_flag(serve, "--device")
    serve.add_argument("--served-name", metavar="NAME", help="name of the model for clients (default: its own)")
    add_flag(serve, "--index", "it makes /v1/search answer")
    add_flag(serve, "--retrieval-model", "it must be the one that made the index")
    serve.add_argument("--limits", metavar="FILE.yaml", help="file of limits")
    serve.add_argument("--list-limits", action="store_true", help="list the limits with their defaults, and exit")
    serve.add_argument("--open", action="store_true", help="open the page in the browser")
    serve.add_argument("overrides", nargs="*", metavar="LIMIT=VALUE", help="limits, such as places=64")
    serve.set_defaults(run=_serve)


def _serve(args: argparse.Namespace) -> int:
    from vimonet.serve.listening import address_of, check_reach, listen, read_tokens
    from vimonet.serve.server_limits import limits_table, read_limits

    if args.list_limits:
        print(limits_table())
        return 0
    limits = read_limits(args.limits, args.overrides)
    tokens = read_tokens(args.token_file)
    try:
        import uvicorn

        from vimonet.serve.app import create_app
    except ImportError as error:
        raise InputError(
            f"vimonet serve needs the package {error.name}; install it with: pip install 'vimonet[serve]'."
        ) from None
    from vimonet.weights import MINI, mini_folder, model_source

    check_reach(args.host, tokens)
    source = model_source(args.model)  # a name that is not there is told before anything starts
    failures: list[Exception] = []
    server: Any = None

    def failed(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    app = create_app(
        lambda: _load(args),
        name=args.served_name or (MINI if source == str(mini_folder()) else ""),
        limits=limits,
        tokens=tokens,
        host=args.host,
        index=_index(args),
        on_failure=failed,
    )
    listening = listen(args.host, args.port)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            access_log=False,  # it would write addresses with the ids of uploads
            log_config=None,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=limits.drain_seconds,
        )
    )
    address = address_of(args.host, listening.getsockname()[1])
    page = "the page is open there" if args.open else "open it in a browser for the page, or start with --open"
    print(f"ViMoNet listens on {address} ({page}; Ctrl-C ends it)", file=sys.stderr, flush=True)
    if args.open:
        webbrowser.open(address)
    server.run(sockets=[listening])
    if failures:
        raise InputError(one_line(str(failures[0]) or type(failures[0]).__name__)) from failures[0]
    return 0


def _load(args: argparse.Namespace) -> Any:
    from vimonet.inference.assistant import load

    return load(args.model, args.device)


def _index(args: argparse.Namespace) -> Any:
    if args.index is None:
        return None
    from vimonet.retrieval import Index

    index = Index.open(args.index)
    index.encoder(args.retrieval_model)
    return index
