"""Batches ahead of the network."""
from __future__ import annotations

import queue
import threading

import torch

from .data import Crops


class Feeder:
    """Reads the next batches from disk while the GPU works on the present one. A thread of its own; batches are
    numbered, so what arrives does not depend on when."""

    def __init__(self, crops: Crops, first: int, accumulate: int, rank: int, count: int, pinned: bool, ahead=4):
        self.queue: queue.Queue = queue.Queue(ahead)
        self.stopped = threading.Event()

        def work():
            step = first
            while not self.stopped.is_set():
                for i in range(accumulate):
                    t = torch.from_numpy(crops.batch(step, rank * accumulate + i, count))
                    t = t.pin_memory() if pinned else t
                    while not self.stopped.is_set():
                        try:
                            self.queue.put(t, timeout=0.2)
                            break
                        except queue.Full:
                            pass
                step += 1

        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()

    def next(self):
        return self.queue.get(timeout=600)

    def stop(self):
        self.stopped.set()
        self.thread.join()
