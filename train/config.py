"""What a model is (the native file's mambo.config) and how it is trained, read from one JSON file.

{"model": {...}, "train": {...}, "defaults": {...}, "about": {...}}; docs/training.md explains the keys. Unknown
keys are refused by name: a misspelt one would otherwise train for an hour with the default.
"""
from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path


class UserError(Exception):
    """An error that the user can correct: shown as one sentence, without a traceback."""


@dataclass
class ModelConfig:
    name: str = "model"
    sample_rate: int = 16000
    encoding: str = "mulaw8"
    d_model: int = 64
    pool: list[int] = field(default_factory=lambda: [16, 16])
    layers: list[int] = field(default_factory=lambda: [3, 3, 3])
    widen: int = 2
    expand: int = 2
    d_state: int = 16
    d_conv: int = 4
    mixer: list[str] = field(default_factory=list)  # one of s6, s4d per tier; empty: all s6
    norm_eps: float = 1e-5
    vocab_size: int = 256

    def check(self, where: str) -> None:
        if len(self.layers) != len(self.pool) + 1:
            raise UserError(f"{where}: model.layers: expected {len(self.pool) + 1} numbers, one more than pool has, "
                            f"found {len(self.layers)}")
        if not self.mixer:
            self.mixer = ["s6"] * len(self.layers)
        if len(self.mixer) != len(self.layers):
            raise UserError(f"{where}: model.mixer: expected {len(self.layers)} names, one a tier, "
                            f"found {len(self.mixer)}")
        for key in ("pool", "layers"):
            for value in getattr(self, key):
                if type(value) is not int:
                    raise UserError(f"{where}: model.{key}: expected integers, found {value!r}")
        for name in self.mixer:
            if name not in ("s6", "s4d"):
                raise UserError(f"{where}: model.mixer: expected s6 or s4d, found {name!r}")
        if self.encoding not in ("mulaw8", "linear8"):
            raise UserError(f"{where}: model.encoding: expected mulaw8 or linear8, found {self.encoding}")
        if self.vocab_size != 256:
            raise UserError(f"{where}: model.vocab_size: expected 256, found {self.vocab_size}")
        for key in ("sample_rate", "d_model", "widen", "expand", "d_state", "d_conv"):
            if getattr(self, key) < 1:
                raise UserError(f"{where}: model.{key}: expected 1 or more, found {getattr(self, key)}")
        if min(self.pool, default=2) < 2 or min(self.layers) < 0:
            raise UserError(f"{where}: expected pools of 2 or more and layers of 0 or more, "
                            f"found {self.pool} and {self.layers}")

    def width(self, tier: int) -> int:
        return self.d_model * self.widen ** tier

    def least_parameters(self) -> int:
        """Nearly as many as the network has, and never more: its matrices, convolutions and decays."""
        tiers, count = len(self.layers), 0
        for tier, blocks in enumerate(self.layers):
            width = self.width(tier)
            inner = self.expand * width
            count += blocks * (1 if tier == tiers - 1 else 2) * inner * (3 * width + self.d_conv + self.d_state)
        return count + sum(2 * p * self.width(s) * self.width(s + 1) for s, p in enumerate(self.pool))

    def expect_weights(self, weights: dict, where: str) -> None:
        """Before a network is made: that a file of a few bytes does not ask for more than it holds weights for."""
        found, least = sum(t.numel() for t in weights.values()), self.least_parameters()
        if found < least:
            raise UserError(f"{where}: expected {least} weights or more for its configuration, found {found}")

    @property
    def stride(self) -> int:
        """Samples per step of the innermost tier: crops are a multiple of it."""
        product = 1
        for p in self.pool:
            product *= p
        return product

    def native(self) -> dict:
        """mambo.config without `about`."""
        out = dict(format="mambo-1", name=self.name, sample_rate=self.sample_rate, encoding=self.encoding,
                   vocab_size=self.vocab_size, d_model=self.d_model, pool=self.pool, layers=self.layers,
                   widen=self.widen, expand=self.expand, d_state=self.d_state, d_conv=self.d_conv,
                   norm_eps=self.norm_eps)
        if any(m != "s6" for m in self.mixer):
            out["mixer"] = self.mixer
        return out


