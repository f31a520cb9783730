"""The processes of a run (one, or those that torchrun started), the device, and requests to stop."""
from __future__ import annotations

import contextlib
import datetime
import os
import signal
import time
from pathlib import Path

import torch
import torch.distributed as dist

from .config import UserError


def processors() -> int:
    """Those that this process may use, by its affinity and its group's quota; 1 or more."""
    count = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # another system, or "max"
        pass
    return count


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
        if not cuda and "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(processors())
        if self.count > 1:
            # Long, because the others wait while the first process of each machine encodes many hours of audio.
            dist.init_process_group("nccl" if cuda else "gloo", timeout=datetime.timedelta(hours=12))

    @property
    def first(self) -> bool:
        return self.rank == 0

    @property
    def first_here(self) -> bool:
        """The first process of this machine: it prepares what all of them read."""
        return int(os.environ.get("LOCAL_RANK", "0")) == 0

    def together(self, error: str | None) -> None:
        """Waits for all processes; an error in one stops all of them with an error."""
        if self.count > 1:
            if self.any(error is not None) and error is None:
                raise UserError("another process could not go on")
        if error is not None:
            raise UserError(error)

    def from_first(self, value):
        """Returns the value of the first process."""
        if self.count == 1:
            return value
        box = [value if self.first else None]
        dist.broadcast_object_list(box)
        return box[0]

    def mean(self, *values: float) -> list[float]:
        if self.count == 1:
            return list(values)
        t = torch.tensor(values, device=self.device, dtype=torch.float64)
        dist.all_reduce(t)
        return (t / self.count).tolist()

    def mean_of(self, tensors: list[torch.Tensor]) -> None:
        """Replaces each tensor by its mean over the processes: one all-reduce of all of them, in float32."""
        if self.count == 1:
            return
        flat = torch.cat([t.reshape(-1).float() for t in tensors])
        dist.all_reduce(flat)
        flat /= self.count
        for t, share in zip(tensors, flat.split([t.numel() for t in tensors])):
            t.copy_(share.view_as(t))

    def any(self, flag: bool) -> bool:
        return self.mean(float(flag))[0] > 0


class Asked(Exception):
    """A stop was requested within Stop.at_once()."""


class Stop:
    """Ctrl-C and SIGTERM request a stop; a second Ctrl-C forces it. One within a second of the first counts as the same:
    torchrun forwards what the terminal has sent already."""

    def __init__(self):
        self.asked, self.since, self.open = False, 0.0, False
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number, frame):
        if self.asked and number == signal.SIGINT and time.monotonic() - self.since > 1:
            raise KeyboardInterrupt
        if not self.asked:
            self.asked, self.since = True, time.monotonic()
            if self.open:
                raise Asked

    @contextlib.contextmanager
    def at_once(self):
        """For work whose result is needed whole or not at all: a request that comes within ends it with Asked."""
        if self.asked:
            raise Asked
        self.open = True
        try:
            yield
        finally:
            self.open = False
