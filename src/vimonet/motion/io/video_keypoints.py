"""Read videos as the 2D keypoints of the most prominent person, estimated once per file."""

from __future__ import annotations

from vimonet import video
from vimonet.motion.io.keypoints import from_points
from vimonet.motion.io.readers import Content, Reader, Recording, register
from vimonet.motion.joint_names import LAYOUTS
from vimonet.utils.errors import InputError


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Estimate the keypoints of the person in a video.

    Args:
        content: the video.
        fps: frames/s, where the file tells a wrong rate.
        layout: must be None: the estimator has its own.

    Raises:
        InputError: not a readable video, nobody in view, no estimator installed, or a layout.
    """
    if layout is not None:
        raise InputError(f"{content.name}: it is a video; leave the format out, so that its keypoints are estimated.")
    from vimonet.motion.pose import estimate_cached  # scipy: only where a video is read

    poses = estimate_cached(content.source, progress=True)
    return from_points(
        poses.points,
        content.name,
        fps=poses.fps if fps is None else fps,
        names=LAYOUTS[poses.layout],
        confidence=poses.confidence,
        dimensions=2,
        image_size=poses.size,
        notes=poses.notes,
    )


register(Reader("video", "video", video.SUFFIXES, lambda content: video.is_video(content.source), read))
