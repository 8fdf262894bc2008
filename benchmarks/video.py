"""Time reading 8 key frames of a long 1080p video by seeking, against decoding the whole file.

    python benchmarks/video.py [--minutes 3] [--video FILE] [--json]

Without ``--video`` a video is generated: 10 s of moving shapes in H.264 with a key frame every 250 frames (x264's
default), repeated. The reference converts only the 8 frames to RGB. Both must give the same pixels.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vimonet.video import key_frames, read

WIDTH, HEIGHT, RATE, GOP = 1920, 1080, 25, 250


def make(path: Path, minutes: float) -> Path:
    """Generate a long video from one encoded group of pictures, repeated."""
    piece = path.with_name("piece.mp4")
    rng = np.random.default_rng(0)
    ground = np.kron(rng.integers(40, 200, (27, 48, 3), dtype=np.uint8), np.ones((40, 40, 1), np.uint8))
    with av.open(str(piece), "w") as file:
        stream = file.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", GOP
        for number in range(GOP):
            image = np.roll(ground, 3 * number, axis=1)
            image[200:700, 5 * number : 5 * number + 200] = (200, 30, 30)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode(None))
    with av.open(str(piece)) as source, av.open(str(path), "w") as file:
        template = source.streams.video[0]
        packets = [packet for packet in source.demux(template) if packet.size]
        length = int(GOP / RATE / template.time_base)
        contents = [(bytes(p), p.pts, p.dts, p.duration, p.is_keyframe) for p in packets]
        stream = file.add_stream_from_template(template)
        for turn in range(max(1, round(minutes * 60 * RATE / GOP))):
            for data, pts, dts, duration, key in contents:
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(template.time_base)
                packet.pts, packet.dts, packet.duration = pts + turn * length, dts + turn * length, duration
                packet.is_keyframe = key
                file.mux(packet)
    return path


def decode_everything(path: Path) -> np.ndarray:
    """Read the same 8 frames by decoding the whole file once, without keeping other frames."""
    with av.open(str(path)) as container:
        total = sum(1 for packet in container.demux(video=0) if packet.size)
    wanted = set(key_frames(total).tolist())
    images = []
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for index, frame in enumerate(container.decode(video=0)):
            if index in wanted:
                images.append(frame.to_ndarray(format="rgb24", width=frame.width, height=frame.height))
    return np.stack(images)


def timed(work, path: Path) -> tuple[np.ndarray, float, float]:
    """Run a function; return its result, wall seconds and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work(path)
    return result, time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0, help="length of the clip that is made (default: 3)")
    parser.add_argument("--video", type=Path, help="a video of your own instead")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.video or make(Path(folder) / "long.mp4", options.minutes)
        read(path, 1)  # warm up disk cache and libraries
        clip = read(path)
        sought, sought_wall, sought_cpu = timed(lambda place: read(place).images, path)
        decoded, decoded_wall, decoded_cpu = timed(decode_everything, path)
    if options.video is None:
        np.testing.assert_array_equal(sought, decoded)
    result = {
        "frames": clip.info.frames,
        "width": clip.info.width,
        "height": clip.info.height,
        "seconds": clip.info.duration,
        "seek_s": sought_wall,
        "decode_all_s": decoded_wall,
        "seek_cpu_s": sought_cpu,
        "decode_all_cpu_s": decoded_cpu,
        "ratio": decoded_wall / sought_wall,
        "ratio_cpu": decoded_cpu / sought_cpu,
    }
    if options.json:
        print(json.dumps(result))
        return
    print(
        f"{result['width']}x{result['height']}, {result['frames']} frames, {result['seconds']:.0f} s: 8 key frames in "
        f"{sought_wall:.2f} s by seeking, {decoded_wall:.2f} s by decoding everything: {result['ratio']:.1f} x "
        f"(processor time {sought_cpu:.2f} s, {decoded_cpu:.2f} s: {result['ratio_cpu']:.1f} x)"
    )


if __name__ == "__main__":
    main()
