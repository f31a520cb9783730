#!/usr/bin/env python3
"""Makes seeds/drums-*.wav: the first bars of three loops that the drum set holds out.

    assets/make_drums_seeds.py [/usr/share/sonic-pi/samples]

They are what `python -m train.recipes.drums --loops 4000 --tempo-step 20 --steady` puts into held-out, sample for sample.
"""

import sys
import tempfile
import wave
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import numpy as np  # noqa: E402

from train.recipes import drums, drums_kit, wav  # noqa: E402

LOOPS, KITS, HELD_OUT, SEED, TEMPO_STEP = 4000, 64, 0.08, 1, 20  # of the set
CLIPS = {"drums-house": (3776, 4), "drums-breakbeat": (3476, 4), "drums-latin": (798, 3)}  # seed -> loop, bars


def main() -> int:
    try:
        strokes = drums_kit.read_strokes(Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/sonic-pi/samples"))
    except wav.RecipeError as error:
        print(f"make_drums_seeds: {error}", file=sys.stderr)
        return 1
    kits = drums_kit.make_kits(KITS, KITS // 8, np.random.default_rng([SEED, 0]))
    held_out = np.random.default_rng([SEED, 1]).permutation(LOOPS)[:round(LOOPS * HELD_OUT)]
    with tempfile.TemporaryDirectory() as folder:
        wav.new_folder(Path(folder))
        for name, (number, bars) in CLIPS.items():
            assert number in held_out, f"loop {number} is trained on"
            loop = drums.make_loop(number, True, strokes, kits, Path(folder), SEED, TEMPO_STEP, True)
            with wave.open(str(Path(folder, loop["file"]))) as whole, \
                    wave.open(str(HERE / "seeds" / f"{name}.wav"), "wb") as seed:
                seed.setparams(whole.getparams())
                seed.writeframes(whole.readframes(round(bars * 240 / loop["bpm"] * wav.RATE)))
            print(f"{name}: {loop['style']}, {loop['bpm']} bpm, {bars} bars, kit {loop['kit']}, "
                  f"kit unseen {loop['kit unseen in training']}, kick unseen {loop['kick pattern unseen in training']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
