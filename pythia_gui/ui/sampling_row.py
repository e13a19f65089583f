"""How a continuation is drawn: presets, and every setting behind them."""

from dataclasses import dataclass, replace

from PySide6.QtCore import QRegularExpression, Signal
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from pythia_gui.core.requests import Sampling
from pythia_gui.ui import theme
from pythia_gui.ui.endings import EndingsField
from pythia_gui.ui.questions import Settings
from pythia_gui.ui.widgets import FlowLayout, plain_label, row_of, set_tool_tip, tool_tip

_LARGEST_SEED = 2**63 - 1
_MOST_NEW_TOKENS = 2_048
_MOST_SAMPLES = 64
_MOST_ALTERNATIVES = 100
WHY_GREEDY = "Greedy takes the most likely token each time: nothing is drawn. Choose a temperature."


@dataclass(frozen=True, slots=True)
class Preset:
    """A sampler by name; the seed and the stop strings stay what they are."""

    name: str
    temperature: float
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def fits(self, sampling: Sampling) -> bool:
        """Return whether this preset is what is set."""
        if self.temperature == 0:
            return sampling.greedy
        mine = (self.temperature, self.top_k, self.top_p, self.min_p)
        return mine == (sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_p)


PRESETS = (
    Preset("Greedy", 0.0),
    Preset("Temperature 0.7", 0.7),
    Preset("Temperature 1", 1.0),
    Preset("Nucleus 0.9", 1.0, top_p=0.9),
    Preset("Top 40", 1.0, top_k=40),
    Preset("Min-p 0.1", 1.0, min_p=0.1),
)
CUSTOM = "Custom"


def preset_name(sampling: Sampling) -> str:
    """Return the preset that a sampler is, or that it is none."""
    return next((preset.name for preset in PRESETS if preset.fits(sampling)), CUSTOM)


def summary(settings: Settings) -> str:
    """Return the settings in a few words, for the line that folds them."""
    if settings.new_tokens == 0:
        return "Sampling: no new tokens"
    drawn = settings.sampling
    name = preset_name(drawn)
    parts = [name if name != CUSTOM else f"custom, temperature {drawn.temperature:g}"]
    parts[0] = parts[0][:1].lower() + parts[0][1:]
    parts.append(f"{settings.new_tokens} new tokens" if settings.new_tokens > 1 else "1 new token")
    if not drawn.greedy:
        parts.append(f"seed {drawn.seed}")
        if settings.samples > 1:
            parts.append(f"{settings.samples} samples")
    return f"Sampling: {', '.join(parts)}"


