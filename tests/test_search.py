"""Search: the index on disk, bringing it up to date, ranking, and the two commands."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import tiny_motion
from tiny_evaluator import tiny_evaluator

import vimonet
from vimonet.cli import search as command
from vimonet.motion import retarget
from vimonet.retrieval import Index
from vimonet.retrieval.index import Entry
from vimonet.retrieval.text_motion_encoder import TextMotionEncoder, _alike, shipped_encoder
from vimonet.utils.errors import InputError

WINDOWS = (1.0, 3.0)


@pytest.fixture(scope="module")
def evaluator_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluators") / "tiny"
    tiny_evaluator().save(folder)
    return folder


@pytest.fixture(scope="module")
def evaluator(evaluator_folder: Path) -> TextMotionEncoder:
    return TextMotionEncoder.load(evaluator_folder)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Five recordings, one of them in 2D, one in a folder of its own, beside a file that is none."""
    folder = tmp_path / "library"
    (folder / "deep" / "down").mkdir(parents=True)
    for index, name in enumerate(("a", "b", "c", "deep/d")):
        np.save(folder / f"{name}.npy", retarget(tiny_motion(30 + 40 * index, seed=index).joints))
    np.savez(folder / "deep" / "down" / "e.npz", joints=retarget(tiny_motion(50, seed=9).joints))
    (folder / "notes.txt").write_text("no recording")
    return folder


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Number of clips of each call that embeds many."""
    calls: list[int] = []
    original = TextMotionEncoder.features

    def features(self: TextMotionEncoder, found: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(len(found))
        return original(self, found, *args, **kwargs)

    monkeypatch.setattr(TextMotionEncoder, "features", features)
    yield calls


def vectors_of(index: Index) -> dict[str, np.ndarray]:
    return {entry.path: entry.vectors for entry in index.entries}


def test_an_index_comes_back_as_it_was(library: Path, evaluator: TextMotionEncoder, tmp_path: Path) -> None:
    built = Index.build(library, tmp_path / "x.index", encoder=evaluator, windows=WINDOWS)
    opened = Index.open(tmp_path / "x.index")
    assert [entry.path for entry in opened.entries] == ["a.npy", "b.npy", "c.npy", "deep/d.npy", "deep/down/e.npz"]
    assert (opened.windows, opened.complete, opened.root) == (WINDOWS, True, library.resolve())
    for ours, theirs in zip(built.entries, opened.entries, strict=True):
        assert np.array_equal(ours.bounds, theirs.bounds)
        assert np.array_equal(ours.vectors, theirs.vectors)
        assert (ours.stamp, ours.digest) == (theirs.stamp, theirs.digest)
    assert opened.entries[0].bounds.tolist() == [[0, 20], [0, 30], [10, 30]]  # 1.5 s: two short windows and the whole
    assert len(opened) == sum(len(entry.bounds) for entry in opened.entries)
    assert not list(tmp_path.glob("*.part"))


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of unit vectors [..., E], which may be encoded in bfloat16 and are stored as float16."""
    return (a.astype(np.float32) * b.astype(np.float32)).sum(axis=-1)


def test_vectors_are_those_of_the_windows(library: Path, evaluator: TextMotionEncoder, tmp_path: Path) -> None:
    index = Index.build(library, tmp_path / "x.index", encoder=evaluator, windows=WINDOWS)
    motion = tiny_motion(70, seed=1)
    entry = index.entries[1]
    for bounds, vector in zip(entry.bounds.tolist(), entry.vectors, strict=True):
        assert cosines(vector, evaluator.motions([motion.window(*bounds)])[0]) > 0.999


