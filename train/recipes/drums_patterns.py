"""A small grammar of drum patterns: what a bar of a style may be made of.

A pattern has 16 steps per bar (two bars where it has 32): X loud, x plain, o ghost, ? plain in some bars, . nothing.
The last pattern of each line of kick patterns is kept for the held-out loops.
"""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

STEPS = 16
VELOCITY = {"X": 1.0, "x": 0.72, "o": 0.3, "?": 0.6}


@dataclass(frozen=True)
class Style:
    bpm: tuple[int, int]
    swing: tuple[float, float]          # part of two sixteenths that the first one takes: 0.5 is straight
    kits: tuple[str, ...]               # families of kits that suit it
    lines: dict[str, tuple[str, ...]]   # voice -> the patterns to choose from; "" is a voice that rests
    loose: float = 4.0                  # deviation of hits in milliseconds


STYLES: dict[str, Style] = {
    "house": Style((115, 134), (0.5, 0.58), ("electro", "club"), {
        "kick": ("X...X...X...X...", "X...X...X...X.?.", "X...X...X..?X...", "X...X...X...X..xX...X...X.x.X...",
                 "X..xX...X...X.x."),
        "clap": ("....X.......X...", "....X.......X..o", "....X..o....X..."),
        "hat": ("..x...x...x...x.", "x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo", "o.xoo.xoo.xoo.xo"),
        "open": ("", "..x...x...x...x.", "..............x."),
        "perc": ("", "...x..x....x..x.", "......x.......x?", "x..x..x...x..x.."),
    }, 1.0),
    "rock": Style((84, 160), (0.5, 0.52), ("acoustic", "club"), {
        "kick": ("X.......X.......", "X.......X.x.....", "X.....x.X.......", "X..x....x.x.....", "X.x.......x.....",
                 "X.......X...X...X.x.....x.x.....", "X..x..x...X....."),
        "snare": ("....X.......X...", "....X..o.o..X...", "....X.......X..o", "....X.......X.......X..o.o..X.x."),
        "hat": ("x.x.x.x.x.x.x.x.", "X.o.X.o.X.o.X.o.", "x...x...x...x...", "xoxoxoxoxoxoxoxo"),
        "open": ("", "", "..............x.", "......x........."),
        "bell": ("", "", "", "x...x...x...x..."),
    }, 6.0),
    "half-time": Style((120, 160), (0.5, 0.54), ("electro", "club", "acoustic"), {
        "kick": ("X.........x.....", "X..x......x.....", "X.....x.......x.", "X.........x.....X..x..........x.",
                 "X.....x...x..?..", "X..x..x........."),
        "snare": ("........X.......", "........X......o", "........X....o..", "....o...X......."),
        "hat": ("x.x.x.x.x.x.x.x.", "x.xxx.x.x.x.xxxx", "x..x..x.x..x..x.", "xxx.x.x.xxx.x.x.x.x.x.xxx.x.xxxx"),
        "open": ("", "......x.........", "..............x."),
        "perc": ("", "", "...........x....", "..x.......x...x."),
    }, 2.0),
    "hip-hop": Style((74, 102), (0.53, 0.64), ("club", "acoustic", "electro"), {
        "kick": ("X......x..x.....", "X.x.......x..x..", "X.....x...x.....", "X..x....?.x.....", "X......x.xX.....",
                 "X.x....x..x.....X......x.xx.....", "X....x.x..x..x.."),
        "snare": ("....X.......X...", "....X..o....X...", "....X..o.o..X..o", "....X.......X..?"),
        "hat": ("x.x.x.x.x.x.x.x.", "xox.xox.xox.xox.", "X.o.x.o.X.o.x.oo", "x.xox.x.x.xox.x?"),
        "open": ("", "", "......x.........", "..............x."),
        "perc": ("", "", "..........x.....", "x......x........"),
    }, 7.0),
    "breakbeat": Style((92, 160), (0.5, 0.58), ("acoustic", "club"), {
        "kick": ("X.x.......xx....", "X.x.......x....?", "X......x..x.....", "X..x......x..x..",
                 "X.x.......xx....X.x.......x.....", "X.....x..xx....."),
        "snare": ("....X..o.o..X..o", "....X..x.o..X...", "....X....o..X.o.", "....X..o.o..X..o....X..o.o....X."),
        "hat": ("x.x.x.x.x.x.x.x.", "X.x.X.x.X.x.X.xo", "x.xxx.x.x.xxx.x."),
        "open": ("", "..........x.....", "..............x."),
        "bell": ("", "", "x.x.x.x.x.x.x.x."),
    }, 6.0),
    "dembow": Style((84, 106), (0.5, 0.52), ("electro", "club", "latin"), {
        "kick": ("X...X...X...X...", "X.......X.......", "X...x...X...x..?", "X...X..xX...X..."),
        "snare": ("...X..X....X..X.", "...X..x....X..x.", "...X..X....X..X....X..X....X..Xo"),
        "hat": ("..x...x...x...x.", "x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo", ""),
        "perc": ("", "x..x..x.x..x..x.", "..x..x....x..x..", "......x.......xx"),
        "open": ("", "", "..x...x...x...x."),
    }, 2.5),
    "latin": Style((78, 124), (0.5, 0.54), ("latin", "acoustic"), {
        "kick": ("X..xX..xX..xX..x", "X..x....X..x....", "...x..x....x..x.", "X.....x.X.....x.", "X..x..x...x..x.."),
        "side": ("X..X..X...X..X..", "X..X..X...X.X...", "X..X...X..X.X...", "X...X...X..X..X...X..X...X..X..X", "..X.X...X..X..X."),
        "hat": ("xoxxxoxxxoxxxoxx", "x.xxx.xxx.xxx.xx", "xxxxxxxxxxxxxxxx", "x.x.x.x.x.x.x.x."),
        "conga-hi": ("..x...xx..x...xx", "x..xx...x..xx...", "....x..x....x..x", ""),
        "conga-lo": ("......o.......xx", "..o.....x.o.....", "x.....x...x.....", ""),
        "bell": ("", "x...x.x.x...x.x.", "x.xx.x.xx.x.xx.x"),
    }, 5.0),
    "electro": Style((104, 136), (0.5, 0.53), ("electro",), {
        "kick": ("X..X..X...X.....", "X.....X...X.....", "X..x......x..x..", "X.x...x...x.....", "X..X..X...X.....X.....x..xX.....",
                 "X....X....X..X.."),
        "snare": ("....X.......X...", "....X.......X..x", "....X..x....X..."),
        "clap": ("", "", "....X.......X..."),
        "hat": ("x.x.x.x.x.x.x.x.", "xoxxxoxxxoxxxoxx", "xxxxxxxxxxxxxxxx", "x.xxx.xxx.xxx.xx"),
        "perc": ("", "x..x..x...x..x..", "..x..x..x..x..x.", "......xx......x."),
        "open": ("", "..x...x...x...x.", "......x........."),
        "bell": ("", "", "x..x..x..x..x.x."),
    }, 0.5),
}

