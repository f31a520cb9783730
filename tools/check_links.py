#!/usr/bin/env python3
"""Every relative link of the tracked Markdown files names a file, and every docs/*.md named in the source exists."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
NAMED = re.compile(r"(?<![\w/.-])docs/[\w/-]+\.(?:md|svg|png)\b")


def files(*patterns):
    """-> tracked paths, or, where this is no git checkout, those that match on disk"""
    listed = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [ROOT / name for name in listed.stdout.split("\n") if name and (ROOT / name).is_file()]
    return sorted(path for pattern in patterns for path in ROOT.rglob(pattern) if "build" not in path.parts)


def main():
    missing = []
    for path in files("*.md"):
        for target in LINK.findall(path.read_text()):
            if ":" not in target and not (path.parent / target).exists():
                missing.append(f"{path.relative_to(ROOT)}: expected {target}, found no such file")
    for path in files("*.cpp", "*.h", "*.cu", "*.cuh", "*.py", "*.md", "CMakeLists.txt"):
        for named in NAMED.findall(path.read_text()):
            if not (ROOT / named).exists():
                missing.append(f"{path.relative_to(ROOT)}: names {named}, found no such file")
    print("\n".join(sorted(set(missing))), end="\n" if missing else "")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
