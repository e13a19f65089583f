"""The page that compares A and B: asked once, shown everywhere, true to the models."""

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from tokenizers import Tokenizer

from pythia_gui.core.resources import resource_path
from pythia_gui.engine.local import LocalEngine
from pythia_gui.hub.library import LocalLibrary
from pythia_gui.ui.questions import Pin, Settings
from pythia_gui.ui.views.pair import PairPage
from pythia_gui.ui.workspace import Workspace
from pythia_gui.worker import Worker
from tests.engine.reference import load_plainly
from tests.small import SPECIALS, make_small
from tests.ui.looks import misfits
from tests.ui.samples import dress

LEFT = Qt.MouseButton.LeftButton
S, M = "demo-s", "demo-m"
TEXT = "The capital of Poland is Warsaw. The capital of"
STEPS = (512, 143_000)


@pytest.fixture
def page(qtbot, light, workspace):
    workspace.show_model(S)
    yield from shown_page(qtbot, workspace)


@pytest.fixture
def asked(page, qtbot, workspace):
    ask(qtbot, page, workspace, "the quick brown fox")
    return page


def shown_page(qtbot, workspace, width=1_016, height=500):
    made = PairPage(workspace)
    qtbot.addWidget(made)
    made.resize(width, height)
    made.show()
    made.set_shown(True)
    yield made
    made.set_shown(False)
    qtbot.waitUntil(lambda: not made.runner.running)


def ask(qtbot, page, workspace, text):
    workspace.write_prompt(text)
    workspace.run()
    qtbot.waitUntil(
        lambda: page._comparison is not None and not page.runner.running, timeout=20_000
    )


def message_of(page):
    return page._message.text() if page._message.isVisible() else ""


def own_requests(engine):
    return [request for request in engine.asked if request.slot == "PairPage"]


def centre(text, position):
    return next(rect.center() for token, rect in text.token_rects() if token == position)


# ------------------------------------------------------------------------------ the question


def test_it_asks_both_for_scores_with_a_as_the_reference(asked, engine):
    request = own_requests(engine)[-1]
    assert [(at.model, at.step) for at in request.checkpoints] == [(S, 512), (S, 4_000)]
    assert request.against == request.checkpoints[0]
    assert request.score
    assert request.next_token
    assert request.top_k == 10
    assert request.prompts[0].targets == ()
    assert not request.background


def test_a_new_pair_is_asked_at_once_and_keeps_the_pins_of_the_text(asked, qtbot, workspace):
    asked._toggle_pin(3)
    before = asked._comparison
    workspace.set_pair(Pin(M, 0), Pin(S, 1))
    qtbot.waitUntil(lambda: asked._comparison not in (None, before))
    assert (asked._comparison.a.entry.key, asked._comparison.b.entry.key) == (M, S)
    assert asked._cards.pinned == (3,)


def test_an_old_comparison_never_stands_under_a_new_pair(asked, qtbot, workspace, engine):
    engine.hold(1)
    workspace.set_pair(Pin(S, 1), Pin(S, 4_000))
    qtbot.waitUntil(lambda: asked._comparison is None)
    assert asked._text.text.tokens == ()
    assert asked._text.text.message == "Computing …"
    assert asked._cards.cards == ()
    assert asked._histogram.counts.sum() == 0
    assert not np.isfinite(np.concatenate(asked._probs.heights)).any()
    assert asked.table().rows == ()
    engine.release(1)
    qtbot.waitUntil(lambda: asked._comparison is not None)


def test_a_prompt_of_one_token_is_answered_with_a_sentence(page, qtbot, workspace):
    workspace.write_prompt("a")
    workspace.run()
    qtbot.waitUntil(lambda: message_of(page).startswith("The prompt is one token"))


def test_before_anything_is_asked_it_says_what_to_do(page, qtbot):
    qtbot.waitUntil(lambda: message_of(page) == "Press Run to ask this question.")


def test_one_checkpoint_twice_is_answered_with_a_sentence(asked, qtbot, workspace):
    workspace.set_pair(Pin(S, 1), Pin(S, 1))
    qtbot.waitUntil(lambda: message_of(asked).startswith("A and B are one checkpoint"))


