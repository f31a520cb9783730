"""Trains a model on a folder of audio: python -m train.fit --audio DIR --config configs/piano.json -o runs/piano

Several GPUs: torchrun --nproc-per-node N -m train.fit ...; several machines: torchrun's own flags. The same
command again resumes from the run's last checkpoint. Ctrl-C stops after the current update and saves.
"""
from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import math
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist

from . import augment, checkpoint, config as configs, data, held_out, labels, memory
from .config import UserError
from .feeder import Feeder
from .machines import Asked, Machines, Stop
from .model import parameter_count
from .report import Report, clock, rate
from .trainer import Trainer

LN2 = math.log(2)
FEW, SMALL = 40, 4 * 2048  # with fewer updates of more samples a run on a CPU says that smaller ones would teach it more
BEGUN = time.monotonic()  # --stop-after includes the time for reading data


def parse_arguments(argv=None):
    p = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--audio", action="append", required=True, metavar="DIR",
                   help="folder of audio files of any rate and format, including subfolders; may be repeated")
    p.add_argument("--config", required=True, metavar="FILE",
                   help="the configuration: a JSON file, or one of the trainer's own (configs/piano.json)")
    p.add_argument("-o", "--run", required=True, metavar="DIR",
                   help="where checkpoints, metrics and the encoded audio go; an existing run is resumed")
    p.add_argument("--minutes", type=float, metavar="M",
                   help="train for M minutes in all, over all resumed parts, instead of train.steps updates")
    p.add_argument("--stop-after", type=float, metavar="M", help="stop cleanly after M minutes of this part; resume later")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                   help="set one key of the config, e.g. train.lr=1e-3 or model.layers=[2,2,2]; may be repeated")
    start = p.add_mutually_exclusive_group()
    start.add_argument("--init", metavar="FILE", help="start with the weights of a model file (.safetensors) or of another "
                       "run's checkpoint (its EMA), of the same tiers and widths")
    start.add_argument("--init-fitting", metavar="FILE", help="start with those tensors of any model whose names and "
                       "shapes match the config, and with random ones for the rest")
    p.add_argument("--fresh", action="store_true", help="start anew: an existing checkpoint of the run is overwritten")
    p.add_argument("--cache", metavar="DIR", help="where the encoded audio is kept (default: RUN/data)")
    p.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    p.add_argument("--float32", action="store_true", help="no bfloat16 autocast on the GPU")
    p.add_argument("--no-graph", action="store_true",
                   help="launch every kernel separately instead of replaying a CUDA graph of the whole pass")
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
    model = tree["model"]  # if the number of tiers changes, one mixer for all tiers stays one for all
    mixer = model.get("mixer")
    if isinstance(model.get("layers"), list) and isinstance(mixer, list) and mixer and mixer == mixer[:1] * len(mixer):
        model["mixer"] = mixer[:1] * len(model["layers"])
    return configs.parse(tree, args.config)


def read_corpus(args, config: configs.Config, machines: Machines, run: Path, say) -> data.Corpus:
    """The first process of each machine encodes, then all read. An error there ends all of them."""
    t = config.train
    cache = Path(args.cache) if args.cache else run / "data"

    def load():
        inside = not t.whole and t.after_end != "again"  # crops of a file, which a part of it can be, too
        least = t.crop + 1 if inside and t.after_end == "stop" else 1
        short = data.least_held_out(t.crop, config.model.stride) if inside else 1
        return data.load(args.audio, config.model, cache, t.held_out, least, say, short, inside)

    corpus, error = None, None
    if machines.first_here:
        try:
            corpus = load()
        except UserError as e:
            error = str(e)
    machines.together(error)
    corpus = corpus or load()
    # Crops are drawn by number: different files on one machine would silently mean different crops and labels.
    first = machines.from_first(corpus.fingerprint())
    machines.together(None if first == corpus.fingerprint() else
                      f"{', '.join(args.audio)}: expected the files of the first machine, found others (by names and "
                      "lengths)")
    return corpus


