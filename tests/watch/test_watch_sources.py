"""Every kind of source is read as it comes: files that grow, folders, standard input, ZeroMQ, VMC, films, networks."""

from __future__ import annotations

import http.server
import io
import json
import os
import socket
import sys
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from rtsp_camera import RtspCamera
from video_clips import make
from watch_world import (
    RED,
    SIZE,
    BoxEstimator,
    Recorder,
    Scripted,
    free_port,
    kinds,
    message,
    seen,
    standing_at,
    view,
)

from vimonet.motion import load
from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.utils.errors import InputError
from vimonet.watch import cameras, pose_streams
from vimonet.watch.loop import Watch
from vimonet.watch.readings import SourceEnded, SourceOptions
from vimonet.watch.sources import source_of

ONCE = SourceOptions(once=True)


@pytest.fixture(autouse=True)
def short_patience(monkeypatch):
    monkeypatch.setattr(pose_streams, "STILL", 0.6)
    monkeypatch.setattr(cameras, "STILL", 0.6)


def watch(name, options=ONCE, **settings):
    """Watch a source to its end: events, recorder, summary."""
    recorder = Recorder()
    one = Watch(source_of(str(name), options), [recorder], options=options, estimator=BoxEstimator, **settings)
    return list(one.events()), recorder, one.summary


def until(condition, seconds=8.0):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


class Running:
    """A watch in a thread."""

    def __init__(self, name, options=None, **settings):
        self.recorder, self.events, self.said = Recorder(), [], []
        self.error = None
        source = source_of(str(name), options or SourceOptions())
        self.watch = Watch(
            source, [self.recorder], options=options, estimator=BoxEstimator, say=self.said.append, **settings
        )
        self.source = source
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            self.events.extend(self.watch.events())
        except InputError as error:
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *problem):
        self.watch.stop()
        self.thread.join(8)
        assert not self.thread.is_alive()


def test_a_film_is_watched_frame_by_frame(tmp_path):
    film = make(tmp_path / "film.mp4", 50, size=SIZE, draw=lambda one: view((RED, 100 + one, 60), noise=one))
    events, recorder, summary = watch(film, SourceOptions())
    assert (summary.given, summary.dropped) == (50, 0)
    assert kinds(events) == ["enters"]
    assert recorder.frames[-1].time == pytest.approx(49 / 25, abs=0.01)
    assert recorder.frames[-1].size == (320, 180)
    assert recorder.frames[-1].joints[15, 0] == pytest.approx(149 + 15, abs=6)  # the head, amid the box


def test_a_film_at_its_speed_takes_its_time_and_drops(tmp_path):
    film = make(tmp_path / "film.mp4", 50, size=(320, 180), draw=lambda number: view((RED, 100, 60), noise=number))
    source = source_of(str(film), ONCE)
    begun = time.monotonic()
    one = Watch(source, estimator=lambda: BoxEstimator(0.06), speed=2.0)
    list(one.events())
    assert 0.9 < time.monotonic() - begun < 4
    assert one.summary.given == 50 and one.summary.dropped > 5


def test_a_growing_film_is_read_as_it_grows(tmp_path):
    film = tmp_path / "film.ts"
    written = threading.Event()

    def write():
        with av.open(str(film), "w", format="mpegts", options={"flush_packets": "1"}) as file:
            stream = file.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
            stream.gop_size = 5
            for number in range(50):
                frame = av.VideoFrame.from_ndarray(view((RED, 100, 60), noise=number), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                file.mux(stream.encode(frame))
                time.sleep(0.02)
                if number == 20:
                    written.set()
            file.mux(stream.encode(None))

    writer = threading.Thread(target=write)
    writer.start()
    written.wait(8)
    _, recorder, summary = watch(film, SourceOptions())
    writer.join()
    assert summary.given >= 48
    assert recorder.frames[-1].time - recorder.frames[0].time > 1.3


def test_a_plain_mp4_that_is_being_written_is_refused_with_advice(tmp_path):
    whole = make(tmp_path / "whole.mp4", 30).read_bytes()
    part = tmp_path / "part.mp4"
    part.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"part\.mp4.*(MKV|video)"):
        watch(part, SourceOptions())


