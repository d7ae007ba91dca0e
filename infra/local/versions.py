"""The code that workers run: each version unzipped into a folder of its own, as an image is."""

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

from infra.deployer.packing import IN_BUCKET
from infra.errors import LocalCloudError


class Versions:
    """Folders of code under `folder`, fetched from the artifact bucket when first needed."""

    def __init__(self, s3: Any, folder: Path) -> None:
        self._s3, self._folder = s3, folder

    def code_of(self, image: str) -> Path:
        """The folder with the code that an image's name stands for."""
        bucket, separator, key = image.removeprefix(IN_BUCKET).partition("/")
        if not (image.startswith(IN_BUCKET) and separator):
            raise LocalCloudError(f"image {image} names no code in a bucket")
        code = self._folder / Path(key).with_suffix("")
        if not code.exists():
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            half = code.with_name(code.name + ".half")
            shutil.rmtree(half, ignore_errors=True)
            zipfile.ZipFile(io.BytesIO(body)).extractall(half)
            half.rename(code)
        return code
