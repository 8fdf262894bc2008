"""Run ViTPose (Xu et al. 2022, arXiv 2204.12484) through transformers: joints in a box, with or without a detector.

With a detector (any transformers object detection model whose classes include a person, such as RT-DETR) several
people are found. Without one the box is the whole image at first and then follows the joints of the frame before, which
suffices for one person who fills much of the image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.pose.tracking import Person
from vimonet.utils.errors import InputError, first_line

_AROUND = 1.25  # enlarges the box around the joints, for movement until the next frame


class ViTPose:
    """Run a ViTPose model as a ``PoseEstimator`` (COCO's 17 joints).

    Args:
        model: folder or hub id of a ``VitPoseForPoseEstimation`` with its image processor.
        detector: folder or hub id of an object detection model; None follows one person by the joints.
        threshold: score under which a joint counts as not seen.
        max_people: most boxes per image, those with the highest scores.

    Raises:
        InputError: the model cannot be loaded, or has another number of joints.
    """

    layout = "coco17"

    def __init__(
        self, model: str | Path, detector: str | Path | None = None, threshold: float = 0.3, max_people: int = 3
    ) -> None:
        import torch
        from transformers import AutoImageProcessor, AutoModelForObjectDetection, VitPoseForPoseEstimation

        self._torch = torch
        self.threshold, self.max_people = threshold, max_people
        self.name = f"vitpose {model}, detector {detector}, {max_people} people, over {threshold}"
        self._model: Any = _load(VitPoseForPoseEstimation, model)
        self._processor: Any = _load(AutoImageProcessor, model, use_fast=False)
        joints = self._model.config.num_labels
        if joints != 17:
            raise InputError(f"{model}: estimates {joints} joints; expected the 17 of COCO.")
        self._detector: Any = None if detector is None else _load(AutoModelForObjectDetection, detector)
        self._detector_processor: Any = (
            None if detector is None else _load(AutoImageProcessor, detector, use_fast=False)
        )
        self._box: NDArray[np.float64] | None = None

    def people(self, image: NDArray[np.uint8]) -> list[Person]:
        """See ``PoseEstimator``."""
        height, width = image.shape[:2]
        boxes = self._detect(image) if self._detector is not None else [self._following(width, height)]
        if not boxes:
            return []
        inputs = self._processor(image, boxes=[boxes], return_tensors="pt")
        if getattr(self._model.config.backbone_config, "num_experts", 1) > 1:
            inputs["dataset_index"] = self._torch.zeros(len(boxes), dtype=self._torch.int64)  # ViTPose++: COCO
        with self._torch.inference_mode():
            outputs = self._model(**inputs)
        results = self._processor.post_process_pose_estimation(outputs, boxes=[boxes])[0]
        people = []
        for result in results:
            points = np.asarray(result["keypoints"], dtype=np.float64)
            confidence = np.clip(np.asarray(result["scores"], dtype=np.float64), 0.0, 1.0)
            outside = ((points < 0) | (points >= (width, height))).any(axis=1)
            people.append(Person(points, np.where(outside | (confidence < self.threshold), 0.0, confidence)))
        people = [person for person in people if np.count_nonzero(person.confidence) >= 3]
        self._box = people[0].box if people else None
        return people

    def close(self) -> None:
        """See ``PoseEstimator``."""
        self._model = self._detector = None

    def _following(self, width: int, height: int) -> list[float]:
        """Return left, top, width, height of the box to look into."""
        if self._box is None:
            return [0.0, 0.0, float(width), float(height)]
        middle, half = (self._box[:2] + self._box[2:]) / 2, _AROUND * (self._box[2:] - self._box[:2]) / 2
        half = np.maximum(half, 8.0)
        return [*(middle - half), *(2 * half)]

    def _detect(self, image: NDArray[np.uint8]) -> list[list[float]]:
        inputs = self._detector_processor(images=image, return_tensors="pt")
        with self._torch.inference_mode():
            outputs = self._detector(**inputs)
        sizes = self._torch.tensor([image.shape[:2]])
        found = self._detector_processor.post_process_object_detection(outputs, threshold=0.3, target_sizes=sizes)[0]
        names = self._detector.config.id2label
        rows = [
            (float(score), box.tolist())
            for score, label, box in zip(found["scores"], found["labels"], found["boxes"], strict=True)
            if str(names.get(int(label), "")).lower() == "person"
        ]
        rows.sort(key=lambda row: -row[0])
        return [[x0, y0, x1 - x0, y1 - y0] for _, (x0, y0, x1, y1) in rows[: self.max_people]]


def _load(kind: Any, source: str | Path, **options: Any) -> Any:
    try:
        loaded = kind.from_pretrained(source, **options)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise InputError(f"{source}: no pose model that can be loaded ({first_line(error).rstrip('.')}).") from None
    return loaded.eval() if hasattr(loaded, "eval") else loaded
