"""MVNX of Xsens MVN."""

from __future__ import annotations

import numpy as np
import pytest
from walking_body import J, check_walk, walking

from vimonet.motion import load
from vimonet.motion.io import detect_format
from vimonet.utils.errors import InputError

SEGMENTS = {
    **{"Pelvis": "pelvis", "L5": "spine1", "L3": "spine1", "T12": "spine2", "T8": "spine3", "Neck": "neck"},
    "Head": "head",
    **{
        f"{side}{segment}": f"{side.lower()}_{joint}"
        for side in ("Right", "Left")
        for segment, joint in (
            *(("Shoulder", "collar"), ("UpperArm", "shoulder"), ("ForeArm", "elbow"), ("Hand", "wrist")),
            *(("UpperLeg", "hip"), ("LowerLeg", "knee"), ("Foot", "ankle"), ("Toe", "foot")),
        )
    },
}


def mvnx(fps: int = 60, position: bool = True) -> str:
    body = walking()[..., [0, 2, 1]] * [1, -1, 1]  # Z up
    segments = "".join(f'<segment label="{name}" id="{k + 1}"><points/></segment>' for k, name in enumerate(SEGMENTS))
    frames = ""
    still = " ".join(["0"] * 3 * len(SEGMENTS))
    for kind in ("identity", "tpose", "tpose-isb"):
        frames += f'<frame time="" type="{kind}"><orientation>1 0 0 0</orientation><position>{still}</position></frame>'
    for index, frame in enumerate(body):
        numbers = " ".join(f"{v:.6f}" for joint in SEGMENTS.values() for v in frame[J[joint]])
        inner = f"<position>{numbers}</position>" if position else "<orientation>1 0 0 0</orientation>"
        frames += f'<frame time="{index * 1000 // fps}" index="{index}" type="normal">{inner}</frame>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<mvnx xmlns="http://www.xsens.com/mvn/mvnx" version="4">'
        f'<mvn version="2022"/><subject label="Ann" frameRate="{fps}" segmentCount="{len(SEGMENTS)}">'
        f"<segments>{segments}</segments><frames>{frames}</frames></subject></mvnx>"
    )


def test_segments_are_joints_and_calibration_poses_are_left_out() -> None:
    data = mvnx().encode()
    assert detect_format(data) == "mvnx"
    motion = load(data)
    check_walk(motion, 60)
    assert "3 calibration poses at the start left out" in motion.notes
    assert np.allclose(motion.joints[0, 0], [0, 0.95, 0], atol=1e-3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (mvnx()[:-300], "damaged or truncated"),
        (mvnx(position=False), "no frame holds positions"),
        (mvnx().replace("<mvnx", '<!DOCTYPE m [<!ENTITY a "b">]><mvnx', 1), "entities"),
        (mvnx().replace('frameRate="60"', ""), "no frameRate"),
        (mvnx().replace('<segment label="L5" id="2"><points/></segment>', ""), "does not hold"),
    ],
)
def test_broken_mvnx_gets_one_sentence(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load(text.encode(), format="mvnx")
