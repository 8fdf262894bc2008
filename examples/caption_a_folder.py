"""Caption every recording of a folder; name what cannot be read and go on.

python examples/caption_a_folder.py FOLDER
"""

import sys

import vimonet
from vimonet.motion.io.loading import find_recordings
from vimonet.utils.errors import InputError

model = vimonet.load()
failed = 0
for name in find_recordings(sys.argv[1:]):
    try:
        answer = model.caption(name)
    except InputError as error:
        failed += 1
        print(f"skipped: {error}", file=sys.stderr)
        continue
    print(f"{name}\t{answer.text}\t{answer.confidence:.2f}")
sys.exit(2 if failed else 0)