def test_a_step_that_is_not_on_this_machine_is_answered_with_the_way_out(
    asked, qtbot, workspace, library
):
    away = next(entry for entry in library.models() if not entry.here)
    workspace.set_pair(Pin(S, 1), Pin(away.key, away.steps[0]))
    qtbot.waitUntil(lambda: message_of(asked).startswith(f"Nothing of {away.name} is on this"))


def test_different_tokenizers_are_refused_in_one_sentence(
    asked, qtbot, workspace, library, tmp_path
):
    from tests.small import write_byte_tokenizer

    other = make_small(tmp_path / "other", steps=(0, 1))
    for file in other.rglob("tokenizer.json"):
        write_byte_tokenizer(file, specials=(*SPECIALS, "<|more|>"))
    entry = library.add_folder(other)
    workspace.refresh_models()
    workspace.set_pair(Pin(S, 1), Pin(entry.key, 1))
    qtbot.waitUntil(lambda: "different tokenizers" in message_of(asked))
    assert message_of(asked).count(".") == 1


def test_what_failed_is_said_in_the_place_of_its_numbers(page, qtbot, workspace, engine):
    engine.broken[512] = "step 512 of demo-s is damaged; download it again"
    workspace.write_prompt("abc")
    workspace.run()
    said = "demo-s: step 512 of demo-s is damaged; download it again"
    qtbot.waitUntil(lambda: said in page._summary.words)
    assert page._text.text.state == "error"
    assert page._comparison is None


# ------------------------------------------------------------------------------ one selection


def test_a_click_pins_a_token_and_tells_all_views(asked, workspace):
    QTest.mouseClick(asked._text.viewport(), LEFT, pos=centre(asked._text, 5))
    assert workspace.token == 5
    assert asked._cards.pinned == (5,)
    assert asked._probs.current == asked._ranks.current == 5
    assert asked._text.current == 5


def test_it_follows_a_token_that_was_chosen_elsewhere(asked, workspace):
    workspace.select_token(7)
    assert asked._text.current == 7
    assert asked._ranks.current == 7
    assert [card.position for card in asked._cards.cards] == [7]


def test_before_a_token_is_chosen_the_one_where_the_two_differ_most_is_shown(asked, workspace):
    apart = asked._comparison.values["js"]
    assert asked._text.current == int(np.nanargmax(apart))
    assert workspace.token == -1


def test_arrow_keys_move_the_token_and_space_pins_and_unpins_it(asked, workspace):
    workspace.select_token(4)
    asked._text.setFocus()
    QTest.keyClick(asked._text, Qt.Key.Key_Right)
    assert workspace.token == 5
    QTest.keyClick(asked._text, Qt.Key.Key_Space)
    assert asked._cards.pinned == (5,)
    QTest.keyClick(asked._text, Qt.Key.Key_Left)
    QTest.keyClick(asked._probs, Qt.Key.Key_Left)
    assert workspace.token == 3
    QTest.keyClick(asked._probs, Qt.Key.Key_Space)
    assert asked._cards.pinned == (3, 5)
    QTest.keyClick(asked._probs, Qt.Key.Key_Space)
    assert asked._cards.pinned == (5,)


def test_pointing_at_a_token_marks_it_in_every_part_and_says_its_numbers(asked):
    asked._ranks.token_pointed.emit(6)
    assert asked._text._hovered == 6
    assert asked._probs._hover_line.isVisible()
    assert asked._probs._hover_line.value() == 6
    lines = asked._bubble.lines
    assert lines[0] == "i"  # of "the quick", a token each
    assert "rank" in lines[2]
    asked._ranks.token_pointed.emit(-1)
    assert not asked._bubble.isVisible()
    assert not asked._probs._hover_line.isVisible()


def test_looking_closer_at_one_plot_looks_closer_at_the_other(asked):
    asked._ranks.view_changed.emit((3.0, 9.0))
    assert asked._probs._box.viewRange()[0] == pytest.approx([3.0, 9.0])
    assert asked._ranks._box.viewRange()[0] == pytest.approx([3.0, 9.0])


# ------------------------------------------------------------------------------ the measure


def choose(page, name):
    row = page._colours.findText(name)
    page._colours.setCurrentIndex(row)
    page._colours.activated.emit(row)


