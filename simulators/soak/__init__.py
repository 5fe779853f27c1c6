"""Thousands of visits without a screen, with faults drawn from a seed, and the card-tear drill: what must always hold.

`python -m simulators.soak [--visits N] [--seed S] [--only VISIT]` and `python -m simulators.soak drill`.
"""
