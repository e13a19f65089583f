"""The window's colours, fonts and icons: a light and a dark palette of our own on Fusion.

No platform theme is relied on: `QStyleHints.setColorScheme` does nothing under offscreen and
plain X11, so that both palettes are set by hand; "system" follows what the platform reports.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from pythia_gui.core.resources import resource_path

Mode = Literal["system", "light", "dark"]

GRID = 8
"""Pixels: every margin and gap is a multiple or half of it."""

_SMALLEST_SCALE, _LARGEST_SCALE = 0.75, 2.5
_ICON_SIZES = (16, 20, 24, 32)


@dataclass(frozen=True, slots=True)
class Theme:
    """The named colours of one palette.

    `window` is the frame, `surface` what data stands on, `raised` fields and chips; `text` and
    `muted` read at 4.5:1 on all three. `line` separates and carries no meaning; `outline` is
    the border of a field (3:1). `accent` is the one colour of the frame: focus, the Run button,
    the step; `on_accent` is text on it. `series` are curve colours, at least 3:1 on `surface`,
    told apart with any colour vision. `ramp` runs from unlikely to likely (see `token_ink`).
    """

    name: Literal["light", "dark"]
    window: QColor
    surface: QColor
    raised: QColor
    text: QColor
    muted: QColor
    line: QColor
    outline: QColor
    accent: QColor
    on_accent: QColor
    good: QColor
    warning: QColor
    error: QColor
    selection: QColor
    selection_text: QColor
    series: tuple[QColor, ...]
    ramp: tuple[QColor, ...]
    ramp_dark_ink: QColor
    ramp_light_ink: QColor

    @property
    def dark(self) -> bool:
        """Whether text is lighter than what it stands on."""
        return self.name == "dark"


def _colors(*names: str) -> tuple[QColor, ...]:
    return tuple(QColor(name) for name in names)


LIGHT = Theme(
    name="light",
    window=QColor("#f1f2f4"),
    surface=QColor("#ffffff"),
    raised=QColor("#f7f8f9"),
    text=QColor("#1b1f24"),
    muted=QColor("#5a636e"),
    line=QColor("#dcdfe4"),
    outline=QColor("#808893"),
    accent=QColor("#0b61a4"),
    on_accent=QColor("#ffffff"),
    good=QColor("#17704a"),
    warning=QColor("#8a5200"),
    error=QColor("#b3261e"),
    selection=QColor("#cfe3f5"),
    selection_text=QColor("#10161d"),
    series=_colors(
        "#0072b2",  # blue
        "#d96a00",  # orange
        "#3e9b7f",  # green
        "#6a2458",  # plum
        "#5a3c00",  # brown
        "#4f22dd",  # violet
        "#3e8a9b",  # teal
        "#c0583a",  # rust
        "#707882",  # grey
    ),
    ramp=_colors("#8ea4d6", "#adb9d3", "#cdd0d3", "#e6e2c6", "#fff0b0"),
    ramp_dark_ink=QColor("#14181d"),
    ramp_light_ink=QColor("#ffffff"),
)

DARK = Theme(
    name="dark",
    window=QColor("#17191c"),
    surface=QColor("#1e2124"),
    raised=QColor("#272b2f"),
    text=QColor("#e6e8eb"),
    muted=QColor("#a3abb5"),
    line=QColor("#343a40"),
    outline=QColor("#727b86"),
    accent=QColor("#6cb6f5"),
    on_accent=QColor("#0c141b"),
    good=QColor("#62c795"),
    warning=QColor("#e8ae52"),
    error=QColor("#ff8a80"),
    selection=QColor("#1b3a55"),
    selection_text=QColor("#f4f8fb"),
    series=_colors(
        "#56b4e9",  # sky
        "#e0732f",  # orange
        "#7af4c1",  # mint
        "#b95f8b",  # raspberry
        "#f4e031",  # yellow
        "#8e62ff",  # violet
        "#a6efff",  # ice
        "#bc7a5e",  # tan
        "#8d959f",  # grey
    ),
    ramp=_colors("#3f66c4", "#45589a", "#4c525c", "#4f4c3a", "#4f4726"),
    ramp_dark_ink=QColor("#030405"),
    ramp_light_ink=QColor("#ffffff"),
)


class ThemeEvents(QObject):
    """Says when colours or the text size changed: repaint, and forget what was cached."""

    theme_changed = Signal()  # current_theme() or the text size is another one


events = ThemeEvents()


class _Look:
    """What is applied now."""

    def __init__(self) -> None:
        self.theme = LIGHT
        self.mode: Mode = "system"
        self.base_font: QFont | None = None
        self.scale = 1.0
        self.followed = False


_look = _Look()


def current_theme() -> Theme:
    """Return the palette that the window wears now."""
    return _look.theme


def as_mode(text: object) -> Mode:
    """Return the mode that `text` names, the system's where it names none."""
    return "light" if text == "light" else "dark" if text == "dark" else "system"