@dataclass
class TrainConfig:
    crop: int = 16384          # samples per crop
    whole: bool = False        # crops are whole files from their first sample, after one code of silence; a shorter
    #                            file is padded with silence (after_end next: with other whole files), of a longer one
    #                            the beginning is taken
    after_end: str = "stop"    # crops end with their file (stop), or continue with the beginning of another one, so
    #                            that the end is not learned as silence (next), or with their own, for loops (again)
    gap: float = 0.0           # with after_end next: up to so many seconds of silence before each following file
    batch: int = 32            # crops per update, in all (over every GPU and every accumulated part)
    accumulate: int = 1        # parts of the batch that go through the network one after the other
    steps: int = 20000         # updates; `--minutes` replaces them by time
    lr: float = 2e-3
    warmup: int = 500          # updates of linear warm-up; then a cosine to lr_end * lr
    lr_end: float = 0.02
    weight_decay: float = 0.1  # of matrices; never of norms, biases, A, D
    beta2: float = 0.98
    clip: float = 1.0          # largest norm of the gradient
    ema: float = 0.999         # moving average of the weights, which is evaluated and exported
    gain_db: float = 0.0       # augmentation: each crop louder or softer by up to so much
    pitch_semitones: float = 0.0  # augmentation: each crop resampled by up to so much
    input_noise: float = 0.0   # the network's input, not its target, deviates by up to this many codes
    foresight: float = 0.0     # weight of a second loss: the innermost tier predicts the levels of bands
    foresight_ahead: list[int] = field(default_factory=lambda: [1, 4, 16, 64])  # how many of its steps ahead
    labels: list[int] = field(default_factory=list)  # what the innermost tier has to classify: parts of the files' names,
    #                            between hyphens, from 1 on; 0: their folder
    label_weight: float = 0.1  # of that loss
    held_out: float = 0.05     # share of the files, where the folder has no train/ and held-out/
    eval_every: int = 1000     # updates between evaluations on held-out audio
    eval_crops: int = 32       # crops of held-out audio, the same each time
    save_every: float = 120.0  # seconds between checkpoints
    seed: int = 1

    def check(self, where: str, model: ModelConfig) -> None:
        least = dict(batch=1, accumulate=1, steps=1, warmup=0, eval_every=1, eval_crops=1, seed=0, lr=0, lr_end=0,
                     weight_decay=0, beta2=0, clip=1e-12, ema=0, gap=0, gain_db=0, pitch_semitones=0, input_noise=0,
                     foresight=0, label_weight=0, save_every=0)
        for key, value in least.items():
            if not getattr(self, key) >= value:
                raise UserError(f"{where}: train.{key}: expected {value} or more, found {getattr(self, key)}")
        if self.crop < 1 or self.crop % model.stride:
            raise UserError(f"{where}: train.crop: expected a multiple of {model.stride}, the product of pool, "
                            f"found {self.crop}")
        if self.after_end not in ("stop", "next", "again"):
            raise UserError(f"{where}: train.after_end: expected stop, next or again, found {self.after_end}")
        if self.whole and self.after_end == "again":
            raise UserError(f"{where}: train.after_end: expected stop or next with train.whole, found again")
        if self.gap and self.after_end != "next":
            raise UserError(f"{where}: train.gap: expected 0 unless train.after_end is next, found {self.gap}")
        if self.foresight and model.stride == 1:
            raise UserError(f"{where}: train.foresight: expected 0 for a model without pool, found {self.foresight}")
        if not self.foresight_ahead or any(type(k) is not int or k < 1 for k in self.foresight_ahead):
            raise UserError(f"{where}: train.foresight_ahead: expected numbers of steps, 1 or more, "
                            f"found {self.foresight_ahead}")
        if self.foresight and self.crop < (least_crop := (1 + min(self.foresight_ahead)) * model.stride):
            raise UserError(f"{where}: train.crop: expected {least_crop} or more with train.foresight, "
                            f"found {self.crop}")
        if any(type(part) is not int or part < 0 for part in self.labels):
            raise UserError(f"{where}: train.labels: expected numbers, 1 or more for a part of the files' names, 0 for "
                            f"their folder, found {self.labels}")
        if self.batch % self.accumulate:
            raise UserError(f"{where}: train.batch: expected a multiple of accumulate ({self.accumulate}), "
                            f"found {self.batch}")
        if not 0 <= self.held_out < 1:
            raise UserError(f"{where}: train.held_out: expected 0 to 1, found {self.held_out}")


