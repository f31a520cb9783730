"""Curves of held-out bits: reading runs, joining parts, errors in one sentence."""
import contextlib
import importlib.util
import io
import json
import tempfile
import unittest
from pathlib import Path

from train import curves


def told(*argv):
    """(exit code, stdout, stderr)."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = curves.main([str(a) for a in argv])
    return code, out.getvalue(), err.getvalue()


class Curves(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.at = Path(self.folder.name)

    def run_of(self, name, rows, tail=""):
        run = self.at / name
        run.mkdir()
        lines = [{"step": 1, "bits": 7.5, "lr": 0.001}]  # a line of the progress, which has no held-out bits
        lines += [{"step": s, "seconds": t, "held_out_bits": b, "time": 0} for s, t, b in rows]
        (run / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in lines) + tail)
        return run

    def test_parts_follow_one_another(self):
        first = self.run_of("first", [(100, 60, 3.0), (200, 120, 2.5)])
        second = self.run_of("second", [(50, 30, 2.6), (90, 90, 2.25)], tail='{"step": 91, "sec')
        code, out, err = told(f"both={first}+{second / 'metrics.jsonl'}", first, "--points")
        self.assertEqual((code, err), (0, ""))
        got = json.loads(out)
        self.assertEqual([(p["minutes"], p["update"], p["held_out_bits"]) for p in got["both"]],
                         [(1, 100, 3.0), (2, 200, 2.5), (2.5, 250, 2.6), (3.5, 290, 2.25)])
        self.assertEqual(len(got["first"]), 2)

    def test_what_a_resumed_run_tells_anew_counts(self):
        run = self.run_of("run", [(100, 60, 3.0), (200, 120, 2.5), (300, 180, 2.4), (200, 121, 2.6), (250, 150, 2.3)])
        got = json.loads(told(run, "--points")[1])["run"]
        self.assertEqual([p["held_out_bits"] for p in got], [3.0, 2.6, 2.3])

    def test_what_is_wrong_is_one_sentence(self):
        run = self.run_of("run", [(100, 60, 3.0)])
        none = self.run_of("none", [])
        broken = self.at / "broken.jsonl"
        broken.write_text("{\nno\n{}\n")
        binary = self.at / "binary.jsonl"
        binary.write_bytes(b"\xff\xfe\x00")
        (self.at / "empty").mkdir()
        odd = {}
        for value in ('"x"', "null", "NaN", "true"):
            odd[value] = self.at / f"odd{len(odd)}.jsonl"
            odd[value].write_text(f'{{"step": 1, "seconds": 2, "held_out_bits": {value}}}\n')
        for argv, words in (((run,), "-o FILE"), ((binary, "--points"), "found no text"),
                            (("a=", "--points"), "nothing"),
                            ((self.at / "empty", "--points"), "empty/metrics.jsonl"),
                            *(((f, "--points"), "finite numbers") for f in odd.values()),
                            ((run, "-o", self.at / "a.jpg"), ".png, .svg or .pdf"),
                            ((self.at / "nowhere", "--points"), "a run's folder or a metrics.jsonl"),
                            ((none, "--points"), "expected bits on held-out audio"),
                            ((broken, "--points"), "broken.jsonl:1: expected a line of JSON"),
                            ((f"a={run}", f"a={run}", "--points"), "a label of its own")):
            code, out, err = told(*argv)
            self.assertEqual((code, out), (2, ""), argv)
            self.assertTrue(err.startswith("error: ") and words in err and err.count("\n") == 1, err)

    @unittest.skipUnless(importlib.util.find_spec("matplotlib"), "matplotlib is not installed")
    def test_the_picture(self):
        run = self.run_of("run", [(100, 60, 3.0), (200, 120, 2.5)])
        for name, begins in (("a.PNG", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")):
            made = []
            for _ in range(2):
                code, _, err = told(f"_one={run}", f"a $b_$ 5={run}", "-o", self.at / name, "--title", "$5 and $6",
                                    "--updates")
                self.assertEqual((code, err), (0, ""))
                made.append((self.at / name).read_bytes())
            self.assertTrue(made[0].startswith(begins))
            self.assertEqual(made[0], made[1], name)
        (self.at / "folder.png").mkdir()
        for where in ("no/a.png", "folder.png"):
            code, _, err = told(run, "-o", self.at / where)
            self.assertEqual(code, 2)
            self.assertIn("cannot be written", err)
        self.assertEqual([f.name for f in self.at.glob(".*")], [])

    @unittest.skipIf(importlib.util.find_spec("matplotlib"), "matplotlib is installed")
    def test_without_matplotlib_it_says_so(self):
        code, _, err = told(self.run_of("run", [(100, 60, 3.0)]), "-o", self.at / "a.png")
        self.assertEqual(code, 2)
        self.assertIn("needs matplotlib", err)


if __name__ == "__main__":
    unittest.main()
