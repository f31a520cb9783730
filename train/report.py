"""What a run reports: a progress line, metrics as JSON lines, TensorBoard where it is installed."""
from __future__ import annotations

import json
import sys
import time
from pathlib import Path

try:
    from torch.utils.tensorboard import SummaryWriter
except Exception:  # not installed, or without its dependencies
    SummaryWriter = None


def clock(seconds: float) -> str:
    s = max(0, int(seconds + 0.5))
    return f"{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d}"


def rate(samples_per_second: float) -> str:
    if samples_per_second >= 1e6:
        return f"{samples_per_second / 1e6:.2f} M samples/s"
    return f"{samples_per_second / 1e3:.1f} k samples/s"


class Report:
    """Thread: the trainer's, on the first rank only. Lines are appended whole and flushed, so an interrupted run
    leaves valid JSON lines."""

    def __init__(self, run: Path, quiet: bool = False):
        run.mkdir(parents=True, exist_ok=True)
        self.metrics = open(run / "metrics.jsonl", "a")
        self.board = SummaryWriter(str(run / "tensorboard")) if SummaryWriter is not None else None
        self.terminal = sys.stderr.isatty()
        self.quiet = quiet
        self.wide = 0

    def line(self, text: str, last: bool = False) -> None:
        """The progress line: rewritten in place in a terminal, a new line in a log."""
        if self.quiet:
            return
        if self.terminal:
            print("\r" + text.ljust(self.wide), end="\n" if last else "", file=sys.stderr, flush=True)
            self.wide = 0 if last else len(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        if self.terminal and self.wide:
            print(file=sys.stderr)
            self.wide = 0
        print(text, file=sys.stderr, flush=True)

    def record(self, step: int, **values) -> None:
        self.metrics.write(json.dumps({"step": step, "time": round(time.time(), 3), **values}) + "\n")
        self.metrics.flush()
        if self.board is not None:
            for key, value in values.items():
                if isinstance(value, (int, float)):
                    self.board.add_scalar(key, value, step)

    def close(self) -> None:
        self.metrics.close()
        if self.board is not None:
            self.board.close()