def test_only_what_is_new_or_changed_is_read(
    library: Path, evaluator: TextMotionEncoder, tmp_path: Path, counted: list[int]
) -> None:
    out = tmp_path / "x.index"
    first = Index.build(library, out, encoder=evaluator, windows=WINDOWS)
    assert sum(counted) == len(first)
    counted.clear()
    os.utime(library / "a.npy", (1, 1))  # another time, the same bytes
    again = Index.build(library, out, encoder=evaluator)
    assert sum(counted) == 0
    assert again.windows == WINDOWS
    np.save(library / "b.npy", tiny_motion(25, seed=77).joints)
    np.save(library / "f.npy", tiny_motion(25, seed=78).joints)
    (library / "c.npy").unlink()
    third = Index.build(library, out, encoder=evaluator)
    assert [entry.path for entry in third.entries] == ["a.npy", "b.npy", "deep/d.npy", "deep/down/e.npz", "f.npy"]
    assert sum(counted) == 2 * 3  # b and f: three windows each
    fresh = Index.build(library, tmp_path / "y.index", encoder=evaluator, windows=WINDOWS)
    for path, vectors in vectors_of(fresh).items():
        assert cosines(vectors_of(third)[path], vectors).min() > 0.999


def test_an_interrupted_build_goes_on(
    library: Path, evaluator: TextMotionEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vimonet.motion
    import vimonet.retrieval.index as module

    out, whole = tmp_path / "x.index", Index.build(library, tmp_path / "y.index", encoder=evaluator, windows=WINDOWS)
    load, seen = vimonet.motion.load, []

    def interrupted(path: Path) -> Any:
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(path)
        return load(path)

    monkeypatch.setattr(module, "_BATCH", 1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(vimonet.motion, "load", interrupted)
        Index.build(library, out, encoder=evaluator, windows=WINDOWS)
    half = Index.open(out)
    assert not half.complete
    assert [entry.path for entry in half.entries] == ["a.npy", "b.npy", "c.npy"]
    done = Index.build(library, out, encoder=evaluator)
    assert done.complete
    for path, vectors in vectors_of(whole).items():
        assert cosines(vectors_of(done)[path], vectors).min() > 0.999


def test_several_processes_give_the_same_index(
    library: Path, evaluator: TextMotionEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vimonet.retrieval.window_features as module

    (library / "broken.bvh").write_text("HIERARCHY nonsense")
    one = Index.build(library, tmp_path / "x.index", encoder=evaluator, windows=WINDOWS)
    monkeypatch.setattr(module, "MANY", 1)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)
    for name in ("_MEANWHILE", "_TOGETHER", "_AHEAD"):
        monkeypatch.setattr(module, name, 1)
    two = Index.build(library, tmp_path / "y.index", encoder=evaluator, windows=WINDOWS)
    assert one.failed == two.failed and len(one.failed) == 1
    assert vectors_of(one).keys() == vectors_of(two).keys()
    for path, vectors in vectors_of(one).items():
        assert np.array_equal(vectors, vectors_of(two)[path])


def test_what_cannot_be_read_is_told_and_the_rest_goes_on(
    library: Path, evaluator: TextMotionEncoder, tmp_path: Path
) -> None:
    (library / "broken.bvh").write_text("HIERARCHY nonsense")
    (library / "table.json").write_text('{"rows": 3}')
    index = Index.build(library, tmp_path / "x.index", encoder=evaluator, windows=WINDOWS)
    assert [path for path, _ in index.failed] == ["broken.bvh", "table.json"]
    assert len(index.entries) == 5


def test_a_name_that_is_no_text_fails_alone(library: Path, evaluator: TextMotionEncoder, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.npy")
    (library / "a.npy").rename(library / name)
    index = Index.build(library, tmp_path / "x.index", encoder=evaluator, windows=WINDOWS)
    assert index.failed == [(name, "caf .npy: its name is not text in UTF-8; rename it.")]
    assert len(Index.open(tmp_path / "x.index").entries) == 4


def test_settings_that_do_not_fit_are_told(
    library: Path, evaluator: TextMotionEncoder, tmp_path: Path, evaluator_folder: Path
) -> None:
    out = tmp_path / "x.index"
    with pytest.raises(InputError, match=r"0\.5 to 3\.2 s"):
        Index.build(library, out, encoder=evaluator, windows=[9.0])
    with pytest.raises(InputError, match="no such folder"):
        Index.build(library / "nowhere", out, encoder=evaluator)
    with pytest.raises(InputError, match="no recording in this folder"):
        (tmp_path / "empty").mkdir()
        Index.build(tmp_path / "empty", out, encoder=evaluator)
    with pytest.raises(InputError, match="not a place for an index"):
        Index.build(library, tmp_path / "no" / "x.index", encoder=evaluator)
    assert not out.exists()
    Index.build(library, out, encoder=evaluator, windows=WINDOWS)
    other = tmp_path / "other"
    tiny_evaluator(seed=1).save(other)
    with pytest.raises(InputError, match="another text-motion encoder"):
        Index.build(library, out, encoder=other)
    with pytest.raises(InputError, match="another length"):
        Index.build(library, out, encoder=evaluator, windows=[2.0])
    assert Index.build(library, out, encoder=other, windows=[2.0], rebuild=True).windows == (2.0,)
    with pytest.raises(InputError, match="another text-motion encoder"):
        Index.open(out).encoder(evaluator_folder)


def test_a_file_that_is_no_index_is_told_and_kept(library: Path, evaluator: TextMotionEncoder, tmp_path: Path) -> None:
    notes = library / "notes.txt"
    with pytest.raises(InputError, match="not a readable search index"):
        Index.build(library, notes, encoder=evaluator)
    assert notes.read_text() == "no recording"
    out = tmp_path / "x.index"
    Index.build(library, out, encoder=evaluator, windows=WINDOWS)
    whole = out.read_bytes()
    for damaged in (whole[:-200], whole[:100], b""):
        out.write_bytes(damaged)
        with pytest.raises(InputError, match="not a readable search index"):
            Index.open(out)
    with pytest.raises(InputError, match="there is no such index"):
        Index.open(tmp_path / "nowhere")


def made_up(count: int, seed: int = 0, per_file: int = 7) -> Index:
    """Random vectors of windows that overlap by half."""
    rng = np.random.default_rng(seed)
    entries = []
    for start in range(0, count, per_file):
        size = min(per_file, count - start)
        vectors = rng.standard_normal((size, 24))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        bounds = np.stack([np.arange(size) * 30, np.arange(size) * 30 + 60], axis=1).astype(np.int32)
        entries.append(Entry(f"{start}.bvh", "", "", bounds, vectors.astype(np.float16)))
    return Index(Path("/library"), entries, windows=WINDOWS, fingerprint="")


@pytest.mark.parametrize("k", [1, 5, 60])
def test_ranking_is_that_of_brute_force(k: int) -> None:
    index = made_up(2000)
    query = np.random.default_rng(1).standard_normal(24).astype(np.float32)
    expected: list[tuple[str, float, float]] = []
    scored = sorted(
        (-float(vector.astype(np.float32) @ query), f"/library/{entry.path}", a / 20, b / 20)
        for entry in index.entries
        for vector, (a, b) in zip(entry.vectors, entry.bounds.tolist(), strict=True)
    )
    for _, path, start, end in scored:
        if not any(path == p and start < b and a < end for p, a, b in expected):
            expected.append((path, start, end))
    hits = index.nearest(query, k)
    assert [(hit.path, hit.start, hit.end) for hit in hits] == expected[:k]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_asking_for_more_than_there_is() -> None:
    index = made_up(10, per_file=5)
    hits = index.nearest(np.ones(24), 1000)
    assert len({(hit.path, hit.start) for hit in hits}) == len(hits) <= 6
    empty = Index(Path("/"), [], windows=WINDOWS, fingerprint="")
    with pytest.raises(InputError, match="holds no recording"):
        empty.nearest(np.ones(24))


# --- the commands ---


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers(required=True))
    args = parser.parse_args(arguments)
    args.own_process = False
    return int(args.run(args))


def test_index_then_search(
    library: Path, evaluator_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "x.index")
    assert (
        run(
            "index",
            str(library),
            "-o",
            out,
            "--retrieval-model",
            str(evaluator_folder),
            "--window",
            "1",
            "--window",
            "3",
        )
        == 0
    )
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"wrote {out}: 5 recordings" in captured.err
    assert run("search", "to the left", "--index", out, "-k", "3", "--json") == 0
    hits = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    expected = Index.open(out).search("to the left", 3)
    assert [{k: v for k, v in hit.items() if k != "rank"} for hit in hits] == [hit.to_dict() for hit in expected]
    assert run("search", "to the left", "--index", out, "-k", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].split()[0] == "1" and lines[0].endswith(" s") and hits[0]["path"] in lines[0]


def test_index_says_which_files_failed(
    library: Path, evaluator_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (library / "deep" / "broken.bvh").write_text("HIERARCHY nonsense")
    assert (
        run(
            "index",
            str(library),
            "-o",
            str(tmp_path / "x"),
            "--retrieval-model",
            str(evaluator_folder),
            "--window",
            "1",
        )
        == 2
    )
    err = capsys.readouterr().err
    assert err.count("broken.bvh") == 1 and "  deep/broken.bvh: " in err
    assert "1 could not be read" in err


def test_search_refuses_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give 1 or more"):
        run("search", "x", "--index", "y", "-k", "0")
    with pytest.raises(InputError, match="no such index"):
        run("search", "x", "--index", str(tmp_path / "y"))


def test_the_command_line_imports_nothing_heavy() -> None:
    code = "import sys, vimonet.cli.search\nassert not {'torch', 'transformers', 'pyarrow', 'numpy'} & set(sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(vimonet.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_the_shipped_evaluator_finds_a_movement_in_a_folder(tmp_path: Path) -> None:
    if not (shipped_encoder() / "model.safetensors").is_file():
        pytest.skip("no evaluator is shipped yet")
    from vimonet.samples import list_samples, sample_path

    folder = tmp_path / "library"
    folder.mkdir()
    for name in list_samples():
        source = sample_path(name)
        if source.suffix == ".mp4":  # the film of one of the others
            continue
        (folder / source.name).write_bytes(source.read_bytes())
    index = Index.build(folder, tmp_path / "x.index")
    for text, names in (
        ("someone jumps", ("jumps",)),
        ("a person squats", ("squats", "squats_coco17")),
        ("a person walks", ("walk", "walk_turn_wave")),
        ("someone raises the left hand", ("raise_left", "walk_turn_wave")),
    ):
        assert Path(index.search(text, 1)[0].path).stem in names, text


def test_bfloat16_and_batches_of_like_length_find_the_same(evaluator: TextMotionEncoder) -> None:
    clips = [tiny_motion(frames, seed=seed) for seed, frames in enumerate((40, 8, 39, 41, 60, 8, 61, 20))]
    features = [(evaluator.extractor.extract(clip), clip.dimensions) for clip in clips]
    alone = np.concatenate([evaluator.features([one]) for one in features])
    assert np.abs(evaluator.features(features) - alone).max() < 1e-5
    assert cosines(evaluator.features(features, bfloat16=True), alone).min() > 0.999


def test_batches_are_of_like_length() -> None:
    lengths = dict(enumerate([60, 180, 61, 60, 70, 180, 76, 180, 12]))
    batches = [[lengths[index] for index in batch] for batch in _alike(lengths, 3)]
    assert batches == [[12], [60, 60, 61], [70, 76], [180, 180, 180]]
    assert sorted(index for batch in _alike(lengths, 3) for index in batch) == list(lengths)


def test_a_process_that_reads_imports_no_torch() -> None:
    """Processes that took seconds to start made an index of short recordings slower than one process."""
    code = (
        "import pickle, sys; from vimonet.motion.features import NormalisedFeatures, body_features; "
        "import vimonet.retrieval.window_features; pickle.dumps(NormalisedFeatures()); "
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
