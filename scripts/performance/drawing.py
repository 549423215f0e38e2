"""Runs performance.plots with a Python that has matplotlib: the tests' own, brought up to date if need be."""

import os
import subprocess
import sys
from pathlib import Path

from .peers import ROOT, complaint, run

VENV = ROOT / "tests/.cache/venv"
REQUIREMENTS = Path(__file__).parent / "requirements.txt"
# scripts/prepare makes the environment afresh when the tests' requirements change, and this mark goes with it.
MARK = VENV / "performance-requirements.txt"


def python():
    """The Python of the tests' environment, with matplotlib in it; SystemExit names what is wrong."""
    if not (VENV / "bin/python").exists():
        checked(run([sys.executable, "-m", "venv", str(VENV)]), "making tests/.cache/venv", "run scripts/prepare")
    if not (MARK.exists() and MARK.read_text() == REQUIREMENTS.read_text()):
        print(f"installing the Python packages of {REQUIREMENTS.relative_to(ROOT)}", flush=True)
        pip = [str(VENV / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        checked(run([*pip, "-r", str(REQUIREMENTS)]), "installing matplotlib", "give pip a package index")
        MARK.write_text(REQUIREMENTS.read_text())
    return str(VENV / "bin/python")


def checked(done, what, remedy):
    """Ends the program when a step failed."""
    if done.returncode:
        raise SystemExit(f"{what} failed: {complaint(done.stderr)}; {remedy}")


def draw(data, directory, form):
    """Draws every curve of a growth.json to a directory, as `svg` or `png`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [python(), "-m", "performance.plots", str(data), str(directory), form],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False,
    )
    if done.returncode:
        raise SystemExit("growth: the plots were not drawn; the error is above")
