"""Joint names of the tools that people export from: each family maps to the joints that stand for ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vimonet.motion.joint_names import clean_names, family_of, map_joints, missing_essential

_MB = "LeftUpLeg LeftLeg LeftFoot LeftToeBase LeftShoulder LeftArm LeftForeArm LeftHand"
_MB_ALL = "Hips Spine Spine1 Spine2 Neck Head " + _MB


# family: (marks of the sides, middle joints, left limb joints from hip to foot and from collar to wrist, other names)
VENDORS: dict[str, tuple[str, str, str, str]] = {
    "deepmotion": (
        "l_ r_",
        "hips_JNT spine_JNT spine1_JNT spine2_JNT neck_JNT head_JNT",
        "l_upleg_JNT l_leg_JNT l_foot_JNT l_toebase_JNT l_shoulder_JNT l_arm_JNT l_forearm_JNT l_hand_JNT",
        "l_hipspace l_handThumb1_JNT l_handIndex1_JNT",
    ),
    "rigify": (
        ".L .R",
        "spine spine.001 spine.002 spine.003 spine.004 spine.005 spine.006",
        "thigh.L shin.L foot.L toe.L shoulder.L upper_arm.L forearm.L hand.L",
        "pelvis.L heel.02.L f_index.01.L thumb.01.L breast.L",
    ),
    "rigify deform": (
        ".L .R",
        "DEF-spine DEF-spine.001 DEF-spine.002 DEF-spine.003 DEF-spine.004 DEF-spine.005 DEF-spine.006",
        "DEF-thigh.L DEF-shin.L DEF-foot.L DEF-toe.L DEF-shoulder.L DEF-upper_arm.L DEF-forearm.L DEF-hand.L",
        "DEF-pelvis.L DEF-thigh.L.001 DEF-shin.L.001 DEF-upper_arm.L.001 DEF-forearm.L.001 DEF-f_index.01.L",
    ),
    "daz genesis": (
        "l r",
        "hip pelvis abdomenLower abdomenUpper chestLower chestUpper neckLower neckUpper head",
        "lThighBend lShin lFoot lToe lCollar lShldrBend lForearmBend lHand",
        "lThighTwist lMetatarsals lBigToe lShldrTwist lForearmTwist lThumb1 lCarpal1 lEye lPectoral",
    ),
    "daz genesis 9": (
        "l_ r_",
        "hip pelvis spine1 spine2 spine3 spine4 neck1 neck2 head",
        "l_thigh l_shin l_foot l_toes l_shoulder l_upperarm l_forearm l_hand",
        "l_thightwist1 l_thightwist2 l_metatarsal l_upperarmtwist1 l_thumb1 l_eye",
    ),
    "theia": ("l_ r_", "worldbody pelvis torso head", "l_thigh l_shank l_foot l_toes - l_uarm l_larm l_hand", ""),
    "mmd": (
        "左 右",
        "全ての親 センター グルーブ 下半身 上半身 上半身2 首 頭",
        "左足 左ひざ 左足首 左つま先 左肩 左腕 左ひじ 左手首",
        "左足ＩＫ 左つま先ＩＫ 左足D 左ひざD 左肩P 左腕捩 左手捩 左親指１ 左人指１ 左目",
    ),
    "mmd english": (
        "_L _R",
        "center lower_body upper_body upper_body2 neck head",
        "leg_L knee_L ankle_L toe_L shoulder_L arm_L elbow_L wrist_L",
        "leg_IK_L toe_IK_L arm_twist_L thumb1_L eye_L",
    ),
    "valve": (
        "_L_ _R_",
        "ValveBiped.Bip01_Pelvis ValveBiped.Bip01_Spine ValveBiped.Bip01_Spine1 ValveBiped.Bip01_Spine2 "
        "ValveBiped.Bip01_Spine4 ValveBiped.Bip01_Neck1 ValveBiped.Bip01_Head1",
        "ValveBiped.Bip01_L_Thigh ValveBiped.Bip01_L_Calf ValveBiped.Bip01_L_Foot ValveBiped.Bip01_L_Toe0 "
        "ValveBiped.Bip01_L_Clavicle ValveBiped.Bip01_L_UpperArm ValveBiped.Bip01_L_Forearm ValveBiped.Bip01_L_Hand",
        "ValveBiped.Bip01_L_Finger0 ValveBiped.Anim_Attachment_RH ValveBiped.forward",
    ),
    "duplicates": (
        "Left Right",
        " ".join(f"{n}.001" for n in _MB_ALL.split()[:6]),
        " ".join(f"{n}.001" for n in _MB.split()),
        "LeftHandIndex1.001",
    ),
    "unreal mannequin": (
        "_l _r",
        "root pelvis spine_01 spine_02 spine_03 neck_01 head",
        "thigh_l calf_l foot_l ball_l clavicle_l upperarm_l lowerarm_l hand_l",
        "ik_foot_root ik_foot_l ik_hand_gun ik_hand_l thigh_twist_01_l calf_twist_01_l upperarm_twist_01_l index_01_l",
    ),
    "metahuman": (
        "_l _r",
        "root pelvis spine_01 spine_02 spine_03 spine_04 spine_05 neck_01 neck_02 head",
        "thigh_l calf_l foot_l ball_l clavicle_l upperarm_l lowerarm_l hand_l",
        "thigh_correctiveRoot_l thigh_fwd_l calf_knee_l upperarm_correctiveRoot_l lowerarm_bck_l clavicle_pec_l",
    ),
    "vroid": (
        "_L_ _R_",
        "Root J_Bip_C_Hips J_Bip_C_Spine J_Bip_C_Chest J_Bip_C_UpperChest J_Bip_C_Neck J_Bip_C_Head",
        "J_Bip_L_UpperLeg J_Bip_L_LowerLeg J_Bip_L_Foot J_Bip_L_ToeBase J_Bip_L_Shoulder J_Bip_L_UpperArm "
        "J_Bip_L_LowerArm J_Bip_L_Hand",
        "J_Sec_Hair1_01 J_Sec_Hair2_01 J_Sec_Hair3_01 J_Sec_Hair4_01 J_Sec_L_Bust1 J_Adj_L_FaceEye J_Sec_L_CoatSkirt",
    ),
    "vrm 1": (
        "left right",
        "hips spine chest upperChest neck head",
        "leftUpperLeg leftLowerLeg leftFoot leftToes leftShoulder leftUpperArm leftLowerArm leftHand",
        "leftEye leftThumbMetacarpal leftIndexProximal jaw",
    ),
    "unity humanoid": (
        "Left Right",
        "Hips Spine Chest UpperChest Neck Head",
        "LeftUpperLeg LeftLowerLeg LeftFoot LeftToes LeftShoulder LeftUpperArm LeftLowerArm LeftHand",
        "Left_Thumb_Proximal LeftEye Jaw",
    ),
    "xsens": (
        "Left Right",
        "Pelvis L5 L3 T12 T8 Neck Head",
        "LeftUpperLeg LeftLowerLeg LeftFoot LeftToe LeftShoulder LeftUpperArm LeftForeArm LeftHand",
        "",
    ),
    "optitrack": (
        ":L :R",
        "Skeleton_001:Hip Skeleton_001:Ab Skeleton_001:Chest Skeleton_001:Neck Skeleton_001:Head",
        " ".join(f"Skeleton_001:L{n}" for n in ["Thigh", "Shin", "Foot", "Toe", "Shoulder", "UArm", "FArm", "Hand"]),
        "Skeleton_001:LThumb1 Skeleton_001:LIndex1",
    ),
    "perception neuron": (
        "Left Right",
        " ".join(f"Robot_{n}" for n in ["Hips", "Spine", "Spine1", "Spine2", "Neck", "Neck1", "Head"]),
        " ".join(
            f"Robot_{n}"
            for n in [
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
        "Robot_LeftHandThumb1 Robot_LeftInHandIndex",
    ),
    "captury": (
        "Left Right",
        "Root Hips Spine Spine1 Spine2 Spine3 Spine4 Neck Head HeadEE",
        _MB,
        "LeftFootEE LeftHandEE",
    ),
    "vicon": (
        "Left Right",
        "Solving:Hips Solving:Spine Solving:Spine1 Solving:Spine2 Solving:Neck Solving:Head",
        " ".join(f"Solving:{n}" for n in _MB.split()),
        "Solving:LeftHandThumb Solving:LeftForeArmRoll Solving:LeftUpLegRoll Solving:LeftLegRoll Solving:LeftArmRoll",
    ),
    "vicon acclaim": (
        "l r",
        "root lowerback upperback thorax lowerneck upperneck head",
        "lfemur ltibia lfoot ltoes lclavicle lhumerus lradius lhand",
        "lfingers lthumb",
    ),
    "ipi": (
        "L R",
        "Hip LowerSpine MiddleSpine Chest Neck Head",
        "LThigh LShin LFoot LToe LClavicle LShoulder LForearm LHand",
        "",
    ),
    "rokoko": (
        "Left Right",
        "Hips Spine1 Spine2 Spine3 Spine4 Neck Head",
        "LeftThigh LeftShin LeftFoot LeftToe LeftShoulder LeftArm LeftForeArm LeftHand",
        "LeftToeTip LeftFinger1Metacarpal",
    ),
    "character creator": (
        "_L_ _R_",
        "CC_Base_BoneRoot CC_Base_Hip CC_Base_Pelvis CC_Base_Waist CC_Base_Spine01 CC_Base_Spine02 "
        "CC_Base_NeckTwist01 CC_Base_NeckTwist02 CC_Base_Head",
        "CC_Base_L_Thigh CC_Base_L_Calf CC_Base_L_Foot CC_Base_L_ToeBase CC_Base_L_Clavicle CC_Base_L_Upperarm "
        "CC_Base_L_Forearm CC_Base_L_Hand",
        "CC_Base_L_ThighTwist01 CC_Base_L_KneeShareBone CC_Base_L_ElbowShareBone CC_Base_L_ToeBaseShareBone "
        "CC_Base_L_RibsTwist CC_Base_L_Breast CC_Base_L_BigToe1 CC_Base_L_UpperarmTwist01 CC_Base_L_Eye",
    ),
    "biped with spaces": (
        "_L_ _R_",
        "Bip001 Bip001_Pelvis Bip001_Spine Bip001_Spine1 Bip001_Neck Bip001_Head",
        "Bip001_L_Thigh Bip001_L_Calf Bip001_L_Foot Bip001_L_Toe0 Bip001_L_Clavicle Bip001_L_UpperArm "
        "Bip001_L_Forearm Bip001_L_Hand",
        "Bip001_L_Finger0 Bip001_L_Toe0Nub Bip001_HeadNub Bip001_Footsteps",
    ),
    "cascadeur": (
        "_l _r",
        "pelvis stomach chest neck head",
        "thigh_l calf_l foot_l toe_l clavicle_l arm_l forearm_l hand_l",
        "thumb_01_l",
    ),
    "advanced skeleton": (
        "_L _R",
        "Root_M Spine1_M Spine2_M Chest_M Neck_M Head_M",
        "Hip_L Knee_L Ankle_L Toes_L Scapula_L Shoulder_L Elbow_L Wrist_L",
        "HipPart1_L KneePart1_L ToesEnd_L ShoulderPart1_L ThumbFinger1_L HeadEnd_M Cup_L",
    ),
    "auto-rig pro": (
        ".l .r",
        "root.x spine_01.x spine_02.x neck.x head.x",
        "thigh_stretch.l leg_stretch.l foot.l toes_01.l shoulder.l arm_stretch.l forearm_stretch.l hand.l",
        "thigh_twist.l leg_twist.l arm_twist.l c_index1.l",
    ),
    "makehuman": (
        ".L .R",
        "root spine05 spine04 spine03 spine02 spine01 neck01 head",
        "upperleg01.L lowerleg01.L foot.L toe1-1.L clavicle.L upperarm01.L lowerarm01.L wrist.L",
        "pelvis.L upperleg02.L lowerleg02.L toe2-1.L shoulder01.L upperarm02.L lowerarm02.L finger1-1.L",
    ),
    "smpl": (
        "_L_ _R_",
        "m_avg_root m_avg_Pelvis m_avg_Spine1 m_avg_Spine2 m_avg_Spine3 m_avg_Neck m_avg_Head",
        " ".join(f"m_avg_L_{n}" for n in ["Hip", "Knee", "Ankle", "Foot", "Collar", "Shoulder", "Elbow", "Wrist"]),
        "m_avg_L_Hand",
    ),
    "arkit": (
        "left right",
        "root hips_joint spine_1_joint spine_2_joint spine_3_joint neck_1_joint head_joint",
        "left_upLeg_joint left_leg_joint left_foot_joint left_toes_joint left_shoulder_1_joint left_arm_joint "
        "left_forearm_joint left_hand_joint",
        "left_toesEnd_joint left_handThumbStart_joint left_eye_joint left_eyeUpperLid_joint",
    ),
    "azure kinect": (
        "LEFT RIGHT",
        "PELVIS SPINE_NAVEL SPINE_CHEST NECK HEAD NOSE",
        "HIP_LEFT KNEE_LEFT ANKLE_LEFT FOOT_LEFT CLAVICLE_LEFT SHOULDER_LEFT ELBOW_LEFT WRIST_LEFT",
        "HAND_LEFT HANDTIP_LEFT THUMB_LEFT EYE_LEFT EAR_LEFT",
    ),
    "second life": (
        "Left Right",
        "mPelvis mTorso mChest mNeck mHead",
        "mHipLeft mKneeLeft mAnkleLeft mToeLeft mCollarLeft mShoulderLeft mElbowLeft mWristLeft",
        "mFootLeft mEyeLeft",
    ),
    "roblox": (
        "Left Right",
        "LowerTorso UpperTorso Head",
        "LeftUpperLeg LeftLowerLeg LeftFoot - - LeftUpperArm LeftLowerArm LeftHand",
        "",
    ),
    "opensim": (
        "_l _r",
        "pelvis torso head",
        "femur_l tibia_l talus_l toes_l scapula_l humerus_l ulna_l hand_l",
        "calcn_l radius_l",
    ),
    "shadow": (
        "Left Right",
        "Body Hips SpineLow SpineMid Chest Neck Head",
        "LeftThigh LeftLeg LeftFoot LeftToe LeftShoulder LeftArm LeftForearm LeftHand",
        "",
    ),
    "cmu for 3ds max": (
        "Left Right",
        "Hips LowerBack Spine Spine1 Neck Neck1 Head",
        "LeftHip LeftKnee LeftAnkle LeftToe LeftCollar LeftShoulder LeftElbow LeftWrist",
        "LHipJoint LeftFingerBase LThumb",
    ),
    "mgear": (
        "_L0_ _R0_",
        "root_C0_0_jnt spine_C0_pelvis_jnt spine_C0_01_jnt spine_C0_02_jnt spine_C0_05_jnt neck_C0_01_jnt "
        "neck_C0_head_jnt",
        "leg_L0_thigh_jnt leg_L0_calf_jnt leg_L0_foot_jnt foot_L0_0_jnt shoulder_L0_0_jnt arm_L0_upperarm_jnt "
        "arm_L0_lowerarm_jnt arm_L0_hand_jnt",
        "thumb_L0_0_jnt meta_L0_0_jnt finger_L0_0_jnt finger_L1_0_jnt arm_L0_upperarm_twist_01_jnt",
    ),
    "mgear numbered": (
        "_L0_ _R0_",
        "local_C0_0_Jnt_01 spine_C0_0_Jnt_02 spine_C0_1_Jnt_03 spine_C0_2_Jnt_04 neck_C0_0_Jnt_066 "
        "neck_C0_head_Jnt_067",
        "leg_L0_0_Jnt_08 leg_L0_1_Jnt_09 leg_L0_end_Jnt_010 foot_L0_0_Jnt_011 shoulder_L0_shoulder_Jnt_091 "
        "arm_L0_0_Jnt_092 arm_L0_1_Jnt_093 arm_L0_end_Jnt_0114",
        "thumb_L0_0_Jnt_095 finger_L0_0_Jnt_096 foot_L0_1_Jnt_012",
    ),
    "mgear chains": (
        "_L0_ _R0_",
        "spine_C0_0_jnt spine_C0_1_jnt spine_C0_2_jnt spine_C0_3_jnt neck_C0_0_jnt head_C0_0_jnt",
        "leg_L0_0_jnt leg_L0_1_jnt leg_L0_2_jnt leg_L0_3_jnt shoulder_L0_0_jnt arm_L0_0_jnt arm_L0_1_jnt arm_L0_2_jnt",
        "finger_L0_0_jnt eye_L0_eye_jnt",
    ),
    "lf and rt": (
        "lf_ rt_",
        "hips spine chest neck head",
        "lf_thigh lf_shin lf_foot lf_toe lf_clavicle lf_upperarm lf_forearm lf_hand",
        "",
    ),
    "bind joints": (
        "_L_ _R_",
        "cog_bind spine_a_bind spine_b_bind neck_a_bind head_a_bind",
        "leg_L_upper_bind leg_L_lower_bind foot_L_bind toe_L_bind clav_L_bind arm_L_upper_bind arm_L_lower_bind "
        "hand_L_bind",
        "forearm_L_twist_bind jaw_bind",
    ),
    "capitals": (
        "_LF_ _RT_",
        "SK_COG_GEO SK_LUMBAR_GEO SK_THORACIC_GEO SK_CERVICAL_GEO SK_SKULL_GEO",
        "SK_LF_THIGHBONE_GEO SK_LF_SHINBONE_GEO SK_LF_FOOTBONE_GEO SK_LF_TOEBONE_GEO SK_LF_COLLARBONE_GEO "
        "SK_LF_BICEP_GEO SK_LF_ELBOW_GEO SK_LF_HANDBONE_GEO",
        "SK_LF_ARMROLL_GEO",
    ),
    "shldr and uparm": (
        "L R",
        "Body Belly Chest Neck0 Neck1 Head",
        "LButtock LKnee LAnkle LFoot LShldr LUpArm LLowArm LHand",
        "LArmRoll",
    ),
    "synty": (
        "_L _R",
        "Root Hips Spine_01 Spine_02 Spine_03 Neck Head",
        "UpperLeg_L LowerLeg_L Ankle_L Ball_L Clavicle_L Shoulder_L Elbow_L Hand_L",
        "Toes_L Thumb_01_L Eyes",
    ),
    "mmd kanji": (
        "左 右",
        "センター 下半身 上半身 首 頭",
        "左足 左膝 左足首 左爪先 左肩 左腕 左肘 左手首",
        "",
    ),
    "german": (
        "links rechts",
        "pelvis spine neck head",
        "hip_links knee_links ankle_links toe_links collar_links shoulder_links elbow_links wrist_links",
        "",
    ),
}
_LEFT = [f"left_{j}" for j in ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")]


def _body(vendor: str) -> tuple[list[str], list[str], list[str], Callable[[str], str]]:
    """All names of a vendor, its middle ones, its left limbs, and what makes a left name a right one."""
    marks, middle, limbs, others = VENDORS[vendor]
    one, other = marks.split()

    def right(name: str) -> str:
        if len(one) == 1 and one.isascii():  # lThigh
            return other + name[1:] if name.startswith(one) else name
        return name[: name.rindex(one)] + other + name[name.rindex(one) + len(one) :] if one in name else name

    left = limbs.split()
    names = [name for name in dict.fromkeys([*left, *others.split()]) if name != "-"]
    names = list(dict.fromkeys([*middle.split(), *names, *(right(name) for name in names)]))
    return names, middle.split(), left, right


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendor_maps_to_the_joints_that_stand_for_ours(vendor: str) -> None:
    names, middle, left, right = _body(vendor)
    found = map_joints(names)
    assert missing_essential(found) == []
    assert len(set(found.values())) == len(found), "no source joint stands for two"
    for joint, name in zip(_LEFT, left, strict=True):
        if name != "-":
            assert names[found[joint]] == name
            assert names[found[joint.replace("left", "right")]] == right(name)
    assert names[found["pelvis"]] in middle
    assert names[found["head"]] in middle


@pytest.mark.parametrize(
    ("vendor", "family"),
    [
        *(("deepmotion", "deepmotion"), ("rigify", "rigify"), ("rigify deform", "rigify")),
        *(("daz genesis", "daz genesis"), ("theia", "theia"), ("mmd", "mmd"), ("valve", "biped"), ("vroid", "vrm")),
        *(("duplicates", "motionbuilder"), ("unreal mannequin", "unreal"), ("character creator", "character creator")),
        *(("smpl", "smpl"), ("captury", "captury"), ("xsens", "xsens"), ("optitrack", "optitrack"), ("ipi", "ipi")),
    ],
)
def test_the_family_is_told_whatever_prefix_its_names_have(vendor: str, family: str) -> None:
    assert family_of(_body(vendor)[0]) == family


def test_vertebrae_are_the_spine_in_any_case() -> None:
    names = [name.lower() for name in _body("xsens")[0]]
    assert [names[map_joints(names)[f"spine{k}"]] for k in (1, 2, 3)] == ["l5", "t12", "t8"]


def test_the_first_of_several_necks_is_the_neck() -> None:
    names = "Hips Neck3 Neck2 Neck1 Head LeftLeg1 LeftLeg2 RightLeg1 RightLeg2".split()  # noqa: SIM905
    assert names[map_joints(names)["neck"]] == "Neck1"


def test_only_what_most_names_share_is_cleaned_off() -> None:
    assert clean_names(["Bip01", *(f"Bip01_{n}" for n in ["L_Thigh", "L_Calf", "R_Thigh", "R_Calf", "Head"])])[1:3] == [
        "L_Thigh",
        "L_Calf",
    ]
    kept = ["spine", "spine.001", "thigh.L", "shin.L", "thigh.R", "shin.R"]
    assert clean_names(kept) == kept
