"""The command line: thin commands over the library, one clear message and one exit code for each outcome."""

from jobchance.cli.main import main

__all__ = ["main"]
