"""Read SMPL parameters as estimators save them, npz, npy or PyTorch: GVHMR, WHAM, TRAM, 4D-Humans, AIST++, Motion-X.

The keys differ, the meaning does not: an orientation of the pelvis, 21 or 23 joint rotations (axis-angle or matrices),
a translation. A PyTorch file is loaded with ``weights_only=True``, so that nothing in it is executed.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.amass import pose_joints, without_padding
from vimonet.motion.io.frame_times import stated_rate
from vimonet.motion.io.joint_arrays import holds_positions
from vimonet.motion.io.limits import MAX_MEMBER, MAX_NESTING
from vimonet.motion.io.readers import Content, Reader, Recording, numeric, plain, register, usable
from vimonet.motion.motion import check_fps
from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.utils.errors import InputError

_MOTION_X: Final = 322  # root_orient, pose_body, pose_hand, pose_jaw, face_expr, face_shape, trans, betas
_TORCH: Final = (".pt", ".pth")


class _Keys(NamedTuple):
    """Name where one program keeps its parameters.

    Attributes:
        program: for the note.
        root: orientation of the pelvis, or of all joints if ``body`` is empty.
        body: rotations of the other joints.
        trans: translations; the first that is there.
        fps: rate where the file has none.
    """

    program: str
    root: str
    body: str
    trans: tuple[str, ...]
    fps: float


_KNOWN: Final = (
    _Keys(
        "GVHMR", "smpl_params_global.global_orient", "smpl_params_global.body_pose", ("smpl_params_global.transl",), 30
    ),
    _Keys("WHAM", "pose_world", "", ("trans_world",), 30),
    _Keys("AIST++", "smpl_poses", "", ("smpl_trans",), 60),
    _Keys("TRAM", "pred_rotmat", "", ("pred_trans",), 30),
    _Keys("SMPL", "global_orient", "body_pose", ("transl", "trans", "pred_cam_t", "camera_translation"), 30),
    _Keys("SMPL", "root_orient", "pose_body", ("trans", "transl"), 30),
    _Keys("WHAM", "pose", "", ("trans", "transl"), 30),
)


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read the SMPL parameters of one person.

    Args:
        content: the file.
        fps: frames/s; None for the rate of the file, or that of the program that wrote it.
        layout: not used, since SMPL fixes the joints.

    Raises:
        InputError: damaged, larger than the limits, no SMPL parameters among its arrays, shapes that do not fit, values
            that are not finite.
    """
    name = content.name
    arrays = (
        _motion_x(content.array)
        if content.is_npy
        else _torch_arrays(content)
        if _is_torch(content)
        else content.archive
    )
    keys = _keys(arrays)
    if keys is None:
        some = ", ".join(plain(key) for key in list(arrays)[:6]) or "nothing"
        raise InputError(
            f"{name}: it holds {some}; expected SMPL parameters such as global_orient, body_pose and transl."
        )
    root = _rotations(numeric(arrays[keys.root], f"{name}: {keys.root}"), f"{name}: {keys.root}")
    poses = root
    if keys.body:
        body = _rotations(numeric(arrays[keys.body], f"{name}: {keys.body}"), f"{name}: {keys.body}")
        if len(body) != len(root):
            raise InputError(
                f"{name}: {keys.root} has {len(root)} frames and {keys.body} {len(body)}; expected as many."
            )
        poses = np.concatenate([root[:, :1], body], axis=1)
    if poses.shape[1] < 22 or not len(poses):
        raise InputError(f"{name}: {len(poses)} frames of {poses.shape[1]} rotations; expected frames of 22 or more.")
    key = next((one for one in keys.trans if one in arrays), None)
    trans = np.zeros((len(poses), 3)) if key is None else numeric(arrays[key], f"{name}: {key}").reshape(-1, 3)
    if len(trans) != len(poses):
        raise InputError(f"{name}: {key} has {len(trans)} frames and {keys.root} {len(poses)}; expected as many.")
    if "smpl_scaling" in arrays:
        trans = trans / float(numeric(arrays["smpl_scaling"], f"{name}: smpl_scaling").reshape(-1)[0])
    if not (usable(poses).all() and usable(trans).all()):
        raise InputError(f"{name}: a parameter is not a finite number; every one must be.")
    notes = ["posed with mean bone lengths (no body model)"]
    rate = fps if fps is not None else stated_rate(arrays, name)
    if rate is None:
        notes.append(f"frame rate not given: {keys.fps:g} frames/s assumed, as {keys.program} has")
    notes += ["no translation in the file: no path through space"] if key is None else []
    rotations, trans = without_padding(poses[:, :22].reshape(len(poses), 66), trans, notes, name)
    return Recording(
        positions=pose_joints(rotations, trans),
        names=JOINT_NAMES,
        fps=check_fps(keys.fps if rate is None else rate, name),
        format="smpl",
        family="smpl parameters",
        mapping={joint: k for k, joint in enumerate(JOINT_NAMES)},
        unit=1.0,
        notes=notes,
    )


