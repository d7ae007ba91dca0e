"""What a workflow's scripts call in place of `aws` and `ecp deploy`; the shims call it.

Run as a program of its own: `stand_ins.py TOOL ARGUMENTS`, on the state in the folder $WORLD, in a
checkout where `stacks/<name>` holds the sources of a stack.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORIES = {"validator": "validation/ecr", "transformer": "transformation/ecr"}
World = dict[str, Any]


def main(tool: str, *arguments: str) -> int:
    file = Path(os.environ["WORLD"], "world.json")
    world = json.loads(file.read_text())
    code = aws(world, *arguments) if tool == "aws" else deploy(world, *arguments[1:])
    file.write_text(json.dumps(world))
    return code


def aws(world: World, *arguments: str) -> int:
    options = dict(zip(arguments[2::2], arguments[3::2], strict=False))
    match arguments[:2]:
        case ("ecr", "describe-images"):
            tags = world["registry"].get(options["--repository-name"], {})
            if options["--image-ids"].removeprefix("imageTag=") not in tags:
                return refused("ImageNotFoundException")
        case ("ssm", "get-parameter"):
            if not world["topic"]:
                return refused("ParameterNotFound")
            print("arn:aws:sns:us-east-1:123456789012:ecommerce-pipeline-notifications")
        case ("sns", "publish"):
            if not world["topic"]:
                return refused("NotFound")
            world["told"].append(options["--message"])
        case _:
            raise NotImplementedError(arguments)
    return 0


def deploy(world: World, *arguments: str) -> int:
    sources = {path.name: path.read_text() for path in sorted(Path("stacks").iterdir())}
    if "--since" in arguments:
        changed = git("diff", "--name-only", arguments[2], "--", "stacks").split()
        print(json.dumps([{"name": Path(one).name} for one in changed]))
        return 0
    if "--plan" in arguments:
        print(json.dumps([planned(world, name, text) for name, text in sources.items()]))
        return 0
    named = [one for one in arguments if not one.startswith("--")]
    fails = Path(os.environ["WORLD"], "fails").read_text().split("\n")
    for name in named or sources:  # as it once was: no name, every stack
        newer = "--not-older" in arguments and is_older(world["deployed_by"].get(name))
        repository = REPOSITORIES.get(name)
        has_image = not repository or sources[name] in world["registry"].get(repository, {})
        if newer or not has_image or f"stack {name}" in fails:
            return 3
        world["deployed"][name] = sources[name]
        world["deployed_by"][name] = git("rev-parse", "HEAD")
    return 0


def planned(world: World, name: str, sources: str) -> dict[str, Any]:
    changes = ["code"] if world["deployed"].get(name) != sources else []
    tag = sources if name in REPOSITORIES else None
    return {"name": name, "changes": changes, "meaning": "", "image_tag": tag}


def is_older(deployed_by: str | None) -> bool:
    head = git("rev-parse", "HEAD")
    if deployed_by in (None, head):
        return False
    return git("merge-base", head, str(deployed_by)) == head


def git(*arguments: str) -> str:
    ran = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return ran.stdout.strip()


def refused(code: str) -> int:
    print(f"An error occurred ({code})", file=sys.stderr)
    return 254


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
