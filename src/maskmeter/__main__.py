"""`python -m maskmeter`."""

from .cli import entry

if __name__ == "__main__":
    entry()
