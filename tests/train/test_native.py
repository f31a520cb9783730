"""Runs that start with existing weights: a model file, or another run's checkpoint."""
import json
import unittest

import torch

from support import InFolder, quiet  # first: it makes train importable

from train import checkpoint, evaluate, export, native, tensors


class Init(InFolder):
    def setUp(self):
        super().setUp()
        self.tones()
        code, said = self.fit("--set", "train.steps=8", run="first")
        self.assertEqual(code, 0, said)
        self.first = self.dir / "first" / "last.pt"
        self.model = self.dir / "first.safetensors"
        self.export("first", self.model)

    def export(self, run, to):
        code, said = quiet(export.main, [str(self.dir / run), "--last", "-o", str(to), "--storage", "f32"])
        self.assertEqual(code, 0, said)

    def test_a_folder_in_its_place_is_said(self):
        (self.dir / "taken").mkdir()
        code, said = quiet(export.main, [str(self.dir / "first"), "--last", "-o", str(self.dir / "taken")])
        self.assertEqual(code, 2)
        self.assertIn(f"error: {self.dir / 'taken'}: ", said)
        self.assertEqual(list(self.dir.glob("*.part")), [])

    def refused(self, said_of_it, *more):
        code, said = self.fit("--set", "train.steps=1", *more, run="refused")
        self.assertEqual(code, 2, said)
        self.assertIn(said_of_it, said)
        self.assertEqual(len(said.strip().splitlines()), 1, said)

    def test_begins_with_the_weights_and_says_whose(self):
        """Without a learning rate the run ends with its initial weights; their origin survives a resume."""
        old, _ = tensors.read(self.model)
        for run, start in (("from-model", self.model), ("from-run", self.first)):
            still = ["--set", "train.lr=0", "--init", str(start)]
            self.assertEqual(self.fit("--set", "train.steps=1", *still, run=run)[0], 0)
            self.assertEqual(self.fit("--set", "train.steps=2", *still, run=run)[0], 0)  # resumed: --init is over
            out = self.dir / f"{run}.safetensors"
            self.export(run, out)
            new, metadata = tensors.read(out)
            self.assertTrue(all(torch.equal(new[n], old[n]) for n in old), run)
            about = json.loads(metadata["mambo.config"])["about"]
            self.assertEqual(about["updates"], 2)
            self.assertEqual({k: about["started_from"][k] for k in ("name", "updates", "crop", "batch")},
                             {"name": "piano", "updates": 8, "crop": 256, "batch": 4})
            self.assertEqual(about["started_from"]["samples_heard"], 8 * 4 * 256)
        # The origin of a chain of runs is recorded in full.
        self.assertEqual(self.fit("--set", "train.steps=1", "--init", str(out), run="third")[0], 0)
        kept = checkpoint.load(self.dir / "third" / "last.pt")["config"]["about"]["started_from"]
        self.assertEqual(kept["started_from"]["updates"], 8)

    def test_takes_what_fits_of_another_model(self):
        still = ["--set", "train.lr=0", "--set", "train.steps=1", "--set", 'model.mixer=["s6","s4d"]']
        code, said = self.fit(*still, run="none")
        self.assertEqual(code, 0, said)
        code, said = self.fit(*still, "--init-fitting", str(self.model), run="some")
        self.assertEqual(code, 0, said)
        old, _ = tensors.read(self.model)
        tell = []
        for run in ("none", "some"):
            self.export(run, self.dir / f"{run}.safetensors")
            tell.append(tensors.read(self.dir / f"{run}.safetensors"))
        (random, _), (new, metadata) = tell
        fitting = {n for n in new if n in old and old[n].shape == new[n].shape} - {"center.0.A_log"}  # not the same thing
        self.assertIn("center.0.in_proj.weight", fitting)
        for n in new:
            self.assertTrue(torch.equal(new[n], old[n] if n in fitting else random[n]), n)
        self.assertIn(f"begun with {len(fitting)} of {len(new)} tensors of", said)
        origin = json.loads(metadata["mambo.config"])["about"]["started_from"]
        self.assertEqual((origin["name"], origin["tensors"]), ("piano", f"{len(fitting)} of {len(new)}"))
        other = self.dir / "other.safetensors"
        state, metadata = tensors.read(self.model)
        tensors.write(other, state, {"mambo.config": metadata["mambo.config"].replace("mulaw8", "linear8")})
        self.refused("expected a model of the encoding mulaw8, found linear8", "--init-fitting", str(other))
        strange = self.dir / "strange.safetensors"
        self.assertEqual(self.fit(*still, "--set", "model.d_model=12", run="strange")[0], 0)
        self.export("strange", strange)
        self.refused("expected matrices of the config's names and shapes, found none", "--init-fitting", str(strange))

    def test_says_what_does_not_fit(self):
        self.refused("expected", "--init", str(self.model), "--set", "model.d_state=8")
        self.refused("d_state 4, expected 8", "--init", str(self.model), "--set", "model.d_state=8")
        self.refused("mixer ['s6', 's6'], expected ['s4d', 's6']", "--init", str(self.first),
                     "--set", 'model.mixer=["s4d","s6"]')
        self.refused("no such model file", "--init", str(self.dir / "none.safetensors"))
        self.refused("no such checkpoint", "--init", str(self.dir / "none.pt"))
        broken = self.dir / "broken.safetensors"
        broken.write_bytes(b"not tensors at all")
        self.refused("expected a safetensors file", "--init", str(broken))
        state, metadata = tensors.read(self.model)
        tensors.write(broken, state, {})
        self.refused("without its mambo.config", "--init", str(broken))
        del state["head.bias"]  # converted models have none: it is zero
        tensors.write(broken, state, metadata)
        self.assertFalse(native.read(broken)[1]["head.bias"].any())
        self.assertEqual(len(list(evaluate.open_network(str(broken)).parameters())), len(state) + 1)
        del state["center.0.in_proj.weight"]
        tensors.write(broken, state, metadata)
        missing = r"center.0.in_proj.weight: expected a tensor [64, 16], found none"
        self.refused(missing, "--init", str(broken))
        code, said = quiet(evaluate.main, [str(broken), "--audio", str(self.dir / "audio"), "--cache", str(self.dir)])
        self.assertEqual(code, 2)
        self.assertIn(missing, said)


if __name__ == "__main__":
    unittest.main()
