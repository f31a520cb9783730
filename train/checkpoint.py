"""Checkpoints with everything that an exact resume needs. Written under a temporary name and renamed, so that a
crash leaves the previous one."""
from __future__ import annotations

import os
import re
from pathlib import Path

import torch

from .config import UserError

FORMAT = "mambo-train-1"


def save(path: Path, **state) -> None:
    """Blocking, for seconds at most. The file is complete or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    with open(aside, "wb") as f:
        torch.save({"format": FORMAT, **state}, f)
        f.flush()
        os.fsync(f.fileno())  # or a power cut could leave the new name on an empty file
    os.replace(aside, path)


def load(path: Path) -> dict:
    try:
        # Before 2.0, weights_only does not know plain numbers.
        safe = {} if torch.__version__.startswith("1.") else {"weights_only": True}
        data = torch.load(path, map_location="cpu", **safe)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint") from None
    except Exception as e:  # torch.load raises many kinds, some of them of many lines and in colours
        why = " ".join(re.sub(r"\x1b\[\d*m", "", str(e)).split())[:200] or type(e).__name__
        raise UserError(f"{path}: expected a checkpoint of train.fit, found a file that PyTorch cannot read "
                        f"({why})") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise UserError(f"{path}: expected a checkpoint of train.fit ({FORMAT}), found something else")
    return data
