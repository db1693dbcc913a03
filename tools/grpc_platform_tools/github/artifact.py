"""Reads what the unprivileged run left, which its pull request may have made as it liked."""

from pathlib import Path

from grpc_platform_tools.diff.report import Report

LARGEST = 32 * 1024 * 1024
"""Bytes of a diff that are read: many times what 1,000 services that all change come to."""


class UnusableError(Exception):
    """No diff to show; says why in a sentence that holds nothing of what was read."""


def read_report(folder: Path, project: str) -> Report:
    """The report in `<folder>/<project>/diff.json`."""
    path = folder / project / "diff.json"
    if path.resolve() != folder.resolve() / project / "diff.json":
        raise UnusableError("The run left a link in place of a diff.")
    if not path.exists():
        raise UnusableError("The run left no diff of this project.")
    if not path.is_file():
        raise UnusableError("The run left something other than a file in place of a diff.")
    with path.open("rb") as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise UnusableError(f"The run left a diff of more than {LARGEST // 1024**2} MiB.")
    try:
        report = Report.load(text)
    except ValueError:
        raise UnusableError("The run left a diff that cannot be read.") from None
    if report.project != project:
        raise UnusableError("The run left the diff of another project in place of this one's.")
    return report