class SamplingRow(QWidget):
    """Every setting of the sampler, in a row that wraps where it must."""

    settings_changed = Signal(object)  # Settings

    def __init__(self) -> None:
        super().__init__()
        self._settings = Settings()
        self._build()
        self._lay_out()
        self._connect()
        self.show_settings(self._settings)

    def _build(self) -> None:
        self._preset = QComboBox()
        self._preset.addItems([*(preset.name for preset in PRESETS), CUSTOM])
        self._temperature = _decimal(0.0, 10.0, 0.1, "0 is greedy; 1 is the model's own odds")
        self._top_k = _whole(0, 100_000, "Draw from this many most likely tokens; 0 is off")
        self._top_k.setSpecialValueText("off")
        self._top_p = _decimal(
            0.01, 1.0, 0.05, "Draw from the smallest set of tokens with this much probability"
        )
        self._min_p = _decimal(
            0.0, 1.0, 0.05, "Leave out tokens less likely than this share of the likeliest one"
        )
        self._seed = QLineEdit()
        self._seed.setValidator(QRegularExpressionValidator(QRegularExpression("[0-9]{1,19}")))
        set_tool_tip(
            self._seed,
            "The same seed meets the same noise at every step, so a difference in text comes "
            "from the weights",
        )
        self._new_tokens = _whole(0, _MOST_NEW_TOKENS, "Tokens that the model adds; 0 only scores")
        self._samples = _whole(1, _MOST_SAMPLES, "Continuations per step")
        self._alternatives = _whole(1, _MOST_ALTERNATIVES, "Tokens listed for each position")
        self._stop = EndingsField(
            "stop string",
            "Text that ends a continuation; \\n means a line break",
            offer_space=False,
            escapes=True,
        )
        drawing = (self._top_k, self._top_p, self._min_p, self._seed, self._samples)
        self._tips = {widget: widget.toolTip() for widget in drawing}
        self._special = QCheckBox("Special tokens")
        set_tool_tip(self._special, "Read <|endoftext|> in the prompt as one token, not as text")

    def _lay_out(self) -> None:
        flow = FlowLayout(gap=12)
        for name, field in (
            ("Preset", self._preset),
            ("Temperature", self._temperature),
            ("Top-k", self._top_k),
            ("Top-p", self._top_p),
            ("Min-p", self._min_p),
            ("Seed", self._seed),
            ("New tokens", self._new_tokens),
            ("Samples", self._samples),
            ("Alternatives", self._alternatives),
            ("Stop", self._stop),
        ):
            flow.addWidget(_labelled(name, field))
        flow.addWidget(self._special)
        self.setLayout(flow)
        self._dress()

    def _dress(self) -> None:
        """Give each field the room of its longest number."""
        metrics = self.fontMetrics()
        self._seed.setFixedWidth(metrics.horizontalAdvance("0" * 9) + 16)
        for box in (self._temperature, self._top_p, self._min_p, self._samples):
            box.setFixedWidth(metrics.horizontalAdvance("10.00") + 34)
        for box in (self._top_k, self._new_tokens, self._alternatives):
            box.setFixedWidth(metrics.horizontalAdvance("00,000") + 34)

    def _connect(self) -> None:
        theme.events.theme_changed.connect(self._dress)
        self._preset.activated.connect(self._on_preset)
        for box in (self._temperature, self._top_p, self._min_p):
            box.valueChanged.connect(self._on_edited)
        for spin in (self._top_k, self._new_tokens, self._samples, self._alternatives):
            spin.valueChanged.connect(self._on_edited)
        self._seed.textEdited.connect(self._on_edited)
        self._stop.changed.connect(self._on_edited)
        self._special.toggled.connect(self._on_edited)

    def show_settings(self, settings: Settings) -> None:
        """Show other settings, without announcing it."""
        self._settings = settings
        drawn = settings.sampling
        self._quietly(self._preset.setCurrentText, self._preset, preset_name(drawn))
        for box, value in (
            (self._temperature, drawn.temperature),
            (self._top_p, drawn.top_p),
            (self._min_p, drawn.min_p),
        ):
            self._quietly(box.setValue, box, value)
        for spin, number in (
            (self._top_k, drawn.top_k),
            (self._new_tokens, settings.new_tokens),
            (self._samples, settings.samples),
            (self._alternatives, settings.top_k),
        ):
            self._quietly(spin.setValue, spin, number)
        if self._seed.text() != str(drawn.seed) and not self._seed.hasFocus():
            self._seed.setText(str(drawn.seed))
        self._stop.set_texts(drawn.stop)
        self._quietly(self._special.setChecked, self._special, settings.special_tokens)
        self._enable(greedy=drawn.greedy)

    @staticmethod
    def _quietly(setter: object, widget: QWidget, value: object) -> None:
        widget.blockSignals(True)  # noqa: FBT003 - Qt's spelling
        setter(value)  # type: ignore[operator]  # a bound method of Qt
        widget.blockSignals(False)  # noqa: FBT003

    def _enable(self, *, greedy: bool) -> None:
        for widget, tip in self._tips.items():
            widget.setEnabled(not greedy)
            widget.setToolTip(tool_tip(WHY_GREEDY) if greedy else tip)

    def _on_preset(self) -> None:
        chosen = next((p for p in PRESETS if p.name == self._preset.currentText()), None)
        if chosen is None:
            return
        drawn = replace(
            self._settings.sampling,
            temperature=chosen.temperature,
            top_k=chosen.top_k,
            top_p=chosen.top_p,
            min_p=chosen.min_p,
        )
        self._take(replace(self._settings, sampling=drawn))

    def _on_edited(self) -> None:
        seed = min(int(self._seed.text() or 0), _LARGEST_SEED)
        drawn = Sampling(
            temperature=round(self._temperature.value(), 2),
            top_k=self._top_k.value(),
            top_p=round(self._top_p.value(), 2),
            min_p=round(self._min_p.value(), 2),
            seed=seed,
            stop=self._stop.texts(),
        )
        self._take(
            replace(
                self._settings,
                new_tokens=self._new_tokens.value(),
                samples=self._samples.value(),
                sampling=drawn,
                top_k=self._alternatives.value(),
                special_tokens=self._special.isChecked(),
            )
        )

    def _take(self, settings: Settings) -> None:
        self.show_settings(settings)
        self.settings_changed.emit(settings)


def _decimal(low: float, high: float, step: float, tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(2)
    box.setRange(low, high)
    box.setSingleStep(step)
    box.lineEdit().setTextMargins(4, 0, 0, 0)
    set_tool_tip(box, tip)
    return box


def _whole(low: int, high: int, tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.lineEdit().setTextMargins(4, 0, 0, 0)
    set_tool_tip(box, tip)
    return box


def _labelled(name: str, field: QWidget) -> QWidget:
    """Return a field with its name before it, as one thing that wraps as a whole."""
    pair = QWidget()
    label = plain_label(name, role="muted")
    label.setBuddy(field)
    field.setAccessibleName(name)
    pair.setLayout(row_of(label, field))
    return pair
