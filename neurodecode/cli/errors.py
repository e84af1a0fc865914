"""neurodecode errors: every error message, its cause and its mend."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="A message that was printed, or words; - reads it from the input."),
    ] = None,
) -> None:
    """Print the page of all error messages, or the entries of a message or of words."""
    from neurodecode.cli.console import say
    from neurodecode.core.errors import UserError
    from neurodecode.core.message_search import (
        find_by_words,
        find_messages,
        format_entry,
        format_page,
    )
    from neurodecode.core.messages import list_messages

    messages = list_messages()
    if not words:
        sys.stdout.write(format_page(messages))
        return
    text = sys.stdin.read() if words == ["-"] else " ".join(words)
    found = find_messages(text, messages) or find_by_words(text.split(), messages)
    if not found:
        raise UserError(
            "errors: no message like that. Give fewer words, or paste the message as it was "
            "printed: neurodecode errors -."
        )
    for message in found:
        say(format_entry(message))
