"""A second loss that trains the innermost tier to classify what is sounding.

Which word this is, and whose voice, determines everything that follows; yet at each sample it is worth next to nothing, so
that a network learns to make speech long before it keeps to a word. Where the names of the files hold it
(`seven-slt-03.wav`, or a folder for each word), a head predicts from the innermost tier, at each of its steps, the
class of the file heard last. The head belongs to the trainer and is not part of the model.
"""
from __future__ import annotations

import re

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .config import UserError

NONE = -1  # of codes that belong to no file


def part_of(name: str, part: int) -> str:
    """Part 0: the folder that the file lies in; 1, 2, ...: parts of its name, between hyphens. Which of several --audio
    it is in, "1:" before its name, is no part of it."""
    folder, _, file = re.sub(r"^\d+:", "", name).rpartition("/")
    if part == 0:
        return folder.rsplit("/", 1)[-1]
    parts = file.rsplit(".", 1)[0].split("-")
    if part > len(parts):
        raise UserError(f"train.labels: expected {part} parts between hyphens in each file's name, found {len(parts)} "
                        f"in {name}")
    return parts[part - 1]


def classes(names: list[str], parts: list[int]) -> tuple[np.ndarray, list[list[str]]]:
    """(int64 [files, parts], the class of each file; the names of each part's classes, in order)."""
    table, known = np.empty((len(names), len(parts)), np.int64), []
    for i, part in enumerate(parts):
        each = [part_of(name, part) for name in names]
        known.append(sorted(set(each)))
        if len(known[-1]) < 2:
            what = "folder" if part == 0 else f"part {part} of the files' names"
            raise UserError(f"train.labels: expected two classes or more, found one: the {what} is always {each[0]!r}")
        if len(known[-1]) == len(names):
            raise UserError(f"train.labels: expected classes of several files, found one for each of {len(names)} files: "
                            + ("each lies in a folder of its own" if part == 0 else f"part {part} of each name is another"))
        table[:, i] = np.searchsorted(known[-1], each)
    return table, known


class Labels(nn.Module):
    def __init__(self, width: int, counts: list[int]):
        super().__init__()
        self.counts = counts
        self.head = nn.Linear(width, sum(counts))

    def forward(self, center, wanted):
        """center [B, L/stride, width], wanted [B, L/stride, parts], NONE where there is no label -> nats summed
        over the parts, per step; steps without a label count as zero, so that parts of a batch add up to the whole."""
        guesses = self.head(center).float().flatten(0, 1).split(self.counts, 1)
        each = [F.cross_entropy(g, w, ignore_index=NONE, reduction="sum")
                for g, w in zip(guesses, wanted.flatten(0, 1).unbind(1))]
        return torch.stack(each).sum() / (wanted.shape[0] * wanted.shape[1])
