"""``python -m genrelens`` is the command line."""

from genrelens.cli import main

main()
