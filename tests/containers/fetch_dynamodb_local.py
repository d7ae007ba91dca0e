"""Fetch the jars of DynamoDB Local into a folder, its native libraries under their own names."""

import re
import shutil
import sys
from pathlib import Path

from pyspark.sql import SparkSession

PACKAGE = "com.amazonaws:DynamoDBLocal:2.6.1"


def main(folder: Path) -> None:
    """Let Spark's Ivy resolve the package; it names files `<organisation>_<name>-<version>`."""
    cache = folder / "ivy"
    SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config(
        "spark.jars.packages", PACKAGE
    ).config("spark.jars.ivy", str(cache)).getOrCreate().stop()
    for found in (cache / "jars").iterdir():
        native = re.search(r"_(lib[\w-]+?)-\d[\d.]*\.so$", found.name)
        shutil.copy(found, folder / (f"{native[1]}.so" if native else found.name))
    print(sorted(path.name for path in folder.iterdir()))
    shutil.rmtree(cache)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