# The end of a phrase: these take the place of snare and toms from their first step on; they count back from the bar's end.
FILLS: tuple[dict[str, str], ...] = (
    {"snare": "x.xxX.xX"}, {"snare": "xxxxXXXX"}, {"snare": "xx..", "tom-lo": "..xX"},
    {"tom-hi": "xx......", "tom-mid": "..xx....", "tom-lo": "....xxX."},
    {"tom-hi": "x..x....", "tom-lo": "......x.", "snare": "....x..X"},
    {"snare": "x..x..x."}, {"tom-hi": "x.x.....", "tom-mid": "....x.x.", "kick": ".x.x.x.x"},
    {"snare": "ooooxxxxxxxxXXXX"}, {"tom-hi": "xxx.............", "tom-mid": "....xxx.........", "tom-lo": "........xxx.x...",
     "snare": "............X.X."},
    {"perc": "x.xx.xxx"}, {"clap": "..x.x.xx"}, {"open": "x...x...", "kick": "..x...x."},
)


@dataclass(frozen=True)
class Hit:
    voice: str
    seconds: float
    velocity: float


@dataclass
class Groove:
    """What one loop plays: chosen once, then repeated with small changes."""
    style: str
    bpm: int
    swing: float
    bars: int
    phrase: int                          # bars until a fill
    lines: dict[str, str]
    unseen: bool                         # its kick pattern is one that training never has
    answers: dict[str, str] = field(default_factory=dict)  # other patterns for the phrase's second half
    steady: bool = False                 # like a machine: on the grid, every bar alike

    @property
    def seconds(self) -> float:
        return self.bars * 4 * 60 / self.bpm


