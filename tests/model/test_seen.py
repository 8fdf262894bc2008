"""What is seen, as text: names in order, at most five above the floor, over the whole span of a film."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_video import tiny_backbone, tiny_video

from vimonet.model import load_video_tower
from vimonet.model.seen import NOTHING, class_names, seen, seen_text
from vimonet.motion.kinematics.categories import SEEN
from vimonet.utils.errors import InputError
from vimonet.weights import PARTS, part_folder

NAMES = ["crane, bird", "Racket, racquet", "crane", "ball", "lamp", "rug", "sofa, couch"]


def classifier(logits):
    """A classifier that gives every frame the same logits."""
    model = tiny_backbone("efficientnet_lite")
    model.config.id2label = dict(enumerate(NAMES))
    torch.nn.init.zeros_(model.fc.weight)
    model.fc.bias.data = torch.tensor(logits).log()
    return model


def test_names_stand_in_order_with_their_probability():
    model = classifier([0.2, 0.5, 0.1, 0.1, 0.06, 0.03, 0.01])
    assert seen_text(tiny_video(20), model) == "seen: racket .50, crane .30, ball .10, lamp .06"
    assert sum(seen(tiny_video(3), model).values()) == pytest.approx(1.0)


def test_at_most_five_are_named():
    model = classifier([0.16, 0.15, 0.14, 0.15, 0.14, 0.13, 0.13])
    model.config.id2label = dict(enumerate("abcdefg"))
    assert seen_text(tiny_video(8), model).count(",") == 4


def test_nothing_likely_is_said_to_be_nothing():
    model = tiny_backbone("efficientnet_lite")
    many = 40
    model.fc, model.config.id2label = torch.nn.Linear(32, many), {index: f"n{index}" for index in range(many)}
    torch.nn.init.zeros_(model.fc.weight)
    torch.nn.init.zeros_(model.fc.bias)
    assert 1 / many < SEEN.no and seen_text(tiny_video(8), model) == NOTHING


def test_frames_span_the_whole_film():
    """A class that shows in the second half only has half of the probability."""
    model = classifier([1.0] * 7)
    model.fc.weight.data[3] = 1000.0  # of what is bright
    torch.nn.init.zeros_(model.fc.bias)
    model.forward, real = None, model.forward  # type: ignore[method-assign]
    read = []

    def counted(values):
        read.append(len(values))
        out = real(values)
        out.logits = torch.where(values.mean((1, 2, 3))[:, None] > 0, torch.eye(7)[3] * 100, torch.eye(7)[5] * 100)
        return out

    model.forward = counted  # type: ignore[method-assign]
    film = np.concatenate([np.zeros((50, 24, 24, 3), np.uint8), np.full((50, 24, 24, 3), 255, np.uint8)])
    assert seen_text(film, model) in ("seen: ball .50, rug .50", "seen: rug .50, ball .50")
    assert read == [8]


def test_classes_without_names_and_no_video_are_input_errors():
    with pytest.raises(InputError, match="vimonet fetch mini"):
        class_names(tiny_backbone("efficientnet_lite"))
    with pytest.raises(InputError, match="expected frames"):
        seen_text(np.zeros((8, 24, 24)), classifier([1.0] * 7))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.skipif(not part_folder(PARTS[1]).is_dir(), reason="vimonet fetch mini was not run")
def test_the_fetched_classifier_knows_real_things(shared, dtype):
    """ImageNet's classes on real film: the paddings, scales and class order are those of its training."""
    from vimonet.video import read

    model = load_video_tower(PARTS[1]).to(dtype)
    wanted = {"aa_hitting_baseball": "ballplayer", "mmpose_demo": "streetcar", "sam2_bedroom": "studio couch"}
    for clip, name in wanted.items():
        found = seen(read(shared / "video" / "clips" / f"{clip}.mp4", 8), model)
        assert max(found, key=found.__getitem__) == name and found[name] > 0.25
