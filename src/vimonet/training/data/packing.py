"""Which questions share a row of the batch, and the masks and positions that keep them apart.

A piece is one copy of a clip's tokens (the prefix) with the questions about it (the blocks). Every block sees the
prefix of its piece and itself, never another block or piece, and its positions count on from the prefix: so each block
is, number for number, the question on its own, at a fraction of the cost.

========== =====================================================================================
packing
========== =====================================================================================
questions  a row per clip, its questions behind one copy of its tokens
rows       the same pieces, several of them in a row of at most ``max_tokens`` (first fit,
           longest first)
none       a row per question, padded: what the others are measured against
========== =====================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vimonet.training.data.chat_encoding import Block
from vimonet.training.objective import IGNORE

PACKINGS = ("questions", "rows", "none")


@dataclass(frozen=True)
class Piece:
    """Questions behind one copy of their clips.

    Attributes:
        sample: index of the sample it was made of.
        prefix: token ids of the clips and what stands before them; empty where each block is a whole text.
        blocks: the questions.
    """

    sample: int
    prefix: Sequence[int]
    blocks: Sequence[Block]

    def __len__(self) -> int:
        return len(self.prefix) + sum(len(ids) for ids, _ in self.blocks)


def fill_rows(pieces: Sequence[Piece], packing: str, max_tokens: int) -> list[list[Piece]]:
    """Rows of pieces, none longer than `max_tokens` unless a single piece is.

    Args:
        pieces: those of one sample are neighbours; for ``none`` each holds one question.
        packing: see the module.
        max_tokens: longest row.
    """
    if packing == "none":
        return [[piece] for piece in pieces]
    rows: list[list[Piece]] = []
    if packing == "questions":
        for piece in pieces:
            if rows and rows[-1][0].sample == piece.sample:
                rows[-1].append(piece)
            else:
                rows.append([piece])
        return rows
    # First fit decreasing: never more than 11/9 of the fewest rows possible (Johnson, 1973).
    room: list[int] = []
    for piece in sorted(pieces, key=len, reverse=True):
        place = next((row for row, left in enumerate(room) if left >= len(piece)), None)
        if place is None:
            rows.append([piece])
            room.append(max_tokens - len(piece))
        else:
            rows[place].append(piece)
            room[place] -= len(piece)
    return rows


def write_rows(rows: Sequence[Sequence[Piece]], pad: int) -> dict[str, NDArray[np.int64]]:
    """Pad rows to arrays.

    Returns:
        int64 [B, L]: ``ids``; ``labels`` (`IGNORE` where nothing is learnt); ``positions`` (from 0 in every piece);
        ``blocks`` (0 in a prefix, 1 and on in the questions of a piece, -1 on padding); ``pieces`` (number in the row);
        ``samples`` (-1 on padding).
    """
    length = max(sum(len(piece) for piece in row) for row in rows)
    # Multiples of 8 spare the allocator and the kernels a new shape for every batch.
    length += -length % 8
    shape = (len(rows), length)
    empty = {"ids": pad, "labels": IGNORE, "positions": 0, "blocks": -1, "pieces": 0, "samples": -1}
    arrays = {name: np.full(shape, value, np.int64) for name, value in empty.items()}
    for index, row in enumerate(rows):
        place = 0
        for number, piece in enumerate(row):
            start, prefix = place, len(piece.prefix)
            arrays["ids"][index, place : place + prefix] = piece.prefix
            arrays["positions"][index, place : place + prefix] = np.arange(prefix)
            arrays["blocks"][index, place : place + prefix] = 0
            place += prefix
            for block, (ids, learnt) in enumerate(piece.blocks, start=1):
                here = slice(place, place + len(ids))
                arrays["ids"][index, here] = ids
                arrays["labels"][index, here] = np.where(learnt, ids, IGNORE)
                arrays["positions"][index, here] = np.arange(prefix, prefix + len(ids))
                arrays["blocks"][index, here] = block
                place += len(ids)
            arrays["pieces"][index, start:place] = number
            arrays["samples"][index, start:place] = piece.sample
    return arrays


def block_mask(blocks: torch.Tensor, pieces: torch.Tensor | None = None) -> torch.Tensor:
    """Attention mask of packed rows.

    Position i may look at j when j comes no later, in its own piece, and is in the prefix or in i's own block. Nothing
    looks at padding; what padding looks at is of no account, but it must look at something (itself), because a row of
    the softmax must not be empty.

    Args:
        blocks: [B, L], 0 in a prefix, 1 and on in questions, -1 on padding.
        pieces: [B, L], number of the piece in its row; None for one piece per row.

    Returns:
        [B, 1, L, L] bool, True where one may look.
    """
    length = blocks.shape[1]
    mine, theirs = blocks[:, :, None], blocks[:, None, :]
    allowed = (mine == theirs) | (theirs == 0)
    allowed &= theirs >= 0
    if pieces is not None:
        allowed &= pieces[:, :, None] == pieces[:, None, :]
    allowed &= torch.ones(length, length, dtype=torch.bool).tril()
    allowed |= torch.eye(length, dtype=torch.bool)
    return allowed[:, None]
