"""Checks an OpenAPI 3.1 document: the document itself, and every example in it
against its schema. Prints each fault, and ends with 1 when there is one."""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012


def examples(node, at):
    """Yields (place, schema, example) of everything that has both."""
    if isinstance(node, dict):
        if "schema" in node and isinstance(node["schema"], dict):
            schema = node["schema"]
            if "example" in node:
                yield at, schema, node["example"]
            named = node.get("examples")
            if isinstance(named, dict):
                for name, one in named.items():
                    yield f"{at}/examples/{name}", schema, one.get("value")
        for key, value in node.items():
            yield from examples(value, f"{at}/{key}")
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from examples(value, f"{at}/{i}")


def schemas(node, at):
    """Yields (place, schema) of every schema with examples of its own."""
    if isinstance(node, dict):
        if "examples" in node and isinstance(node["examples"], list):
            yield at, node
        for key, value in node.items():
            if key not in ("example", "examples"):
                yield from schemas(value, f"{at}/{key}")
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from schemas(value, f"{at}/{i}")


def main(path):
    with open(path, encoding="utf-8") as f:
        document = json.load(f)
    validate(document)
    registry = Registry().with_resource("urn:document", Resource.from_contents(document, default_specification=DRAFT202012))

    def rooted(schema):
        """The schema with its references pointing into the document."""
        if isinstance(schema, dict):
            return {k: "urn:document" + v if k == "$ref" and v.startswith("#") else rooted(v) for k, v in schema.items()}
        if isinstance(schema, list):
            return [rooted(v) for v in schema]
        return schema

    faults = count = 0
    pairs = list(examples(document["paths"], "paths"))
    pairs += [(at, s, e) for at, s in schemas(document, "") for e in s["examples"]]
    for at, schema, example in pairs:
        count += 1
        if schema.get("type") == "string" and example == "":
            continue  # of bodies that are no JSON
        checker = Draft202012Validator(rooted(schema), registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)
        for fault in checker.iter_errors(example):
            faults += 1
            print(f"{at}: {'/'.join(map(str, fault.absolute_path))}: {fault.message[:300]}")
    print(f"{count} examples, {faults} faults")
    return 1 if faults or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