@dataclass
class Config:
    model: ModelConfig
    train: TrainConfig
    defaults: dict = field(default_factory=dict)  # sampling settings that sound best: about.defaults
    about: dict = field(default_factory=dict)     # provenance, copied into the native file
    ranges: dict = field(default_factory=dict)    # between which sampling settings are useful: about.ranges

    def as_json(self) -> dict:
        return dataclasses.asdict(self)


def _fill(cls, values, where: str):
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected an object, found {type(values).__name__}")
    known = {f.name: f for f in dataclasses.fields(cls)}
    for key, value in values.items():
        if key not in known:
            raise UserError(f"{where}: unknown key {key}; expected one of {', '.join(sorted(known))}")
        default = getattr(cls(), key)
        if isinstance(default, float):
            good = isinstance(value, (int, float)) and not isinstance(value, bool)
        else:
            good = type(value) is type(default)
        if not good:
            raise UserError(f"{where}.{key}: expected {type(default).__name__}, found {value!r}")
    return cls(**values)


def parse(data, where: str) -> Config:
    if not isinstance(data, dict):
        raise UserError(f"{where}: expected a JSON object, found {type(data).__name__}")
    for key in data:
        if key not in ("model", "train", "defaults", "ranges", "about"):
            raise UserError(f"{where}: unknown key {key}; expected model, train, defaults, ranges, about")
    config = Config(_fill(ModelConfig, data.get("model", {}), f"{where}: model"),
                    _fill(TrainConfig, data.get("train", {}), f"{where}: train"),
                    data.get("defaults", {}), data.get("about", {}), data.get("ranges", {}))
    for group, value in (("defaults", config.defaults), ("ranges", config.ranges), ("about", config.about)):
        if not isinstance(value, dict):
            raise UserError(f"{where}: {group}: expected an object, found {value!r}")
    check_defaults(config.defaults, f"{where}: defaults")
    check_ranges(config.ranges, f"{where}: ranges")
    config.model.check(where)
    config.train.check(where, config.model)
    return config


# As the engine takes them (kernels/sampling_limits.h).
SAMPLING = dict(temperature=(float, 0, 10), top_k=(int, 0, 256), top_p=(float, 0.001, 1), min_p=(float, 0, 1),
                floor=(float, 1e-7, 1), gate=(float, 0, 8))
RANGES = ("temperature",)  # the settings whose useful range the engine takes


def _check_number(value, key: str, where: str) -> None:
    kind, least, most = SAMPLING[key]
    number = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    if not number or not least <= value <= most:
        raise UserError(f"{where}: expected {'a whole number' if kind is int else 'a number'} from {least:g} to {most:g}, "
                        f"found {value!r}")


def check_defaults(values, where: str) -> None:
    """Refuses what the program would refuse or ignore."""
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected an object, found {values!r}")
    for key, value in values.items():
        if key not in SAMPLING:
            raise UserError(f"{where}: unknown key {key}; expected one of {', '.join(SAMPLING)}")
        _check_number(value, key, f"{where}: {key}")


def check_ranges(values, where: str) -> None:
    """Likewise: {"temperature": [0.7, 1.05]}."""
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected an object, found {values!r}")
    for key, value in values.items():
        if key not in RANGES:
            raise UserError(f"{where}: unknown key {key}; expected {', '.join(RANGES)}")
        if not isinstance(value, list) or len(value) != 2:
            raise UserError(f"{where}: {key}: expected its ends, two numbers, found {value!r}")
        for i, end in enumerate(value):
            _check_number(end, key, f"{where}: {key}[{i}]")
        if not value[0] < value[1]:
            raise UserError(f"{where}: {key}: expected the lower end first, found {value!r}")


def load(path: str) -> Config:
    """A file, or the name of one beside this module: configs/piano.json."""
    file = Path(path)
    if not file.exists():
        file = Path(__file__).parent / path
    if not file.exists():
        there = sorted(f"configs/{p.name}" for p in (Path(__file__).parent / "configs").glob("*.json"))
        raise UserError(f"{path}: no such file; expected a JSON file, or one of {', '.join(there)}")
    try:
        data = json.loads(file.read_text())
    except OSError as e:
        raise UserError(f"{file}: {e.strerror or e}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as e:
        raise UserError(f"{file}: expected JSON, found an error: {e}") from None
    return parse(data, str(path))
