"""The JSON schema of study files, by which an editor completes and checks them; made from `Study` itself."""

import json
from typing import Any

from study.spec import Study

Schema = dict[str, Any]

_NULL: Schema = {"type": "null"}

_RESOLVED = ("DataFound", "ImageFacts", "Network", "Parameter")
"""Definitions of what only the program itself fills in."""


def draw_schema() -> str:
    """Return the schema of a study file, as JSON.

    It has keys, types, words and ranges of what is written, before it is resolved. What takes more than one
    field to judge, only the program itself refuses.
    """
    schema = Study.model_json_schema()
    definitions, properties = schema["$defs"], schema["properties"]
    for name in _RESOLVED:
        del definitions[name]
    data, setting, published = (definitions[name] for name in ("DataSlice", "Setting", "PublishedSource"))
    data["properties"].pop("found")
    setting["properties"].pop("network_parameters")
    data["properties"]["size"]["anyOf"].append({"type": "integer"})
    required = published.pop("required")  # the study that is extended may have them
    for name in ("Range", "Options"):
        when = definitions[name]["properties"]["when"]
        values = when["additionalProperties"]
        when["additionalProperties"] = {"anyOf": [*values["items"]["anyOf"], values]}
    kinds = [
        definitions[each["$ref"].rpartition("/")[2]] for each in properties["exercises"]["items"]["oneOf"]
    ]
    changed = {"additionalProperties": _change(kinds), "type": "object"}
    for part in (data, setting, published):
        part["properties"] = _with_null(part["properties"])
    del setting["additionalProperties"]  # a network of one's own has others
    properties |= {
        "data": {"anyOf": [{"$ref": "#/$defs/DataSlice"}, {"type": "string"}]},
        "model": {"type": "string", "description": "lab, or FILE.py:FUNCTION", "default": "lab"},
        "exercises": {"anyOf": [properties["exercises"], changed]},
        "extends": {"type": "string", "description": "name or path of a study, of which this changes parts"},
    }
    whole = {"published": {"required": required}, "exercises": {"type": "array"}}
    known = {"baseline": {"propertyNames": {"enum": list(setting["properties"])}}}
    is_lab = {"model": {"const": "lab"}, "extends": {"not": {"pattern": "[./]"}}}
    schema |= {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "required": ["name"],
        "allOf": [
            {
                "if": {"required": ["extends"]},
                "else": {"required": ["title", "exercises"], "properties": whole},
            },
            {"if": {"properties": is_lab}, "then": {"properties": known}},
        ],
    }
    return json.dumps(schema, indent=1) + "\n"


def _change(kinds: list[Schema]) -> Schema:
    """Return the schema of changes to an exercise, of any kind; null leaves it out."""
    fields: dict[str, list[Schema]] = {}
    for kind in kinds:
        for name, field in kind["properties"].items():
            forms = fields.setdefault(name, [])
            forms += [field] if field not in forms else []
    properties = _with_null({name: {"anyOf": forms} for name, forms in fields.items()})
    return {"anyOf": [{"type": "object", "properties": properties, "additionalProperties": False}, _NULL]}


def _with_null(properties: dict[str, Schema]) -> dict[str, Schema]:
    """Allow null for each key: it takes the key of the extended study away."""
    return {name: {"anyOf": [field, _NULL]} for name, field in properties.items()}