def train(args) -> int:
    config = load_config(args)
    m, t = config.model, config.train
    run = Path(args.run)
    if args.minutes is not None and not 0 < args.minutes < math.inf:
        raise UserError(f"--minutes: expected more than 0, found {args.minutes:g}")
    machines = Machines(args.device)
    share = t.accumulate * machines.count
    if t.batch % share:
        raise UserError(f"train.batch: expected a multiple of {share} (accumulate x GPUs), found {t.batch}")
    say = print if machines.first else (lambda *a, **k: None)
    last = run / "last.pt"
    saved = machines.from_first(checkpoint.load(last) if machines.first and last.exists() and not args.fresh else None)
    asked = [t.batch, t.crop, t.accumulate]
    if machines.device.type == "cpu":
        if args.device == "auto":
            say("no GPU that PyTorch can use: training on the CPU, which is slow (docs/training.md says what it is enough for)",
                file=sys.stderr)
        _divide(config, machines, saved, asked, say)
    per_part = t.batch // (t.accumulate * machines.count)
    torch.backends.cuda.matmul.allow_tf32 = True

    corpus = read_corpus(args, config, machines, run, say)
    crops = data.Crops(corpus, False, augment.longer(t.crop + 1, t.pitch_semitones), t.seed, t.whole, t.after_end,
                       round(t.gap * m.sample_rate), t.crop + 1)

    table, known = labels.classes(crops.names, t.labels)
    held = held_out.crops_of(corpus, t, m.stride)
    key = hashlib.sha256(held.numpy().tobytes()).hexdigest()[:16]
    trainer = Trainer(config, machines, args.float32, not args.no_graph, known)
    trainer.asked = asked
    if args.fresh and machines.first:
        for old in (last, run / "best.pt", run / "metrics.jsonl"):
            old.unlink(missing_ok=True)
    if saved:
        trainer.resume(saved, last)
        if trainer.key != key:
            aside = run / f"best-until-{trainer.step}.pt"
            if machines.first and (run / "best.pt").exists():
                (run / "best.pt").replace(aside)
            say("the held-out crops are not those of before: bits on them start anew"
                + (f"; {aside.name} is what was best" if aside.exists() else ""), file=sys.stderr)
            trainer.best, trainer.held_out = math.inf, (-1, math.inf)
    elif args.init:
        trainer.start_from(Path(args.init))
    elif args.init_fitting:
        say("begun with %d of %d tensors of %s" % (*trainer.start_from(Path(args.init_fitting), True), args.init_fitting))
    trainer.key = key
    report = Report(run, args.quiet) if machines.first else None
    if report:
        device = torch.cuda.get_device_name() if machines.device.type == "cuda" else "CPU"
        report.say(f"{m.name}: {parameter_count(trainer.model) / 1e6:.2f} M parameters, mixers {'/'.join(m.mixer)}; "
                   f"{crops.hours(m.sample_rate):.2f} h to learn from"
                   + (f" ({crops.left_out} files are shorter than the crop and are not used)" if crops.left_out else "")
                   + f", "
                   f"{corpus.hours(True, m.sample_rate):.2f} h held out"
                   + (f", {len(corpus.skipped)} files skipped" if corpus.skipped else "")
                   + (f"; labels: {' and '.join(str(len(k)) for k in known)} classes" if known else "")
                   + f"; {machines.count} x {device}"
                   + (f"; going on from update {trainer.step}" if trainer.step else ""))
    stop = Stop()
    feeder = Feeder(crops, trainer.step, t.accumulate, machines.rank, per_part, machines.device.type == "cuda")
    try:
        held = held_out.batches_of(held, t, machines, per_part)
        return Loop(args, trainer, feeder, held, report, stop, last, table).run()
    finally:
        feeder.stop()
        if report:
            report.close()
        if machines.count > 1:
            dist.destroy_process_group()


def _divide(config: configs.Config, machines: Machines, saved: dict | None, asked: list[int], say) -> None:
    """What goes through the network at once: as when the run began, so that it goes on with the same crops; else what fits."""
    t = config.train
    if saved and saved.get("asked") == asked:
        t.crop, t.accumulate = (saved["config"]["train"][key] for key in ("crop", "accumulate"))
        return
    there = machines.from_first(memory.free())
    if said := memory.fit(config, machines.count, there):
        say(said, file=sys.stderr)
        t.check("train", config.model)


