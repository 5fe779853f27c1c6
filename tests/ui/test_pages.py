"""Every page on every screen: inside the window, nothing cut, nothing overlapping, large enough, named."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtQuick import QQuickItem

from kiosk.ui.display import DisplaySpec
from kiosk.ui.screen import Screen
from kiosk.ui.typography import plain
from simulators.gallery import SCREENS, states
from simulators.screen import Finger
from tests.ui.pages import flick_of, is_button, is_text, items, opened, rect, seen, show

TARGET_MM, TARGET_MIN_MM, GAP_MIN_MM = 20, 15, 3
CAP_DEGREES = 0.7
STATES = states()
CONFIGURATIONS = [(name, scale) for name in SCREENS for scale in (1.0, 1.5)]


def _label(item: QQuickItem) -> str:
    return f"{item.metaObject().className().split('_')[0]}({str(item.property('text'))[:30]!r})"


def _cut_or_outside(found: list[QQuickItem], stage: QRectF) -> list[str]:
    problems = []
    for item in filter(is_text, found):
        if item.property("truncated"):
            problems.append(f"truncated {_label(item)}")
        if item.property("contentWidth") > item.width() + 1 or item.property("contentHeight") > item.height() + 1:
            problems.append(f"over-painted {_label(item)}")
    for item in found:
        if not (is_text(item) or is_button(item)):
            continue
        place = rect(item)
        inside = stage.adjusted(-1, -1, 1, 1)
        if flick_of(item) is not None:  # a list may be longer than the screen, never wider
            place.setTop(stage.top())
            place.setHeight(1)
        if not inside.contains(place):
            problems.append(f"outside {_label(item)}")
    return problems


def _small_or_close(found: list[QQuickItem], px_per_mm: float) -> list[str]:
    problems = []
    buttons = [item for item in found if is_button(item) and not seen(item).isEmpty()]
    for item in buttons:
        main = item.objectName() == "main" or (item.inherits("QQuickButton") and item.property("marked") is not None)
        least = (TARGET_MM if main else TARGET_MIN_MM) * px_per_mm
        if min(item.width(), item.height()) < least:
            problems.append(f"small {_label(item)}: {item.width()} × {item.height()}")
    for number, one in enumerate(buttons):
        for other in buttons[number + 1 :]:
            grow = GAP_MIN_MM * px_per_mm - 1
            if seen(one).adjusted(-grow, -grow, grow, grow).intersects(seen(other)):
                problems.append(f"closer than {GAP_MIN_MM} mm: {_label(one)} and {_label(other)}")
    return problems


def _overlapping_texts(found: list[QQuickItem]) -> list[str]:
    texts = [(item, seen(item)) for item in found if is_text(item)]
    return [
        f"overlap {_label(one)} and {_label(other)}"
        for number, (one, where) in enumerate(texts)
        for other, there in texts[number + 1 :]
        if where.adjusted(1, 1, -1, -1).intersects(there)
    ]


def _too_fine(found: list[QQuickItem], spec: DisplaySpec) -> list[str]:
    least = spec.viewing_mm * math.pi * CAP_DEGREES / 180 * spec.px_per_mm
    return [
        f"capitals too small {_label(item)}"
        for item in found
        if is_text(item) and item.property("font").pixelSize() * spec.cap_ratio < least - 0.01
    ]


def _unnamed(screen: Screen, found: list[QQuickItem]) -> list[str]:
    controls = Finger(screen).controls()
    names = "\n".join(plain(control.name) for control in controls)
    problems = [
        f"no name for {_label(item)}" for item in found if is_text(item) and plain(item.property("text")) not in names
    ]
    buttons = Counter(name for name in Finger(screen).button_names())
    problems += [f"button without a name on {screen.page}"] if buttons[""] else []
    return problems + [f"name given twice: {name}" for name, count in buttons.items() if count > 1]


@pytest.mark.parametrize(("name", "scale"), CONFIGURATIONS)
def test_structure_of_every_page(qapp: object, name: str, scale: float) -> None:
    panel = SCREENS[name]
    problems: list[str] = []
    with opened(panel) as screen:
        screen.prefer(text_scale=scale)
        stage = QRectF(0, 0, panel.width_px, panel.height_px)
        for state in STATES:
            show(screen, state)
            found = items(screen)
            here = [
                *_cut_or_outside(found, stage),
                *_small_or_close(found, screen.spec.px_per_mm),
                *_overlapping_texts(found),
                *_too_fine(found, screen.spec),
                *_unnamed(screen, found),
            ]
            problems += [f"{state.step.page}: {problem}" for problem in here]
    assert problems == []


ONE_PAGE = {"home", "identification", "serial", "code", "updating", "reading", "interrupted", "removeCard", "ticket"}
"""Pages whose buttons and digits must all be in sight at once, whatever the screen, at the normal text size."""


@pytest.mark.parametrize("name", SCREENS)
def test_nothing_to_scroll_where_one_must_act(qapp: object, name: str) -> None:
    with opened(SCREENS[name]) as screen:
        longer = set()
        for state in STATES:
            if state.step.page in ONE_PAGE:
                show(screen, state)
                flick = next(item for item in items(screen) if item.objectName() == "flick")
                if flick.property("contentHeight") > flick.height() + 1:
                    longer.add(f"{state.step.page}: {screen.view.heading}, {screen.view.notice[:20]}")
    assert longer == set()
