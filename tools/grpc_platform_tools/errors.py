"""How a command reports a failure.

An exception with `problems: list[str]` is printed one problem per line, without a traceback. Its
`exit_status` becomes the command's: 2 for a mistake that the user can fix, 1 (also when it has
none) for a fault of the program. A program's own exceptions may follow this without importing
anything from here.
"""

_LONGEST = 500


def escaped(text: str) -> str:
    """The text without what a terminal would obey, or could not be given: a name or a value in it
    may come from a hostile file."""
    words = text.lstrip("\t")  # Pulumi indents by them
    indent = text[: len(text) - len(words)]
    return indent + "".join(c if c.isprintable() else repr(c)[1:-1] for c in words)


def _shortened(text: str) -> str:
    """Without its middle if it is long: what is wrong stands at an end."""
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}...{text[-half:]}"


class UserError(Exception):
    """Something the user gave is wrong: a name, a file, a flag. Each problem becomes one line."""

    exit_status = 2

    def __init__(self, *problems: str) -> None:
        # Before too: escaping what is huge would take long.
        self.problems = [_shortened(escaped(_shortened(problem))) for problem in problems]
        super().__init__("\n".join(self.problems))


class FailedProgramError(Exception):
    """A Pulumi program raised an exception of its own; `problems` says where and which."""

    exit_status = 1

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
