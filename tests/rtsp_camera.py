"""A small RTSP camera for tests: one client at a time, H.264 over RTP, interleaved in the TCP connection."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np


class RtspCamera:
    """Serves `frames` pictures of ``draw(number)`` to every client, then breaks the connection off."""

    def __init__(self, draw: Callable[[int], np.ndarray], size: tuple[int, int], frames: int = 60) -> None:
        self.draw, self.size, self.frames = draw, size, frames
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> RtspCamera:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = client.recv(4096)
                if not more:
                    return
                data += more
            request, _, data = data.partition(b"\r\n\r\n")
            lines = request.decode().split("\r\n")
            method, address, _ = lines[0].split()
            headers = dict(line.split(": ", 1) for line in lines[1:])
            self.asked.append(method)
            extra, body = "", ""
            if method == "OPTIONS":
                extra = "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
            elif method == "DESCRIBE":
                body = (
                    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
                    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
                    "a=fmtp:96 packetization-mode=1\r\na=control:video\r\n"
                )
                extra = f"Content-Type: application/sdp\r\nContent-Base: {address}/\r\nContent-Length: {len(body)}\r\n"
            elif method == "SETUP":
                assert "TCP" in headers["Transport"]
                extra = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
            client.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {headers['CSeq']}\r\n{extra}\r\n{body}".encode())
            if method == "PLAY":
                self._play(client)
                return

    def _play(self, client: socket.socket) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taker:
            taker.bind(("127.0.0.1", 0))
            taker.settimeout(0.005)
            port = taker.getsockname()[1]
            with av.open(f"rtp://127.0.0.1:{port}?pkt_size=1200", "w", format="rtp") as sender:
                options = {"preset": "ultrafast", "tune": "zerolatency"}
                stream = sender.add_stream("libx264", rate=25, options=options)
                stream.width, stream.height, stream.pix_fmt = *self.size, "yuv420p"
                stream.gop_size = 5
                for number in range(self.frames):
                    frame = av.VideoFrame.from_ndarray(self.draw(number), format="rgb24")
                    frame.pts, frame.time_base = number, Fraction(1, 25)
                    sender.mux(stream.encode(frame))
                    time.sleep(0.02)
                    while True:
                        try:
                            packet = taker.recv(2048)
                        except TimeoutError:
                            break
                        client.sendall(b"$\x00" + len(packet).to_bytes(2, "big") + packet)
