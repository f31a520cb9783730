"""The process and its fellows: one alone or those that torchrun started, the device, and being asked to stop."""
from __future__ import annotations

import os
import signal

import torch
import torch.distributed as dist

from .config import UserError


class Machines:
    """One process, or one of those that torchrun started."""

    def __init__(self, wanted: str):
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if wanted == "cuda" and not torch.cuda.is_available():
            raise UserError("--device cuda: no GPU that PyTorch can use was found")
        cuda = torch.cuda.is_available() and wanted != "cpu"
        if cuda:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        self.device = torch.device("cuda" if cuda else "cpu")
        if self.count > 1:
            dist.init_process_group("nccl" if cuda else "gloo")

    @property
    def first(self) -> bool:
        return self.rank == 0

    def mean(self, *values: float) -> list[float]:
        if self.count == 1:
            return list(values)
        t = torch.tensor(values, device=self.device, dtype=torch.float64)
        dist.all_reduce(t)
        return (t / self.count).tolist()

    def any(self, flag: bool) -> bool:
        return self.mean(float(flag))[0] > 0

    def wait(self) -> None:
        if self.count > 1:
            dist.barrier()


class Stop:
    """Ctrl-C and SIGTERM ask; a second Ctrl-C insists."""

    def __init__(self):
        self.asked = False
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number, frame):
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
