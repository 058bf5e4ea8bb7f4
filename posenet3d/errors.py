"""The one exception for unusable input: its text is what the user reads, in the terminal or in the app's red box."""

from pathlib import Path


class InputError(ValueError):
    """Input that cannot be used; one sentence naming the file, the field and the remedy (CLI exit code 2)."""

    def __init__(self, file: str | Path, problem: str, remedy: str):
        super().__init__(f"{file}: {problem}; {remedy}.")
        self.file, self.problem, self.remedy = str(file), problem, remedy
