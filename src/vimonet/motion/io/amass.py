"""Read AMASS npz (arXiv 1904.03278): SMPL pose parameters on the 22-joint tree with canonical bone offsets.

No body-model file is needed. If ``smplx`` is installed and ``VIMONET_SMPLX`` names a folder of model files, the joints
of that model and the subject's shape are used instead.
"""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io import joint_arrays
from vimonet.motion.io.frame_times import stated_rate
from vimonet.motion.io.plausibility import padding_rows
from vimonet.motion.io.readers import Archive, Content, Reader, Recording, numeric, register, usable
from vimonet.motion.io.units_and_axes import correct_up
from vimonet.motion.motion import check_fps
from vimonet.motion.skeleton import CANONICAL_OFFSETS, JOINT_NAMES, PARENTS, forward_kinematics, norm, rotation_vectors
from vimonet.utils.errors import InputError

_MOST_TURNS: Final = 2
_WIDTHS: Final = {63 + 3: "smpl", 72: "smpl", 156: "smplh", 165: "smplx"}


def detect(content: Content) -> bool:
    """Detect pose parameters by the names of the arrays."""
    named = content.is_npz and ("poses" in content.archive or {"root_orient", "pose_body"} <= set(content.archive))
    return named and not joint_arrays.holds_positions(content.archive)


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read an AMASS file.

    ``poses`` [T, 66 | 72 | 156 | 165] axis-angle (or ``root_orient`` [T, 3] and ``pose_body`` [T, 63]), ``trans`` [T,
    3] metres, ``mocap_framerate`` (or ``mocap_frame_rate``, ``fps``). Z is up unless the body stands along Y. ``betas``
    and ``gender`` matter only to smplx.

    Raises:
        InputError: wrong shapes, differing frame counts, values that are not finite, no rate, no frames.
    """
    if content.is_npy:
        return joint_arrays.read(content, fps=fps, layout=layout)
    archive, name = content.archive, content.name
    if "poses" in archive:
        poses = numeric(archive["poses"], f"{name}: poses")
    else:
        parts = [numeric(archive[key], f"{name}: {key}") for key in ("root_orient", "pose_body")]
        if any(p.ndim != 2 for p in parts) or len(parts[0]) != len(parts[1]):
            raise InputError(f"{name}: root_orient and pose_body differ in frames; expected [T, 3] and [T, 63].")
        poses = np.concatenate(parts, axis=1)
    if poses.ndim == 3 and poses.shape[2] == 3:
        poses = poses.reshape(len(poses), -1)
    if poses.ndim != 2 or poses.shape[1] not in _WIDTHS:
        raise InputError(
            f"{name}: poses have shape {list(poses.shape)}; expected [frames, 66, 72, 156 or 165] axis-angle values of "
            "SMPL, SMPL-H or SMPL-X."
        )
    if len(poses) == 0:
        raise InputError(f"{name}: poses hold no frames; at least one is needed.")
    trans = numeric(archive["trans"], f"{name}: trans") if "trans" in archive else np.zeros((len(poses), 3))
    if trans.shape != (len(poses), 3):
        raise InputError(f"{name}: trans has shape {list(trans.shape)}; expected [{len(poses)}, 3] like the poses.")
    for label, values in (("poses", poses), ("trans", trans)):
        if not usable(values).all():
            raise InputError(f"{name}: {label} hold a value that is not finite; every parameter must be a number.")
    rate = fps if fps is not None else stated_rate(archive, name)
    if rate is None:
        raise InputError(f"{name}: mocap_framerate is missing; give the rate with fps=.")
    notes = [] if "trans" in archive else ["no trans in the file: no path through space"]
    checked = check_fps(rate, name)
    poses, trans = without_padding(poses, trans, notes, name)
    step = round(checked / 20)
    frames = len(poses)
    kept_rate = checked
    if step > 1 and abs(checked / 20 - step) < 1e-6 * step:  # decimate before the kinematics, which saves time
        poses, trans, kept_rate = poses[::step], trans[::step], 20.0
    positions = _with_body_model(archive, poses, trans, _WIDTHS[poses.shape[1]], name)
    if positions is None:
        positions = pose_joints(poses, trans)
        notes.append("posed with mean bone lengths (no body model)")
    else:
        notes.append("posed with the body model of VIMONET_SMPLX")
    up, turned = correct_up(positions, "Z")
    notes += [turned] if turned else []
    return Recording(
        positions=positions,
        names=JOINT_NAMES,
        fps=kept_rate,
        format="amass",
        source_fps=checked,
        source_frames=frames,
        family=f"{_WIDTHS[poses.shape[1]]} parameters",
        mapping={joint: i for i, joint in enumerate(JOINT_NAMES)},
        unit=1.0,
        up=up,
        notes=notes,
    )


register(Reader("amass", "AMASS npz", (".npz",), detect, read))


def without_padding(
    poses: NDArray[Any], trans: NDArray[Any], notes: list[str], name: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Drop frames from the end whose rotations [T, >= 66] are all zero, whatever their translations [T, 3] are.

    Raises:
        InputError: rotations of many turns, which are degrees.
    """
    turns = float(np.median(norm(poses[:, :66].reshape(len(poses), 22, 3)).max(axis=1))) / (2 * np.pi)
    if turns > _MOST_TURNS:
        raise InputError(
            f"{name}: its joints are rotated by up to {turns:.0f} turns in most frames, which are degrees; axis-angle "
            "values must be radians."
        )
    padding = padding_rows(poses, lambda rows: pose_joints(rows, np.zeros((len(rows), 3))))
    if not padding:
        return poses, trans
    notes.append(f"{padding} frames of padding dropped from the end (all rotations zero)")
    return poses[:-padding], trans[:-padding]


