"""Measure R-precision and MM-Dist of a dataset's captions with their motions, and of random pairs as a control.

    python benchmarks/retrieval.py --dataset data/vimos-open --split test [--evaluator DIR] [--words people] [--json]

``--words people`` uses captions by people, ``actions`` a sentence with the labelled action of each clip. Pools of 32,
intervals over recordings: see vimonet/retrieval/r_precision.py.
"""

from __future__ import annotations

import argparse
import json
import sys

from vimonet.retrieval.r_precision import retrieval
from vimonet.retrieval.text_motion_encoder import TextMotionEncoder
from vimonet.utils.errors import InputError
from vimonet.vimos.action_labels import third_person
from vimonet.vimos.reading import read_records


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="data/vimos-open", help="folder of a VIMOS dataset (default: %(default)s)")
    parser.add_argument("--split", default="test", help="default: %(default)s")
    parser.add_argument("--evaluator", metavar="DIR", help="default: the shipped one")
    parser.add_argument("--words", choices=("people", "actions"), default="people", help="default: %(default)s")
    parser.add_argument("--source", help="only this corpus")
    parser.add_argument("--seed", type=int, default=0, help="of the pools (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    motions, texts, recordings = [], [], []
    try:
        for record in read_records(options.dataset, options.split):
            if record.motion is None or options.source not in (None, record.source):
                continue
            said = [c.text for c in record.captions if c.generator == "people"]
            if options.words == "actions":
                said = [f"a person {third_person(record.actions[0].action)}"] if len(record.actions) == 1 else []
            motions += [record.motion] * len(said)
            texts += said
            recordings += [record.recording] * len(said)
        found = retrieval(
            TextMotionEncoder.load(options.evaluator), motions, texts, recordings, seed=options.seed
        ).to_dict()
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(found))
        return 0
    clips = len({id(motion) for motion in motions})
    print(f"{found['n']} descriptions of {clips} clips from {found['recordings']} recordings, pools of {found['pool']}")
    for name in ("r_precision@1", "r_precision@2", "r_precision@3", "mm_dist"):
        own, random = found[name], found[f"random_{name}"]
        print(
            f"{name:14} {own['value']:.3f} [{own['low']:.3f}, {own['high']:.3f}]   "
            f"random pairs {random['value']:.3f} [{random['low']:.3f}, {random['high']:.3f}]"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
