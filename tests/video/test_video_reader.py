"""Reading chosen frames: the right ones, whatever the container, and nothing more decoded than is needed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_clips import BLOCK, HEIGHT, WIDTH, make, make_sound, number_of, picture

from vimonet.utils.errors import InputError
from vimonet.video import Damage, frames, is_video, key_frames, probe, read
from vimonet.video import reader as reader_module

CONTAINERS = {
    "mp4": {},
    "b_frames.mp4": {"options": {"bf": "3", "preset": "medium"}},
    "fragmented.mp4": {"container": {"movflags": "frag_keyframe+empty_moov"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:bframes=3"}},
    "mov": {"codec": "prores_ks", "pixels": "yuv422p10le"},
    "mkv": {},
    "live.mkv": {"container": {"live": "1"}},  # neither a duration nor an index
    "webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "avi": {"codec": "mpeg4"},
    "b_frames.avi": {"codec": "mpeg4", "options": {"bf": "2"}},
    "mjpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "ts": {},
    "gif": {"codec": "gif", "pixels": "rgb8"},
    "h264": {},  # no container at all: no times
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_each_container_gives_the_wanted_frames(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path / f"clip.{kind}", 50, **CONTAINERS[kind])
    clip = read(path)
    assert [number_of(image) for image in clip.images] == [0, 7, 14, 21, 28, 35, 42, 49]
    assert clip.indices.tolist() == [0, 7, 14, 21, 28, 35, 42, 49]
    np.testing.assert_allclose(clip.times, clip.indices / 25, atol=0.011)  # Matroska and GIF round to ms and 1/100 s
    assert clip.images.shape == (8, HEIGHT, WIDTH, 3) and clip.images.dtype == np.uint8
    assert clip.info.frames == 50 and clip.info.duration == pytest.approx(2.0, abs=0.05)
    assert not clip.notes


def test_seeking_decodes_less_than_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "long.mp4", 600, gop=10)
    decoded = 0

    def counting(*arguments):
        nonlocal decoded
        for frame in real(*arguments):
            decoded += 1
            yield frame

    real = reader_module.decode
    monkeypatch.setattr(reader_module, "decode", counting)
    assert [number_of(image) for image in read(path, 4).images] == [0, 199, 399, 599]
    assert decoded <= 4 * 10


def test_sampling_of_the_paper(shared: Path) -> None:
    golden = np.load(shared / "golden" / "frame_indices.npz", allow_pickle=False)
    for frames_, indices in zip(golden["n_frames"], golden["decord"], strict=True):
        np.testing.assert_array_equal(key_frames(int(frames_)), indices)
    for frames_, indices in zip(golden["short_clips_n"], golden["short_clips_decord"], strict=True):
        np.testing.assert_array_equal(key_frames(int(frames_)), indices)


def test_sampling_of_the_paper_within_bounds(shared: Path) -> None:
    import json

    examples = json.loads((shared / "golden" / "video_preprocess.json").read_text())["bounds_examples"]
    assert len(examples) >= 4
    for e in examples:
        found = key_frames(e["n"], fps=e["fps"], start=e["start_sec"], end=e["end_sec"])
        assert found.tolist() == e["indices"], e


def test_frames_of_the_real_clips_are_those_decoded_in_order(shared: Path) -> None:
    path = shared / "video" / "clips" / "mllm_COBRA_PUSH_UPS_clip2.mp4"
    everything = [shot.image for shot in frames(path)]
    clip = read(path)
    assert clip.indices.tolist() == [0, 7, 14, 22, 29, 37, 44, 52]  # as the golden file has it for the original
    for index, image in zip(clip.indices, clip.images, strict=True):
        np.testing.assert_array_equal(image, everything[index])


def test_any_count_rate_and_stretch(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mp4", 50)
    assert read(path, 1).indices.tolist() == [24]
    assert read(path, 3).indices.tolist() == [0, 24, 49]
    assert read(path, rate=5).indices.tolist() == list(range(0, 50, 5))
    assert read(path, rate=5, start=1.0, end=1.6).indices.tolist() == [25, 30, 35]
    stretch = read(path, 4, start=0.4, end=1.0)
    assert stretch.indices.tolist() == [10, 15, 20, 25]
    assert [number_of(image) for image in stretch.images] == [10, 15, 20, 25]
    short = make(tmp_path / "short.mp4", 3)
    assert read(short).indices.tolist() == [0, 0, 0, 0, 1, 1, 1, 2]


def test_variable_rate(tmp_path: Path) -> None:
    times = [0, 40, 80, 120, 160, 1000, 2000, 3000, 3040, 3080]  # quick, then slow, then quick
    path = make(tmp_path / "vfr.mp4", 10, times=times)
    info = probe(path)
    assert info.variable_rate and not probe(make(tmp_path / "cfr.mp4", 10)).variable_rate
    assert [number_of(image) for image in read(path, 10).images] == list(range(10))
    np.testing.assert_allclose(read(path, 10).times, np.array(times) / 1000)
    # Evenly over the seconds: the frame that is on the screen then.
    clip = read(path, 4, by="time")
    assert [number_of(image) for image in clip.images] == clip.indices.tolist() == [0, 5, 6, 9]
    assert [round(shot.time, 3) for shot in frames(path)] == [time / 1000 for time in times]


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_undone(tmp_path: Path, rotation: int) -> None:
    """A phone held upright stores lying pictures and an angle; what is read stands upright."""
    path = make(tmp_path / "phone.mp4", 5, rotation=rotation)
    image = read(path, 1).images[0]
    upright = np.rot90(image, -rotation // 90)  # back to how it is stored
    assert number_of(upright) == 2
    info = probe(path)
    assert info.rotation == rotation and (info.height, info.width) == image.shape[:2]
    assert info.size == (WIDTH, HEIGHT)


def test_rotation_agrees_with_a_player(tmp_path: Path) -> None:
    """FFmpeg's own players turn by -angle with `transpose=clock` for -90 (a phone's usual upright video)."""
    path = make(tmp_path / "phone.mp4", 3, rotation=-90)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        graph = av.filter.Graph()
        source, turn = graph.add_buffer(template=container.streams.video[0]), graph.add("transpose", "clock")
        sink = graph.add("buffersink")
        source.link_to(turn)
        turn.link_to(sink)
        graph.configure()
        source.push(frame)
        expected = sink.pull().to_ndarray(format="rgb24")
    image = read(path, 3).images[0]
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 3


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("alpha.mov", {"codec": "qtrle", "pixels": "argb"}),
        ("alpha.mkv", {"codec": "ffv1", "pixels": "bgra"}),
    ],
)
def test_transparency_lies_over_white(tmp_path: Path, name: str, options: dict) -> None:
    def draw(number: int) -> np.ndarray:
        image = picture(number, channels=4)
        image[HEIGHT // 2 :, : WIDTH // 2, 3] = 0
        return image

    path = make(tmp_path / name, 6, draw=draw, **options)
    clip = read(path, 2)
    assert [number_of(image) for image in clip.images] == [0, 5]
    assert clip.info.alpha
    assert clip.images[0][-8, 8].tolist() == [255, 255, 255]
    assert abs(int(clip.images[0][-8, WIDTH - 60, 0]) - 90) < 6


@pytest.mark.parametrize("size", [(177, 97), (161, 33), (163, 16)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    path = make(tmp_path / "odd.mkv", 5, size=size, codec="ffv1", pixels="yuv444p")
    clip = read(path, 5)
    assert clip.images.shape == (5, size[1], size[0], 3)
    assert [number_of(image) for image in clip.images] == list(range(5))
    sub = make(tmp_path / "odd_420.webm", 3, size=size, codec="libvpx-vp9", options={"cpu-used": "8"})
    assert read(sub, 3).images.shape == (3, size[1], size[0], 3)


def test_square_pixels_and_small_copies(tmp_path: Path) -> None:
    path = make(tmp_path / "pal.mp4", 3, aspect=Fraction(16, 11))
    assert read(path, 1).images.shape == (1, HEIGHT, round(WIDTH * 16 / 11), 3)
    assert read(path, 1, max_side=64).images.shape[1:3] == (24, 64)


def test_4k(tmp_path: Path) -> None:
    path = make(tmp_path / "4k.mp4", 9, size=(3840, 2160), options={"preset": "ultrafast"})
    clip = read(path, 2, max_side=1280)
    assert clip.images.shape == (2, 720, 1280, 3) and clip.indices.tolist() == [0, 8]
    assert read(path, 2).images.shape == (2, 2160, 3840, 3)


def test_one_pixel(tmp_path: Path) -> None:
    dot = np.full((1, 1, 3), 200, np.uint8)
    path = make(tmp_path / "dot.mkv", 4, size=(1, 1), codec="ffv1", pixels="yuv444p", draw=lambda _: dot)
    assert read(path).images.shape == (8, 1, 1, 3)


def test_damaged_packets_are_skipped(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mp4", 60, gop=12)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for position, size in packets[14:16]:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    clip = read(path, 8)
    assert clip.images.shape[0] == 8 and clip.notes and "damaged" in clip.notes[0]
    # What lies before the damage, and in the groups after it, is untouched.
    numbers = [number_of(image) for image in clip.images]
    assert numbers[:2] == [0, 8] and numbers[3:] == [25, 33, 42, 50, 59]
    damage = Damage()
    assert 50 <= len(list(frames(path, damage=damage))) < 60 and damage.packets == 2


def test_a_file_that_breaks_off(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mkv", 60)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    clip = read(path)
    numbers = [number_of(image) for image in clip.images]
    assert numbers == sorted(numbers) and numbers[0] == 0 and 25 <= numbers[-1] < 55


def test_a_file_that_holds_less_than_its_header_names(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mp4", 60, container={"movflags": "faststart"})
    assert probe(path).missing == 0 and read(path).notes == ()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    info = probe(path)
    assert 5 < info.frames < 55 and info.frames + info.missing == 60
    assert read(path).notes[0] == f"the file breaks off: it holds {info.frames} of 60 frames"


@pytest.mark.parametrize("sound", [0.0, 4.0])
@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_a_matroska_file_that_ends_before_its_header_says(tmp_path: Path, suffix: str, sound: float) -> None:
    """Its header names seconds, not frames; sound that goes on behind the last picture is no sign of a cut."""
    path = make(tmp_path / f"clip{suffix}", 60, codec="libvpx" if suffix == ".webm" else "libx264", sound=sound)
    assert probe(path).missing == 0 and read(path).notes == ()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    info = probe(path)
    assert 5 < info.frames < 55
    if not sound:
        assert abs(info.frames + info.missing - 60) <= 1
    assert info.missing > 10 and read(path).notes[0].startswith(f"the file breaks off: it holds {info.frames} of ")


def test_a_last_picture_that_stays_is_no_cut(tmp_path: Path) -> None:
    source, path = make(tmp_path / "clip.mp4", 30), tmp_path / "stays.mkv"
    with av.open(str(source)) as read_from, av.open(str(path), "w") as file:
        stream = file.add_stream_from_template(read_from.streams.video[0])
        packets = [packet for packet in read_from.demux(video=0) if packet.size]
        last = max(packets, key=lambda packet: packet.pts)
        last.duration = int(4 / last.time_base)
        for packet in packets:
            packet.stream = stream
            file.mux(packet)
    info = probe(path)
    assert info.duration == pytest.approx(29 / 25 + 4, abs=0.1) and info.missing == 0 and read(path).notes == ()


def test_bytes_as_source(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mp4", 20)
    np.testing.assert_array_equal(read(path.read_bytes()).images, read(path).images)


BAD = {
    "missing": (lambda path: None, "no such file"),
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "text": (lambda path: path.write_text("this is not a video\n" * 50), "not a readable video"),
    "noise": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)), "not a readable video"),
    "playlist": (lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\n/etc/hostname\n"), "not a readable video"),
    "folder": (lambda path: path.mkdir(), "directory"),
    "sound": (lambda path: make_sound(path), "only sound"),
    "head": (lambda path: path.write_bytes(make(path, 30).read_bytes()[:900]), "not a readable video"),
    "undecodable": (lambda path: _wipe(make(path, 10)), "decoded"),
}


def _wipe(path: Path) -> None:
    """Zero every packet."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("use", [read, probe, lambda path: list(frames(path))])
def test_unreadable_files_get_one_sentence(tmp_path: Path, kind: str, use) -> None:
    path = tmp_path / "clip.mp4"
    spoil, words = BAD[kind]
    spoil(path)
    with pytest.raises(InputError, match=words) as raised:
        use(path)
    assert "clip.mp4" in str(raised.value) and "\n" not in str(raised.value)


def test_bad_wishes(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mp4", 10)
    for options in ({"count": 0}, {"rate": 0.0}, {"rate": float("nan")}, {"start": 5.0}, {"end": -1.0}, {"by": "luck"}):
        with pytest.raises(InputError):
            read(path, **options)


def test_what_is_a_video(tmp_path: Path) -> None:
    assert is_video(make(tmp_path / "clip.mp4", 3))
    assert is_video(make(tmp_path / "no_suffix", 3, format="matroska"))
    (tmp_path / "walk.bvh").write_text("HIERARCHY")
    (tmp_path / "text.mp4").write_text("no")
    assert not is_video(tmp_path / "walk.bvh") and is_video(tmp_path / "text.mp4")
    assert not is_video(b"HIERARCHY") and BLOCK
