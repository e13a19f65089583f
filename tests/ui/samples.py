"""Texts, marks and curves for the tests of the views."""

import math

from PySide6.QtCore import QCoreApplication, QEvent

from pythia_gui.core.steps import STEPS, TOKENS_PER_STEP, log_steps
from pythia_gui.ui import theme
from pythia_gui.ui.values import Choice, Curve, CurvePoint, ShownText, ShownToken, StepMark

MARKUP = "<b>x</b><img src=file:///canary.png>&amp;"
OVERRIDE = "\u202eevil\u202c"


def dress(app, mode="light"):
    """Put the application into a palette at its normal text size, if it isn't in it yet.

    The widgets of the tests before are gone by then: each costs time to dress.
    """
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    if theme.text_scale() != 1.0:
        theme.set_text_scale(app, 1.0)
    if theme.current_mode() != mode:
        theme.apply(app, mode)


def marks(steps=STEPS, *, here=None, computed=(), badges=None, real=None):
    """Marks of checkpoints that are all here unless said otherwise."""
    return tuple(
        StepMark(
            step,
            step * TOKENS_PER_STEP,
            on_disk=here is None or step in here,
            computed=step in computed,
            badge=(badges or {}).get(step, ""),
            real_step=(real or {}).get(step),
        )
        for step in steps
    )


def choices(taken, prob):
    others = [Choice(900 + n, word, 0.2 / 2**n) for n, word in enumerate((" a", "\n", "  "))]
    return (Choice(taken, "taken", prob), *others)


def token(number, text, *, prob=0.5, written=False, **more):
    """One token; the first of a text has no number."""
    if number == 0:
        return ShownToken(number, text, None, None, None, written=written, **more)
    return ShownToken(
        number, text, math.log(prob), 2, 3.5, choices=choices(number, prob), written=written, **more
    )


def text(words, *, prompt=2, step=512, model="demo-s", state="done", message=""):
    """A text of these tokens, the first `prompt` of them given."""
    tokens = tuple(token(n, word, written=n >= prompt) for n, word in enumerate(words))
    where = f"{model} · step {step:,} · weights 0123456789 · float32 on cpu"
    return ShownText(model, step, tokens, state, message, where)


def curve(label, probs, *, steps=None, role="target", model="demo-s", **points):
    """A curve through these probabilities, None being a gap."""
    at = log_steps(STEPS)[: len(probs)] if steps is None else steps
    made = tuple(
        CurvePoint(
            step,
            step * TOKENS_PER_STEP,
            None if prob is None else math.log(prob),
            None if prob is None else max(1, round(1 / prob)),
            "" if prob is not None else "the logits were not finite",
            left_out=step in points.get("left_out", ()),
        )
        for step, prob in zip(at, probs, strict=True)
    )
    return Curve(label, model, role, made)
