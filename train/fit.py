"""Trains a model on a folder of audio: python -m train.fit --audio DIR --config configs/piano.json -o runs/piano

Several GPUs: torchrun --nproc-per-node N -m train.fit ...; several machines: torchrun's own flags. The same
command again goes on from the run's last checkpoint. Ctrl-C stops after the present update and saves.
"""
from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path

import torch
import torch.distributed as dist

from . import augment, checkpoint, config as configs, data
from .config import UserError
from .model import Network, parameter_count
from .report import Report, clock, rate

LN2 = math.log(2)


def parse_arguments(argv=None):
    p = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--audio", action="append", required=True, metavar="DIR",
                   help="folder of audio files of any rate and format, searched below; may be given again")
    p.add_argument("--config", required=True, metavar="FILE",
                   help="what to train: a JSON file, or one that comes with the trainer (configs/piano.json)")
    p.add_argument("-o", "--run", required=True, metavar="DIR",
                   help="where checkpoints, metrics and the encoded audio go; a run that is there goes on")
    p.add_argument("--minutes", type=float, metavar="M",
                   help="train for M minutes in all, over all resumed parts, instead of train.steps updates")
    p.add_argument("--stop-after", type=float, metavar="M", help="stop cleanly after M minutes of this part; resume later")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                   help="change one key of the config, e.g. train.lr=1e-3 or model.layers=[2,2,2]; may be given again")
    p.add_argument("--init", metavar="FILE", help="begin with the weights (EMA) of another run's checkpoint")
    p.add_argument("--fresh", action="store_true", help="begin anew: the run's checkpoint there is overwritten")
    p.add_argument("--cache", metavar="DIR", help="where the encoded audio is kept (default: RUN/data)")
    p.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    p.add_argument("--float32", action="store_true", help="no bfloat16 autocast on the GPU")
    p.add_argument("--quiet", action="store_true", help="no progress line")
    return p.parse_args(argv)


def load_config(args) -> configs.Config:
    tree = configs.load(args.config).as_json()
    for change in args.set:
        key, equals, value = change.partition("=")
        group, _, name = key.partition(".")
        if not equals or group not in tree or not name:
            raise UserError(f"--set {change}: expected model.KEY=VALUE or train.KEY=VALUE")
        try:
            tree[group][name] = json.loads(value)
        except json.JSONDecodeError:
            tree[group][name] = value
        if group == "model" and name in ("layers", "pool"):
            tree["model"].setdefault("mixer", [])
            if len(tree["model"]["mixer"]) != len(tree["model"]["layers"]):
                tree["model"]["mixer"] = []
    return configs.parse(tree, args.config)


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
        if self.count > 1:
            dist.init_process_group("nccl" if cuda else "gloo")

    @property
    def first(self) -> bool:
        return self.rank == 0

    def mean(self, *values: float) -> list[float]:
        if self.count == 1:
            return list(values)
        t = torch.tensor(values, device=self.device, dtype=torch.float64)
        dist.all_reduce(t)
        return (t / self.count).tolist()

    def any(self, flag: bool) -> bool:
        return self.mean(float(flag))[0] > 0

    def wait(self) -> None:
        if self.count > 1:
            dist.barrier()


def parameter_groups(model: Network, decay: float):
    """Weight decay on matrices alone: norms, biases, D and what shapes the decays are left as they are."""
    plain = ("norm.weight", "norm_f.weight", "bias", "A_log", "A_im", "log_dt", ".D", "conv1d.weight", ".C")
    groups = {decay: [], 0.0: []}
    for name, p in model.named_parameters():
        groups[0.0 if name.endswith(plain) else decay].append(p)
    return [dict(params=ps, weight_decay=wd) for wd, ps in groups.items() if ps]


