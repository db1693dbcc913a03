"""How a command reports a failure.

An exception with `problems: list[str]` is printed one problem per line, without a traceback. Its
`exit_status` becomes the command's: 2 for a mistake that the user can fix, 1 (also when it has
none) for a fault of the program. A program's own exceptions may follow this without importing
anything from here.
"""


class UserError(Exception):
    """Something the user gave is wrong: a name, a file, a flag."""

    exit_status = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class FailedProgramError(Exception):
    """A Pulumi program raised an exception of its own; `problems` says where and which."""

    exit_status = 1

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
