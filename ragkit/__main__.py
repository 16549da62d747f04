"""Lets `python -m ragkit` do what `ragkit` does."""

from ragkit.cli import main

main()
