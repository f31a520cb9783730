"""How much memory an update takes on a CPU, how much there is, and what of it goes through the network at once."""
from __future__ import annotations

import resource
from pathlib import Path

from .config import Config, ModelConfig, UserError

SHARE = 0.7      # of the free memory that is used: others need some, and the estimate is one
ENOUGH = 1 << 15  # samples at once, beyond which a CPU gets no faster
SHORTEST = 512   # samples per crop, below which nothing is learned that one wants to hear


def per_sample(m: ModelConfig) -> float:
    """Bytes that forward and backward keep per sample of a crop. Measured 59.6 kB for piano, 4,096 samples."""
    each, stride = 4.0 * m.vocab_size, 1
    for tier, count in enumerate(m.layers):
        inner = tier == len(m.layers) - 1
        width = m.width(tier)
        blocks = count if inner else 2 * count
        each += blocks * (4 * width + 11 * m.expand * width + 4 * m.d_state) / stride
        stride *= 1 if inner else m.pool[tier]
    return 4 * each


def fixed(m: ModelConfig) -> float:
    """Bytes beside: gradients and AdamW's two averages; the arrays of a block of the scan; matrices of S4D's chunks."""
    chunks = max([m.expand * m.width(tier) for tier, mixer in enumerate(m.mixer) if mixer == "s4d"], default=0)
    return 12.0 * m.least_parameters() + (32 << 20) + 12 * chunks * 128 * 128


def _number(path: str) -> float:
    try:
        return float(Path(path).read_text())
    except (OSError, ValueError):  # none, or "max"
        return float("inf")


def free() -> float:
    """Bytes that this process may still take: of the machine, of its group (cgroup v2), under ulimit -v."""
    found = [_number("/sys/fs/cgroup/memory.max") - _number("/sys/fs/cgroup/memory.current")]
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(float(lines["MemAvailable"].split()[0]) * 1024)
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            found.append(limit - int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize())
    except (OSError, KeyError, ValueError):
        pass
    return max(0.0, min(x for x in found if x == x))  # inf - inf is no number


def size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def fit(config: Config, count: int, there: float) -> str:
    """Divides an update of each of `count` processes into parts that fit into `there` bytes for all of them: by
    train.accumulate, which learns the same; and by shorter crops where a single one is too long. Returns what to
    say, or an empty text. Raises UserError where nothing useful fits."""
    m, t = config.model, config.train
    room = SHARE * there / count - fixed(m)
    at_once = t.batch // (t.accumulate * count)
    samples = room / per_sample(m)
    rows = int(min(samples // t.crop, max(1, ENOUGH // t.crop)))
    if rows >= at_once:
        return ""
    need = (fixed(m) + at_once * t.crop * per_sample(m)) * count
    each = t.batch // count
    parts = next(n for n in range(t.accumulate, each + 1) if each % n == 0 and each // n <= max(1, rows))
    said = (f"an update of {t.batch} crops of {t.crop} samples takes about {size(need)} at once, and "
            f"{size(there)} are free: ")
    same = ", which learns the same"
    if rows < 1:
        crop = int(samples // m.stride * m.stride)
        least = max(SHORTEST, (1 + min(t.foresight_ahead)) * m.stride if t.foresight else 0)
        if crop < least:
            expected = (fixed(m) + least * per_sample(m)) * count / SHARE
            raise UserError(f"too little memory: expected about {size(expected)} for this model, found "
                            f"{size(there)} free")
        said += f"crops have {crop} samples instead of {t.crop}, "
        t.crop, same = crop, ""
    t.accumulate = parts
    now = (fixed(m) + each // parts * t.crop * per_sample(m)) * count
    return said + (f"the network takes {each // parts} at once, {parts} parts per update (about {size(now)}){same}")


def ran_out(e: Exception) -> bool:
    # PyTorch has its own exception class since 1.13, for GPUs alone; the CPU's allocator only has a message.
    return isinstance(e, MemoryError) or any(w in str(e).lower() for w in ("out of memory", "allocate memory"))


def less_at_once(m, t) -> str:
    at_once = t.batch // t.accumulate
    if at_once > 1:
        parts = next(n for n in range(2, at_once + 1) if at_once % n == 0 and (n >= 4 or n == at_once))
        return (f"--set train.accumulate={t.accumulate * parts} takes {at_once // parts} at once and learns the same; a "
                "smaller train.batch or train.crop learns from less")
    return f"--set train.crop={max(m.stride, t.crop // 2 // m.stride * m.stride)} takes shorter ones"