def current_mode() -> Mode:
    """Return what was asked for: the system's palette, or one of ours."""
    return _look.mode


def apply(app: QApplication, mode: Mode = "system") -> None:
    """Dress the application, and keep to the system's scheme while `mode` is "system"."""
    if not _look.followed:
        app.setStyle("Fusion")
        _look.base_font = _base_font(app)
        app.styleHints().colorSchemeChanged.connect(_system_changed)
        _look.followed = True
    _look.mode = mode
    _look.theme = _chosen(mode)
    _dress(app)


def set_text_scale(app: QApplication, scale: float) -> float:
    """Set the size of all text relative to the system's; return the scale, kept in bounds."""
    _look.scale = min(max(scale, _SMALLEST_SCALE), _LARGEST_SCALE)
    _dress(app)
    return _look.scale


def text_scale() -> float:
    """Return the size of text relative to the system's."""
    return _look.scale


def _chosen(mode: Mode) -> Theme:
    if mode == "system":
        scheme = QGuiApplication.styleHints().colorScheme()
        return DARK if scheme == Qt.ColorScheme.Dark else LIGHT
    return DARK if mode == "dark" else LIGHT


def _system_changed() -> None:
    app = QApplication.instance()
    if _look.mode == "system" and isinstance(app, QApplication):
        apply(app, "system")


def _dress(app: QApplication) -> None:
    if _look.base_font is not None:
        app.setFont(ui_font())
    app.setPalette(palette_of(_look.theme))
    app.setStyleSheet(_style_sheet(_look.theme))
    events.theme_changed.emit()


# --------------------------------------------------------------------------------- fonts


def _base_font(app: QApplication) -> QFont:
    font = QFont(app.font())
    if font.pointSizeF() <= 0:
        font.setPointSizeF(10)
    font.setPointSizeF(max(font.pointSizeF(), 9.5))
    font.setFeature(QFont.Tag("tnum"), 1)  # figures of one width, where the font has them
    return font


def ui_font(relative_size: float = 1.0, *, bold: bool = False) -> QFont:
    """Return the font of the window, with tabular figures, at a size relative to its text."""
    font = QFont(_look.base_font) if _look.base_font is not None else QFont()
    font.setPointSizeF(font.pointSizeF() * _look.scale * relative_size)
    if bold:
        font.setWeight(QFont.Weight.DemiBold)
    return font


def small_font() -> QFont:
    """Return the font of axis labels, badges and provenance lines."""
    return ui_font(0.88)


def text_font() -> QFont:
    """Return the font that prompts and generated text are read in."""
    return ui_font(1.12)


# --------------------------------------------------------------------------------- palettes


def palette_of(theme: Theme) -> QPalette:
    """Return the Qt palette of a theme, disabled text muted."""
    role = QPalette.ColorRole
    palette = QPalette()
    for where, color in (
        (role.Window, theme.window),
        (role.WindowText, theme.text),
        (role.Base, theme.surface),
        (role.AlternateBase, theme.raised),
        (role.Text, theme.text),
        (role.PlaceholderText, theme.muted),
        (role.Button, theme.raised),
        (role.ButtonText, theme.text),
        (role.BrightText, theme.on_accent),
        (role.ToolTipBase, theme.raised),
        (role.ToolTipText, theme.text),
        (role.Highlight, theme.selection),
        (role.HighlightedText, theme.selection_text),
        (role.Accent, theme.accent),
        (role.Link, theme.accent),
        (role.LinkVisited, theme.accent),
        (role.Light, theme.surface),
        (role.Midlight, theme.raised),
        (role.Mid, theme.line),
        (role.Dark, theme.outline),
        (role.Shadow, theme.line),
    ):
        palette.setColor(where, color)
    for where in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, where, theme.muted)
    return palette


