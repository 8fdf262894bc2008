"""2D keypoints read as the 3D movement they look like: a lifter, then an encoder of body features.

A camera does not say which way a body turns or how far a foot goes forward; shoulders, knees and the clip around a
frame mostly do. A small network of convolutions over time learns it from 3D movements filmed by virtual cameras (stage
`lift`; 2D-to-3D lifting after Pavllo et al., CVPR 2019, arXiv 1811.11742). What it says is laid out as the body
features of 3D motion: so the keypoint tower begins as a copy of the motion tower, and what the language model has
learnt of 3D motion holds for keypoints too.
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
"""What is lifted of a frame: sine and cosine of the facing (0: toward the camera); pelvis height (m), its velocity up,
forward and to the left (m/s), turning rate (rad/s); joints from the pelvis in the facing (m); their velocities
(m/s)."""
JOINTS = slice(FACING + ROOT, FACING + ROOT + 3 * _J)
"""Where the joints stand among these."""


class Lifter(nn.Module):
    """Normalised keypoint features of every frame to what they look like in depth.

    Args:
        input_dim: of the keypoint features.
        width: channels of the convolutions.
    """

    def __init__(self, input_dim: int, width: int) -> None:
        super().__init__()
        self.input = nn.Conv1d(input_dim, width, 3, padding=1)
        self.blocks = nn.ModuleList([ResidualBlock(width, dilation, "gelu") for dilation in _DILATIONS])
        self.output = nn.Conv1d(width, POSE, 1)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """[B, D, T] and bool [B, 1, T] (True on real frames) to [B, POSE, T], zero on padding.

        The length of (sine, cosine) is below 1 where the facing is uncertain.
        """
        hidden = zero(self.input(zero(x, valid)), valid)
        for block in self.blocks:
            hidden = block(hidden, valid)
        return zero(self.output(hidden), valid)

    def of_rows(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """The same of features [B, T, D] and a mask bool [B, T]: [B, T, POSE]."""
        return self(values.transpose(1, 2), None if mask is None else mask[:, None]).transpose(1, 2)


def body_of(pose: Tensor, seen: Tensor) -> Tensor:
    """Lifted poses as body features (`vimonet.motion.features.body_features`), not normalised.

    Path and turn since the first frame are added up here: a network that looks at a few seconds cannot.

    Args:
        pose: [B, POSE, T].
        seen: [B, 15, T], 1 where pelvis and joints were seen.

    Returns:
        [B, BODY_DIM, T].
    """
    facing, root, joints, velocities = pose.split((FACING, ROOT, 3 * _J, 3 * _J), dim=1)
    angle = torch.atan2(facing[:, 0], facing[:, 1])
    step = angle.diff(dim=-1)
    turned = nn.functional.pad(torch.atan2(step.sin(), step.cos()).cumsum(-1), (1, 0))
    sine, cosine = turned.sin(), turned.cos()
    ahead, aside = root[:, 2], root[:, 3]
    path = torch.stack([ahead * cosine - aside * sine, ahead * sine + aside * cosine], dim=1)
    path = (path.cumsum(-1) - path[..., :1]) / FPS
    time = (torch.arange(pose.shape[-1], device=pose.device) / (10 * FPS)).expand_as(turned)
    since = torch.stack([sine, cosine, turned / torch.pi, time.to(pose.dtype)], dim=1)
    there = seen[:, 1:].repeat_interleave(3, 1)
    moving = there * torch.cat([there[..., :1], there[..., :-1]], dim=-1)  # a joint that has just come has no velocity
    return torch.cat([root, path, since, joints * there, velocities * moving, seen], dim=1)


class KeypointEncoder(MotionEncoder):
    """A motion encoder of body features, of 2D keypoints made by a `Lifter`.

    The keypoints themselves are added to what the first blocks read: a camera's picture says things that no pose does.
    The lifter learns in stage `lift` alone; answers do not change it.
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
        """What the first blocks read of normalised keypoint features ``x`` [B, input_dim, T]."""
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            pose = self.lifter(x.to(self.lifter.input.weight.dtype), valid).float()
            body = body_of(pose, x[:, -1 - _J :].float())  # flags are never normalised
            body = (body - self.body_mean.float()[:, None]) / self.body_std.float()[:, None]
        return self.input(zero(body, valid).to(x.dtype)) + self.keypoints(x)


def keypoint_encoder(config: MotionVQVAEConfig) -> MotionEncoder:
    """The tower of 2D keypoints that a config describes: with a lifter where ``lift_width`` is given."""
    return KeypointEncoder(config) if config.lift_width else MotionEncoder(config)
