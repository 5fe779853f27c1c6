"""The simulator's panel: cards, slots, network cable and paper, in a window beside the kiosk's."""

from simulators.panel.desktop import leaving, side_by_side
from simulators.panel.window import Panel

__all__ = ["Panel", "leaving", "side_by_side"]