def _keys(arrays: Mapping[str, Any]) -> _Keys | None:
    return next((keys for keys in _KNOWN if keys.root in arrays and (not keys.body or keys.body in arrays)), None)


def _rotations(values: NDArray[Any], label: str) -> NDArray[np.float64]:
    """Bring axis-angle [T, 3 J] or [T, J, 3], or matrices [T, J, 3, 3], to axis-angle [T, J, 3]."""
    if values.ndim >= 2 and values.shape[-2:] == (3, 3) and values.ndim in (3, 4):
        from scipy.spatial.transform import Rotation  # only where matrices are read

        matrices = values.reshape(len(values), -1, 3, 3).astype(np.float64)
        if not usable(matrices).all() or (np.abs(np.linalg.det(matrices) - 1) > 0.1).any():
            raise InputError(f"{label} holds matrices that are no rotations; expected [frames, joints, 3, 3].")
        return Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec().reshape(len(values), -1, 3)
    if values.ndim == 3 and len(values) == 1 and values.shape[2] != 3:
        values = values[0]
    if (
        values.ndim not in (2, 3)
        or (values.ndim == 2 and values.shape[1] % 3)
        or (values.ndim == 3 and values.shape[2] != 3)
    ):
        raise InputError(
            f"{label} has shape {list(values.shape)}; expected axis-angle values or matrices of each frame."
        )
    return values.reshape(len(values), -1, 3).astype(np.float64)


def _motion_x(array: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {"root_orient": array[:, :3], "pose_body": array[:, 3:66], "trans": array[:, 309:312]}


def _torch_arrays(content: Content) -> dict[str, NDArray[Any]]:
    """Load the tensors of a PyTorch file, with dots between the keys of nested dicts."""
    name = content.name
    damaged = f"{name}: the PyTorch file is damaged; copy it again, or save its arrays with numpy.savez."
    if content.is_npz:
        try:
            members = zipfile.ZipFile(io.BytesIO(content.data)).infolist()
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
            raise InputError(damaged) from None
        if (
            any(m.compress_type != zipfile.ZIP_STORED for m in members)
            or sum(m.file_size for m in members) > MAX_MEMBER
        ):
            raise InputError(
                f"{name}: it is larger than {MAX_MEMBER >> 20} MiB or packed; expected a file of torch.save."
            )
    import pickle

    import torch

    try:
        value = torch.load(io.BytesIO(content.data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            f"{name}: it holds Python objects, which are never loaded; save its arrays with numpy.savez."
        ) from None
    except (RuntimeError, ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, IndexError):
        raise InputError(damaged) from None
    found = {key: tensor for key, tensor in _tensors(value, "", 0)}
    large = next((key for key, tensor in found.items() if tensor.numel() * 8 > MAX_MEMBER), None)
    if large is not None:
        raise InputError(
            f"{name}: {plain(large)} is larger than {MAX_MEMBER >> 20} MiB; expected one person's parameters."
        )
    return {
        key: tensor.detach().to("cpu").to_dense().float().numpy()
        for key, tensor in found.items()
        if not tensor.is_quantized
    }


def _tensors(value: Any, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    if hasattr(value, "detach"):
        yield prefix, value
    elif isinstance(value, dict) and depth < MAX_NESTING:
        people = sorted(value) if value and all(isinstance(key, int) for key in value) else list(value)
        for key in people[:1] if people and isinstance(people[0], int) else people:  # WHAM: {person: {...}}
            inner = prefix if isinstance(key, int) else f"{prefix}.{key}".lstrip(".")
            yield from _tensors(value[key], inner, depth + 1)


def _is_torch(content: Content) -> bool:
    """Detect a PyTorch file: its archive begins with data.pkl, or its name says so."""
    suffix = content.name[content.name.rfind(".") :].lower() if "." in content.name else ""
    return (b"data.pkl" in content.start[:4096] and content.is_npz) or (
        suffix in _TORCH and content.start.startswith((b"PK", b"\x80"))
    )


def _detect(content: Content) -> bool:
    if _is_torch(content):
        return True
    if content.is_npy:
        return content.array.ndim == 2 and content.array.shape[1] == _MOTION_X
    known = content.is_npz and "poses" not in content.archive and _keys(content.archive) is not None
    return known and not holds_positions(content.archive)


register(Reader("smpl", "SMPL parameters", (".npz", ".npy", ".pt", ".pth"), _detect, read))