def test_the_text_wears_the_chosen_measure_and_the_legend_and_histogram_explain_it(asked):
    choose(asked, "Jensen-Shannon")
    values = asked._comparison.values["js"]
    scale = asked._scale
    asked._text.ensure_laid_out()
    backgrounds = [background for background, _ in asked._text._looks]
    assert backgrounds == [scale.ink(float(value))[0] for value in values]
    assert "the same" in asked._legend.accessibleName()
    assert asked._histogram.counts.sum() == len(values) - 1


def test_a_range_of_the_histogram_leaves_only_its_tokens_coloured_and_says_how_many(asked):
    choose(asked, "Probability, A")
    values = asked._comparison.values["prob_a"]
    asked._histogram.choose((0.5, 1.0))
    inside = values >= 0.5
    asked._text.ensure_laid_out()
    coloured = [background is not None for background, _ in asked._text._looks]
    assert coloured == inside.tolist()
    assert asked._probs._curves.inside.tolist() == inside.tolist()
    count = int(inside.sum())
    assert asked._chosen_words.text().startswith(f"{count} of {len(values) - 1} tokens from 50.0 %")
    asked._histogram.choose(None)
    assert asked._probs._curves.inside is None


def test_the_colours_follow_the_theme(asked, qapp):
    asked._text.ensure_laid_out()
    light = [background for background, _ in asked._text._looks]
    dress(qapp, "dark")
    asked._text.ensure_laid_out()
    assert [background for background, _ in asked._text._looks][1:] != light[1:]


def test_the_summary_names_both_with_model_step_weights_dtype_and_device(asked):
    said = asked._summary.words
    for letter, step in (("a", 512), ("b", 4_000)):
        side = getattr(asked._comparison, letter)
        weights = side.result.checkpoint.weights_sha256 or ""
        line = next(text for text in said if f"step {step:,}" in text)
        assert line.startswith(f"demo-s · step {step:,}")
        assert weights[:10] in line
        assert line.endswith("float32 on cpu")
    assert any(text.startswith("mean KL(A‖B)") for text in said)
    assert any(text.startswith("same first choice at") for text in said)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("size", [(1_016, 500), (1_656, 780)])
def test_no_text_is_cut_at_either_size_and_theme(asked, qapp, qtbot, mode, size):
    dress(qapp, mode)
    asked.resize(*size)
    asked._toggle_pin(2)
    QTest.qWait(0)
    assert misfits(asked) == []


# ------------------------------------------------------------------------------ longer texts


def test_the_text_can_go_on_with_what_one_of_them_writes(asked, qtbot, workspace, engine):
    workspace.set_settings(replace(Settings(), new_tokens=5))
    workspace.run()
    asked._source.setCurrentIndex(2)
    asked._source.activated.emit(2)
    qtbot.waitUntil(lambda: asked._comparison is not None and asked._comparison.written == 5)
    writing, measuring = own_requests(engine)[-2:]
    assert [at.step for at in writing.checkpoints] == [4_000]
    assert writing.continuation.sampling.greedy
    typed = writing.prompts[0].token_ids
    assert measuring.prompts[0].token_ids[: len(typed)] == typed
    assert len(measuring.prompts[0].token_ids) == len(typed) + 5
    assert [token.written for token in asked._text.text.tokens][-6:] == [False] + [True] * 5
    asked._go_to(len(typed) + 2)
    assert workspace.token == -1  # it is no token of the prompt
    assert asked._text.current == len(typed) + 2


# --------------------------------------------------------------------------- the real thing


@pytest.fixture
def truth(qtbot, light, tmp_path):
    """The page over the demo suite's own checkpoints and the real engine, one text compared."""
    library = LocalLibrary(resource_path("demo"), cache=tmp_path)
    worker = Worker(LocalEngine())
    workspace = Workspace(library, worker)
    workspace.refresh_models()
    workspace.show_model(S)
    workspace.set_pair(*(Pin(S, step) for step in STEPS))
    pages = shown_page(qtbot, workspace)
    page = next(pages)
    ask(qtbot, page, workspace, TEXT)
    yield page
    next(pages, None)
    worker.shutdown()
    assert not [thread for thread in threading.enumerate() if thread.name == "worker"]


