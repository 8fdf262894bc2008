"""Key frames of a dataset's videos, decoded once.

Decoding and scaling eight frames costs more than a small model's step on them. So what a clip was the first time is
kept: fitted to the tower's pictures, as bytes, in one memory map on disk that all epochs, loader processes and resumed
runs share.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from vimonet.model.video_processing_vimonet import ViMoNetVideoProcessor, as_video_frames
from vimonet.training.data.sampling import Video
from vimonet.utils.errors import InputError
from vimonet.video import VideoFrames


class FrameCache:
    """Gives the frames of a clip; a clip is decoded the first time it is asked for.

    Pictures are rounded to bytes after they were scaled, as image files are; a picture that has the tower's size
    already is kept exactly.

    Args:
        folder: where the memory map lies; made with the first clip. Its name tells clips and settings apart, so that
            runs may share a folder.
        clips: every clip that will be asked for.
        prepare: of the model's processor.

    Raises:
        InputError: a file that is missing.
    """

    def __init__(self, folder: str | Path, clips: Sequence[Video], prepare: ViMoNetVideoProcessor) -> None:
        self.folder, self.prepare = Path(folder), prepare
        self._place = {clip: number for number, clip in enumerate(dict.fromkeys(clips))}
        # Pictures as they are, from 0 to 1.
        self._plain = ViMoNetVideoProcessor(**{**prepare.to_dict(), "image_mean": (0.0,) * 3, "image_std": (1.0,) * 3})
        self._row = np.dtype(
            [
                ("done", "?"),
                ("times", "<f4", (prepare.num_frames,)),
                ("pictures", "u1", (prepare.num_frames, prepare.side, prepare.side, 3)),
            ]
        )
        self._file = self.folder / f"frames-{self._digest()}.npy"
        self._rows: Any = None

    def __call__(self, clip: Video) -> VideoFrames:
        """Frames of a clip: uint8 [frames, size, size, 3], seconds since its start.

        Raises:
            InputError: a video that cannot be read, or a disk without room.
        """
        if clip not in self._place:
            return video_frames_of(clip, self.prepare)
        if self._rows is None:
            self._rows = self._open()
        row = self._rows[self._place[clip]]
        if not row["done"]:
            video_frames = video_frames_of(clip, self.prepare)
            row["pictures"] = (self._plain.pixels(video_frames.images) * 255).round().byte().permute(0, 2, 3, 1).numpy()
            row["times"] = video_frames.times
            row["done"] = True  # last: a kill before this leaves the clip to be decoded again
        return VideoFrames(np.array(row["pictures"]), np.array(row["times"], np.float64), Path(clip[0]).name)

    def _open(self) -> Any:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._file.exists():
            need = self._row.itemsize * len(self._place)
            # The file is sparse at first: a disk that fills up later would end the process without a word.
            if shutil.disk_usage(self.folder).free < need:
                raise InputError(
                    f"{self.folder}: the frames of {len(self._place):,} videos need {need / 2**30:.1f} GiB, and the "
                    "disk has less; set video.cache to a folder with room, or fewer video.frames."
                )
            part = self._file.with_name(f"{self._file.name}.{os.getpid()}.part")
            open_memmap(part, "w+", self._row, (len(self._place),)).flush()
            os.replace(part, self._file)
        return open_memmap(self._file, "r+")

    def _digest(self) -> str:
        """Of the clips, the state of their files, and how pictures are made."""
        files = {}
        for path in {clip[0] for clip in self._place}:
            try:
                state = os.stat(path)
            except OSError:
                raise InputError(f"{path}: this video of the dataset is missing.") from None
            files[path] = (os.path.abspath(path), state.st_size, state.st_mtime_ns)
        prepare = self.prepare
        settings = [prepare.side, prepare.num_frames, prepare.fit, prepare.resample, prepare.antialias]
        told = json.dumps([settings, [(*files[path], start, end) for path, start, end in self._place]])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def video_frames_of(clip: Video, prepare: ViMoNetVideoProcessor) -> VideoFrames:
    """Key frames of a clip as a model wants them, decoded now."""
    path, start, end = clip
    return as_video_frames(path, prepare.num_frames, start=start, end=end)
