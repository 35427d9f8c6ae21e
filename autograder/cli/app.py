"""The `ptqlab` command: its subcommands, and the one sentence in which every mistake of a user ends."""

from __future__ import annotations

from typing import Annotated

import typer

from autograder.cli import authoring, exporting, grading, student
from autograder.cli.messages import complain
from autograder.course.fingerprint import kit_version
from autograder.records import PtqlabError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the `ptqlab` command; a mistake of the user ends in one sentence on stderr and exit code 2."""
    try:
        raise SystemExit(app(standalone_mode=False))
    except typer.TyperException as error:
        _refuse(_usage_error(error))
    except PtqlabError as error:
        _refuse(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        reason = error.strerror or type(error).__name__
        _refuse(
            f"Expected to read or write {error.filename}, but: {reason}; check the path, its permissions and the disk."
        )


def _refuse(sentence: str) -> None:
    if sentence:
        complain(sentence)
    raise SystemExit(2) from None


def _usage_error(error: typer.TyperException) -> str:
    """Return the parser's message on one line, and where to read on; "" when the parser has shown the help instead."""
    message = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".")
    context: typer.Context | None = getattr(error, "ctx", None)
    if not message or context is None:
        return message
    help_command = f"`{context.command_path} --help`"
    return f"{message} See {help_command}." if message.endswith("?") else f"{message}; see {help_command}."


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"ptqlab {kit_version()}")
        raise typer.Exit


@app.callback()
def _ptqlab(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Five notebooks on post-training quantization, with an autograder you can trust."""


app.add_typer(grading.commands)
app.add_typer(authoring.commands)
app.add_typer(exporting.commands)
app.add_typer(student.commands)


if __name__ == "__main__":
    main()
