"""Recordings in requests: names, base64, data URLs."""

from __future__ import annotations

import base64
import time

import pytest

from vimonet.serve.api_types import Source
from vimonet.serve.attachments import attachment_of
from vimonet.serve.server_errors import ApiError
from vimonet.serve.server_limits import ServerLimits
from vimonet.serve.uploads import Uploads


def taken(**source):
    return attachment_of("motion", Source(**source), Uploads(ServerLimits()), "", "motion")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ({"url": "data:;base64,aGk="}, "motion"),
        ({"url": "data:text/plain;name=a%20b.bvh;base64,aGk="}, "a b.bvh"),
        ({"url": "data:application/octet-stream;charset=utf-8;filename=a.npz;base64,aGk="}, "a.npz"),
        ({"data": "aG\nk=\n", "name": "../../etc/passwd"}, "passwd"),
        ({"data": "aGk=", "name": "C:\\clips\\walk\x1b.bvh"}, "walk.bvh"),
        ({"data": "aGk=", "name": "walk", "format": "npz"}, "walk.npz"),
        ({"file_data": "data:;base64,aGk=", "filename": "x.trc"}, "x.trc"),
        ({"data": "aGk=", "name": "..."}, "..."),
    ],
)
def test_names_and_bytes(source, name):
    found = taken(**source)
    assert (found.name, found.data) == (name, b"hi") and "/" not in found.name


def test_equal_recordings_of_one_name_are_one():
    data = base64.b64encode(b"walk").decode()
    assert taken(data=data, name="a").digest == taken(url=f"data:;base64,{data}", name="a").digest
    assert taken(data=data, name="a").digest != taken(data=data, name="b").digest
    assert taken(data=data, name="a").digest != taken(data=data, name="a", fps=30).digest


@pytest.mark.parametrize(
    "url",
    ["data:" + "a" * 5_000_000, "data:" + ";a=b" * 1_000_000, "data:;base64," + "@" * 5_000_000],
    ids=["type", "options", "base64"],
)
def test_what_is_no_data_url_is_told_quickly(url):
    start = time.monotonic()
    with pytest.raises(ApiError):
        taken(url=url)
    assert time.monotonic() - start < 5