def pose_joints(poses: NDArray[Any], trans: NDArray[Any]) -> NDArray[np.float64]:
    """Compute joints [T, 22, 3] of axis-angle poses [T, >= 66] and root translations [T, 3], in their own axes.

    SMPL's rest pose is the canonical T-pose (Y up, facing +Z), so its rotations apply to ``CANONICAL_OFFSETS``. The
    constant shift between SMPL's origin and its pelvis is ignored.
    """
    rotations = rotation_vectors(np.asarray(poses[:, :66], dtype=np.float64).reshape(len(poses), 22, 3))
    local = np.broadcast_to(CANONICAL_OFFSETS.astype(np.float64), (len(poses), 22, 3)).copy()
    local[:, 0] = trans
    return forward_kinematics(PARENTS, local, [rotations[:, joint] for joint in range(22)])


def _with_body_model(
    archive: Archive, poses: NDArray[Any], trans: NDArray[Any], kind: str, name: str
) -> NDArray[np.float64] | None:
    folder = os.environ.get("VIMONET_SMPLX")
    if not folder:
        return None
    try:
        import smplx
        import torch
    except ImportError:
        raise InputError(
            f"{name}: VIMONET_SMPLX is set but smplx is not installed; run pip install 'vimonet[smplx]'."
        ) from None
    gender = str(archive["gender"]).strip("b'\"") if "gender" in archive else "neutral"
    try:
        body = smplx.create(folder, model_type=kind, gender=gender, use_pca=False, batch_size=len(poses), num_betas=10)
    except (OSError, AssertionError, ValueError, KeyError) as problem:
        raise InputError(
            f"{name}: no {kind} model for gender {gender} is in VIMONET_SMPLX={folder} ({problem})."
        ) from None
    betas = numeric(archive["betas"], f"{name}: betas").reshape(-1)[:10] if "betas" in archive else np.zeros(10)
    betas = np.pad(betas, (0, 10 - len(betas)))
    end = 72 if kind == "smpl" and poses.shape[1] >= 72 else 66
    body_pose = np.zeros((len(poses), 69 if kind == "smpl" else 63), dtype=np.float32)
    body_pose[:, : end - 3] = poses[:, 3:end]
    with torch.no_grad():
        result = body(
            betas=torch.as_tensor(np.tile(betas, (len(poses), 1)), dtype=torch.float32),
            global_orient=torch.as_tensor(poses[:, :3], dtype=torch.float32),
            body_pose=torch.as_tensor(body_pose),
            transl=torch.as_tensor(trans, dtype=torch.float32),
        )
    return np.asarray(result.joints[:, :22].numpy(), dtype=np.float64)
