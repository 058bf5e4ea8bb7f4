"""The exception for unusable input; users read its text in the terminal or in the explorer."""

import unicodedata
from pathlib import Path

MAX_NAME, MAX_PART = 300, 1000
"""Characters of a name, and of problem and remedy each; a list of checkpoints is long, a terminal is not."""

_BIDIRECTIONAL = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str, limit: int = MAX_PART) -> str:
    """Return text on one line that a terminal can show: control characters are escaped, long text loses its middle."""
    text = _shortened(text, limit)
    if text.isascii() and text.isprintable():
        return text
    return _shortened("".join(_escaped(letter) if _is_control(letter) else letter for letter in text), limit)


def _shortened(text: str, limit: int) -> str:
    half = limit // 2 - 3
    return text if len(text) <= limit else f"{text[:half]} ... {text[-half:]}"


def _is_control(letter: str) -> bool:
    """Return whether a character steers a terminal, ends a line, turns the direction of text, or is half a character."""
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _BIDIRECTIONAL


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "backslashreplace").decode("ascii")


class InputError(ValueError):
    """Input that cannot be used: one sentence that names the file, the problem and the remedy (exit code 2).

    Attributes:
        file: the file, command-line option or argument, exactly as it was given.
        problem: what is wrong with it, with the field's name.
        remedy: what to do, as an order.
    """

    def __init__(self, file: str | Path, problem: str, remedy: str):
        self.file, self.problem, self.remedy = str(file), printable(problem), printable(remedy)
        super().__init__(f"{printable(self.file, MAX_NAME)}: {self.problem}; {self.remedy}.")
