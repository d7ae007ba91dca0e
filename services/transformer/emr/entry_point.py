"""What spark-submit starts: one file, which finds the code and its packages beside it."""

import sys

ARCHIVE = "job"
"""spark.archives unpacks `<uri>.zip#job` under this name in the driver's working directory."""


def start(arguments: list[str]) -> None:
    """Run the job of the archive; Spark itself comes from the release, before or beside it."""
    sys.path.insert(0, ARCHIVE)
    from services.transformer.emr.job import main

    main(arguments)


if __name__ == "__main__":
    start(sys.argv[1:])
