"""Reads the diff that the unprivileged run left. The pull request controls every byte of it."""

from pathlib import Path

from grpc_platform_tools.diff.report import Report

LARGEST = 16 * 1024 * 1024
"""Largest diff that is read, in bytes: several times that of 1,000 services that all change. The
slowest to show, one value of millions of lists, takes a minute and 2.2 GiB at this size."""


class UnusableError(Exception):
    """There is no diff to show. The message says why, and quotes nothing from what was read."""


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
