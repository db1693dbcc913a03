"""A stack file's JSON Schema, with which editors complete and check the file."""

from typing import Any

from .load import KUBECONFIG
from .settings import Settings

PROJECT = "grpc-platform"


def stack_file_schema() -> dict[str, Any]:
    """Schema of `Pulumi.<env>.yaml`: this program's sections and other providers' keys only."""
    settings = Settings.model_json_schema()
    definitions = settings.pop("$defs")
    sections = {f"{PROJECT}:{key}": value for key, value in settings["properties"].items()}
    secret = {"type": "object", "properties": {"secure": {"type": "string"}}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack of grpc-platform",
        "type": "object",
        "required": ["config"],
        "properties": {
            "encryptionsalt": {"type": "string"},
            "encryptedkey": {"type": "string"},
            "secretsprovider": {"type": "string"},
            "config": {
                "type": "object",
                "required": [f"{PROJECT}:{key}" for key in settings["required"]],
                "properties": sections,
                "patternProperties": {
                    f"^{PROJECT}:{KUBECONFIG}": secret,
                    f"^(?!{PROJECT}:)[a-zA-Z-]+:": {},
                },
                "additionalProperties": False,
            },
        },
        "additionalProperties": False,
        "$defs": definitions,
    }
