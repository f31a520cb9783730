"""Judges clips of one second with a small network: which digit, with what confidence, how varied.

    python -m train.judge.digits fit --real data/digits/held-out -o judge.pt
    python -m train.judge.digits score --judge judge.pt --real data/digits/held-out --generated DIR [--json]
    python -m train.judge.digits keep --judge listener.pt --generated DIR -o DIR2

The judge learns from speakers that a model of data/digits/train never heard. `keep` copies a model's best clips, for
the model to learn from: with a listener of its own, fitted to other clips than the judge, or the score means nothing.
"""
from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from .. import plain_pickle
from . import sounds
from .digits_net import NONE, WORDS, Judge, augment, listen, nonsense
from .numbers import frechet_distance, inception_score
from .sounds import JudgeError

CLICK_REACH = 33  # samples on either side with which a click is compared
SURE = 0.5  # a clip is recognised if the probability of its digit exceeds this


def labelled(folder: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """-> (clips, digits, speakers) of files named DIGIT-SPEAKER-TAKE.wav"""
    files = sounds.find(folder)
    parts = [f.stem.split("-") for f in files]
    for f, p in zip(files, parts):
        if p[0] not in WORDS or len(p) < 3:
            raise JudgeError(f"{f}: not named DIGIT-SPEAKER-TAKE.wav, as train.recipes.digits does")
    return (np.stack([sounds.one_second(f) for f in files]), np.array([WORDS.index(p[0]) for p in parts]),
            [p[1] for p in parts])


def fit(x: np.ndarray, y: np.ndarray, epochs: int, seed: int, device: str) -> Judge:
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed)
    judge = Judge().to(device)
    optimiser = torch.optim.AdamW(judge.parameters(), lr=3e-3, weight_decay=0.02)
    batch = 48
    steps = epochs * max(1, len(x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    clips, digits = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    for epoch in range(epochs):
        judge.train()
        order = torch.randperm(len(clips), generator=g)
        for step in range(max(1, len(x) // batch)):
            chosen = order[step * batch:(step + 1) * batch]
            no_words = nonsense(clips[chosen], g)[:batch // 4]
            heard = torch.cat([augment(clips[chosen], g), no_words])
            what = torch.cat([digits[chosen], torch.full((len(no_words),), NONE)])
            loss = F.cross_entropy(judge(heard.to(device)), what.to(device), label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        if (epoch + 1) % 5 == 0:
            print(f"epoch {epoch + 1}: loss {loss.item():.3f}", flush=True)
    return judge.eval()


def accuracy(judge: Judge, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Accuracy on clips unchanged and augmented as in training; and the share of nonsense taken for a digit."""
    g = torch.Generator().manual_seed(0)
    clips = torch.as_tensor(x, dtype=torch.float32)
    clean = listen(judge, x)[0].argmax(1)
    noisy = listen(judge, augment(clips, g).numpy())[0].argmax(1)
    wrong = listen(judge, nonsense(clips, g).numpy())[0][:, :NONE].max(1) > SURE
    return {"clean": float((clean == y).mean()), "augmented": float((noisy == y).mean()),
            "nonsense taken for a digit": float(wrong.mean())}


def by_speaker(speakers: list[str], part: float, seed: int) -> np.ndarray:
    """-> which clips to test on: those of `part` of the speakers"""
    names = sorted(set(speakers))
    if len(names) < 2:
        raise JudgeError("clips of two speakers or more are needed: one to learn from, one to test on")
    count = min(len(names) - 1, max(1, round(len(names) * part)))
    chosen = set(np.random.default_rng(seed).permutation(names)[:count].tolist())
    return np.array([s in chosen for s in speakers])


def run_fit(args: argparse.Namespace) -> int:
    began = time.monotonic()
    if not args.out.parent.is_dir():
        raise JudgeError(f"{args.out}: no such folder: {args.out.parent}")
    x, y, speakers = labelled(args.real)
    test = by_speaker(speakers, 0.2, args.seed)
    trial = fit(x[~test], y[~test], args.epochs, args.seed, args.device)
    told = accuracy(trial, x[test], y[test])
    names = {"speakers learnt from": len(set(speakers)), "clips": len(x), "tested clips": int(test.sum()), **told}
    print("trial on a fifth of the speakers: " + ", ".join(f"{k} {v:.3f}" for k, v in told.items()))
    judge = fit(x, y, args.epochs, args.seed, args.device)  # the final judge learns from all
    torch.save({"judge": "digits 1", "state": judge.cpu().state_dict(), "trial": names}, str(args.out))
    print(f"{args.out}: learnt from {len(x)} clips of {len(set(speakers))} speakers in {time.monotonic() - began:.0f} s")
    return 0


def load(path: Path, device: str) -> Judge:
    if not path.is_file():
        raise JudgeError(f"no such file: {path}")
    judge = Judge()
    try:
        held = plain_pickle.read(path)  # runs no code that a stranger's file names
        if held["judge"] != "digits 1":
            raise KeyError("judge")
        judge.load_state_dict(held["state"])
    except plain_pickle.Unplain as e:
        raise JudgeError(f"{path}: expected a judge of digits (python -m train.judge.digits fit), found {e}") from None
    except (KeyError, TypeError, AttributeError, RuntimeError, OSError):  # other keys, other tensors
        raise JudgeError(f"{path}: expected a judge of digits (python -m train.judge.digits fit), found another file") \
            from None
    return judge.to(device).eval()


def measure(judge: Judge, clips: np.ndarray, real_features: np.ndarray) -> dict:
    p, features = listen(judge, clips)
    best = p.argmax(1)
    sure = (p.max(1) > SURE) & (best != NONE)
    digits = p[:, :NONE]
    return {"clips": len(clips), "recognised": float(sure.mean()), "counts": {w: int((sure & (best == i)).sum()) for i, w in
            enumerate(WORDS)}, "inception score": inception_score(digits + 1e-9), "inception score, 11 classes":
            inception_score(p), "frechet distance": frechet_distance(features, real_features)}


def click(x: np.ndarray) -> np.ndarray:
    """(clips, samples) -> the largest deviation of a sample of each clip from the median of its neighbours, in units of the
    typical deviation in the 4 ms around it. Real words have 5, one in a hundred 10; an isolated wrong code 20 and more."""
    bend = np.abs(x[:, 1:-1] - 0.5 * (x[:, :-2] + x[:, 2:]))
    total = np.cumsum(np.pad(bend, ((0, 0), (CLICK_REACH + 1, CLICK_REACH))), 1, dtype=np.float64)
    usual = (total[:, 2 * CLICK_REACH + 1:] - total[:, :-2 * CLICK_REACH - 1]) / (2 * CLICK_REACH + 1)
    return (bend / (usual + 1e-3)).max(1)


def choose(p: np.ndarray, clicks: np.ndarray, sure: float, most_click: float, each: int, seed: int) -> list[np.ndarray]:
    """-> for each digit, which clips to keep: confident and without clicks, at most `each`, chosen at random."""
    rng = np.random.default_rng(seed)
    fine = (p.max(1) > sure) & (clicks <= most_click)
    groups = [np.flatnonzero(fine & (p.argmax(1) == digit)) for digit in range(NONE)]
    return [np.sort(rng.permutation(group)[:each]) for group in groups]


def run_keep(args: argparse.Namespace) -> int:
    judge = load(args.judge, args.device)
    files = sounds.find(args.generated)
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise JudgeError(f"{args.out}: expected a new or empty folder")
    p, clicks = [], []
    for i in range(0, len(files), 512):  # not thousands of clips in memory at once
        clips = np.stack([sounds.one_second(f) for f in files[i:i + 512]])
        p.append(listen(judge, clips)[0])
        clicks.append(click(clips))
    p, clicks = np.concatenate(p), np.concatenate(clicks)
    kept = choose(p, clicks, args.sure, args.click, args.each, args.seed)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        for word, group in zip(WORDS, kept):
            for number, i in enumerate(group, 1):
                shutil.copyfile(files[i], args.out / f"{word}-own-{number:05}.wav")
    except OSError as e:
        raise JudgeError(f"{args.out}: {e.strerror or e}") from None
    sure = (p[:, :NONE].max(1) > args.sure) & (p.argmax(1) != NONE)
    print(f"{args.out}: kept {sum(map(len, kept))} of {len(files)} clips: {int(sure.sum())} surer than {args.sure:g}, "
          f"{int((sure & (clicks <= args.click)).sum())} of them without a click; of each digit, 0 to 9: "
          + " ".join(str(len(group)) for group in kept))
    if not any(map(len, kept)):
        raise JudgeError(f"{args.generated}: expected clips that are a digit, surer than {args.sure:g} and without a "
                         f"click, found none in {len(files)}")
    return 0


def floors(clips: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (clips, 16000))
    y = codes / 255 * 2 - 1
    return {"white noise": rng.standard_normal((clips, 16000)).astype(np.float32) * 0.1,
            "random mu-law codes": (np.sign(y) * (256 ** np.abs(y) - 1) / 255).astype(np.float32),
            "silence": np.zeros((clips, 16000), np.float32)}


def run_score(args: argparse.Namespace) -> int:
    judge = load(args.judge, args.device)
    real_files = sounds.find(args.real)
    real = np.stack([sounds.one_second(f) for f in real_files])
    reference = listen(judge, real)[1]
    sets = {"generated": np.stack([sounds.one_second(f) for f in sounds.find(args.generated)])}
    ceiling = args.ceiling or (args.real.parent / "train" if (args.real.parent / "train").is_dir() else None)
    if ceiling:  # what a perfect model of the training set would score
        files = sounds.find(ceiling)
        chosen = np.random.default_rng(0).permutation(len(files))[:args.limit]
        sets["real, train"] = np.stack([sounds.one_second(files[i]) for i in sorted(chosen)])
    sets["real, held-out"] = real
    sets.update(floors(min(200, args.limit)))
    table = {name: measure(judge, clips, reference) for name, clips in sets.items()}
    if ceiling and all(f.stem.split("-")[0] in WORDS for f in files):
        right = np.array([WORDS.index(files[i].stem.split("-")[0]) for i in sorted(chosen)])
        table["real, train"]["accuracy"] = float((listen(judge, sets["real, train"])[0].argmax(1) == right).mean())
    if args.json:
        print(json.dumps(table, indent=1))
        return 0
    print(f"{'':22}{'clips':>6}{'recognised':>12}{'IS':>8}{'IS (11)':>9}{'Fréchet':>10}  of each digit, 0 to 9")
    for name, row in table.items():
        print(f"{name:22}{row['clips']:6}{row['recognised']:12.3f}{row['inception score']:8.2f}"
              f"{row['inception score, 11 classes']:9.2f}{row['frechet distance']:10.3f}  "
              + " ".join(str(n) for n in row["counts"].values()) + (f"  (accuracy {row['accuracy']:.3f})" if "accuracy" in row else ""))
    return 0


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.judge.digits", description=__doc__.split("\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    f = actions.add_parser("fit", help="train a judge on real clips")
    f.add_argument("--real", type=Path, required=True, metavar="DIR")
    f.add_argument("-o", "--out", type=Path, required=True, metavar="FILE")
    f.add_argument("--epochs", type=int, default=20)
    f.add_argument("--seed", type=int, default=1)
    s = actions.add_parser("score", help="judge generated clips")
    s.add_argument("--judge", type=Path, required=True, metavar="FILE")
    s.add_argument("--real", type=Path, required=True, metavar="DIR", help="real clips with which generated ones are compared")
    s.add_argument("--generated", type=Path, required=True, metavar="DIR")
    s.add_argument("--ceiling", type=Path, metavar="DIR", help="real clips to score too (the folder train beside --real)")
    s.add_argument("--limit", type=int, default=1000, metavar="N", help="clips of the ceiling at most (1000)")
    s.add_argument("--json", action="store_true")
    k = actions.add_parser("keep", help="copy the clips that are confidently a digit, for training")
    k.add_argument("--judge", type=Path, required=True, metavar="FILE", help="a listener other than the judge that scores")
    k.add_argument("--generated", type=Path, required=True, metavar="DIR")
    k.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="new or empty folder")
    k.add_argument("--sure", type=float, default=0.8, metavar="P", help="least probability of a digit (0.8)")
    k.add_argument("--click", type=float, default=10.0, metavar="X", help="largest deviation of a sample from its "
                   "neighbourhood (10: of real words one in a hundred does)")
    k.add_argument("--each", type=int, default=1000, metavar="N", help="clips of each digit at most (1000)")
    k.add_argument("--seed", type=int, default=1)
    for p in (f, s, k):
        p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args(words)
    if min(getattr(args, name, 1) for name in ("epochs", "limit", "each")) < 1:
        parser.error("--epochs, --limit and --each begin at 1")
    if not 0 <= getattr(args, "sure", 0) < 1 or not getattr(args, "click", 1) > 0:
        parser.error("--sure is a part from 0 to below 1, --click more than 0")
    try:
        if args.device.startswith("cuda") and not torch.cuda.is_available():
            raise JudgeError(f"--device {args.device}: no GPU that PyTorch can use was found")
        return {"fit": run_fit, "score": run_score, "keep": run_keep}[args.action](args)
    except (JudgeError, ValueError) as e:
        print(f"judge: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