@pytest.mark.parametrize("writes", ["whole", "in two pieces"])
def test_a_growing_folder_is_read_in_order(tmp_path, writes):
    folder = tmp_path / "poses"
    folder.mkdir()
    for number in range(8, 12):  # the order of names is not that of numbers
        (folder / f"cam_{number}_keypoints.json").write_bytes(message(None, standing_at(200 + number)))
    with Running(folder, SourceOptions(fps=10.0)) as running:
        for number in range(12, 40):
            data = message(None, standing_at(200 + number))
            path = folder / f"cam_{number}_keypoints.json"
            if writes == "whole":
                path.write_bytes(data)
            else:
                with path.open("wb") as file:
                    file.write(data[:50])
                    file.flush()
                    time.sleep(0.03)
                    file.write(data[50:])
            time.sleep(0.01)
        until(lambda: len(running.recorder.frames) > 25 and running.recorder.frames[-1].time > 3.85)
    times = [frame.time for frame in running.recorder.frames]
    assert times == sorted(times) and times[-1] == pytest.approx(3.9)
    assert np.allclose(np.diff(times), 0.1)
    assert running.watch.summary.unreadable == 0


def test_a_folder_that_grows_no_more_is_lost_and_comes_back(tmp_path):
    for number in range(15):
        (tmp_path / f"{number:05d}.json").write_bytes(message(None, standing_at(200 + number)))
    with Running(tmp_path, SourceOptions(fps=10.0), stall=0.3) as running:
        until(lambda: "source_lost" in kinds(running.events))
        (tmp_path / "00015.json").write_bytes(message(None, standing_at(210)))
        until(lambda: "source_lost+" in kinds(running.events))


def test_json_lines_are_read_to_their_end_and_bad_ones_counted(tmp_path):
    lines = [message(number / 25, standing_at(200 + number)) for number in range(30)]
    lines[10] = b'{"time": 0.4, "people": [{"keypoints": "none"}]}'
    lines[11] = lines[11][:40]
    (tmp_path / "poses.jsonl").write_bytes(b"\n".join(lines))  # the last line has no end
    events, recorder, summary = watch(tmp_path / "poses.jsonl")
    assert kinds(events) == ["enters"]
    assert summary.unreadable == 2
    assert len(recorder.frames) == 18  # of 28, less 0.4 s that confirm the person
    assert recorder.frames[-1].time == pytest.approx(29 / 25)


def test_growing_json_lines_are_followed_until_they_grow_no_more(tmp_path):
    path = tmp_path / "poses.jsonl"
    path.write_bytes(b"")
    with Running(path) as running, path.open("ab") as file:
        for number in range(40):
            data = message(number / 25, standing_at(200 + number)) + b"\n"
            file.write(data[:100])
            file.flush()
            time.sleep(0.005)
            file.write(data[100:])
            file.flush()
        running.thread.join(5)
        assert not running.thread.is_alive()
    assert running.watch.summary.given == 40 and running.watch.summary.unreadable == 0


