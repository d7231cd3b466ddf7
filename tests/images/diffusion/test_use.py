"""`xinghe models use` with a Stable Diffusion XL: it is loaded, and draws, before it is applied."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.images.diffusion.trial import PYTHON
from tests.sources.desk import Operator


@pytest.mark.slow
async def test_a_folder_of_diffusers_is_tried(tiny: Path, tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    mine = {"python": str(PYTHON), "threads": 1}
    found = await operator.use("Stable-Diffusion-XL", str(tiny), fields=mine)
    assert operator.deployment("Stable-Diffusion-XL") == {
        "engine": "diffusers",
        "weights": str(tiny),
        **mine,
    }
    assert found.trial is not None
    assert "it drew an image in" in found.trial.text
