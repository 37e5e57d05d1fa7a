"""Checks OpenAPI documents: against the standard, and their examples against their schemas."""
import json
import sys

import openapi_spec_validator
from jsonschema import Draft202012Validator


def walk(value):
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


for name in sys.argv[1:]:
    with open(name) as file:
        document = json.load(file)
    openapi_spec_validator.validate(document)
    count = 0
    for place in walk(document):
        if not isinstance(place.get("schema"), dict):
            continue
        schema = {**place["schema"], "components": document["components"]}
        examples = [example["value"] for example in place.get("examples", {}).values()]
        examples += [place[key] for key in ("example",) if key in place]
        examples += [schema[key] for key in ("example",) if key in schema]
        for example in examples:
            Draft202012Validator(schema).validate(example)
            count += 1
    print(f"valid: {name}, {count} examples")
