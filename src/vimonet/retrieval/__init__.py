"""Search a folder of recordings by a sentence: windows of every recording as vectors, ranked by cosine.

    from vimonet.retrieval import Index
    index = Index.build("mocap/", "mocap.index")
    for hit in index.search("someone waves with the left hand", k=5):
        print(hit.path, hit.start, hit.end, hit.score)

An index is one Parquet file with a row per recording; no recording is copied into it. It is written whole or not at
all, while it is built every half a minute: a run that was interrupted, and a run after the folder has changed, are the
same thing, namely work for the files that are new or different.
"""

from __future__ import annotations

from vimonet.retrieval.index import WINDOWS, Hit, Index

__all__ = ["WINDOWS", "Hit", "Index"]
