"""The exception for unusable input; users read its text in the terminal or in the explorer."""

from pathlib import Path


class InputError(ValueError):
    """Input that cannot be used: one sentence that names the file, the problem and the remedy (exit code 2).

    Attributes:
        file: the file, command-line option or argument.
        problem: what is wrong with it, with the field's name.
        remedy: what to do, as an order.
    """

    def __init__(self, file: str | Path, problem: str, remedy: str):
        super().__init__(f"{file}: {problem}; {remedy}.")
        self.file, self.problem, self.remedy = str(file), problem, remedy
