"""Model, optimiser and average of the weights; one update; their part of a checkpoint."""
from __future__ import annotations

import contextlib
import dataclasses
import math
from pathlib import Path

import torch

from . import config as configs, native
from .config import UserError
from .foresight import Foresight
from .labels import Labels
from .machines import Machines
from .model import Network, nats


def parameter_groups(model: Network, decay: float):
    """Weight decay on matrices alone: norms, biases, D and the parameters of the decays are exempt."""
    plain = ("norm.weight", "norm_f.weight", "bias", "A_log", "A_im", "log_dt", ".D", "conv1d.weight", ".C")
    groups = {decay: [], 0.0: []}
    for name, p in model.named_parameters():
        groups[0.0 if name.endswith(plain) else decay].append(p)
    return [dict(params=ps, weight_decay=wd) for wd, ps in groups.items() if ps]


WARM = 0.1  # of the run: a warm-up lasts no longer, however few updates there is time for


def learning_rate(t: configs.TrainConfig, step: int, progress: float) -> float:
    warm = min(1.0, max((step + 1) / max(1, t.warmup), progress / WARM))
    return t.lr * warm * (t.lr_end + (1 - t.lr_end) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


class GraphedPass:
    """Forward and backward recorded once as a CUDA graph and replayed: a small model's thousand kernels take the CPU
    longer to launch than the GPU to run. The graph's gradients are where .grad points, so after a replay they are as
    if backward had run on cleared ones."""

    def __init__(self, net, part, autocast):
        self.part = tuple(codes.clone() for codes in part)
        self.parameters = [p for p in net.parameters() if p.requires_grad]

        def run():
            with autocast():
                loss, said = net(*self.part)
            loss.backward()
            return said.detach()

        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # compiles and warms up outside the recording
            for _ in range(2):
                self.clear()
                run()
        torch.cuda.current_stream().wait_stream(stream)
        self.clear()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.loss = run()
        self.gradients = [p.grad for p in self.parameters]

    def clear(self):
        for p in self.parameters:
            p.grad = None

    def __call__(self, part):
        """The loss, and .grad of every parameter. Both are the graph's own: overwritten by the next call."""
        for ours, codes in zip(self.part, part):
            ours.copy_(codes)
        self.graph.replay()
        for p, g in zip(self.parameters, self.gradients):
            p.grad = g
        return self.loss


class Trainer:
    """Model, optimiser, EMA and their part of a checkpoint."""

    def __init__(self, config: configs.Config, machines: Machines, float32: bool, graph: bool = True,
                 classes: list[list[str]] | None = None):
        """classes: of each of train.labels, the names."""
        t = config.train
        torch.manual_seed(t.seed)  # the same start on every rank
        self.config, self.machines = config, machines
        self.model = Network(config.model).to(machines.device)
        self.ema = Network(config.model).to(machines.device)
        self.ema.load_state_dict(self.model.state_dict())
        self.ema.requires_grad_(False)
        extra = dict(fused=True) if machines.device.type == "cuda" else {}
        m = config.model
        self.foresight = Foresight(m.width(len(m.pool)), m.stride, m.encoding, t.foresight_ahead).to(machines.device) \
            if t.foresight else None
        self.labels = Labels(m.width(len(m.pool)), [len(c) for c in classes]).to(machines.device) if classes else None
        self.classes = classes or []
        self.net: torch.nn.Module = _Loss(self.model, self.foresight, t.foresight, self.labels, t.label_weight)
        self.optimiser = torch.optim.AdamW(parameter_groups(self.net, t.weight_decay), lr=t.lr,
                                           betas=(0.9, t.beta2), **extra)
        self.bf16 = machines.device.type == "cuda" and not float32
        self.step, self.seconds, self.samples = 0, 0.0, 0
        self.best = math.inf             # bits on held-out audio, of the average that was best
        self.held_out = (-1, math.inf)   # (update, bits) of the last evaluation
        self.key = ""                    # of the held-out crops
        self.asked: list[int] = []       # batch, crop and accumulate, before they were made to fit into memory
        # One part per batch: several would need their gradients summed outside the graph.
        self.graph = graph and machines.device.type == "cuda" and t.accumulate == 1
        self.graphed = None
        if machines.count > 1 and not self.graph:  # DDP's hooks would have to be recorded; see _gradients
            here = [torch.cuda.current_device()] if machines.device.type == "cuda" else None
            self.net = torch.nn.parallel.DistributedDataParallel(self.net, device_ids=here)

    def autocast(self):
        return torch.autocast("cuda", torch.bfloat16) if self.bf16 else contextlib.nullcontext()

    def _gradients(self, parts: list[tuple[torch.Tensor, ...]]):
        """Mean nats per code over the parts; .grad holds its gradient."""
        if self.graph:
            if self.graphed is None:
                self.graphed = GraphedPass(self.net, parts[0], self.autocast)
            loss = self.graphed(parts[0]).clone()
            self.machines.mean_of(self.graphed.gradients)  # what DDP does, after the replay instead of beside it
            return loss
        loss = torch.zeros((), device=self.machines.device)
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            quiet = self.net.no_sync() if not last and hasattr(self.net, "no_sync") else contextlib.nullcontext()
            with quiet:  # DDP reduces over the GPUs once, with the last part
                with self.autocast():
                    whole, said = self.net(*part)
                (whole / len(parts)).backward()
            loss += said.detach() / len(parts)
        return loss

    def update(self, parts: list[tuple[torch.Tensor, ...]], progress: float, at_once=contextlib.nullcontext):
        """One update from parts of (crops [count, L+1]), (crops, what is heard of them), or these and the label of each
        step of the innermost tier [count, L/stride, labels]. Returns (nats per code, norm of the gradient), on the device.
        What at_once() raises while gradients are computed leaves everything as before the update."""
        t = self.config.train
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(t, self.step, progress)
        try:
            with at_once():
                loss = self._gradients(parts)
        except BaseException:
            self.optimiser.zero_grad(set_to_none=True)
            raise
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), t.clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        # The average follows the first updates closely, then ever more slowly, so that its initial value does not matter.
        keep = min(t.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            ours, theirs = list(self.ema.parameters()), list(self.model.parameters())
            torch._foreach_mul_(ours, keep)
            torch._foreach_add_(ours, theirs, alpha=1 - keep)
        self.step += 1
        self.samples += self.machines.count * sum(codes.shape[0] * (codes.shape[1] - 1) for codes, *_ in parts)
        return loss, norm

    @torch.no_grad()
    def held_out_bits(self, batches: list[torch.Tensor]) -> float:
        """Bits per sample of the averaged weights, on the same held-out crops each time; the ranks divide them."""
        total = 0.0
        with self.autocast():
            for codes in batches:
                total += float(self.ema.loss(codes.to(self.machines.device)))
        return self.machines.mean(total / max(1, len(batches)) / math.log(2))[0]

    def state(self, audio: list[str]) -> dict:
        """Tensors, numbers, texts and lists of them: a reader that runs no code in a pickle takes nothing else."""
        return dict(config=self.config.as_json(), model=self.model.state_dict(), ema=self.ema.state_dict(),
                    foresight=self.foresight.state_dict() if self.foresight is not None else {},
                    labels=self.labels.state_dict() if self.labels is not None else {}, classes=self.classes,
                    optimiser=self.optimiser.state_dict(), step=self.step, seconds=self.seconds,
                    samples=self.samples, best=self.best, held_out=list(self.held_out), key=self.key, asked=self.asked,
                    audio=[str(a) for a in audio], torch=str(torch.__version__))

    def start_from(self, path: Path, fitting: bool = False) -> tuple[int, int]:
        """The averaged weights of another run of the same model, or of a model file; `about` records whose. Fitting: of
        any model, those tensors that have a namesake of the same shape here. -> (tensors taken, tensors in all)."""
        model, weights, origin = native.read(path)
        if fitting:
            if model.encoding != self.config.model.encoding:  # the same shapes, but other codes
                raise UserError(f"--init-fitting {path}: expected a model of the encoding {self.config.model.encoding}, "
                                f"found {model.encoding}")
            mine = self.model.state_dict()
            # A_log of s6 and of s4d mean different things, even where their shapes agree.
            alike = {n: (n.replace("A_log", "A_im") in mine) == (n.replace("A_log", "A_im") in weights) for n in mine}
            taken = {n: t for n, t in weights.items() if n in mine and mine[n].shape == t.shape and alike[n]}
            if not any(t.dim() > 1 for t in taken.values()):
                raise UserError(f"--init-fitting {path}: expected matrices of the config's names and shapes, found none")
            for net in (self.model, self.ema):
                net.load_state_dict(mine | taken)
            self.config.about["started_from"] = origin | {"tensors": f"{len(taken)} of {len(mine)}"}
            return len(taken), len(mine)
        theirs, ours = (dataclasses.asdict(m) | {"name": ""} for m in (model, self.config.model))
        if other := [f"{k} {theirs[k]}, expected {v}" for k, v in ours.items() if theirs[k] != v]:
            raise UserError(f"--init {path}: its model is another than the config's: {'; '.join(other)}")
        self.model.load_state_dict(weights)
        self.ema.load_state_dict(weights)
        self.config.about["started_from"] = origin
        return len(weights), len(weights)

    def resume(self, saved: dict, path: Path) -> None:
        if saved["config"]["model"] != self.config.as_json()["model"]:
            changed = [k for k, v in self.config.as_json()["model"].items() if saved["config"]["model"].get(k) != v]
            raise UserError(f"{path}: its model is another: {', '.join(changed)} differ from the config; "
                            "give another -o, or --fresh to overwrite it")
        for key, head in (("foresight", self.foresight), ("labels", self.labels)):
            if bool(saved.get(key)) != (head is not None):
                raise UserError(f"{path}: it began {'with' if saved.get(key) else 'without'} train.{key}; go on so, or "
                                "give another -o, or --fresh to overwrite it")
        began = saved["config"]["train"].get("foresight_ahead", [1, 4, 16, 64])
        if self.foresight is not None and began != self.config.train.foresight_ahead:
            raise UserError(f"{path}: it began with train.foresight_ahead {began}; go on so, or give another -o, or "
                            "--fresh to overwrite it")
        if self.classes != saved.get("classes", []):
            theirs, ours = (", ".join(f"{len(c)} ({c[0]} to {c[-1]})" for c in classes)
                            for classes in (saved["classes"], self.classes))
            raise UserError(f"{path}: its labels are others: classes {theirs}, expected with this audio and train.labels "
                            f"{ours}; give another -o, or --fresh to overwrite it")
        for key, head in (("foresight", self.foresight), ("labels", self.labels)):
            if head is not None:
                head.load_state_dict(saved[key])
        self.model.load_state_dict(saved["model"])
        self.ema.load_state_dict(saved["ema"])
        groups = [dict(weight_decay=g["weight_decay"], betas=g["betas"]) for g in self.optimiser.param_groups]
        self.optimiser.load_state_dict(saved["optimiser"])
        for group, ours in zip(self.optimiser.param_groups, groups):  # the config's, not the checkpoint's
            group.update(ours)
        if "started_from" in (about := saved["config"]["about"]):
            self.config.about.setdefault("started_from", about["started_from"])
        self.step, self.seconds, self.samples, self.best, self.key = (
            saved[k] for k in ("step", "seconds", "samples", "best", "key"))
        self.held_out = tuple(saved["held_out"])


class _Loss(torch.nn.Module):
    """The module that DDP wraps: codes in; the loss and, within it, the nats per code out."""

    def __init__(self, model: Network, foresight: Foresight | None, weight: float, labels: Labels | None = None,
                 label_weight: float = 0.0):
        super().__init__()
        self.model, self.foresight, self.weight = model, foresight, weight
        self.labels, self.label_weight = labels, label_weight

    def forward(self, codes, heard=None, labels=None):
        logits, center = self.model.with_center((codes if heard is None else heard)[:, :-1])
        whole = said = nats(logits, codes)
        if self.foresight is not None:
            whole = whole + self.weight * self.foresight(center, codes)
        if self.labels is not None:
            whole = whole + self.label_weight * self.labels(center, labels)
        return whole, said
