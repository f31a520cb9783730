"""Runs the trainer's tests and writes a line for each: passed|failed|skipped NAME[: reason]. Used by ./check."""
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


def main(output: str) -> int:
    sys.path.insert(0, str(HERE.parents[1]))
    suite = unittest.defaultTestLoader.discover(str(HERE), top_level_dir=str(HERE))
    result = unittest.TextTestRunner(resultclass=Lines, verbosity=0).run(suite)
    lines = list(result.lines.values())
    # Failures outside a test (an import, a class's set-up) have no line of their own.
    lines += [f"failed {t.id()}" for t, _ in result.failures + result.errors
              if not any(t.id().startswith(name) for name in result.lines)]
    Path(output).write_text("".join(f"{line}\n" for line in lines))
    return 0 if result.wasSuccessful() and lines else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