class Loop:
    """Updates until the steps or the minutes are done, or a stop is requested; evaluates, saves and reports on the way.

    With several processes, what depends on a clock (how far the run is, and so the learning rate and the end; being
    asked to stop; saving) is agreed every TOGETHER updates and stays in between: processes that went by their own
    clocks would train with different rates, and one that stopped alone would leave the others waiting."""

    TOGETHER = 10

    def __init__(self, args, trainer: Trainer, feeder: Feeder, held, report, stop: Stop, last: Path, table):
        self.args, self.trainer, self.feeder, self.held = args, trainer, feeder, held
        self.report, self.stop, self.last = report, stop, last
        self.machines, self.config = trainer.machines, trainer.config
        # The last row is for codes of no file: index -1.
        none = torch.full((1, table.shape[1]), labels.NONE)
        self.table = torch.cat([torch.from_numpy(table), none]).to(self.machines.device)
        self.budget = args.minutes * 60 if args.minutes else None
        self.clock, self.before = time.monotonic(), trainer.seconds
        self.saved_at = self.clock
        # On a CPU a pass takes seconds or minutes, and no other process waits for it: a stop ends it.
        alone = self.machines.count == 1 and self.machines.device.type == "cpu"
        self.at_once = stop.at_once if alone else contextlib.nullcontext
        self.looked, self.warned = self._tenth(), False
        self._window()

    def _window(self) -> None:
        """A progress line covers the time since the previous one."""
        self.window_at, self.window_samples = time.monotonic(), self.trainer.samples
        self.window_loss, self.window_norm, self.window_updates = None, None, 0

    def progress(self) -> float:
        """0 to 1, by time or by updates."""
        t = self.trainer
        return t.seconds / self.budget if self.budget else t.step / self.config.train.steps

    def _tenth(self) -> int:
        return int(self.progress() * 10)

    def run(self) -> int:
        try:
            return self._run()
        except Asked:
            return self._stopped()

    def _run(self) -> int:
        trainer, t = self.trainer, self.config.train
        if trainer.step == 0 and (self.args.init or self.args.init_fitting):
            self._look()  # what there was before
        while self.progress() < 1:
            begun = time.monotonic()
            loss, norm = trainer.update(self._batch(), self.progress(), self.at_once)
            if self.window_updates == 0 and self.machines.device.type == "cpu":
                self._warn_if_few(time.monotonic() - begun)
            self.window_loss = loss if self.window_loss is None else self.window_loss + loss
            self.window_updates += 1
            self.window_norm = norm if self.window_norm is None else self.window_norm + norm
            together = self.machines.count == 1 or trainer.step % self.TOGETHER == 0
            if together:
                trainer.seconds = self.machines.mean(self.before + time.monotonic() - self.clock)[0]
                self.before, self.clock = trainer.seconds, time.monotonic()
            if together and self._line_is_due():  # a single process by the clock alone: ten updates can take an hour on a CPU
                self._tell(norm)
            # At each tenth of the run too: a short one, or one on a CPU, has not eval_every updates.
            if together and (trainer.step % t.eval_every == 0 or self._tenth() > self.looked) and self.progress() < 1:
                self._look()
            if together and self.machines.any(time.monotonic() - self.saved_at > t.save_every):
                self._save()
            if together and self._asked():
                return self._stopped()
        self._look()
        self._save()
        if self.report:
            best = f", {trainer.best:.4f} bits per sample on held-out audio" if math.isfinite(trainer.best) else ""
            self.report.say(f"done: {trainer.step} updates, {clock(trainer.seconds)}, {trainer.samples / 1e9:.2f} G "
                            f"samples{best}; python -m train.export {self.last.parent} -o MODEL.safetensors")
        return 0

    def _stopped(self) -> int:
        self._save()
        if self.report:
            self.report.say(f"stopped after update {self.trainer.step}; saved to {self.last}; the same command goes on from here")
        return 130 if self.stop.asked else 0

    def _warn_if_few(self, seconds: float) -> None:
        t, all_of_it = self.config.train, self.budget or math.inf
        few = (count := all_of_it / max(1e-9, seconds)) < FEW and t.batch * t.crop > SMALL
        if self.report and not self.warned and few:
            self.report.say(f"an update of {t.batch} crops of {t.crop} samples takes {clock(seconds)} here: there is time for "
                            f"{int(count)}; more and smaller ones learn more: --config configs/piano-cpu.json, or "
                            "--set train.batch=4 --set train.crop=2048")
        self.warned = True

    def _batch(self) -> list[tuple[torch.Tensor, ...]]:
        t, parts = self.config.train, []
        for i in range(t.accumulate):
            codes, files = self.feeder.next()
            codes = codes.to(self.machines.device, non_blocking=True)
            room = (files != -1).sum(1) if not t.whole and t.after_end == "stop" else None
            files = files.to(self.machines.device, non_blocking=True) if t.labels else None
            # The variations, like the crops, depend on the update's number alone.
            seed = ((t.seed * 1000003 + self.trainer.step) * 64 + self.machines.rank) * 64 + i
            start = 1 if t.whole else 0  # the code of silence before a whole file stays what it is
            varied = augment.vary(codes[:, start:], t.crop + 1 - start, self.config.model.encoding, t.gain_db,
                                  t.pitch_semitones, torch.Generator().manual_seed(seed),
                                  files[:, start:] if t.labels else None, room)
            varied, bent = varied if t.labels else (varied, None)
            codes = torch.cat([codes[:, :start], varied], 1) if start else varied
            # Another random stream than the variation's, or the highest crops would always be the noisiest; in the lower 32
            # bits, the only ones that a CPU's generator takes.
            part = (codes, augment.misheard(codes, t.input_noise, seed ^ 0x5BD1E995)) if t.input_noise else (codes,)
            if t.labels:  # step j of the innermost tier has heard codes up to (j + 1) stride - 1
                stride = self.config.model.stride
                files = torch.cat([files[:, :start], bent], 1)[:, stride - 1:-1:stride]
                part = (part[0], part[-1], self.table[files.long()])
            parts.append(part)
        return parts

    def _line_is_due(self) -> bool:
        pause = 1 if self.report and self.report.terminal else 10
        return time.monotonic() - self.window_at > pause or self.trainer.step == self.TOGETHER

    def _tell(self, norm) -> None:
        trainer = self.trainer
        bits = float(self.window_loss) / self.window_updates / LN2
        seconds = time.monotonic() - self.window_at
        speed = (trainer.samples - self.window_samples) / max(1e-9, seconds)
        left = self.budget - trainer.seconds if self.budget else \
            (self.config.train.steps - trainer.step) * seconds / self.window_updates
        if self.report:
            self.report.line(f"update {trainer.step}  {bits:.4f} bits per sample  {rate(speed)}  {clock(left)} left")
            self.report.record(trainer.step, bits=bits, samples_per_second=speed, gradient_norm=float(norm),
                               lr=trainer.optimiser.param_groups[0]["lr"], seconds=trainer.seconds)
        if self.machines.count == 1:
            self._expect_numbers()
        self._window()

    def _expect_numbers(self) -> None:
        """NaN or infinite weights are never saved: a run could not recover from them."""
        sums = [float(x) for x in (self.window_loss, self.window_norm) if x is not None]
        if self.machines.any(not all(math.isfinite(x) for x in sums)):
            raise UserError(f"update {self.trainer.step}: the loss or its gradient is no number any more; the last "
                            "checkpoint is from before that; try a smaller train.lr")

    def _look(self) -> None:
        """Computes held-out bits; the best weights so far are kept beside the last."""
        self.looked = self._tenth()
        if not self.held:
            return
        trainer = self.trainer
        self._expect_numbers()
        with self.at_once():
            bits = trainer.held_out_bits(self.held)
        trainer.held_out = (trainer.step, bits)
        best = bits < trainer.best
        trainer.best = min(trainer.best, bits)
        if self.report:
            self.report.record(trainer.step, held_out_bits=bits, seconds=trainer.seconds)
            self.report.say(f"update {trainer.step}: {bits:.4f} bits per sample on held-out audio"
                            + (" (best so far)" if best else ""))
            if best:
                state = trainer.state(self.args.audio)
                checkpoint.save(self.last.with_name("best.pt"),
                                **{k: v for k, v in state.items() if k not in ("model", "optimiser")})

    def _save(self) -> None:
        self._expect_numbers()
        self.saved_at = time.monotonic()
        if self.machines.first:
            checkpoint.save(self.last, **self.trainer.state(self.args.audio))

    def _asked(self) -> bool:
        after = self.args.stop_after
        late = after is not None and time.monotonic() - BEGUN > after * 60
        return self.machines.any(self.stop.asked or late)


def _train_in_memory(args) -> int:
    try:
        return train(args)
    except (RuntimeError, MemoryError) as e:
        if not memory.ran_out(e):
            raise
        config = load_config(args)
        t = config.train
        raise UserError(f"out of memory with {t.batch // t.accumulate} crops of {t.crop} samples at once: "
                        f"{memory.less_at_once(config.model, t)}") from None


def main(argv=None) -> int:
    try:
        return _train_in_memory(parse_arguments(argv))
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    except OSError as e:
        print(f"error: {e.filename or ''}: {e.strerror or e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped at once; what was trained since the last checkpoint is lost", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