def full_logits(token_ids):
    """The logits of both checkpoints from plain transformers, float64, (position, row) each."""
    folder = resource_path("demo") / S
    for step in STEPS:
        place = next(found for found in folder.iterdir() if found.name == f"step{step}")
        model = load_plainly(folder_of_config(place), place)
        with torch.inference_mode():
            yield model(torch.tensor([token_ids])).logits[0].double().numpy()


def folder_of_config(place):
    return place if (place / "config.json").is_file() else place.parent


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def column(page, name):
    table = page.table()
    place = [column.name for column in table.columns].index(name)
    return [row[place] for row in table.rows]


def test_the_numbers_of_the_table_are_those_of_full_logits_from_plain_transformers(truth):
    ids = np.array(truth._comparison.token_ids)
    names = Tokenizer.from_file(str(next((resource_path("demo")).rglob("tokenizer.json"))))
    known = names.get_vocab_size(with_added_tokens=True)
    logits = list(full_logits(ids.tolist()))
    rows = np.arange(len(ids) - 1)
    logprobs = [log_softmax(part)[rows, ids[1:]] for part in logits]
    for letter, own in zip("AB", logprobs, strict=True):
        assert column(truth, f"Log-probability, {letter} (nats)")[1:] == pytest.approx(
            own.tolist(), abs=2e-4
        )
        assert column(truth, f"Probability, {letter}")[1:] == pytest.approx(
            np.exp(own).tolist(), rel=5e-4
        )
    apart = np.exp(logprobs[1]) - np.exp(logprobs[0])
    assert column(truth, "Probability, B − A")[1:] == pytest.approx(apart.tolist(), abs=2e-4)
    ranks = [1 + (part[:-1] > part[rows, ids[1:]][:, None]).sum(-1) for part in logits]
    assert column(truth, "Rank, A")[1:] == ranks[0].tolist()
    assert column(truth, "Rank, B")[1:] == ranks[1].tolist()
    assert column(truth, "Rank, B − A")[1:] == (ranks[1] - ranks[0]).tolist()
    clamped = np.minimum(ranks[1], 50) - np.minimum(ranks[0], 50)
    assert column(truth, "Rank to 50, B − A")[1:] == clamped.tolist()
    top = [np.argsort(-part[:-1, :known], axis=-1)[:, :10].tolist() for part in logits]
    shared = [len({*one} & {*other}) for one, other in zip(*top, strict=True)]
    assert column(truth, "Top 10 shared")[1:] == shared
    a, b = (log_softmax(part[:-1, :known]) / math.log(2) for part in logits)
    p, q = np.exp2(a), np.exp2(b)
    middle = np.log2((p + q) / 2)
    forward, backward = (p * (a - b)).sum(-1), (q * (b - a)).sum(-1)
    js = ((p * (a - middle)).sum(-1) + (q * (b - middle)).sum(-1)) / 2
    for name, expected in (("KL(A‖B)", forward), ("KL(B‖A)", backward), ("Jensen-Shannon", js)):
        found = column(truth, f"{name} (bits)")[1:]
        assert found == pytest.approx(expected.tolist(), rel=1e-3, abs=1e-4)


def test_the_demo_suite_has_learned_the_capital_by_its_last_step(truth):
    place = truth._comparison.texts.index(" Warsaw")
    assert column(truth, "Rank, B")[place] == 1
    assert column(truth, "Rank, A")[place] > 10
    assert column(truth, "A step")[0] == 512
    assert column(truth, "B step")[0] == 143_000
    assert len(column(truth, "A weights")[0]) == 64


def test_room_is_shared_anew_with_the_window_until_a_person_arranges_it(asked, qtbot):
    asked.resize(1_656, 780)
    wide = asked._cards.width_of(2)
    qtbot.waitUntil(lambda: asked._sides.sizes()[1] >= wide)
    asked.resize(1_016, 500)
    qtbot.waitUntil(lambda: asked._sides.sizes()[1] < wide)
    asked._sides.setSizes([300, 600])
    asked._sides.splitterMoved.emit(300, 1)
    arranged = asked._sides.sizes()
    asked.resize(1_016, 540)
    qtbot.waitUntil(lambda: not asked._resized)
    assert asked._sides.sizes() == arranged
