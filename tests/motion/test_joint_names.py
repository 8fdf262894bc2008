from __future__ import annotations

import pytest

from vimonet.motion.joint_names import LAYOUTS, family_of, map_joints, missing_essential
from vimonet.motion.skeleton import JOINT_NAMES

FAMILIES = {
    "cgspeed (CMU)": (
        "Hips LHipJoint LeftUpLeg LeftLeg LeftFoot LeftToeBase RHipJoint RightUpLeg RightLeg RightFoot "
        "RightToeBase LowerBack "
        "Spine Spine1 Neck Neck1 Head LeftShoulder LeftArm LeftForeArm LeftHand LeftFingerBase LThumb "
        "RightShoulder RightArm "
        "RightForeArm RightHand RightFingerBase RThumb",
        "LeftUpLeg LeftLeg LeftFoot LeftToeBase LeftShoulder LeftArm LeftForeArm LeftHand",
    ),
    "poser": (
        "hip abdomen chest neck head leftEye rCollar rShldr rForeArm rHand rThumb1 lCollar lShldr lForeArm "
        "lHand rButtock rThigh "
        "rShin rFoot rToe lButtock lThigh lShin lFoot lToe",
        "lThigh lShin lFoot lToe lCollar lShldr lForeArm lHand",
    ),
    "bandai-namco": (
        "joint_Root Hips Spine Chest Neck Head Shoulder_L UpperArm_L LowerArm_L Hand_L Shoulder_R UpperArm_R "
        "LowerArm_R Hand_R "
        "UpperLeg_L LowerLeg_L Foot_L Toes_L UpperLeg_R LowerLeg_R Foot_R Toes_R",
        "UpperLeg_L LowerLeg_L Foot_L Toes_L Shoulder_L UpperArm_L LowerArm_L Hand_L",
    ),
    "mixamo": (
        " ".join(
            "mixamorig:" + name
            for name in [
                "Hips",
                "Spine",
                "Spine1",
                "Spine2",
                "Neck",
                "Head",
                "HeadTop_End",
                "LeftShoulder",
                "LeftArm",
                "LeftForeArm",
                "LeftHand",
                "LeftHandThumb1",
                "RightShoulder",
                "RightArm",
                "RightForeArm",
                "RightHand",
                "LeftUpLeg",
                "LeftLeg",
                "LeftFoot",
                "LeftToeBase",
                "LeftToe_End",
                "RightUpLeg",
                "RightLeg",
                "RightFoot",
                "RightToeBase",
            ]
        ),
        " ".join(
            "mixamorig:" + name
            for name in [
                "LeftUpLeg",
                "LeftLeg",
                "LeftFoot",
                "LeftToeBase",
                "LeftShoulder",
                "LeftArm",
                "LeftForeArm",
                "LeftHand",
            ]
        ),
    ),
    "lafan1": (
        "Hips LeftUpLeg LeftLeg LeftFoot LeftToe RightUpLeg RightLeg RightFoot RightToe Spine Spine1 Spine2 "
        "Neck Head LeftShoulder "
        "LeftArm LeftForeArm LeftHand RightShoulder RightArm RightForeArm RightHand",
        "LeftUpLeg LeftLeg LeftFoot LeftToe LeftShoulder LeftArm LeftForeArm LeftHand",
    ),
    "unreal": (
        "root pelvis spine_01 spine_02 spine_03 clavicle_l upperarm_l upperarm_twist_01_l lowerarm_l hand_l "
        "clavicle_r upperarm_r "
        "lowerarm_r hand_r neck_01 head thigh_l calf_l foot_l ball_l thigh_r calf_r foot_r ball_r",
        "thigh_l calf_l foot_l ball_l clavicle_l upperarm_l lowerarm_l hand_l",
    ),
    "xsens": (
        "Hips Chest Chest2 Chest3 Chest4 Neck Head RightCollar RightShoulder RightElbow RightWrist LeftCollar "
        "LeftShoulder "
        "LeftElbow LeftWrist RightHip RightKnee RightAnkle RightToe LeftHip LeftKnee LeftAnkle LeftToe",
        "LeftHip LeftKnee LeftAnkle LeftToe LeftCollar LeftShoulder LeftElbow LeftWrist",
    ),
    "soma": (
        "Hips Spine1 Spine2 Chest Neck1 Neck2 Head LeftShoulder LeftArm LeftForeArm LeftHand RightShoulder "
        "RightArm RightForeArm "
        "RightHand LeftLeg LeftShin LeftFoot LeftToeBase RightLeg RightShin RightFoot RightToeBase",
        "LeftLeg LeftShin LeftFoot LeftToeBase LeftShoulder LeftArm LeftForeArm LeftHand",
    ),
    "biped": (
        "Bip01 Bip01_Pelvis Bip01_Spine Bip01_Spine1 Bip01_Neck Bip01_Head Bip01_L_Clavicle Bip01_L_UpperArm "
        "Bip01_L_Forearm "
        "Bip01_L_Hand Bip01_R_Clavicle Bip01_R_UpperArm Bip01_R_Forearm Bip01_R_Hand Bip01_L_Thigh Bip01_L_Calf "
        "Bip01_L_Foot "
        "Bip01_L_Toe0 Bip01_R_Thigh Bip01_R_Calf Bip01_R_Foot Bip01_R_Toe0",
        "Bip01_L_Thigh Bip01_L_Calf Bip01_L_Foot Bip01_L_Toe0 Bip01_L_Clavicle Bip01_L_UpperArm Bip01_L_Forearm "
        "Bip01_L_Hand",
    ),
    "optitrack": (
        "Hip Ab Chest Neck Head LShoulder LUArm LFArm LHand RShoulder RUArm RFArm RHand LThigh LShin LFoot LToe "
        "RThigh RShin RFoot "
        "RToe",
        "LThigh LShin LFoot LToe LShoulder LUArm LFArm LHand",
    ),
}
_LEFT = [f"left_{j}" for j in ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")]


@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str) -> None:
    text, left = FAMILIES[family]
    names = text.split()
    found = map_joints(names)
    assert family_of(names) == family
    assert missing_essential(found) == []
    assert [names[found[joint]] for joint in _LEFT] == left.split()
    assert len(set(found.values())) == len(found), "no source joint stands for two"
    for joint in _LEFT:
        right = names[found[joint.replace("left", "right")]]
        assert right != names[found[joint]]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_order_of_the_names_does_not_matter(family: str) -> None:
    names = FAMILIES[family][0].split()
    backwards = names[::-1]
    ours = {j: names[i] for j, i in map_joints(names).items() if not j.startswith("spine")}
    assert {j: backwards[i] for j, i in map_joints(backwards).items() if not j.startswith("spine")} == ours


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_hold_a_whole_body(layout: str) -> None:
    found = map_joints(LAYOUTS[layout])
    assert missing_essential(found) == []
    for side in ("left", "right"):
        for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
            assert LAYOUTS[layout][found[f"{side}_{joint}"]] == f"{side}_{joint}"


def test_kinect_names_have_the_side_behind() -> None:
    names = [
        "HipCenter",
        "Spine",
        "ShoulderCenter",
        "Head",
        "ShoulderLeft",
        "ElbowLeft",
        "WristLeft",
        "HandLeft",
        "HipLeft",
        "KneeLeft",
        "AnkleLeft",
        "FootLeft",
    ]
    found = {joint: names[index] for joint, index in map_joints(names).items()}
    assert (found["pelvis"], found["neck"], found["left_wrist"]) == ("HipCenter", "ShoulderCenter", "WristLeft")
    assert "left_collar" not in found


def test_missing_joints_are_named() -> None:
    names = [n for n in JOINT_NAMES if n not in {"left_knee", "head", "neck"}]
    assert missing_essential(map_joints(names)) == ["left knee", "head"]
