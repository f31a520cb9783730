"""Runs the trainer's tests of the named files; says "case: passed|failed|skipped NAME[: reason]" of each (run.sh)."""
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Lines(unittest.TextTestResult):
    def __init__(self, *args):
        super().__init__(*args)
        self.lines = {}

    def stopTest(self, test):
        super().stopTest(test)
        name = test.id()
        bad = [t for t, _ in self.failures + self.errors if t.id().startswith(name)]
        why = [reason for t, reason in self.skipped if t is test]
        self.lines[name] = f"failed {name}" if bad else f"skipped {name}: {why[0]}" if why else f"passed {name}"


def main(names: list[str]) -> int:
    sys.path.insert(0, str(HERE.parents[1]))
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.discover(str(HERE), pattern=name, top_level_dir=str(HERE)) for name in names)
    result = unittest.TextTestRunner(resultclass=Lines, verbosity=0).run(suite)
    lines = list(result.lines.values())
    # Failures outside a test (an import, a class's set-up) have no line of their own.
    lines += [f"failed {t.id()}" for t, _ in result.failures + result.errors
              if not any(t.id().startswith(name) for name in result.lines)]
    # A class that is skipped as a whole before any of its tests starts.
    lines += [f"skipped {t.id()}: {reason}" for t, reason in result.skipped if t.id() not in result.lines]
    print("".join(f"case: {line}\n" for line in lines), end="")
    return 0 if result.wasSuccessful() and lines else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["test_*.py"]))
