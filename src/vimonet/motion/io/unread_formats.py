"""Say what to do with formats that people hold and no reader reads."""

from __future__ import annotations

from typing import Final, NamedTuple


class _Unread(NamedTuple):
    """Tell a format by the first bytes or the suffix, and say the way out."""

    starts: tuple[bytes, ...]
    suffixes: tuple[str, ...]
    sentence: str


_UNREAD: Final = (
    _Unread(
        (b"Kaydara FBX", b"; FBX"),
        (".fbx",),
        "it is an FBX, which is not read; in Blender, File > Import > FBX, then File > Export > glTF 2.0 (.glb), or, "
        "with the armature selected, Motion Capture (.bvh) from Start to End of the movement (1 to 250 is offered)",
    ),
    _Unread(
        (b"Coordinates", b"nRows"),
        (".mot", ".sto"),
        "it is an OpenSim file of joint angles, which is not read; give the .trc from which the angles were computed",
    ),
    _Unread(
        (b"\x80",),
        (".pkl", ".pickle"),
        "it is a Python pickle, which is never loaded, since it could run code; save its arrays with numpy.savez",
    ),
    _Unread(
        (b"BLENDER", b"\x28\xb5\x2f\xfd", b"PXR-USDC", b"#usda", b"Ogawa", b"%YAML 1.1\n%TAG !u! tag:unity3d"),
        (".blend", ".usd", ".usda", ".usdc", ".usdz", ".ma", ".mb", ".max", ".abc", ".anim", ".c4d", ".uasset", ".bip"),
        "it is a scene of a 3D program, which is not read; export the armature as .bvh or .glb there",
    ),
    _Unread(
        (b"Vocaloid Motion Data", b"[Header]"),
        (".vmd", ".htr", ".gtr", ".trb", ".tak", ".fmb"),
        "it is a format of one motion program, which is not read; import it there or in Blender, and export it as .bvh",
    ),
    _Unread(
        (b"\x89HDF", b"MATLAB"),
        (".h5", ".hdf5", ".mat"),
        "it is an HDF5 or MATLAB file, which is not read; save joints [frames, joints, 3], names, fps by numpy.savez",
    ),
)


def advice(head: bytes, suffix: str) -> str | None:
    """Name the way out of a format that is not read, or None if it is none of those known."""
    return next(
        (one.sentence for one in _UNREAD if head.startswith(one.starts)),
        next((one.sentence for one in _UNREAD if suffix in one.suffixes), None),
    )
