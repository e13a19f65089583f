"""Where the files that ship with the program lie."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_INSTALLED = _PACKAGE / "_resources"  # where the wheel puts `resources/`
_CHECKOUT = _PACKAGE.parent / "resources"


def resource_path(*parts: str) -> Path:
    """Return the absolute path of a shipped file or folder, in a wheel and in a checkout alike.

    `resource_path("demo", "demo-s")` need not exist: a caller that can do without says so itself.

    Raises:
        FileNotFoundError: the program was installed without its resources.
        ValueError: `parts` lead out of the resources.
    """
    root = _root()
    path = root.joinpath(*parts)
    if ".." in path.parts[len(root.parts) :] or not path.is_relative_to(root):
        raise ValueError(f"{'/'.join(parts)!r} does not name a file among the program's resources")
    return path


def _root() -> Path:
    for root in (_INSTALLED, _CHECKOUT):
        if root.is_dir():
            return root
    raise FileNotFoundError(
        "the program's own files (icons, demo suite) are missing beside "
        f"{_PACKAGE}; install pythia-gui again"
    )
