"""The dashboards' JSON, which `python -m dashboards` of this repository makes."""

from importlib.resources import files


def dashboards() -> dict[str, str]:
    """The text of each dashboard, by the name of its file."""
    folder = files("grpc_platform.monitoring").joinpath("dashboards")
    found = {each.name: each.read_text() for each in folder.iterdir()}
    return dict(sorted(found.items()))
