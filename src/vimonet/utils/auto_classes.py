"""Register ViMoNet's classes with transformers' Auto classes without importing torch or transformers."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_NAMES = "transformers.models.auto.auto_mappings"
_MODELS = {
    "vimonet": ("vimonet.model", "ViMoNetConfig"),
    "motion_vqvae": ("vimonet.model", "MotionVQVAEConfig"),
    "languagebind_video": ("vimonet.model", "LanguageBindVideoConfig"),
    "efficientnet_lite": ("vimonet.model", "EfficientNetLiteConfig"),
    "motion_text": ("vimonet.retrieval.modeling_text_motion", "MotionTextConfig"),
}
"""Model type -> module that registers it with every Auto class, and its config class."""


def register_lazily() -> None:
    """Register the model types with transformers, now or when its Auto classes are first imported.

    Transformers keeps a table of class names and imports ``transformers.models.TYPE`` when one is needed. Our names are
    added right after that table's import, with stand-in modules that import ours on demand. If the Auto classes exist
    already, their copies of the table are out of reach, so our modules are imported at once.
    """
    if _NAMES in sys.modules:
        for module, _ in _MODELS.values():
            importlib.import_module(module)
    elif not any(isinstance(finder, _NamesFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _NamesFinder())


class _NamesFinder(MetaPathFinder):
    """Find transformers' table of names once, as Python would, and add our names after its execution."""

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _NAMES:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_add(module: ModuleType) -> None:
                execute(module)
                _add_names(module)

            spec.loader.exec_module = execute_and_add  # type: ignore[method-assign]
        return spec


class _StandIn(ModuleType):
    """Stand in for a module of transformers whose classes are ours."""

    def __init__(self, name: str, module: str) -> None:
        super().__init__(name)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self._module), name)


def _add_names(table: ModuleType) -> None:
    for model_type, (module, config) in _MODELS.items():
        table.CONFIG_MAPPING_NAMES[model_type] = config
        name = f"transformers.models.{model_type}"
        sys.modules[name] = _StandIn(name, module)
    table.PROCESSOR_MAPPING_NAMES["vimonet"] = "ViMoNetProcessor"
    table.FEATURE_EXTRACTOR_MAPPING_NAMES["vimonet"] = "MotionFeatureExtractor"
