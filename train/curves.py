"""Draws held-out bits over training: python -m train.curves LABEL=RUN[+RUN...] ... -o curves.png

One curve per label, of one run's metrics.jsonl or of several parts, each of which started with the weights of the one
before: it continues from the last evaluation of that part, however long the part ran afterwards. Needs matplotlib;
--points prints the numbers as JSON instead and needs nothing.
"""
from __future__ import annotations

import argparse
import json
import math
import os
import sys
from pathlib import Path

from .config import UserError


def points(run: str) -> list[tuple[float, int, float]]:
    """(minutes, update, bits) of a run's folder or of a metrics file, in order. Where a run was resumed from an older
    checkpoint, the updates after it are logged twice, and the later entry counts."""
    file = Path(run) / "metrics.jsonl" if Path(run).is_dir() else Path(run)
    if not run:
        raise UserError("expected a run's folder or a metrics.jsonl, found nothing behind = or beside +")
    try:
        lines = file.read_text().splitlines()
    except OSError as e:
        raise UserError(f"{file}: expected a run's folder or a metrics.jsonl, found {e.strerror or e}") from e
    except UnicodeDecodeError:
        raise UserError(f"{file}: expected lines of JSON, found no text") from None
    found: dict[int, tuple[float, int, float]] = {}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError:
            if number == len(lines):  # a run that was cut off in the middle of a line
                break
            raise UserError(f"{file}:{number}: expected a line of JSON, found {line[:60]!r}") from None
        if isinstance(row, dict) and {"step", "seconds", "held_out_bits"} <= row.keys():
            step, seconds, bits = row["step"], row["seconds"], row["held_out_bits"]
            if not all(type(v) in (int, float) and math.isfinite(v) for v in (step, seconds, bits)):
                raise UserError(f"{file}:{number}: expected finite numbers, found {line[:80]!r}")
            found = {s: p for s, p in found.items() if s < step}
            found[step] = (seconds / 60, step, bits)
    if not found:
        raise UserError(f"{file}: expected bits on held-out audio, found none "
                        "(the first come at update train.eval_every)")
    return list(found.values())


def curve(runs: str) -> list[list[tuple[float, int, float]]]:
    """The parts of one curve, each part's minutes and updates counted on from the last of the one before."""
    parts, minutes, updates = [], 0.0, 0
    for run in runs.split("+"):
        parts.append([(minutes + m, updates + u, bits) for m, u, bits in points(run)])
        minutes, updates, _ = parts[-1][-1]
    return parts


def draw(curves: dict[str, list[list[tuple[float, int, float]]]], file: Path, title: str | None, updates: bool) -> None:
    try:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as e:
        raise UserError("drawing needs matplotlib (python3-matplotlib), which is not installed; --points prints the "
                        "numbers") from e
    matplotlib.rcParams["svg.hashsalt"] = "mambo"  # the same points, the same bytes
    colours = [c for name in ("tab10", "Set2", "Dark2") for c in matplotlib.colormaps[name].colors]
    figure, axes = pyplot.subplots(figsize=(7.2, 3.6), dpi=110, layout="constrained")
    ends, handles = [], []
    for number, (label, parts) in enumerate(curves.items()):
        colour = colours[number % len(colours)]
        for i, part in enumerate(parts):
            x = [p[1] if updates else p[0] for p in part]
            axes.plot(x, [p[2] for p in part], color=colour, linewidth=1.6, marker="o", markersize=2.6)
            ends.append((x[-1], part[-1][2], colour, i + 1 == len(parts)))
        handles.append(axes.get_lines()[-1])
    for x, bits, colour, last in ends:  # above what follows, or beside the end
        axes.annotate(f"{bits:.3f}", (x, bits), textcoords="offset points", xytext=(5, -3) if last else (-2, 6),
                      ha="left" if last else "center", fontsize=8, color=colour)
    axes.set_xlabel("updates" if updates else "minutes of training")
    axes.set_ylabel("bits per sample, held out")
    axes.margins(x=0.08)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if title:
        axes.set_title(title, fontsize=10, loc="left", parse_math=False)
    if len(curves) > 1:
        legend = axes.legend(handles, ["x"] * len(handles), frameon=False, fontsize=8)
        for text, label in zip(legend.get_texts(), curves):  # verbatim: no mathematics, and a leading _ hides no label
            text.set_parse_math(False)
            text.set_text(label)
    aside = file.with_name(f".{file.name}.part{file.suffix}")
    try:
        figure.savefig(aside, metadata={".png": {"Software": None}, ".svg": {"Date": None},
                                        ".pdf": {"CreationDate": None}}[file.suffix.lower()])
        os.replace(aside, file)
    except (OSError, ValueError) as e:
        aside.unlink(missing_ok=True)
        raise UserError(f"{file}: cannot be written: {e}") from e
    finally:
        pyplot.close(figure)


def main(argv: list[str] | None = None) -> int:
    p = argparse.ArgumentParser(prog="python -m train.curves", description=__doc__.split("\n\n")[0],
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("curves", nargs="+", metavar="[LABEL=]RUN[+RUN...]",
                   help="a run's folder or metrics.jsonl; successive parts are joined by +")
    p.add_argument("-o", "--output", type=Path, metavar="FILE", help="a picture: .png, .svg or .pdf")
    p.add_argument("--title", metavar="TEXT")
    p.add_argument("--updates", action="store_true", help="plot over updates instead of minutes")
    p.add_argument("--points", action="store_true", help="print the numbers as JSON")
    args = p.parse_args(argv)
    try:
        if args.output is None and not args.points:
            raise UserError("expected -o FILE for a picture or --points for numbers, found neither")
        if args.output is not None and args.output.suffix.lower() not in (".png", ".svg", ".pdf"):
            raise UserError(f"-o: expected a name that ends in .png, .svg or .pdf, found {args.output}")
        curves = {}
        for given in args.curves:
            label, found, runs = given.partition("=")
            if not found:
                label, runs = Path(given.split("+")[0]).name, given
            if label in curves:
                raise UserError(f"expected a label of its own for each curve, found {label} twice "
                                "(LABEL=RUN names one)")
            curves[label] = curve(runs)
        if args.points:
            print(json.dumps({label: [{"minutes": round(m, 2), "update": u, "held_out_bits": bits}
                                      for part in parts for m, u, bits in part] for label, parts in curves.items()}))
        if args.output is not None:
            draw(curves, args.output, args.title, args.updates)
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
