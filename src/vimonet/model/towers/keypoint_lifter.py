"""Lift 2D keypoints to 3D body features, and encode them as the keypoint tower.

A single 2D pose is ambiguous in depth; the frames around it resolve most of it. A small temporal convolutional network
learns the lifting from 3D movements projected through virtual cameras (stage `lift-keypoints`; after Pavllo et al.,
CVPR 2019, arXiv 1811.11742). Its output has the layout of the body features of 3D motion, so the keypoint tower starts
as a copy of the motion tower, and the language model's knowledge of 3D motion transfers to keypoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.model.motion_vqvae.modeling_motion_vqvae import MotionEncoder, ResidualBlock, zero
from vimonet.motion.features.body_features import BODY_DIM, BODY_JOINTS
from vimonet.motion.motion import FPS

_DILATIONS = (1, 3, 9, 27, 1)
_J = len(BODY_JOINTS)
FACING, ROOT = 2, 5
POSE = FACING + ROOT + 3 * _J + 3 * _J
"""Channels of a lifted pose: sine and cosine of the facing (0: toward the camera); pelvis height (m), its velocity up,
forward and to the left (m/s), turning rate (rad/s); joints relative to the pelvis in the facing (m); their velocities
(m/s)."""
JOINTS = slice(FACING + ROOT, FACING + ROOT + 3 * _J)
"""Channels of the joints in a lifted pose."""


class Lifter(nn.Module):
    """Estimate the 3D pose of every frame from normalised keypoint features [.., input_dim], by `width` channels."""

    def __init__(self, input_dim: int, width: int) -> None:
        super().__init__()
        self.input = nn.Conv1d(input_dim, width, 3, padding=1)
        self.blocks = nn.ModuleList([ResidualBlock(width, dilation, "gelu") for dilation in _DILATIONS])
        self.output = nn.Conv1d(width, POSE, 1)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Map features [B, D, T] to poses [B, POSE, T], zero where ``valid`` [B, 1, T] is False.

        The norm of (sine, cosine) is below 1 where the facing is uncertain.
        """
        hidden = zero(self.input(zero(x, valid)), valid)
        for block in self.blocks:
            hidden = block(hidden, valid)
        return zero(self.output(hidden), valid)

    def of_rows(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map features [B, T, D] with a mask bool [B, T] to poses [B, T, POSE]."""
        return self(values.transpose(1, 2), None if mask is None else mask[:, None]).transpose(1, 2)


def body_of(pose: Tensor, seen: Tensor) -> Tensor:
    """Convert lifted poses to unnormalised body features (`vimonet.motion.features.body_features`).

    Path and turn since the first frame are integrated here, beyond the receptive field of the network.

    Args:
        pose: [B, POSE, T].
        seen: visibility of pelvis and joints, 0 or 1, [B, 15, T].

    Returns:
        [B, BODY_DIM, T].
    """
    facing, root, joints, velocities = pose.split((FACING, ROOT, 3 * _J, 3 * _J), dim=1)
    angle = torch.atan2(facing[:, 0], facing[:, 1])
    step = angle.diff(dim=-1)
    turned = nn.functional.pad(torch.atan2(step.sin(), step.cos()).cumsum(-1), (1, 0))
    sine, cosine = turned.sin(), turned.cos()
    forward, left = root[:, 2], root[:, 3]
    path = torch.stack([forward * cosine - left * sine, forward * sine + left * cosine], dim=1)
    path = (path.cumsum(-1) - path[..., :1]) / FPS
    time = (torch.arange(pose.shape[-1], device=pose.device) / (10 * FPS)).expand_as(turned)
    since = torch.stack([sine, cosine, turned / torch.pi, time.to(pose.dtype)], dim=1)
    visible = seen[:, 1:].repeat_interleave(3, 1)
    moving = visible * torch.cat([visible[..., :1], visible[..., :-1]], dim=-1)  # a velocity needs two visible frames
    return torch.cat([root, path, since, joints * visible, velocities * moving, seen], dim=1)


class KeypointEncoder(MotionEncoder):
    """Encode 2D keypoints by lifting them to body features.

    An embedding of the keypoints is added to the embedding of the lifted features, since the lifted pose loses their
    place in the image. The lifter is trained in stage `lift-keypoints` alone and has no gradient here.
    """

    body_mean: Tensor
    body_std: Tensor

    def __init__(self, config: MotionVQVAEConfig) -> None:
        super().__init__(config)
        self.input = nn.Conv1d(BODY_DIM, config.width, 3, padding=1)
        self.keypoints = nn.Conv1d(config.input_dim, config.width, 3, padding=1, bias=False)
        self.lifter = Lifter(config.input_dim, config.lift_width)
        self.register_buffer("body_mean", torch.zeros(BODY_DIM))
        self.register_buffer("body_std", torch.ones(BODY_DIM))

    def embed(self, x: Tensor, valid: Tensor | None) -> Tensor:
        """Embed normalised keypoint features ``x`` [B, input_dim, T]: [B, width, T]."""
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            pose = self.lifter(x.to(self.lifter.input.weight.dtype), valid).float()
            body = body_of(pose, x[:, -1 - _J :].float())  # flags are never normalised
            body = (body - self.body_mean.float()[:, None]) / self.body_std.float()[:, None]
        return self.input(zero(body, valid).to(x.dtype)) + self.keypoints(x)


def keypoint_encoder(config: MotionVQVAEConfig) -> MotionEncoder:
    """Build the keypoint tower of a config, with a lifter if ``lift_width`` is above 0."""
    return KeypointEncoder(config) if config.lift_width else MotionEncoder(config)
