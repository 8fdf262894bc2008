"""Name the joints as the tools of the field do: words of bones, sides, Japanese of MMD, skeleton families."""

from __future__ import annotations

from typing import Final

LIMBS: Final[dict[str, tuple[str, ...]]] = {
    "hip": (
        *("upleg", "upperleg", "upperleg01", "legupper", "thigh", "thighbend", "thighstretch", "hip", "femur"),
        *("hipjoint", "leg", "buttock"),
    ),
    "knee": (
        *("knee", "lowleg", "lowerleg", "lowerleg01", "leglower", "shin", "shinbend", "shank", "calf", "tibia"),
        *("legstretch", "leg"),
    ),
    "ankle": ("ankle", "talus", "foot", "heel"),
    "foot": (
        *("ball", "ballfoot", "toebase", "toe", "toes", "bigtoe", "footindex", "toe0", "toe1", "toe01", "toes01"),
        *("toe11", "metatarsal", "metatarsals", "foottip", "foot"),
    ),
    "collar": (
        *("collar", "clavicle", "clav", "scapula", "innershoulder", "shoulder1", "shoulder01", "shldr", "shoulder"),
    ),
    "shoulder": (
        *("upperarm", "upperarm01", "armupper", "uparm", "uarm", "bicep", "shldr", "shldrbend", "armstretch", "arm"),
        *("humerus", "shoulder"),
    ),
    "elbow": (
        *("elbow", "forearm", "forearmbend", "forearmstretch", "lowerarm", "lowerarm01", "armlower", "lowarm", "farm"),
        *("larm", "loarm", "ulna", "radius"),
    ),
    "wrist": ("wrist", "hand"),
}
"""Words of sided joints, unambiguous ones first; the last ones hold unless a better name is present."""

MIDDLE: Final[dict[str, tuple[str, ...]]] = {
    "pelvis": (
        *("pelvis", "hips", "hip", "hipcenter", "hipcentre", "midhip", "spinebase", "lowerbody", "lowertorso"),
        *("bottomtorso", "cog", "body", "root"),
    ),
    "neck": (
        *("neck", "neck0", "neck1", "cervical", "neck01", "neckbase", "necklower", "necktwist01", "lowerneck"),
        *("shouldercenter", "shouldercentre", "spineshoulder"),
    ),
    "head": ("head", "head1", "skull", "upperneck", "neckupper", "neck2", "neck02", "necktwist02"),
}
_SPINE_WORDS = """
    lumbar thoracic belly
    lowerback abdomen abdomen2 abdomenlower abdomenupper ab torso lowertorso toptorso uppertorso waist stomach spine
    spine0 spine1 spine2 spine3 spine4 spine5 spine6 spine7 spine01 spine02 spine03 spine04 spine05 spine001 spine002
    spine003 spinelow spinemid spinenavel spinechest lowerspine middlespine upperspine upperback upperbody upperbody2
    upperbody3 chest chest1 chest2 chest3 chest4 chestlower chestupper upperchest thorax vertebra navalspine chestspine
"""
SPINE: Final = frozenset(_SPINE_WORDS.split())

SIDES: Final[dict[str, str]] = {
    **dict.fromkeys(("left", "l", "lft", "lt", "lf", "links", "gauche", "izq", "izquierda", "izquierdo", "sx"), "left"),
    **dict.fromkeys(("right", "r", "rgt", "rt", "rechts", "droite", "der", "derecha", "derecho", "dx"), "right"),
}
NOISE: Final = frozenset(("joint", "jnt", "jt", "bone", "bn", "def", "org", "a", "b", "c", "m", "x", "center"))
"""Words that say nothing about which joint it is."""
_CONTROL_WORDS = "ik fk pole ctrl control target mch twist roll share helper corrective end nub eff site offset sec adj"
CONTROLS: Final = frozenset(_CONTROL_WORDS.split())
"""Words of handles and helpers, which never are a joint of the body."""

JAPANESE: Final[dict[str, str]] = {
    **{"下半身": "pelvis", "上半身": "spine", "上半身2": "spine2", "上半身3": "spine3", "首": "neck", "頭": "head"},
    **{"足": "leg", "ひざ": "knee", "ヒザ": "knee", "膝": "knee", "足首": "ankle"},
    **{"つま先": "toe", "爪先": "toe", "足先EX": "toe"},
    **{"肩": "collar", "腕": "arm", "ひじ": "elbow", "肘": "elbow", "手首": "wrist", "かかと": "heel"},
}
"""MikuMikuDance's bones without their side (左, 右)."""

FAMILIES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("cgspeed (CMU)", ("lhipjoint", "leftupleg", "lowerback", "neck1")),
    ("CMU asf/amc", ("lfemur", "lhumerus", "thorax")),
    ("daz genesis", ("lthighbend", "lshldrbend")),
    ("poser", ("lshldr", "rshldr", "lthigh", "abdomen")),
    ("bandai-namco", ("jointroot", "upperarml", "lowerlegl")),
    ("vrm", ("jbiplupperleg",)),
    ("vrm", ("chips", "cupperchest", "lupperleg")),
    ("soma", ("leftshin", "leftleg", "leftarm")),
    ("rokoko", ("leftthigh", "leftshin", "leftforearm")),
    ("unreal", ("thighl", "calfl", "upperarml")),
    ("cascadeur", ("thighl", "calfl", "arml", "stomach")),
    ("rigify", ("thighl", "shinl", "upperarml")),
    ("auto-rig pro", ("thighstretchl", "legstretchl")),
    ("makehuman", ("upperleg01l", "lowerleg01l")),
    ("advanced skeleton", ("rootm", "hipl", "kneel", "scapulal")),
    ("character creator", ("lthigh", "lcalf", "necktwist01")),
    ("biped", ("bip01lthigh",)),
    ("biped", ("bip001lthigh",)),
    ("biped", ("lthigh", "lcalf", "lupperarm", "ltoe0")),
    ("deepmotion", ("lupleg", "lleg", "lforearm", "ltoebase")),
    ("theia", ("lthigh", "lshank", "luarm")),
    ("arkit", ("leftupleg", "leftforearm", "lefttoes", "hips")),
    ("azure kinect", ("spinenavel", "spinechest", "hipleft")),
    ("second life", ("mhipleft", "mkneeleft")),
    ("mmd", ("左ひざ", "右ひざ")),
    ("mmd", ("lowerbody", "upperbody", "kneel")),
    ("smpl", ("lhip", "lknee", "lankle", "lcollar")),
    ("xsens", ("l5", "l3", "t12", "t8")),
    ("xsens", ("lefthip", "leftknee", "chest4", "leftcollar")),
    ("biovision", ("lefthip", "leftknee", "leftcollar")),
    ("ipi", ("lthigh", "lshin", "lowerspine", "lforearm")),
    ("optitrack", ("lthigh", "lshin", "luarm")),
    ("unity humanoid", ("leftupperleg", "leftlowerleg", "leftupperarm", "hips")),
    ("opensim", ("femurl", "tibial", "humerusl")),
    ("kinect v2", ("spinebase", "spineshoulder")),
    ("kinect", ("hipcenter", "shouldercenter")),
    ("lafan1", ("leftupleg", "lefttoe", "spine2", "leftforearm")),
    ("captury", ("leftupleg", "leftfootee", "leftforearm")),
    ("motionbuilder", ("leftupleg", "leftleg", "leftforearm")),
)
"""Skeleton families and the names (lower case, letters and digits only) that tell them, first match wins."""
