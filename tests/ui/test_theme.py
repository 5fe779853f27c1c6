"""Colours and sizes: contrast of every allowed pair, millimetres of every token, and nobody else knows a number."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QColor
from PySide6.QtQml import QQmlComponent, qmlEngine

from kiosk.ui.failures_view import _PICTURES
from kiosk.ui.pictograms import STROKES
from kiosk.ui.screen import Screen
from kiosk.ui.views import Icon
from kiosk.visit.failure_pages import PAGES
from simulators.gallery import Panel
from tests.ui.pages import opened

ROOT = Path(__file__).parents[2]
QML = ROOT / "kiosk" / "ui" / "qml"
THEMES = ("clair", "jaune", "blanc")

GROUNDS = ("bg", "surface", "primarySoft", "okSoft", "warnSoft", "errorSoft")
OWN_GROUND = {"accent": "surface", "ok": "okSoft", "warn": "warnSoft", "error": "errorSoft"}
TEXT_PAIRS = [
    *product(("ink", "muted", "primary"), GROUNDS),
    *((tone, ground) for tone, own in OWN_GROUND.items() for ground in ("bg", "surface", own)),
    ("inkOnPrimary", "primary"),
    ("inkOnPrimary", "primaryPressed"),
    ("inkOnAccent", "accent"),
]
SHAPE_PAIRS = [
    *product(("line", "focus", "primary", "ok", "warn", "error"), GROUNDS),
    ("focus", "focusHalo"),
    ("chipLine", "chip"),
    ("cardEdge", "cardFace"),
    ("cardEdge", "cardOld"),
    ("primary", "cardFace"),
    ("primary", "sky"),
    ("focus", "cardFace"),
]


def _luminance(color: QColor) -> float:
    parts = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (color.redF(), color.greenF(), color.blueF())
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: QColor, other: QColor) -> float:
    """WCAG contrast ratio."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _singleton(screen: Screen, name: str) -> QObject:
    engine = qmlEngine(screen.window.contentItem().childItems()[0])
    component = QQmlComponent(engine)
    component.setData(f"import QtQml\nimport Kiosk\nQtObject {{ property QtObject it: {name} }}".encode(), "")
    holder = component.create()
    it = holder.property("it")
    assert isinstance(it, QObject)
    it.setParent(None)
    return it


def test_contrast_is_what_the_standard_defines() -> None:
    assert contrast(QColor("black"), QColor("white")) == pytest.approx(21)
    assert contrast(QColor("#0B3D91"), QColor("#FFFFFF")) == pytest.approx(9.9, abs=0.3)


@pytest.mark.parametrize("theme", THEMES)
def test_contrast_of_every_allowed_pair(qapp: object, theme: str) -> None:
    with opened() as screen:
        screen.prefer(theme=theme)
        colors = _singleton(screen, "Theme")
        low = [
            f"{one} on {other}: {ratio:.2f}"
            for pairs, least in ((TEXT_PAIRS, 7.0 if theme == "clair" else 13.0), (SHAPE_PAIRS, 3.0))
            for one, other in pairs
            # A contrast theme draws illustrations as outlines: pairs inside them are one colour on itself.
            if theme == "clair" or other in (*GROUNDS, "primary", "accent", "focusHalo")
            if (ratio := contrast(colors.property(one), colors.property(other))) < least
        ]
    assert low == []


@pytest.mark.parametrize(
    ("panel", "target_px", "min_px", "body_px"),
    [
        (Panel(1080, 1920, 15.6), 112, 84, 51),
        (Panel(1080, 1920, 21.5), 81, 61, 37),
        (Panel(1080, 1920, 27.0), 65, 49, 30),
        (Panel(1024, 768, 15.0), 68, 51, 31),
    ],
)
def test_sizes_are_those_of_the_screen_in_millimetres(
    qapp: object, panel: Panel, target_px: int, min_px: int, body_px: int
) -> None:
    with opened(panel) as screen:
        metrics = _singleton(screen, "Metrics")
        assert metrics.property("target") == target_px
        assert metrics.property("targetMin") == min_px
        assert abs(metrics.property("body") - body_px) <= 1


@pytest.mark.parametrize("scale", [1.25, 1.5])
def test_text_grows_with_the_members_choice(qapp: object, scale: float) -> None:
    with opened() as screen:
        metrics = _singleton(screen, "Metrics")
        normal = metrics.property("body")
        screen.prefer(text_scale=scale)
        assert metrics.property("body") == pytest.approx(normal * scale, abs=2)


# --- the source --------------------------------------------------------------------------------------------------

_SOURCES = sorted(QML.rglob("*.qml"))
BANNED = (
    "MultiEffect",
    "ShaderEffect",
    "layer.effect",
    "Particle",
    "setContextProperty",
    "VirtualKeyboard",
    "qsTr",
    "Shapes",
)
_OWNERS = {"Theme.qml", "Metrics.qml"}


@pytest.mark.parametrize("source", _SOURCES, ids=lambda path: path.name)
def test_source_rules(source: Path) -> None:
    text = source.read_text("utf-8")
    for banned in (
        "MultiEffect",
        "ShaderEffect",
        "layer.effect",
        "Particle",
        "setContextProperty",
        "VirtualKeyboard",
        "qsTr",
    ):
        assert banned not in text, banned
    assert not re.search(r"onPressed:(?! event)", text), "act on release"
    if source.name not in _OWNERS:
        assert not re.search(r'"#[0-9A-Fa-f]{3,8}"', text), "colours belong to Theme"
        assert not re.search(r"pixelSize: *\d", text), "sizes belong to Metrics"
        assert not re.search(r"\b(?:width|height|spacing|margins|padding|radius): *[2-9]\d*$", text, re.MULTILINE)
    spoken = [
        word for word in re.findall(r'"([^"]*)"', text) if re.search(r"[a-zà-ÿ]{2,} [a-zà-ÿ]{2,}", word, re.IGNORECASE)
    ]
    assert spoken == [], "French belongs to texts.py"


def test_qmllint_knows_the_presenters_and_finds_nothing() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "qmllint.py")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_pictogram_and_picture_exists() -> None:
    assert {icon.value for icon in Icon if icon} <= set(STROKES)
    assert {page.picture for page in PAGES.values()} <= set(_PICTURES)
    picture = (QML / "Kiosk" / "controls" / "Picture.qml").read_text("utf-8")
    assert all(f'"{name}"' in picture for name in _PICTURES.values())
