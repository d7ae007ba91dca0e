"""Where processes find the pipeline's code when they run it as it is deployed."""

import os
from pathlib import Path

import infra
from infra.local.launch import AS_IN_IMAGES

PROJECT = Path(infra.__file__).parent.parent


def code_path(*first: Path) -> str:
    """PYTHONPATH with these folders first, then what images lack, then the project."""
    return os.pathsep.join(map(str, (*first, AS_IN_IMAGES, PROJECT)))
