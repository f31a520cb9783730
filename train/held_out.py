"""What a run holds out and evaluates: the same crops at each evaluation, shared out among processes."""
from __future__ import annotations

import torch

from .config import TrainConfig
from .data import Crops
from .machines import Machines


def crops_of(corpus, t: TrainConfig, stride: int) -> torch.Tensor:
    """The same crops at each evaluation: uint8 [eval_crops, crop + 1], or none. Of a small folder they are as long as the
    longest file that is held out."""
    if t.held_out <= 0 or not corpus.side(True):
        return torch.empty(0, t.crop + 1, dtype=torch.uint8)
    length = t.crop + 1
    if not t.whole and t.after_end != "again":
        longest = max(p.length for p in corpus.side(True))
        length = min(length, (longest - 1) // stride * stride + 1)
    # Otherwise the random file that follows would be scored, which says nothing about a model.
    after = t.after_end if t.whole or t.after_end == "again" else "stop"
    return torch.from_numpy(Crops(corpus, True, length, 0, t.whole, after).batch(0, 0, t.eval_crops))


def batches_of(crops, t: TrainConfig, machines: Machines, per_part: int) -> list[torch.Tensor]:
    """Evaluates, divided among any number of processes."""
    if not len(crops):
        return []
    # Equal shares, so that the mean of the means is the mean; a remainder wraps around.
    each = -(-t.eval_crops // machines.count)
    mine = crops[(torch.arange(each) * machines.count + machines.rank) % t.eval_crops]
    size = max(s for s in range(1, min(per_part, each) + 1) if each % s == 0)
    return list(mine.split(size))
