"""``vimonet eval``: a YAML file says which model is asked what."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import yaml

from vimonet.bench.reporting.report import CombinedReport, Report, combine
from vimonet.bench.runner import CONTROLS, evaluate, select
from vimonet.bench.settings import convert, known_key, read_mapping
from vimonet.utils.errors import InputError


@dataclass
class EvaluationConfig:
    """Settings of an evaluation.

    Attributes:
        model: directory or hub id; a list of several seeds of one recipe gives mean and spread; empty = the shipped
            model.
        split: ``val`` or ``test``.
        sources: corpora asked about; empty = all.
        train_sources: corpora the baselines learn from; empty = ``sources``.
        baselines: also answer by majority and by the nearest training clip.
        seed: of the items, the shuffled control and the resampling.
        controls: conditions asked beside the movement itself.
        limit: at most so many items, even over source, kind, form and wording; 0 = all.
        train_limit: the same for what the baselines learn from.
        batch_size: questions per call.
        samples: bootstrap resamples behind an interval.
        device: ``cpu``, ``cuda`` ...; empty = the CPU.
        out: folder of the report.
        progress: show progress bars.
    """

    model: list[str] = field(default_factory=list)
    split: str = "test"
    sources: list[str] = field(default_factory=list)
    train_sources: list[str] = field(default_factory=list)
    baselines: bool = True
    seed: int = 0
    controls: list[str] = field(default_factory=lambda: list(CONTROLS))
    limit: int = 0
    train_limit: int = 0
    batch_size: int = 32
    samples: int = 2000
    device: str = ""
    out: str = "runs/eval"
    progress: bool = True


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> EvaluationConfig:
    """Read a YAML file and apply ``key=value`` overrides, whose values are YAML too.

    Raises:
        InputError: the file cannot be read, a key is unknown (the nearest one is named) or a value is of the wrong
            type.
    """
    settings = read_mapping(Path(path))
    origins = dict.fromkeys(settings, str(path))
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            raise InputError(f"override {override!r}: key=value is expected, for example limit=100")
        try:
            settings[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"override {override!r}: the value is no valid YAML") from None
        origins[key.strip()] = f"override {override!r}"
    known = typing.get_type_hints(EvaluationConfig)
    values = {}
    for key, value in settings.items():
        known_key(key, known, origins[key])
        values[key] = convert(value, known[key], f"{origins[key]}: {key}")
    config = EvaluationConfig(**values)
    for item in fields(config):
        number = getattr(config, item.name)
        least = 1 if item.name in ("batch_size", "samples") else 0
        if type(number) is int and number < least:
            raise InputError(f"{origins.get(item.name, path)}: {item.name} is {number}; at least {least} is expected")
    return config


def main(config_path: str | Path, overrides: Sequence[str] = ()) -> Report | CombinedReport:
    """Evaluate as a configuration says, print the tables and return the report.

    With several models each gets a folder of its own in ``out``, and ``out`` the mean and spread over them.

    Raises:
        InputError: the configuration, a model or an output folder cannot be used, or there is nothing to ask.
    """
    config = load_config(config_path, overrides)
    import vimonet
    from vimonet import vimos  # read late: both load torch or large files

    items = select(
        vimos.evaluation_items(config.split, sources=config.sources or None, seed=config.seed),
        config.limit or None,
        config.seed,
    )
    if not items:
        raise InputError(
            f"{config_path}: no item of split {config.split!r} for sources {', '.join(config.sources) or 'all'}"
        )
    train_items = []
    if config.baselines:
        learnt_from = config.train_sources or config.sources or None
        every = vimos.evaluation_items("train", sources=learnt_from, seed=config.seed)
        train_items = select(every, config.train_limit or None, config.seed)
    reports = []
    names: list[str | None] = [*config.model] or [None]
    for index, name in enumerate(names):
        loaded = vimonet.load(name, device=config.device or None)
        origin = name or getattr(getattr(loaded, "config", None), "_name_or_path", None)
        out = Path(config.out) / f"{index}-{Path(name).name}" if len(names) > 1 and name else Path(config.out)
        report = evaluate(
            loaded,
            items,
            train_items=train_items,
            controls=config.controls,
            out=out,
            batch_size=config.batch_size,
            seed=config.seed,
            samples=config.samples,
            checkpoint=origin if origin and Path(origin).exists() else None,
            model=name,
            split=config.split,
            progress=config.progress,
        )
        reports.append(report)
    result: Report | CombinedReport = reports[0]
    if len(reports) > 1:
        result = combine(reports)
        result.save(config.out)
    print(result.markdown(forms=False))
    print(f"written to {result.out}")
    return result
