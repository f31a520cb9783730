"""Checkpoints with everything that an exact resume needs. Written under a temporary name and renamed, so that a
crash leaves the previous one; read as tensors and plain values, so that a stranger's runs no code here."""
from __future__ import annotations

import os
from pathlib import Path

import torch

from . import plain_pickle
from .config import UserError

FORMAT = "mambo-train-1"
# What readers rely on, and its kinds. last.pt has more (Trainer.resume), best.pt only these.
HELD = dict(config=dict, ema=dict, step=int, seconds=(int, float), samples=int, best=(int, float), held_out=list, key=str,
            audio=list, torch=str)


def save(path: Path, **state) -> None:
    """Blocking, for seconds at most. The file is complete or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    with open(aside, "wb") as f:
        torch.save({"format": FORMAT, **state}, f)
        f.flush()
        os.fsync(f.fileno())  # or a power cut could leave the new name on an empty file
    os.replace(aside, path)


def take(net: torch.nn.Module, weights: dict, path: Path) -> None:
    """Into the network of the checkpoint's own configuration."""
    try:
        net.load_state_dict(weights)
    except RuntimeError as e:  # lines of what is missing and what is too much
        raise UserError(f"{path}: expected the weights of its configuration, found others: {' '.join(str(e).split())[:200]}") \
            from None


def load(path: Path) -> dict:
    try:
        data = plain_pickle.read(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint") from None
    except OSError as e:
        raise UserError(f"{path}: {e.strerror or e}") from None
    except plain_pickle.Unplain as e:
        raise UserError(f"{path}: expected a checkpoint of train.fit, tensors and plain values, found {e}") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise UserError(f"{path}: expected a checkpoint of train.fit ({FORMAT}), found something else")
    for key, kind in HELD.items():
        if not isinstance(data.get(key), kind):
            raise UserError(f"{path}: expected a checkpoint of train.fit, found one without a sound {key}")
    if not all(isinstance(t, torch.Tensor) for t in data["ema"].values()) or len(data["held_out"]) != 2:
        raise UserError(f"{path}: expected a checkpoint of train.fit, found one without weights")
    return data
