"""Holds the template, as SAM translates it, against the resource schemas of every Region.

    lint_regions.py TEMPLATE TEMPLATE_WITHOUT_FUNCTION_URLS

cfn-lint alone looks at the resources that are written in a SAM template. What the translation
makes of the others it sees only when it is given the result.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from cfnlint.decode import cfn_yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

# The Regions that have no Function URLs, by the schemas. There the second template is deployed.
# eu-south-2 has the type in the schemas; AWS's own list says that it has no Function URLs.
WITHOUT_FUNCTION_URLS = {
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "cn-northwest-1",
    "eu-central-2",
    "il-central-1",
    "me-central-1",
    "mx-central-1",
    "us-gov-east-1",
    "us-gov-west-1",
}

# What does not hold, each with the reason.
ACCEPTED = {
    # The local emulator asks for the right to SendMessageBatch, which AWS does not have.
    ("W3037", "sendmessagebatch"),
}

# One Region of each partition.
PARTITIONS = ["us-east-1", "cn-north-1", "us-gov-west-1"]


def translate(path, region):
    """The CloudFormation template that AWS would make of a SAM template."""
    template = json.loads(json.dumps(cfn_yaml.load(str(path))))
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        # Where `sam deploy` puts what it finds here.
        for name in ("CodeUri", "DefinitionUri"):
            if name in properties:
                properties[name] = "s3://bucket/key"
    session = type("Session", (), {"region_name": region})()
    defaults = {name: value["Default"] for name, value in template["Parameters"].items()}
    translator = Translator({}, Parser(), boto_session=session)
    return translator.translate(template, defaults)


def lint(template):
    """What cfn-lint finds in any Region: rule, message, place."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(template, file)
        file.flush()
        command = [str(Path(sys.executable).with_name("cfn-lint")), "--format", "json"]
        command += ["--regions", "ALL_REGIONS", "--template", file.name]
        output = subprocess.run(command, capture_output=True, text=True, check=False)
    if not output.stdout.strip():
        raise SystemExit(output.stderr or f"cfn-lint ended with {output.returncode}")
    for match in json.loads(output.stdout):
        path = "/".join(str(part) for part in match["Location"]["Path"] or [])
        yield match["Rule"]["Id"], match["Message"], path


def main(template, without_function_urls):
    faults = []
    accepted = set()
    without = set()
    for path in (template, without_function_urls):
        translated = [translate(path, region) for region in PARTITIONS]
        # Then one of them stands for all.
        if any(other != translated[0] for other in translated):
            faults.append(f"{path}: SAM translates it differently in {PARTITIONS}")
        for rule, message, place in lint(translated[0]):
            known = {(id, text) for id, text in ACCEPTED if id == rule and text in message}
            accepted |= known
            if rule == "E3006" and "'AWS::Lambda::Url'" in message and path == template:
                without.add(message.rsplit("'", 2)[1])
            elif not known:
                faults.append(f"{path}: {rule} {message} ({place})")
    if without != WITHOUT_FUNCTION_URLS:
        faults.append(f"Regions without Function URLs are {sorted(without)}: say so in {__file__}")
    faults += [f"{rule} {text} is accepted, and not found" for rule, text in ACCEPTED - accepted]
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
