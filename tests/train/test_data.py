"""The audio of the trainer: codes, splits, crops, variations, what is refused."""
import os
import unittest
import unittest.mock

import numpy as np
import torch

from support import TINY, InFolder, quiet, tone, write_wave  # first: it makes train importable

from train import augment, audio, config, data, feeder, fit


class Data(InFolder):
    def test_several_folders(self):
        """Each folder with its own sides; names say which; a file in two folders is read once."""
        for name, hz in (("a/train/x.wav", 200), ("a/held-out/y.wav", 210), ("b/z1.wav", 220), ("b/z2.wav", 230)):
            write_wave(self.dir / name, tone(0.1, hz))
        folders = [str(self.dir / n) for n in ("a", "b", "b")]
        corpus = data.load(folders, config.ModelConfig(), self.dir / "cache", 0.5, 1)
        sides = {p.name: p.held_out for p in corpus.pieces}
        self.assertEqual(set(sides), {"train/x.wav", "held-out/y.wav", "1:z1.wav", "1:z2.wav"})
        self.assertEqual((sides["train/x.wav"], sides["held-out/y.wav"]), (False, True))
        self.assertEqual(sides["1:z1.wav"] + sides["1:z2.wav"], 1)

    def test_codes(self):
        self.assertEqual(audio.encode([0.0, 1.0, -1.0, 2.0], "mulaw8").tolist(), [128, 255, 0, 255])
        every = np.arange(256)
        for encoding in ("mulaw8", "linear8"):
            self.assertEqual(audio.encode(audio.decode(every, encoding), encoding).tolist(), every.tolist())
            back = augment.compress(augment.expand(torch.arange(256), encoding), encoding)
            self.assertEqual(back.tolist(), every.tolist())

    def test_reads_mixes_and_resamples(self):
        left = tone(0.5, 440, 44100)
        write_wave(self.dir / "stereo.wav", np.stack([left, np.zeros_like(left)], 1), 44100)
        x = audio.read(self.dir / "stereo.wav", 16000)
        self.assertEqual(len(x), 8000)
        want = tone(0.5, 440) / 2
        self.assertLess(float(np.abs(x[100:-100] - want[100:-100]).max()), 2e-3)

    def test_splits(self):
        names = [f"p{i}~take{t}.wav" for i in range(200) for t in range(2)]
        sides = data.split(names, 0.1)
        self.assertTrue(all(sides[f"p{i}~take0.wav"] == sides[f"p{i}~take1.wav"] for i in range(200)))
        self.assertTrue(20 <= sum(sides.values()) <= 64)
        more = data.split(names + ["new.wav"], 0.1)
        self.assertTrue(all(more[n] == sides[n] for n in names))
        self.assertEqual(data.split(["train/a.wav", "held-out/b.wav", "c.wav"], 0.5), {"train/a.wav": False, "held-out/b.wav": True})
        for i in range(50):  # takes and formats of one piece
            alike = data.split([f"x/p{i}.wav", f"x/p{i}~take2.wav", f"x/p{i}.flac"] + names, 0.3)
            self.assertEqual(len({alike[n] for n in alike if n.startswith("x/")}), 1)
        two = data.split(["a.wav", "b.wav"], 0.05)
        self.assertEqual(sorted(two.values()), [False, True])

    def test_what_cannot_be_read_is_not_what_is_held_out(self):
        """Whichever of three files is broken or too short, the other two are enough."""
        for bad in range(3):
            for broken in (True, False):
                folder = self.dir / f"{bad}{broken}"
                for i in range(3):
                    write_wave(folder / f"{i}.wav", tone(0.1 if i != bad else 0.001, 300 + i))
                if broken:
                    (folder / f"{bad}.wav").write_bytes(b"RIFF, and no more")
                said = []
                corpus = data.load([str(folder)], config.ModelConfig(), self.dir / f"cache{bad}{broken}", 0.1, 1,
                                   lambda *a, **k: said.append(a[0]), 1000)
                long = {p.name: p.held_out for p in corpus.pieces if p.length >= 1000}
                self.assertEqual(sorted(long.values()), [False, True], f"{bad} {broken}")
                self.assertEqual(any("skipped" in line for line in said), broken)

    def test_one_recording_and_other_kinds_of_files(self):
        write_wave(self.dir / "one.wav", tone(0.5, 300))
        (self.dir / "phone.m4a").write_bytes(b"ftyp")
        said = []
        with self.assertRaisesRegex(config.UserError, "one recording is not split: cut it in two"):
            data.load([str(self.dir)], config.ModelConfig(), self.dir / "cache", 0.1, 1,
                      lambda *a, **k: said.append(a[0]))
        self.assertIn("kinds that are not read (.m4a)", said[0])

    def test_finds_audio_wherever_the_folder_lies(self):
        write_wave(self.dir / ".hidden" / "deep" / "a.wav", tone(0.1, 300))
        write_wave(self.dir / ".hidden" / ".not" / "b.wav", tone(0.1, 300))
        for folder in (self.dir / ".hidden", self.dir / ".hidden" / "deep" / ".." / "deep"):
            self.assertEqual([p.name for p in audio.find(folder)], ["a.wav"])

    def test_cache_and_crops(self):
        folder = self.tones()
        (folder / "broken.wav").write_bytes(b"RIFF nonsense")
        m = config.ModelConfig()
        corpus, said = quiet(lambda: data.load([str(folder)], m, self.dir / "cache", 0.3, 513))
        self.assertIn("skipped broken.wav", said)
        self.assertEqual(len(corpus.pieces), 4)
        for p in corpus.pieces:
            want = audio.encode(audio.read(folder / p.name, 16000), "mulaw8")
            self.assertTrue(np.array_equal(corpus.codes[p.begin:p.begin + p.length], want))
        before = (self.dir / "cache").stat().st_mtime_ns
        again, said = quiet(lambda: data.load([str(folder)], m, self.dir / "cache", 0.3, 513))
        self.assertEqual((self.dir / "cache").stat().st_mtime_ns, before, "made twice")
        crops = data.Crops(again, False, 513, 7)
        a, b = crops.batch(5, 0, 6), data.Crops(corpus, False, 513, 7).batch(5, 0, 6)
        self.assertTrue(np.array_equal(a, b))
        self.assertFalse(np.array_equal(a, crops.batch(6, 0, 6)))
        flat = bytes(np.concatenate([corpus.codes[p.begin:p.begin + p.length] for p in corpus.side(False)]))
        self.assertTrue(all(bytes(row) in flat for row in a))

    def test_parts_and_processes_read_other_crops(self):
        folder = self.tones()
        crops = data.Crops(data.load([str(folder)], config.ModelConfig(), self.dir / "cache", 0.3, 513), False, 513, 7)
        seen = []
        for rank in range(2):
            ahead = feeder.Feeder(crops, 3, 2, rank, 4, False)
            seen += [bytes(ahead.next()[0].numpy()) for _ in range(4)]  # two parts of two updates
            ahead.stop()
        self.assertEqual(len(set(seen)), 8)

    def test_whole_files_follow_silence(self):
        write_wave(self.dir / "audio" / "train" / "a.wav", tone(0.02, 300))
        write_wave(self.dir / "audio" / "train" / "b.wav", tone(0.05, 500))
        write_wave(self.dir / "audio" / "held-out" / "c.wav", tone(0.02, 400))
        corpus = data.load([str(self.dir / "audio")], config.ModelConfig(), self.dir / "cache", 0.3, 1)
        rows = data.Crops(corpus, False, 401, 1, whole=True).batch(0, 0, 20)
        expected = []
        for p in corpus.side(False):
            codes = corpus.codes[p.begin:p.begin + min(400, p.length)]
            expected.append(bytes(np.concatenate([[128], codes, np.full(400 - len(codes), 128)]).astype(np.uint8)))
        self.assertEqual({bytes(r) for r in rows}, set(expected))
        # next: whole files one after the other, from the first sample on.
        files = [bytes(corpus.codes[p.begin:p.begin + p.length]) for p in corpus.side(False)]
        follows = set()
        for row in data.Crops(corpus, False, 2001, 1, whole=True, after_end="next").batch(0, 0, 40):
            rest, order = bytes(row[1:]), []
            self.assertEqual(row[0], 128)
            while any(len(rest) >= len(f) and rest.startswith(f) for f in files):
                order.append(next(i for i, f in enumerate(files) if rest.startswith(f)))
                rest = rest[len(files[order[-1]]):]
            self.assertTrue(any(f.startswith(rest) for f in files))
            follows |= set(zip(order, order[1:]))
        self.assertEqual(follows, {(0, 0), (0, 1), (1, 0), (1, 1)})

    def test_whose_each_code_is(self):
        """For every kind of crop: the file reported for a code is the file of that code."""
        for name, level, length in (("a", -0.5, 0.02), ("b", 0.0, 0.05), ("c", 0.5, 0.03)):
            write_wave(self.dir / "audio" / "train" / f"{name}.wav", np.full(int(16000 * length), level))
        write_wave(self.dir / "audio" / "held-out" / "d.wav", tone(0.02, 400))
        corpus = data.load([str(self.dir / "audio")], config.ModelConfig(), self.dir / "cache", 0.3, 1)
        code_of = {p.name: corpus.codes[p.begin] for p in corpus.side(False)}
        self.assertEqual(len(set(code_of.values())), 3)
        for whole, after, length in ((False, "stop", 101), (False, "next", 1001), (False, "again", 1001),
                                     (True, "stop", 701), (True, "next", 2001)):
            crops = data.Crops(corpus, False, length, 1, whole, after)
            codes, files = crops.batch_and_files(3, 0, 40)
            self.assertTrue(np.array_equal(codes, crops.batch(3, 0, 40)))
            levels = np.array([code_of[n] for n in crops.names] + [128], np.uint8)
            self.assertTrue(np.array_equal(levels[files], codes), (whole, after))
            self.assertEqual(set(files.flatten()) - {-1}, {0, 1, 2})
            self.assertEqual((files[:, 0] == -1).all(), whole)
            self.assertEqual((files[:, 1:] == -1).any(), whole and after == "stop")

    def test_files_between_a_crop_and_a_raised_one_are_used(self):
        """They are raised by less, as far as vary has room; only files shorter than a crop are left out."""
        for i, length in enumerate((200, 256, 257, 261, 288, 289, 400)):
            write_wave(self.dir / "audio" / "train" / f"{i}.wav", np.full(length, 0.1 * (i + 1)))
        write_wave(self.dir / "audio" / "held-out" / "d.wav", tone(0.1, 400))
        corpus = data.load([str(self.dir / "audio")], config.ModelConfig(), self.dir / "cache", 0.3, 257)
        crops = data.Crops(corpus, False, augment.longer(257, 2.0), 1, least=257)
        codes, files = crops.batch_and_files(0, 0, 2000)
        self.assertEqual((crops.left_out, {n for n in crops.names}), (2, {f"train/{i}.wav" for i in range(2, 7)}))
        self.assertEqual(set(files[:, 0]), set(range(5)))
        room = (files != -1).sum(1)
        for i, length in enumerate((257, 261, 288, 289, 400)):
            rooms = room[files[:, 0] == i]
            self.assertTrue(257 <= rooms.min() and rooms.max() <= min(length, crops.length), (length, rooms))
        self.assertEqual(room[files[:, 0] == 4].max(), crops.length)
        code, said = self.fit("--set", "train.steps=2", "--set", "train.after_end=stop", "--set", "train.pitch_semitones=2")
        self.assertEqual(code, 0, said)

    def test_a_cache_is_of_its_folder_and_whole(self):
        for name, hz in (("x", 200), ("y", 3000)):
            write_wave(self.dir / name / "a.wav", tone(0.1, hz))
            os.utime(self.dir / name / "a.wav", (1, 1))
        load = lambda name: data.load([str(self.dir / name)], config.ModelConfig(), self.dir / "cache", 0, 1)  # noqa: E731
        x, y = load("x"), load("y")
        self.assertFalse(np.array_equal(x.codes, y.codes))
        self.assertEqual(x.fingerprint(), y.fingerprint(), "of names and lengths")
        del x, y
        files = sorted((self.dir / "cache").iterdir())
        self.assertEqual(len(files), 4)
        for cut in files:
            cut.write_bytes(cut.read_bytes()[:30])
            self.assertEqual([len(load(name).codes) for name in "xy"], [1600, 1600], cut)

    def test_what_lies_beside_codes_bends_with_them(self):
        """With pieces of constant level: the label changes where the level changes, whatever the pitch."""
        have = augment.longer(4000, 2.0)
        edges = torch.tensor([0, 900, 2100, 3300])
        files = (torch.arange(have)[None] >= edges[:, None]).sum(0)[None].repeat(8, 1) - 1
        codes = torch.tensor([40, 90, 160, 220], dtype=torch.uint8)[files]
        out, beside = augment.vary(codes, 4000, "mulaw8", 0.0, 2.0, torch.Generator().manual_seed(3), files)
        self.assertEqual(out.shape, beside.shape)
        self.assertTrue(torch.equal(out, augment.vary(codes, 4000, "mulaw8", 0.0, 2.0, torch.Generator().manual_seed(3))))
        wrong = (torch.tensor([40, 90, 160, 220])[beside] - out.int()).abs() > 20
        self.assertLess(int(wrong.sum(1).max()), 9, "at the three edges, where pieces are mixed")
        self.assertGreater(int((beside != files[:, :4000]).sum()), 100)
        # A row that has less is raised by less, and codes after its end are not used.
        room = torch.tensor([4000, 4000, 4100, 4100, 4200, have, have, have]).repeat(5)
        codes = codes.repeat(5, 1)
        for i, r in enumerate(room):
            codes[i, r:] = 255
        short, where = augment.vary(codes, 4000, "mulaw8", 3.0, 2.0, torch.Generator().manual_seed(3),
                                    torch.arange(have)[None].repeat(40, 1), room)
        self.assertLess(int(short.max()), 240)
        self.assertTrue(bool((where.max(1).values < room).all()))
        self.assertGreater(int(where[room == have, -1].max()), 4300)
        for gain in (0.0, 3.0):
            same = augment.vary(codes[:8], 4000, "mulaw8", gain, 0.0, torch.Generator().manual_seed(3), files)[1]
            self.assertTrue(torch.equal(same, files[:, :4000]))

    def test_after_the_end_of_a_file(self):
        """stop: within files; again: one file repeated; next: continues with the beginning of any file."""
        for name, length, hz in (("a", 0.02, 300), ("b", 0.05, 500)):
            write_wave(self.dir / "audio" / "train" / f"{name}.wav", tone(length, hz))
        write_wave(self.dir / "audio" / "held-out" / "c.wav", tone(0.02, 400))
        corpus = data.load([str(self.dir / "audio")], config.ModelConfig(), self.dir / "cache", 0.3, 1)
        files = [bytes(corpus.codes[p.begin:p.begin + p.length]) for p in corpus.side(False)]
        loops = [f * 6 for f in files]
        rows = [bytes(r) for r in data.Crops(corpus, False, 1001, 1, after_end="again").batch(0, 0, 60)]
        self.assertTrue(all(any(r in loop for loop in loops) for r in rows))
        self.assertTrue(all(any(r in loop for r in rows) for loop in loops), "both are heard")
        crops = data.Crops(corpus, False, 1001, 1, after_end="next")
        rows = [bytes(r) for r in crops.batch(0, 0, 60)]
        self.assertEqual(rows, [bytes(r) for r in crops.batch(0, 0, 60)], "what follows is by chance of the update alone")
        follows = set()
        for r in rows:
            # One of the files' ends, then whole files, then a beginning.
            ways = [(i, r[n:]) for i, f in enumerate(files) for n in range(1, min(len(f), len(r)) + 1) if f.endswith(r[:n])]
            for i, rest in ways:
                while rest and any(len(rest) >= len(f) and rest.startswith(f) for f in files):
                    j = next(j for j, f in enumerate(files) if rest.startswith(f))
                    follows.add((i, j))
                    i, rest = j, rest[len(files[j]):]
                if any(f.startswith(rest) for f in files):
                    break
            else:
                self.fail("neither an end nor a beginning")
        self.assertEqual(follows, {(0, 0), (0, 1), (1, 0), (1, 1)})
        # A gap: silence of every length up to it, and of no file, before what follows; what it held before is not changed.
        longest = 0
        for codes, whose, plain in zip(*data.Crops(corpus, False, 6001, 1, after_end="next", gap=500).batch_and_files(0, 0, 60),
                                       data.Crops(corpus, False, 6001, 1, after_end="next").batch(0, 0, 60)):
            first = int(np.argmax(whose == -1))
            self.assertTrue(np.array_equal(codes[:first], plain[:first]))
            self.assertTrue((codes[whose == -1] == 128).all())
            edges = np.flatnonzero(np.diff(np.concatenate([[0], whose == -1, [0]]).astype(int)))
            longest = max(longest, int((edges[1::2] - edges[::2]).max()))
            for begin in edges[1::2]:  # after a gap, a file from its beginning
                f = files[whose[begin]] if begin < len(whose) else b""
                have = min(len(f), len(codes) - begin)
                self.assertEqual(bytes(codes[begin:begin + have]), f[:have])
        self.assertTrue(450 < longest <= 500, longest)
        with self.assertRaises(config.UserError):
            data.Crops(corpus, False, 1001, 1)
        code, said = self.fit("--set", "train.gap=2", "--set", "train.after_end=stop")
        self.assertEqual(code, 2)
        self.assertIn("train.gap: expected 0 unless train.after_end is next, found 2", said)
        code, said = self.fit("--set", "train.after_end=never")
        self.assertEqual(code, 2)
        self.assertIn("expected stop, next or again, found never", said)
        code, said = self.fit("--set", "train.steps=2", "--set", "train.crop=1024", "--set", "train.after_end=again")
        self.assertEqual(code, 0, said)

    def test_augments(self):
        x = torch.from_numpy(audio.encode(tone(0.3, 400), "mulaw8"))[None].repeat(3, 1)
        draw = torch.Generator().manual_seed(1)
        out = augment.vary(x[:, :augment.longer(4000, 2.0)], 4000, "mulaw8", 6.0, 2.0, draw)
        self.assertEqual((out.shape, out.dtype), ((3, 4000), torch.uint8))
        y = audio.decode(out.numpy(), "mulaw8")
        hz = np.abs(np.fft.rfft(y * np.hanning(4000), axis=1)).argmax(1) * 16000 / 4000
        self.assertTrue(all(400 * 2 ** (-2 / 12) - 8 <= h <= 400 * 2 ** (2 / 12) + 8 for h in hz), hz)
        self.assertGreater(float(np.ptp(hz)), 4)
        self.assertGreater(float(np.ptp(np.abs(y).max(1))), 0.02)

    def test_mishears(self):
        codes = torch.full((400, 500), 100, dtype=torch.uint8)
        codes[:, 1::2] = 255
        heard = augment.misheard(codes, 4.0, 7)
        self.assertEqual((heard.shape, heard.dtype), (codes.shape, torch.uint8))
        self.assertTrue(torch.equal(heard, augment.misheard(codes, 4.0, 7)))
        self.assertFalse(torch.equal(heard, augment.misheard(codes, 4.0, 8)))
        strays = heard[:, ::2].float() - 100
        self.assertLess(abs(float(strays.mean())), 0.05)
        each = strays.std(1)  # uniform from 0 to 4
        self.assertTrue(float(each.min()) < 0.5 and 3.5 < float(each.max()) < 4.6, (each.min(), each.max()))
        self.assertAlmostEqual(float(each.mean()), 2.0, delta=0.2)
        self.assertGreater(int(heard[:, 1::2].min()), 230)
        self.assertLess(float((heard[:, 1::2] < 255).float().mean()), 0.6, "nothing lies above 255: no wrapping round")

    def test_errors_name_what_is_wrong(self):
        cases = [
            (["--audio", str(self.dir / "none")], "no such folder"),
            (["--audio", str(self.dir)], "found none"),
        ]
        for more, expected in cases:
            code, said = quiet(fit.main, [*more, "--config", "configs/piano.json", "-o", str(self.dir / "run"), *TINY])
            self.assertEqual(code, 2)
            self.assertIn(expected, said)
            self.assertNotIn("Traceback", said)
        folder = self.tones(2, 0.01)
        for after, which in (("stop", "training"), ("next", "held-out")):
            code, said = self.fit("--set", f"train.after_end={after}")
            self.assertEqual(code, 2)
            self.assertIn(f"too little {which} audio", said)
        (folder / "tone0.wav").write_bytes(b"x")
        (folder / "tone1.wav").write_bytes(b"x")
        code, said = self.fit()
        self.assertIn("none of 2 audio files could be read", said)
        for change, expected in (("train.lr=fast", "train.lr: expected float"), ("model.wings=2", "unknown key wings"),
                                 ("train.crop=257", "multiple of 4"), ("model.mixer=[\"s6\",\"h3\"]", "expected s6 or s4d"),
                                 ("nonsense", "expected model.KEY=VALUE"), ("train.steps=0", "train.steps: expected 1 or more"),
                                 ("train.batch=0", "train.batch: expected 1"), ("train.seed=-1", "train.seed: expected 0"),
                                 ('model.layers=["a","b"]', "model.layers: expected integers"),
                                 ("train.accumulate=0", "train.accumulate: expected 1"),
                                 ("train.after_end=again", "expected stop or next with train.whole, found again")):
            code, said = self.fit("--set", change, *(["--set", "train.whole=true"] if "again" in change else []))
            self.assertEqual(code, 2, change)
            self.assertIn(expected, said)
        code, said = quiet(fit.main, ["--audio", "x", "--config", "nowhere.json", "-o", "y"])
        self.assertIn("configs/piano.json", said)

    def test_too_little_memory_is_said_with_what_to_do(self):
        words = {"GPU": "CUDA out of memory. Tried to allocate 2 GiB", "CPU": "DefaultCPUAllocator: can't allocate memory"}
        for where, found in words.items():
            with unittest.mock.patch.object(fit, "train", side_effect=RuntimeError(found)):
                for batch, hint in ((32, "train.accumulate=4 takes 8 at once"), (6, "train.accumulate=6 takes 1 at once"),
                                    (1, "train.crop=8192 takes shorter ones")):
                    code, said = quiet(fit.main, ["--audio", "x", "--config", "configs/piano.json", "-o", "y",
                                                  "--set", f"train.batch={batch}", "--set", "train.crop=16384"])
                    self.assertEqual(code, 2, where)
                    self.assertIn(f"out of memory with {batch} crops of 16384 samples", said)
                    self.assertIn(hint, said)
        with unittest.mock.patch.object(fit, "train", side_effect=RuntimeError("size mismatch")):
            with self.assertRaisesRegex(RuntimeError, "size mismatch"):
                fit.main(["--audio", "x", "--config", "configs/piano.json", "-o", "y"])


if __name__ == "__main__":
    unittest.main()
