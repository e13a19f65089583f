"""What the hashes on the Hub say about a model's published checkpoints, as JSON and as text.

Nothing of a checkpoint is downloaded; see `hub.fingerprinting`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from pythia_gui import __version__
from pythia_gui.core.defects import Defect
from pythia_gui.core.engine import Cancel
from pythia_gui.core.steps import shown
from pythia_gui.hub.client import NEVER, Notify, ignore
from pythia_gui.hub.fingerprinting import Comparison, Findings, StepFinding, find, published
from pythia_gui.hub.listing import Counted, HubListing, Revisions, tell_nobody

SCHEMA = 1
STEPS_SHOWN = 12
Json = dict[str, Any]


def check_report(
    listing: HubListing,
    repo: str,
    pattern: str | None = None,
    *,
    cancel: Cancel = NEVER,
    notify: Notify = ignore,
    counted: Counted = tell_nobody,
) -> Json:
    """Return what the hashes of `repo` say about each of its steps, as one JSON document.

    The document has the steps with their hashes, verdicts and reasons; the steps to leave out of
    a sweep (`left_out`); holes, the catalogue's steps that no branch states; and the dated
    reports, each with the steps for which the hashes bear it out.

    Args:
        listing: lists the repository; offline it knows what was listed before.
        repo: `owner/name` on the Hub.
        pattern: how the branches state their step; see `hub.listing.step_reader`.
        cancel: ends it within a second.
        notify: is told of each wait, every second.
        counted: is told how many commits are listed, of how many.

    Raises:
        HubError: one sentence; see `hub.client`.
        Cancelled: `cancel` was set.
    """
    revisions = listing.revisions(repo, pattern, cancel, notify)
    trees = listing.trees(repo, revisions.commits, cancel, notify, counted)
    return document(revisions, find(revisions, trees))


def document(revisions: Revisions, findings: Findings) -> Json:
    """Return a finished check as JSON values."""
    counts = Counter(finding.severity for finding in findings.steps)
    return {
        "schema": SCHEMA,
        "version": __version__,
        "repo": revisions.repo,
        "host": revisions.host,
        "asked_at": revisions.asked_at,
        "holes": list(revisions.holes(_expected(revisions.repo))),
        "others": [revision.name for revision in (*revisions.also, *revisions.others)],
        "main": _main(findings),
        "counts": {severity: counts[severity] for severity in ("fine", "note", "bad")},
        "left_out": [{"step": step, "reason": why} for step, why in findings.bad().items()],
        "remarks": list(findings.remarks),
        "steps": [_step(finding) for finding in findings.steps],
        "reports": [_report(comparison) for comparison in findings.comparisons],
    }


def _expected(repo: str) -> tuple[int, ...]:
    """Return the steps that the catalogue says were published, or none for another model."""
    model = published(repo)
    return model.steps if model is not None else ()


def _main(findings: Findings) -> Json | None:
    if findings.main_commit is None:
        return None
    return {"commit": findings.main_commit, "weights_sha256": findings.main_sha256}


def _step(finding: StepFinding) -> Json:
    told = {key: value for key, value in asdict(finding).items() if key != "reported"}
    told |= {"reasons": list(finding.reasons), "same_as": list(finding.same_as)}
    files = [asdict(file) | {"steps": list(file.steps)} for file in finding.files]
    return told | {"files": files, "reported": [_defect(defect) for defect in finding.reported]}


def _report(comparison: Comparison) -> Json:
    return _defect(comparison.defect) | {
        "steps": list(comparison.defect.steps),
        "found": list(comparison.found),
        "not_found": list(comparison.not_found),
        "unknown": list(comparison.unknown),
    }


def _defect(defect: Defect) -> Json:
    told = ("kind", "severity", "reason", "source", "dated")
    return {key: getattr(defect, key) for key in told}


def as_text(report: Json) -> str:
    """Return a check for a terminal; steps of which the same is to be said share a line."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Json) -> Iterator[str]:
    counts = report["counts"]
    yield (
        f"{report['repo']} on {report['host']}, {report['asked_at']}: "
        f"{len(report['steps'])} steps, {counts['fine']} fine, {counts['note']} with a note, "
        f"{counts['bad']} bad"
    )
    if report["holes"]:
        yield f"no branch for {_steps(report['holes'])}"
    yield from (shown(remark, 300) for remark in report["remarks"])
    said = defaultdict(list)
    for step in report["steps"]:
        for reason in step["reasons"]:
            said[step["severity"], reason].append(step["step"])
    for (severity, reason), steps in said.items():
        yield f"{severity:<5} {_steps(steps)}: {shown(reason, 300)}"
    yield from (line for told in report["reports"] for line in _reported(told))


def _reported(told: Json) -> Iterator[str]:
    """Yield what became of a report: borne out, or not any more."""
    about = f"reported {told['dated']} ({told['kind']}, {told['source']})"
    if told["found"]:
        yield f"{about}: found for {_steps(told['found'])}"
    if told["not_found"]:
        yield f"{about}: not found for {_steps(told['not_found'])}"


def _steps(steps: Sequence[int]) -> str:
    shown_ones = ", ".join(f"{step:,}" for step in steps[:STEPS_SHOWN])
    more = f" and {len(steps) - STEPS_SHOWN} more" if len(steps) > STEPS_SHOWN else ""
    return f"step{'' if len(steps) == 1 else 's'} {shown_ones}{more}"
