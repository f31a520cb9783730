"""Prefetches batches."""
from __future__ import annotations

import queue
import threading

import torch

from .data import Crops


class Feeder:
    """Reads the next batches from disk while the GPU works on the current one. A thread of its own; batches are
    numbered, so their content does not depend on timing. next() raises what goes wrong in the thread."""

    def __init__(self, crops: Crops, first: int, accumulate: int, rank: int, count: int, pinned: bool, ahead: int = 4):
        self.crops, self.first, self.accumulate, self.rank = crops, first, accumulate, rank
        self.count, self.pinned = count, pinned
        self.queue: queue.Queue = queue.Queue(ahead)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        step = self.first
        while not self.stopped.is_set():
            for i in range(self.accumulate):
                try:
                    batch = self.crops.batch_and_files(step, self.rank * self.accumulate + i, self.count)
                    batch = tuple(torch.from_numpy(x).pin_memory() if self.pinned else torch.from_numpy(x) for x in batch)
                except Exception as e:  # a disk that went away, memory that ran out
                    self._put(e)
                    return
                self._put(batch)
            step += 1

    def _put(self, item) -> None:
        while not self.stopped.is_set():
            try:
                self.queue.put(item, timeout=0.2)
                return
            except queue.Full:
                pass

    def next(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Crops.batch_and_files(...) as tensors; waits for them."""
        item = self.queue.get()
        if isinstance(item, Exception):
            raise item
        return item

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join()
