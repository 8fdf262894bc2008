"""Say what to do with formats that people hold and no reader reads."""

from __future__ import annotations

from typing import Final, NamedTuple


class _Unread(NamedTuple):
    """Tell a format by the first bytes or the suffix; say what it is, why it is not read, and what to do."""

    starts: tuple[bytes, ...]
    suffixes: tuple[str, ...]
    sentence: str


_GLB: Final = "export it there by File > Export > glTF 2.0 (.glb)"
_BY_FBX: Final = f"export the skeleton with its animation there as FBX, then import that FBX in Blender and {_GLB}"

_UNREAD: Final = (
    _Unread(
        (b"Kaydara FBX", b"; FBX"),
        (".fbx",),
        "it is an FBX, a closed format that is not read; import it in Blender by File > Import > FBX, and " + _GLB,
    ),
    _Unread(
        (b"Coordinates", b"nRows"),
        (".mot", ".sto"),
        "it is an OpenSim table of joint angles, forces or states, not read since it gives no positions without "
        "OpenSim's model; give the .trc of the same trial",
    ),
    _Unread(
        (b"\x80",),
        (".pkl", ".pickle"),
        "it is a Python pickle, never loaded since it could run code; where you trust it, load it in Python yourself "
        "and save its arrays by numpy.savez('recording.npz', **arrays)",
    ),
    _Unread(
        (b"BLENDER",),
        (".blend",),
        "it is a Blender scene, not read since only Blender can; open it and " + _GLB,
    ),
    _Unread(
        (b"PXR-USDC", b"#usda"),
        (".usd", ".usda", ".usdc", ".usdz"),
        "it is a USD scene, which is not read; import it in Blender (4.1 or later) by File > Import > Universal Scene "
        "Description, and " + _GLB,
    ),
    _Unread(
        (b"Ogawa",),
        (".abc",),
        "it is an Alembic file, not read since it holds moving surfaces and no skeleton; open the scene that it was "
        "made from, and export the skeleton there as .bvh or .glb",
    ),
    _Unread(
        (b"%YAML 1.1\n%TAG !u! tag:unity3d",),
        (".anim",),
        "it is an animation clip of Unity or Maya, not read since its skeleton is in another file; " + _BY_FBX,
    ),
    _Unread(
        (),
        (".ma", ".mb", ".max", ".bip", ".c4d", ".uasset"),
        "it is a file of Maya, 3ds Max, Cinema 4D or Unreal, not read since only that program can; " + _BY_FBX,
    ),
    _Unread(
        (b"Vocaloid Motion Data",),
        (".vmd",),
        "it is a motion of MikuMikuDance, not read since its skeleton is in another file (.pmx); in Blender with the "
        "add-on MMD Tools, import the .pmx and then this .vmd, and export by File > Export > Motion Capture (.bvh)",
    ),
    _Unread(
        (b"[Header]",),
        (".htr", ".gtr", ".trb"),
        "it is a file of Motion Analysis, of which .trc alone is read; export the same take from Cortex as .trc",
    ),
    _Unread(
        (b"Trajectories", b"NO_OF_FRAMES"),
        (),
        "it is a table of markers of Vicon Nexus or Qualisys, of which C3D is read; export the same take as .c3d",
    ),
    _Unread(
        (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!"),
        (".gz", ".7z", ".rar", ".zip"),
        "it is packed; unpack it, and give the recording inside",
    ),
    _Unread(
        (b"version https://git-lfs",),
        (),
        "it is a Git LFS pointer, not the recording itself; fetch that by git lfs pull",
    ),
    _Unread(
        (b"<!DOCTYPE html", b"<!doctype html", b"<html"),
        (),
        "it is a web page, as a failed download leaves; download the recording again",
    ),
    _Unread(
        (),
        (".tak",),
        "it is a take of OptiTrack, not read since only Motive can; open it in Motive, and export its skeleton by File "
        "> Export Tracking Data as BVH",
    ),
    _Unread(
        (b"\x89HDF", b"MATLAB"),
        (".h5", ".hdf5", ".mat"),
        "it is an HDF5 or MATLAB file, not read since each program lays it out in its own way; load it by h5py or "
        "scipy.io.loadmat, and save its joints [frames, joints, 3], names and fps by numpy.savez",
    ),
)


def advice(head: bytes, suffix: str) -> str | None:
    """Name the way out of a format that is not read, or None if it is none of those known."""
    return next(
        (one.sentence for one in _UNREAD if head.startswith(one.starts)),
        next((one.sentence for one in _UNREAD if suffix in one.suffixes), None),
    )