def bars_for(bpm: int, rng: np.random.Generator, whole: int = 1) -> int:
    """A whole number of bars, a multiple of `whole`, that takes 8 to 16 seconds; phrases of four where there is a
    choice."""
    fitting = [b for b in range(2, 13) if 8 <= b * 240 / bpm <= 16 and b % whole == 0]
    even = [b for b in fitting if b % 4 == 0] or [b for b in fitting if b % 2 == 0] or fitting
    return int(rng.choice(even if rng.random() < 0.8 else fitting))


def tempi(bpm: tuple[int, int], step: int) -> range:
    """The multiples of `step` in a range of tempi, ends included. Every style has one for each step up to 20 (the
    narrowest, house, spans 20 tempi)."""
    return range(-(-bpm[0] // step) * step, bpm[1] + 1, step)


def compose(style_name: str, unseen: bool, rng: np.random.Generator, tempo_step: int = 1, steady: bool = False) -> Groove:
    style = STYLES[style_name]
    allowed = tempi(style.bpm, tempo_step)
    bpm = allowed[int(rng.integers(len(allowed)))]
    lines, answers = {}, {}
    for voice, patterns in style.lines.items():
        choice = (patterns[-1:] if unseen else patterns[:-1]) if voice == "kick" else patterns
        lines[voice] = str(rng.choice(choice))
        if len(choice) > 1 and lines[voice] and rng.random() < 0.3:
            answers[voice] = str(rng.choice(choice))
    # Alternating bars must still alternate where the loop's end meets its beginning.
    bars = bars_for(bpm, rng, max(map(len, lines.values())) // STEPS if steady else 1)
    swing, phrase = float(rng.uniform(*style.swing)), int(rng.choice([4, 8]))
    if steady:
        swing, answers = 0.5, {}
    return Groove(style_name, bpm, swing, bars, phrase, lines, unseen, answers, steady)


def step_seconds(step: int, groove: Groove) -> float:
    """When a step of the loop is due: the second of each two sixteenths comes late by the swing."""
    pair, second = divmod(step, 2)
    return (2 * pair + (2 * groove.swing if second else 0)) * 15 / groove.bpm


def play(groove: Groove, rng: np.random.Generator) -> list[Hit]:
    """All hits of the loop, in order."""
    loose = 0.0 if groove.steady else STYLES[groove.style].loose / 1000
    lag = {voice: float(rng.normal(0, loose)) for voice in (*groove.lines, "tom-hi", "tom-mid", "tom-lo", "crash")}
    hits: list[Hit] = []

    def add(voice: str, step: int, mark: str) -> None:
        if mark == "." or mark == "?" and (groove.steady or rng.random() < 0.5):
            return
        when = step_seconds(step, groove) + lag.get(voice, 0.0) + float(rng.normal(0, loose / 2))
        pulse = 1.08 if step % 4 == 0 else 0.94  # the metre is heard in plain strokes too
        velocity = VELOCITY[mark] * pulse * (1.0 if groove.steady else float(np.exp(rng.normal(0, 0.08))))
        hits.append(Hit(voice, when % groove.seconds, float(np.clip(velocity, 0.1, 1.2))))

    for bar in range(groove.bars):
        last = not groove.steady and ((bar + 1) % groove.phrase == 0 or bar == groove.bars - 1)
        fill = FILLS[int(rng.integers(len(FILLS)))] if last and rng.random() < 0.85 else {}
        fill_steps = max(map(len, fill.values()), default=0)
        answering = bar % groove.phrase >= groove.phrase // 2
        for voice, line in groove.lines.items():
            line = groove.answers.get(voice, line) if answering else line
            for step in range(STEPS if line else 0):
                in_fill = step >= STEPS - fill_steps and (voice in fill or voice in ("snare", "clap", "side"))
                if not in_fill:
                    add(voice, bar * STEPS + step, line[(bar * STEPS + step) % len(line)])
        for voice, marks in fill.items():
            for i, mark in enumerate(marks):
                add(voice, (bar + 1) * STEPS - len(marks) + i, mark)
        if not groove.steady and bar % groove.phrase == 0 and rng.random() < (0.5 if bar else 0.3):
            add("crash", bar * STEPS, "x")
    return sorted(hits, key=lambda hit: hit.seconds)