def learning_rate(t: configs.TrainConfig, step: int, progress: float) -> float:
    warm = min(1.0, (step + 1) / max(1, t.warmup))
    return t.lr * warm * (t.lr_end + (1 - t.lr_end) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


class Feeder:
    """Reads the next batches from disk while the GPU works on the present one. A thread of its own; batches are
    numbered, so what arrives does not depend on when."""

    def __init__(self, crops: data.Crops, first: int, accumulate: int, rank: int, count: int, pinned: bool, ahead=4):
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


class Trainer:
    """Model, optimiser, EMA and what a checkpoint holds of them."""

    def __init__(self, config: configs.Config, machines: Machines, float32: bool):
        t = config.train
        torch.manual_seed(t.seed)  # the same start on every rank
        self.config, self.machines = config, machines
        self.model = Network(config.model).to(machines.device)
        self.ema = Network(config.model).to(machines.device)
        self.ema.load_state_dict(self.model.state_dict())
        self.ema.requires_grad_(False)
        extra = dict(fused=True) if machines.device.type == "cuda" else {}
        self.optimiser = torch.optim.AdamW(parameter_groups(self.model, t.weight_decay), lr=t.lr,
                                           betas=(0.9, t.beta2), **extra)
        self.bf16 = machines.device.type == "cuda" and not float32
        self.step, self.seconds, self.samples, self.best = 0, 0.0, 0, math.inf
        # Averages need no synchronised start: the first updates are followed closely, then ever more slowly.
        self.net = self.model
        if machines.count > 1:
            ids = [machines.device.index or torch.cuda.current_device()] if self.bf16 or machines.device.type == "cuda" else None
            self.net = torch.nn.parallel.DistributedDataParallel(_Loss(self.model), device_ids=ids)
        else:
            self.net = _Loss(self.model)

    def autocast(self):
        return torch.autocast("cuda", torch.bfloat16) if self.bf16 else contextlib.nullcontext()

    def update(self, parts: list[torch.Tensor], progress: float):
        """One update from crops [count, L+1] a part. Gives (nats a code, norm of the gradient), on the device."""
        t = self.config.train
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(t, self.step, progress)
        loss = torch.zeros((), device=self.machines.device)
        for i, codes in enumerate(parts):
            last = i == len(parts) - 1
            quiet = self.net.no_sync() if not last and hasattr(self.net, "no_sync") else contextlib.nullcontext()
            with quiet:
                with self.autocast():
                    nats = self.net(codes)
                (nats / len(parts)).backward()
            loss += nats.detach() / len(parts)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), t.clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        keep = min(t.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            ours, theirs = list(self.ema.parameters()), list(self.model.parameters())
            torch._foreach_mul_(ours, keep)
            torch._foreach_add_(ours, theirs, alpha=1 - keep)
        self.step += 1
        self.samples += self.machines.count * sum(p.shape[0] * (p.shape[1] - 1) for p in parts)
        return loss, norm

    @torch.no_grad()
    def held_out_bits(self, batches: list[torch.Tensor]) -> float:
        """Bits a sample of the averaged weights on the same held-out crops each time; ranks share them."""
        total = 0.0
        with self.autocast():
            for codes in batches:
                total += float(self.ema.loss(codes.to(self.machines.device)))
        return self.machines.mean(total / max(1, len(batches)) / LN2)[0]

    def state(self, args) -> dict:
        return dict(config=self.config.as_json(), model=self.model.state_dict(), ema=self.ema.state_dict(),
                    optimiser=self.optimiser.state_dict(), step=self.step, seconds=self.seconds,
                    samples=self.samples, best=self.best, audio=[str(a) for a in args.audio],
                    torch=torch.__version__)

    def resume(self, saved: dict, path: Path) -> None:
        if saved["config"]["model"] != self.config.as_json()["model"]:
            changed = [k for k, v in self.config.as_json()["model"].items() if saved["config"]["model"].get(k) != v]
            raise UserError(f"{path}: its model is another: {', '.join(changed)} differ from the config; "
                            "give another -o, or --fresh to overwrite it")
        self.model.load_state_dict(saved["model"])
        self.ema.load_state_dict(saved["ema"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.step, self.seconds, self.samples, self.best = (saved[k] for k in ("step", "seconds", "samples", "best"))


class _Loss(torch.nn.Module):
    """What DDP wraps: codes in, one number out."""

    def __init__(self, model: Network):
        super().__init__()
        self.model = model

    def forward(self, codes):
        return self.model.loss(codes)


class Stop:
    """Ctrl-C and SIGTERM ask; a second Ctrl-C insists."""

    def __init__(self):
        self.asked = False
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number, frame):
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True


def train(args) -> int:
    config = load_config(args)
    m, t = config.model, config.train
    run = Path(args.run)
    machines = Machines(args.device)
    say = print if machines.first else (lambda *a, **k: None)
    per_part = t.batch // (t.accumulate * machines.count)
    if per_part * t.accumulate * machines.count != t.batch:
        raise UserError(f"train.batch: expected a multiple of {t.accumulate * machines.count} "
                        f"(accumulate x GPUs), found {t.batch}")
    if machines.device.type == "cpu" and args.device == "auto":
        say("no GPU that PyTorch can use: training on the CPU, which is slow", file=sys.stderr)
    torch.backends.cuda.matmul.allow_tf32 = True

    cache = Path(args.cache) if args.cache else run / "data"
    if not machines.first:
        machines.wait()  # the first rank encodes
    corpus = data.load(args.audio, m, cache, t.held_out, t.crop, say)
    if machines.first:
        machines.wait()
    have = augment.longer(t.crop + 1, t.pitch_semitones)
    crops = data.Crops(corpus, False, min(have, max(p.length for p in corpus.side(False))), t.seed)

    trainer = Trainer(config, machines, args.float32)
    last = run / "last.pt"
    if last.exists() and not args.fresh:
        trainer.resume(checkpoint.load(last), last)
    elif args.init:
        trainer.model.load_state_dict(checkpoint.load(Path(args.init))["ema"])
        trainer.ema.load_state_dict(trainer.model.state_dict())
    report = Report(run, args.quiet) if machines.first else None
    held = []
    if corpus.side(True):
        test = data.Crops(corpus, True, t.crop + 1, 0)
        per = max(1, min(per_part, t.eval_crops))
        held = [torch.from_numpy(test.batch(i, machines.rank, per))
                for i in range(max(1, t.eval_crops // (per * machines.count)))]
    if report:
        report.say(f"{m.name}: {parameter_count(trainer.model) / 1e6:.2f} M parameters, mixers {'/'.join(m.mixer)}; "
                   f"{corpus.hours(False, m.sample_rate):.2f} h to learn from, {corpus.hours(True, m.sample_rate):.2f} h held out"
                   + (f", {len(corpus.skipped)} files skipped" if corpus.skipped else "")
                   + f"; {machines.count} x {torch.cuda.get_device_name() if machines.device.type == 'cuda' else 'CPU'}"
                   + (f"; going on from update {trainer.step}" if trainer.step else ""))
    stop = Stop()
    feeder = Feeder(crops, trainer.step, t.accumulate, machines.rank, per_part, machines.device.type == "cuda")
    try:
        return _loop(args, trainer, feeder, held, report, stop, last)
    finally:
        feeder.stop()
        if report:
            report.close()
        if machines.count > 1:
            dist.destroy_process_group()


def _loop(args, trainer: Trainer, feeder: Feeder, held, report, stop: Stop, last: Path) -> int:
    machines, t, m = trainer.machines, trainer.config.train, trainer.config.model
    budget = args.minutes * 60 if args.minutes else None
    begin, before = time.monotonic(), trainer.seconds
    saved_at = window_at = begin
    window_samples, window_loss, window_updates = trainer.samples, None, 0
    varying = t.gain_db or t.pitch_semitones

    def progress() -> float:
        return trainer.seconds / budget if budget else trainer.step / t.steps

    def keep() -> None:
        if machines.first:
            checkpoint.save(last, **trainer.state(args))

    def look() -> None:
        if not held:
            return
        bits = trainer.held_out_bits(held)
        if report:
            report.record(trainer.step, held_out_bits=bits, seconds=trainer.seconds)
            report.say(f"update {trainer.step}: {bits:.4f} bits a sample on held-out audio"
                       + (" (best so far)" if bits < trainer.best else ""))
            if bits < trainer.best:
                checkpoint.save(last.with_name("best.pt"), config=trainer.config.as_json(), ema=trainer.ema.state_dict(),
                                step=trainer.step, seconds=trainer.seconds, samples=trainer.samples, best=bits,
                                audio=[str(a) for a in args.audio], torch=torch.__version__)
        trainer.best = min(trainer.best, bits)

    while progress() < 1:
        parts = []
        for i in range(t.accumulate):
            codes = feeder.next().to(machines.device, non_blocking=True)
            if varying:
                draw = torch.Generator().manual_seed(((t.seed * 1000003 + trainer.step) * 64 + machines.rank) * 64 + i)
                codes = augment.vary(codes, t.crop + 1, m.encoding, t.gain_db, t.pitch_semitones, draw)
            parts.append(codes)
        loss, norm = trainer.update(parts, progress())
        window_loss = loss if window_loss is None else window_loss + loss
        window_updates += 1
        trainer.seconds = before + time.monotonic() - begin
        if machines.count > 1:  # all ranks agree on the time, or one would stop and the others wait for it
            if trainer.step % 10 == 0:
                trainer.seconds = machines.mean(trainer.seconds)[0]
                before, begin = trainer.seconds, time.monotonic()
        now = time.monotonic()
        check = machines.count == 1 or trainer.step % 10 == 0
        if trainer.step % 10 == 0 and (now - window_at > (1 if report and report.terminal else 10) or trainer.step == 10):
            bits = machines.mean(float(window_loss) / window_updates / LN2)[0] if machines.count == 1 \
                else float(window_loss) / window_updates / LN2
            speed = (trainer.samples - window_samples) / max(1e-9, time.monotonic() - window_at)
            left = (budget - trainer.seconds) if budget else \
                (t.steps - trainer.step) * (time.monotonic() - window_at) / window_updates
            if report:
                report.line(f"update {trainer.step}  {bits:.4f} bits a sample  {rate(speed)}  {clock(left)} left")
                report.record(trainer.step, bits=bits, samples_per_second=speed, lr=trainer.optimiser.param_groups[0]["lr"],
                              gradient_norm=float(norm), seconds=trainer.seconds)
            if not math.isfinite(bits):
                raise UserError(f"update {trainer.step}: the loss is no number any more; the last checkpoint is as it was; "
                                "try a smaller train.lr")
            window_at, window_samples, window_loss, window_updates = time.monotonic(), trainer.samples, None, 0
        if trainer.step % t.eval_every == 0:
            look()
        if now - saved_at > t.save_every:
            saved_at = now
            keep()
        over = stop.asked or (args.stop_after is not None and now - begin_of(args) > args.stop_after * 60)
        if check and (machines.any(over) if machines.count > 1 else over):
            keep()
            if report:
                report.say(f"stopped after update {trainer.step}; saved to {last}; the same command goes on from here")
            return 130 if stop.asked else 0
    look()
    keep()
    if report:
        report.say(f"done: {trainer.step} updates, {clock(trainer.seconds)}, {trainer.samples / 1e9:.2f} G samples"
                   + (f", {trainer.best:.4f} bits a sample on held-out audio" if math.isfinite(trainer.best) else "")
                   + f"; python -m train.export {last.parent} -o MODEL.safetensors")
    return 0


_begun = time.monotonic()


def begin_of(args) -> float:
    """When this part of the run began: --stop-after counts the reading of data too."""
    return _begun


def main(argv=None) -> int:
    try:
        return train(parse_arguments(argv))
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped at once; what was trained since the last checkpoint is lost", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
