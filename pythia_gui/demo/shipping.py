"""How finished training runs become the demo suite that ships with the program.

python -m pythia_gui.demo.shipping --s RUN_OF_S --m RUN_OF_M --out resources/demo
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from pathlib import Path
from typing import Final

from pythia_gui.core.steps import EARLY_STEPS, STEPS
from pythia_gui.demo.exposure import INDEX_FILE, write_index
from pythia_gui.demo.recipe import SIZES, write_config

SUMS_FILE: Final = "SHA256SUMS"

SHIPPED_STEPS: Final = {
    "s": STEPS,
    "m": (
        *EARLY_STEPS,
        *range(1_000, 10_001, 1_000),
        *range(12_000, 20_001, 2_000),
        *(24_000, 28_000, 32_000, 40_000, 48_000, 56_000, 64_000),
        *(80_000, 96_000, 112_000, 128_000, 136_000, 143_000),
    ),
}
"""The steps that are shipped of each size: all 154, or 39 that grow apart."""


def collect(size: str, run: Path, out: Path) -> None:
    """Copy a run's shipped steps, with config and tokenizer once beside them."""
    model = out / SIZES[size].name
    write_config(SIZES[size], model)
    for step in SHIPPED_STEPS[size]:
        folder = model / f"step{step}"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(run / f"step{step}" / "model.safetensors", folder / "model.safetensors")


def sums(folder: Path) -> str:
    """Return the SHA-256 sums of all files below a folder, as sha256sum writes them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in files
        if path.name != SUMS_FILE
    )


def main(argv: list[str] | None = None) -> int:
    """Fill the folder of the demo suite from finished runs; return 0."""
    words = argparse.ArgumentParser(description="Fill the folder of the demo suite.")
    words.add_argument("--s", type=Path, required=True, help="folder of a finished run of size s")
    words.add_argument("--m", type=Path, required=True, help="folder of a finished run of size m")
    words.add_argument("--out", type=Path, required=True, help="resources/demo")
    args = words.parse_args(argv)
    for size, run in (("s", args.s), ("m", args.m)):
        collect(size, run, args.out)
    write_index(args.out / INDEX_FILE)
    (args.out / SUMS_FILE).write_text(sums(args.out), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
