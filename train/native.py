"""Weights to start a run with: another run's checkpoint, or a model file that the engines play."""
from __future__ import annotations

import json
from pathlib import Path

import torch

from . import checkpoint, config as configs, tensors
from .config import ModelConfig, UserError
from .model import Network

KEPT = ("name", "updates", "training_minutes", "samples_heard", "crop", "batch", "started_from")  # of `about`


def _from_model(path: Path) -> tuple[ModelConfig, dict[str, torch.Tensor], dict]:
    try:
        state, metadata = tensors.read(path)
        native = json.loads(metadata["mambo.config"])
        about = native.pop("about", {})
        if native.pop("format") != "mambo-1":
            raise KeyError("format")
    except FileNotFoundError:
        raise UserError(f"{path}: no such model file") from None
    except OSError as e:
        raise UserError(f"{path}: {e.strerror or e}") from None
    except (KeyError, TypeError, json.JSONDecodeError, AttributeError):
        raise UserError(f"{path}: expected a model of the format mambo-1, found a file without its mambo.config") \
            from None
    except ValueError as e:
        raise UserError(str(e)) from None
    return configs.parse({"model": native}, str(path)).model, state, {"name": native.get("name", ""), **about}


def read(path: Path) -> tuple[ModelConfig, dict[str, torch.Tensor], dict]:
    """(the model's description, its averaged weights in float32, their origin for `about.started_from`).
    PATH is a checkpoint of train.fit (its EMA) or a model file (.safetensors). Raises UserError."""
    if path.suffix == ".safetensors":
        model, state, about = _from_model(path)
        model.expect_weights(state, str(path))
        whole = Network(model).state_dict()
        state.setdefault("head.bias", torch.zeros_like(whole["head.bias"]))  # converted models have none
        for name, t in whole.items():
            found = state.get(name)
            if found is None or found.shape != t.shape:
                raise UserError(f"{path}: {name}: expected a tensor {list(t.shape)}, found "
                                + ("none" if found is None else str(list(found.shape))))
        return model, {n: state[n].float() for n in whole}, {k: about[k] for k in KEPT if k in about}
    saved = checkpoint.load(path)
    config = configs.parse(saved["config"], str(path))
    origin = dict(name=config.model.name, updates=saved["step"], training_minutes=round(saved["seconds"] / 60, 1),
                  samples_heard=saved["samples"], crop=config.train.crop, batch=config.train.batch)
    if "started_from" in config.about:
        origin["started_from"] = config.about["started_from"]
    return config.model, saved["ema"], origin