def _style_sheet(theme: Theme) -> str:
    """Return the few rules that Fusion's palette can't express."""
    c = {
        field: getattr(theme, field).name()
        for field in (
            *("window", "surface", "raised", "text", "muted", "line", "outline"),
            *("accent", "on_accent", "error", "selection", "selection_text"),
        )
    }
    names = ("down", "up", f"check-{theme.name}")
    down, up, check = (resource_path("style", f"{name}.svg").as_posix() for name in names)
    return f"""
    QToolTip {{ background: {c["raised"]}; color: {c["text"]}; border: 1px solid {c["line"]};
        padding: 4px; }}
    QPlainTextEdit, QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox {{
        background: {c["surface"]}; color: {c["text"]}; border: 1px solid {c["outline"]};
        border-radius: 4px; padding: 3px 6px; min-height: 18px;
        selection-background-color: {c["selection"]};
        selection-color: {c["selection_text"]}; }}
    QComboBox::drop-down {{ border: 0; width: 20px; }}
    QComboBox::down-arrow {{ image: url("{down}"); width: 12px; height: 12px; }}
    QComboBox QAbstractItemView {{ background: {c["raised"]}; color: {c["text"]};
        border: 1px solid {c["line"]}; selection-background-color: {c["selection"]};
        selection-color: {c["selection_text"]}; }}
    QAbstractSpinBox {{ padding-right: 18px; }}
    QAbstractSpinBox QLineEdit {{ border: 0; padding: 0; min-height: 0;
        background: transparent; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{
        subcontrol-origin: border; border: 0; width: 18px; background: transparent; }}
    QAbstractSpinBox::up-button {{ subcontrol-position: top right; }}
    QAbstractSpinBox::down-button {{ subcontrol-position: bottom right; }}
    QAbstractSpinBox::up-arrow {{ image: url("{up}"); width: 12px; height: 12px; }}
    QAbstractSpinBox::down-arrow {{ image: url("{down}"); width: 12px; height: 12px; }}
    QSpinBox:disabled, QDoubleSpinBox:disabled, QLineEdit:disabled, QComboBox:disabled {{
        color: {c["muted"]}; border-color: {c["line"]}; background: transparent; }}
    QPlainTextEdit:focus, QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus,
    QComboBox:focus {{ border: 1px solid {c["accent"]}; }}
    QPlainTextEdit[invalid="true"], QLineEdit[invalid="true"] {{
        border: 1px solid {c["error"]}; }}
    QCheckBox {{ spacing: 6px; padding: 3px 2px; border: 1px solid transparent;
        border-radius: 4px; }}
    QCheckBox:focus {{ border: 1px solid {c["accent"]}; }}
    QCheckBox::indicator {{ width: 14px; height: 14px; border: 1px solid {c["outline"]};
        border-radius: 3px; background: {c["surface"]}; }}
    QCheckBox::indicator:checked {{ background: {c["accent"]}; border-color: {c["accent"]};
        image: url("{check}"); }}
    QPushButton {{ background: {c["raised"]}; color: {c["text"]};
        border: 1px solid {c["outline"]}; border-radius: 4px; padding: 4px 12px; }}
    QPushButton:hover {{ background: {c["line"]}; }}
    QPushButton:focus {{ border: 1px solid {c["accent"]}; }}
    QPushButton:disabled {{ color: {c["muted"]}; border-color: {c["line"]}; }}
    QPushButton[primary="true"] {{ background: {c["accent"]}; color: {c["on_accent"]};
        border: 1px solid {c["accent"]}; padding: 5px 16px; }}
    QPushButton[primary="true"]:focus {{ border: 2px solid {c["text"]}; padding: 4px 15px; }}
    QPushButton[primary="true"]:disabled {{ background: {c["raised"]}; color: {c["muted"]};
        border-color: {c["line"]}; }}
    QToolButton {{ border: 1px solid transparent; border-radius: 4px; padding: 3px; }}
    QToolButton:hover {{ background: {c["line"]}; }}
    QToolButton:focus {{ border: 1px solid {c["accent"]}; }}
    QToolButton:checked {{ background: {c["selection"]}; color: {c["selection_text"]}; }}
    QToolButton:disabled {{ color: {c["muted"]}; }}
    QTabBar::tab {{ background: transparent; color: {c["muted"]}; padding: 6px 12px;
        border: 0; border-bottom: 2px solid transparent; }}
    QTabBar::tab:selected {{ color: {c["text"]}; border-bottom: 2px solid {c["accent"]}; }}
    QTabBar::tab:hover {{ color: {c["text"]}; }}
    QTabBar::tab:focus {{ color: {c["text"]}; border-bottom: 2px solid {c["text"]}; }}
    QTabWidget::pane {{ border: 0; }}
    QSplitter::handle {{ background: transparent; }}
    QSplitter::handle:hover {{ background: {c["line"]}; }}
    QScrollArea {{ border: 0; background: transparent; }}
    QMenuBar {{ background: {c["window"]}; color: {c["text"]}; }}
    QMenuBar::item {{ padding: 4px 8px; background: transparent; }}
    QMenuBar::item:selected {{ background: {c["selection"]}; color: {c["selection_text"]}; }}
    QMenu {{ background: {c["raised"]}; color: {c["text"]}; border: 1px solid {c["line"]};
        padding: 4px; }}
    QMenu::item {{ padding: 4px 24px; border-radius: 3px; }}
    QMenu::item:selected {{ background: {c["selection"]}; color: {c["selection_text"]}; }}
    QMenu::item:disabled {{ color: {c["muted"]}; }}
    QMenu::separator {{ height: 1px; background: {c["line"]}; margin: 4px 8px; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
    QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
    QScrollBar::handle {{ background: {c["outline"]}; border-radius: 3px; margin: 2px; }}
    QScrollBar::handle:vertical {{ min-height: 24px; }}
    QScrollBar::handle:horizontal {{ min-width: 24px; }}
    QScrollBar::handle:hover {{ background: {c["muted"]}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QTreeView {{ background: transparent; }}
    QListView, QTableView {{ background: {c["surface"]}; }}
    QTreeView, QListView, QTableView {{ color: {c["text"]};
        border: 0; outline: 0; selection-background-color: {c["selection"]};
        selection-color: {c["selection_text"]}; }}
    QTableView::item {{ padding: 0 5px; }}
    QHeaderView {{ background: {c["surface"]}; border: 0; }}
    QHeaderView::section {{ background: {c["surface"]}; color: {c["muted"]}; border: 0;
        border-bottom: 1px solid {c["line"]}; padding: 4px 8px; }}
    QProgressBar {{ background: {c["line"]}; border: 0; border-radius: 2px; max-height: 4px; }}
    QProgressBar::chunk {{ background: {c["accent"]}; border-radius: 2px; }}
    """


