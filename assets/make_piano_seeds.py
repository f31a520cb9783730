#!/usr/bin/env python3
"""Makes seeds/piano-*.wav: the first ten seconds of three pieces that the piano set holds out.

    assets/make_piano_seeds.py piano.npz

The pack is made by `python -m train.recipes.piano --midi ... --bank ... --pack piano.npz`. The clips
are the beginnings of what the recipe renders, sample for sample, with its seed 1 and first take.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from train.recipes import piano, piano_bank, piano_pack, piano_play, piano_sampler  # noqa: E402

RATE, SECONDS = 16000, 10
CLIPS = {  # seed -> piece
    "piano-beethoven": "BeethovenLv__O90__LVB_Sonate_90_2__LVB_Sonate_90_20",
    "piano-chopin": "ChopinFF__O25__chopin-op-25-01__chopin-op-25-010",
    "piano-joplin": "JoplinS__search__search0",
}


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        scores, bank, _ = piano_pack.read_pack(Path(sys.argv[1]))
    except (OSError, ValueError) as error:
        print(f"make_piano_seeds: {error}", file=sys.stderr)
        return 1
    by_name = {score.name: score for score in scores}
    instrument = piano_bank.Instrument(bank, RATE)
    for seed, name in CLIPS.items():
        if name not in by_name:
            print(f"make_piano_seeds: the pack has no piece {name}", file=sys.stderr)
            return 1
        score = by_name[name]
        assert piano.held_out(score, 0.06), f"{name} is trained on"
        performance = piano_play.perform(score, seed=1, take=1)
        sound = piano_sampler.play(instrument, performance)
        samples, _ = piano_sampler.finished(sound, performance, RATE, piano_sampler.GAIN_DB)
        piano_sampler.write_wav(HERE / "seeds" / f"{seed}.wav", samples[:SECONDS * RATE], RATE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