def test_nobody_is_said_when_the_data_say_so_and_over_when_somebody_comes(tmp_path):
    lines = [message(number / 5, standing_at(300 + number)) for number in range(10)]
    lines += [message(2 + number / 5) for number in range(60)]
    lines += [message(14 + number / 5, standing_at(300 + number)) for number in range(10)]
    (tmp_path / "poses.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    events, _, summary = watch(tmp_path / "poses.jsonl")
    assert kinds(events) == ["enters", "leaves", "nobody", "nobody+", "enters"]
    left, nobody = events[1], events[2]
    assert left.time == pytest.approx(1.8) and "lost from sight" in left.text
    assert nobody.time == pytest.approx(1.8)
    assert summary.people == 2


def test_somebody_who_walks_out_leaves_at_an_edge(tmp_path):
    lines = [message(number / 5, standing_at(300 - 12 * number)) for number in range(26)]
    lines += [message(5.2 + number / 5) for number in range(20)]
    (tmp_path / "poses.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    events, _, _ = watch(tmp_path / "poses.jsonl")
    left = next(event for event in events if event.kind == "leaves")
    assert left.value["edge"] == "left" and "left edge" in left.text
    assert left.time == pytest.approx(5.0)


def test_a_person_hidden_for_a_while_amid_the_picture_stays_the_same(tmp_path):
    lines = [message(number / 5, standing_at(300 + number % 3)) for number in range(20)]
    lines += [message(4 + number / 5) for number in range(30)]
    lines += [message(10 + number / 5, standing_at(310 + number % 3)) for number in range(20)]
    (tmp_path / "poses.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    events, recorder, _ = watch(tmp_path / "poses.jsonl")
    assert kinds(events) == ["enters"]
    assert {frame.person for frame in recorder.frames} == {1}


def test_people_without_ids_are_told_apart_where_they_cross_at_different_times():
    def script():
        for number in range(60):
            yield seen(number / 20, standing_at(100 + 6 * number), standing_at(460 - 6 * number, top=120))

    recorder = Recorder()
    list(Watch(Scripted(script, pictures=False), [recorder]).events())
    ends = {frame.person: frame.joints[0, 0] for frame in recorder.frames}
    starts = {frame.person: frame.joints[0, 0] for frame in reversed(recorder.frames)}
    assert len(ends) == 2
    for person, start in starts.items():
        assert np.sign(ends[person] - start) == np.sign(300 - start)


def test_ids_of_the_data_are_kept_even_where_people_jump(tmp_path):
    lines = []
    for number in range(40):
        places = (100, 400) if number % 2 else (400, 100)
        people = [standing_at(places[0], wobble=number), standing_at(places[1], wobble=number)]
        lines.append(message(number / 20, *people, ids=("ann", 7)))
    (tmp_path / "poses.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    events, recorder, _ = watch(tmp_path / "poses.jsonl")
    assert {event.person for event in events} == {"ann", 7}
    assert sum(frame.person == "ann" for frame in recorder.frames) == 40


def test_named_joints_in_metres_z_up_come_out_y_up(tmp_path):
    walk = load("sample:walk")
    lines = []
    for number in range(60):
        x, y, z = walk.joints[number].T
        rows = np.round(np.column_stack([x, -z, y]), 4).tolist()
        joints = dict(zip(JOINT_NAMES, rows, strict=True))
        if number % 2:  # the order of keys says nothing
            joints = dict(reversed(joints.items()))
        lines.append(
            json.dumps({"stamp": {"sec": 100, "nanosec": number * 50_000_000}, "people": {"r1": {"joints": joints}}})
        )
    (tmp_path / "poses.jsonl").write_text("\n".join(lines))
    running = Running(tmp_path / "poses.jsonl", ONCE)
    running.run()
    assert "up z" in running.said[0] and "3D" in running.said[0]
    frames = running.recorder.frames
    assert len(frames) == 60 and frames[0].person == "r1" and frames[0].dimensions == 3
    np.testing.assert_allclose(frames[-1].joints, walk.joints[59], atol=0.01)
    assert frames[-1].time == pytest.approx(100 + 59 / 20)


def test_a_file_of_vimonet_pose_is_watched_like_a_stream(tmp_path):
    frames = [None if 20 <= number < 25 else standing_at(200 + number).tolist() for number in range(60)]
    record = {"format": "coco17", "dimensions": 2, "fps": 20.0, "width": 640, "height": 360, "frames": frames}
    (tmp_path / "clip.json").write_text(json.dumps(record))
    _, recorder, summary = watch(tmp_path / "clip.json")
    assert summary.given == 60 and len(recorder.frames) == 55 - 8  # less what confirms the person
    assert recorder.frames[-1].time == pytest.approx(59 / 20)
    assert recorder.frames[-1].size == (640, 360)
    (tmp_path / "indented.json").write_text(json.dumps(record, indent=1))
    assert watch(tmp_path / "indented.json")[2].given == 60


def test_standard_input_is_read_to_its_end(monkeypatch):
    lines = b"\n".join(message(number / 25, standing_at(200 + number)) for number in range(30)) + b"\n"
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb") as pipe:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
        threading.Thread(target=lambda: (pipe.write(lines), pipe.close())).start()
        _, recorder, summary = watch("-")
    assert summary.given == 30 and recorder.frames[-1].time == pytest.approx(29 / 25)


def test_standard_input_of_another_kind_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hello\nworld\n")))
    with pytest.raises(InputError, match=r"standard input.*no frame of keypoints"):
        watch("-")


def test_zeromq_messages_are_received_also_after_the_sender_restarted():
    zmq = pytest.importorskip("zmq")
    port = free_port()
    context = zmq.Context()

    def publish(seconds):
        sender = context.socket(zmq.PUB)
        sender.setsockopt(zmq.LINGER, 0)
        sender.bind(f"tcp://127.0.0.1:{port}")
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            number += 1
            sender.send_multipart([b"poses", message(None, standing_at(200 + number % 50), ids=(3,))])
            sender.send_multipart([b"other", b"not for us"])
            time.sleep(0.02)
        sender.close()

    with Running(f"zmq://127.0.0.1:{port}?topic=poses", stall=0.4) as running:
        publish(0.8)
        until(lambda: "source_lost" in kinds(running.events))
        publish(0.8)
        until(lambda: "source_lost+" in kinds(running.events))
    context.term()
    assert {frame.person for frame in running.recorder.frames} == {3}
    assert running.watch.summary.unreadable == 0
    assert len(running.recorder.frames) > 20


def _quaternion(axis, angle):
    return [*(np.sin(angle / 2) * np.array(axis, float)), np.cos(angle / 2)]


def test_an_avatar_by_vmc_stands_where_it_stands_with_the_right_hand_raised():
    from pythonosc.udp_client import SimpleUDPClient

    port = free_port(socket.SOCK_DGRAM)
    still = [0.0, 0.0, 0.0, 1.0]
    # Unity's axes: x to the right of who looks along +z, so the avatar's left has negative x.
    bones = {
        "Hips": ([0.0, 1.0, 0.0], still),
        "Spine": ([0.0, 0.1, 0.0], still),
        "Chest": ([0.0, 0.12, 0.0], still),
        "Neck": ([0.0, 0.25, 0.0], still),
        "Head": ([0.0, 0.1, 0.0], still),
    }
    for side, sign in (("Left", -1.0), ("Right", 1.0)):
        bones |= {
            f"{side}UpperLeg": ([0.09 * sign, -0.07, 0.0], still),
            f"{side}LowerLeg": ([0.0, -0.42, 0.0], still),
            f"{side}Foot": ([0.0, -0.42, 0.0], still),
            f"{side}Shoulder": ([0.05 * sign, 0.2, 0.0], still),
            f"{side}UpperArm": ([0.12 * sign, 0.0, 0.0], still),
            f"{side}LowerArm": ([0.28 * sign, 0.0, 0.0], still),
            f"{side}Hand": ([0.25 * sign, 0.0, 0.0], still),
        }
    bones["RightUpperArm"] = (bones["RightUpperArm"][0], _quaternion((0, 0, 1), np.pi / 2))  # the right arm up
    with Running(f"vmc://127.0.0.1:{port}") as running:
        sender = SimpleUDPClient("127.0.0.1", port)
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"no OSC", ("127.0.0.1", port))
        for number in range(60):
            sender.send_message("/VMC/Ext/Root/Pos", ["root", 0.01 * number, 0.0, 0.0, *still])
            for bone, (place, turn) in bones.items():
                sender.send_message("/VMC/Ext/Bone/Pos", [bone, *place, *turn])
            sender.send_message("/VMC/Ext/T", [number / 60])
            time.sleep(0.01)
        until(lambda: len(running.recorder.frames) > 30)
    frame = running.recorder.frames[-1]
    at = dict(zip(JOINT_NAMES, frame.joints, strict=True))
    assert frame.dimensions == 3
    assert at["pelvis"][1] == pytest.approx(1.0)
    assert at["left_hip"][0] > at["right_hip"][0]  # +X is the body's left, seen from a body that faces +Z
    assert at["right_wrist"][1] == pytest.approx(1.42 + 0.53, abs=1e-3)
    assert at["left_wrist"][1] == pytest.approx(1.42, abs=1e-3)
    assert at["left_ankle"][1] == pytest.approx(0.09, abs=1e-3)
    assert "unit m" in running.said[0]


def _stream(address, frames=120, format="mpegts", pause=0.02, **options):
    with av.open(address, "w", format=format, options={"flush_packets": "1", **options}) as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.gop_size = 5
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(view((RED, 100, 60), noise=number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(frame))
            time.sleep(pause)


def test_a_udp_stream_is_watched():
    port = free_port(socket.SOCK_DGRAM)
    with Running(f"udp://127.0.0.1:{port}", wait=True) as running:
        _stream(f"udp://127.0.0.1:{port}?pkt_size=1316", frames=120)
        until(lambda: len(running.recorder.frames) > 10)
    assert running.recorder.frames[0].size == (320, 180)
    assert running.recorder.frames[0].time > 1.7e9


def test_an_rtsp_camera_is_watched_and_opened_again_when_it_breaks_off():
    with (
        RtspCamera(lambda number: view((RED, 100, 60), noise=number), SIZE, frames=50) as camera,
        Running(f"rtsp://me:secret@127.0.0.1:{camera.port}/live", backoff=(0.05, 0.1)) as running,
    ):
        until(lambda: "source_lost+" in kinds(running.events), 15)
    assert camera.asked.count("PLAY") >= 2
    assert running.source.name == f"rtsp://127.0.0.1:{camera.port}/live"
    assert running.recorder.frames[0].size == SIZE
    assert len(running.recorder.frames) > 2


def test_an_http_stream_that_breaks_off_is_opened_again(tmp_path):
    film = make(
        tmp_path / "film.ts", 60, size=(320, 180), codec="mpeg4", draw=lambda number: view((RED, 100, 60), noise=number)
    )
    asked = []

    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            data = film.read_bytes()
            for start in range(0, len(data), 8192):
                self.wfile.write(data[start : start + 8192])
                time.sleep(0.02)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with Running(f"http://me:secret@127.0.0.1:{server.server_port}/live?key=abc", backoff=(0.05, 0.1)) as running:
            until(lambda: "source_lost+" in kinds(running.events))
    finally:
        server.shutdown()
    assert len(asked) >= 2
    assert running.source.name == f"http://127.0.0.1:{server.server_port}/live"
    assert all("secret" not in event.text for event in running.events)


def test_a_playlist_from_the_network_opens_no_file_of_this_machine(tmp_path):
    film = make(tmp_path / "secret.ts", 10, codec="mpeg4")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{film}\n#EXT-X-ENDLIST\n".encode()

    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.apple.mpegurl")
            self.end_headers()
            self.wfile.write(playlist)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(InputError, match=r"cannot be opened|ended|sends no video"):
            watch(f"http://127.0.0.1:{server.server_port}/live.m3u8")
    finally:
        server.shutdown()


def test_a_camera_of_this_machine_is_read_through_opencv(monkeypatch):
    class Fake:
        left = 30

        def isOpened(self):
            return True

        def set(self, *setting):
            pass

        def read(self):
            time.sleep(0.03)
            type(self).left -= 1
            image = view((RED, 140, 60), noise=self.left)[..., ::-1]
            return (True, image) if self.left % 20 else (False, None)

        def release(self):
            pass

    fake = type(sys)("cv2")
    fake.VideoCapture, fake.CAP_PROP_FRAME_WIDTH, fake.CAP_PROP_FRAME_HEIGHT = lambda number: Fake(), 3, 4
    monkeypatch.setitem(sys.modules, "cv2", fake)
    with Running("0", backoff=(0.05, 0.1)) as running:
        until(lambda: "source_lost+" in kinds(running.events))
    assert running.source.name == "camera 0"
    assert "gives no more pictures" in next(event.text for event in running.events if event.kind == "source_lost")


@pytest.mark.parametrize(
    "name, words",
    [
        ("ftp://host/film", "ftp:// cannot be watched"),
        ("zmq://nowhere", "zmq://HOST:PORT"),
        ("vmc://:99999", "vmc://HOST:PORT"),
        ("missing.mp4", "no such file"),
        ("http://127.0.0.1:9/live", "cannot be opened"),
    ],
)
def test_what_cannot_be_watched_is_said_in_a_sentence(name, words):
    with pytest.raises(InputError, match=words):
        watch(name)


@pytest.mark.parametrize(("age", "most"), [(3600.0, 1.0), (4.0, 7.0)])
def test_a_file_that_grows_no_more_is_not_waited_for(tmp_path, monkeypatch, age, most):
    path = tmp_path / "poses.jsonl"
    path.write_bytes(b"".join(message(number / 25, standing_at(200)) + b"\n" for number in range(50)))
    clock = FakeClock()
    os.utime(path, (clock.now - age, clock.now - age))
    monkeypatch.setattr(pose_streams, "STILL", 10.0)
    monkeypatch.setattr(pose_streams, "time", clock)
    source, begun = source_of(str(path), SourceOptions()), clock.now
    source.open()
    with pytest.raises(SourceEnded):
        while True:
            source.read()
    source.close()
    assert most - 1.1 <= clock.now - begun <= most


class FakeClock:
    """A clock that goes on when somebody sleeps, and a little with every look at it."""

    def __init__(self) -> None:
        self.now = 1.8e9

    def monotonic(self) -> float:
        self.now += 1e-3
        return self.now

    time = monotonic

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_recording_is_played_at_its_own_rate():
    events, recorder, summary = watch("sample:fall", SourceOptions(), stall=3.0)
    assert kinds(events)[0] == "enters" and summary.given == len(recorder.frames) == 96
    assert np.allclose(np.diff([frame.time for frame in recorder.frames]), 1 / 30, atol=1e-6)
    known = load("sample:fall", target_fps=None)
    assert recorder.frames[40].dimensions == 3
    np.testing.assert_allclose(recorder.frames[40].joints, known.joints[40], atol=1e-5)


def test_a_recording_of_keypoints_is_played_in_pixels(tmp_path):
    points = np.stack([standing_at(200 + number) for number in range(40)])
    np.save(tmp_path / "keypoints.npy", points)
    _, recorder, _ = watch(tmp_path / "keypoints.npy", SourceOptions(fps=25.0))
    last = recorder.frames[-1]
    assert last.dimensions == 2 and last.time == pytest.approx(39 / 25)
    assert last.joints[15, 1] < last.joints[0, 1] < last.joints[7, 1]  # head, pelvis, ankle: y is down


def test_a_sample_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"sample:fal: .*did you mean sample:fall\?"):
        watch("sample:fal")


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.jsonl").write_text("hello\nworld\n")
    with pytest.raises(InputError, match="no frame of keypoints"):
        watch(tmp_path / "notes.jsonl")
    (tmp_path / "walk.bvh").write_text("HIERARCHY")
    with pytest.raises(InputError, match=r"walk\.bvh: "):
        watch(tmp_path / "walk.bvh")
    (tmp_path / "table.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match="no frame of keypoints"):
        watch(tmp_path / "table.json")
