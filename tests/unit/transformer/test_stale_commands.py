"""What a command of an earlier lock grant hears while somebody else is at work."""

from pathlib import Path

import pytest

from contracts.errors import StaleWriter
from services.transformer.batch import settle
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.transform import transform_batch
from tests.support.mortality import ProcessDied
from tests.support.transforming import a_batch, local_workbench, order

pytestmark = pytest.mark.medium


@pytest.mark.parametrize("deed", ["transform", "abandon"])
def test_a_stale_command_is_stale_while_another_batch_is_being_published(
    tmp_path: Path, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To be told to ask again, it would ask until its saga gave up."""

    def dies(*_arguments: object) -> None:
        raise ProcessDied("while publishing")

    slow = local_workbench(tmp_path)
    command = slow.stage(a_batch([order("1")]))
    newer = slow.restarted(fence=2)
    with monkeypatch.context() as patched:
        patched.setattr(settle, "publish_kpis", dies)
        with pytest.raises(ProcessDied):
            newer.transform(a_batch([order("2")]))
    assert newer.state().phase == "PUBLISHING"
    asked = {
        "transform": lambda: transform_batch(command, slow.ports),
        "abandon": lambda: abandon_batch(slow.abandoning(command), slow.ports),
    }
    with pytest.raises(StaleWriter, match="lock fence 1 is stale: 2 was seen"):
        asked[deed]()