# --------------------------------------------------------------------------------- token ink


def token_ink(value: float) -> tuple[QColor, QColor]:
    """Return background and foreground of a token; 0 is unlikely, 1 is likely.

    The ramp runs from blue through grey to yellow, as cividis does, so that it reads the same
    with any colour vision, and towards the surface, so that what surprises stands out in both
    palettes; the foreground is at 4.5:1 or more everywhere on it. A `value` that
    is not a number gets the surface: there is nothing to show.
    """
    if value != value:  # NaN  # noqa: PLR0124
        return _look.theme.surface, _look.theme.text
    return _inked(_look.theme.name, round(min(max(value, 0.0), 1.0) * 255))


@lru_cache(maxsize=1024)
def _inked(name: str, value: int) -> tuple[QColor, QColor]:
    theme = DARK if name == "dark" else LIGHT
    place = value / 255 * (len(theme.ramp) - 1)
    below = min(int(place), len(theme.ramp) - 2)
    background = _mixed(theme.ramp[below], theme.ramp[below + 1], place - below)
    inks = (theme.ramp_dark_ink, theme.ramp_light_ink)
    return background, max(inks, key=lambda ink: contrast(ink, background))


def _mixed(low: QColor, high: QColor, share: float) -> QColor:
    parts = zip(low.getRgb()[:3], high.getRgb()[:3], strict=True)  # type: ignore[index]
    return QColor(*(round(a + (b - a) * share) for a, b in parts))


def contrast(one: QColor, other: QColor) -> float:
    """Return the contrast ratio of two opaque colours, 1 to 21 (WCAG 2.1)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(color: QColor) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part) for part in (color.redF(), color.greenF(), color.blueF()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# --------------------------------------------------------------------------------- icons


def icon(name: str, color: QColor | None = None) -> QIcon:
    """Return `resources/icons/<name>.svg` in the text colour of the theme, or in `color`.

    An icon does not change with the theme by itself: ask again on `theme_changed`.

    Raises:
        FileNotFoundError: there is no such icon.
    """
    theme = _look.theme
    return _icon(name, (color or theme.text).name(), theme.muted.name())


@lru_cache(maxsize=256)
def _icon(name: str, color: str, disabled: str) -> QIcon:
    drawing = resource_path("icons", f"{name}.svg").read_text(encoding="utf-8")
    made = QIcon()
    for mode, ink in ((QIcon.Mode.Normal, color), (QIcon.Mode.Disabled, disabled)):
        renderer = QSvgRenderer(QByteArray(_inked_svg(drawing, ink).encode()))
        for size in _ICON_SIZES:
            for ratio in (1, 2):
                made.addPixmap(_pixmap(renderer, size, ratio), mode)
    return made


def _inked_svg(drawing: str, color: str) -> str:
    return drawing.replace("currentColor", color).replace('"#000"', f'"{color}"')


def _pixmap(renderer: QSvgRenderer, size: int, ratio: int) -> QPixmap:
    pixmap = QPixmap(QSize(size, size) * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap
