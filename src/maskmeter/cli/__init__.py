"""The command line: each command is a module, a few lines over the library.

Commands are imported when they are called, so that `maskmeter --help` is quick. Whatever a user can
cause ends in one line on stderr and an exit code: 1 a gate failed, 2 wrong usage, 3 data that is not
fit to evaluate, 130 interrupted.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from .._version import __version__
from ..errors import MaskmeterError, printable
from ..kernels import keep_freed_memory
from ..progress import event

COMMANDS = {
    "evaluate": "Evaluate predictions against ground truth.",
    "inspect": "Show what would be evaluated, before any work.",
    "merge": "Make one run of shards, or of runs of different images.",
    "report": "Write one self-contained HTML page about a run.",
    "compare": "Compare runs of the same images: differences, intervals, tests, rankings.",
    "raters": "Evaluate against several references, with their own agreement as the yardstick.",
    "averages": "Average over subgroups, sizes, the worst images; nothing is evaluated again.",
    "gate": "Check conditions on a run; exit code 1 where one fails.",
    "explain": "Show how a number came about.",
    "metrics": "List the metrics, or define one.",
    "sample": "Write a small generated data set with two imperfect models.",
    "demo": "Sample, evaluate, report: the whole tour.",
}


class _Commands(click.Group):
    """Commands by name, imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return import_module(f"{__name__}.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="maskmeter")
def cli() -> None:
    """Evaluate semantic, instance and panoptic segmentations.

    Ground truth always comes first. `maskmeter demo` shows all of it on a generated data set.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and answer with its exit code."""
    _log.clear()
    try:
        return cli.main(argv, prog_name="maskmeter", standalone_mode=False) or 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        return 2
    except MaskmeterError as error:
        say(str(error), "maskmeter" if not _log else "error")
        return error.exit_code
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise
        say(f"cannot write ({error.strerror}); make room, and run it again", "maskmeter" if not _log else "error")
        return 3
    except (KeyboardInterrupt, click.Abort):
        say("interrupted", "maskmeter" if not _log else "error")
        return 130


def entry() -> None:
    """The console script."""
    keep_freed_memory()
    sys.exit(main())


_log: list[str] = []


def log_as_json() -> None:
    """From now on what goes to stderr is a line of JSON each."""
    _log.append("json")


def say(line: str, what: str | None = None) -> None:
    """One line on stderr, safe in a terminal, with what it is before it."""
    if _log:
        event(what or "note", text=line)
    else:
        click.echo(printable(line if what is None else f"{what}: {line}"), err=True)
