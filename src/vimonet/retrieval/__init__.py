"""Search a folder of recordings by a sentence: encode windows of every recording, rank them by cosine similarity.

    from vimonet.retrieval import Index
    index = Index.build("mocap/", "mocap.index")
    for hit in index.search("someone waves with the left hand", k=5):
        print(hit.path, hit.start, hit.end, hit.score)

An index is one Parquet file with a row per recording, without copies of recordings. A build writes it atomically every
half minute. A build after an interruption, or after changes in the folder, encodes only new and changed files.
"""

from __future__ import annotations

from vimonet.retrieval.index import WINDOWS, Hit, Index

__all__ = ["WINDOWS", "Hit", "Index"]
