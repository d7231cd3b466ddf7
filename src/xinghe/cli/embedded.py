"""`python -m xinghe.cli.embedded DATA [MODEL]`: for the doctor, whose Python may lack all that the
service is made of, which model files the embedded engines would serve, as JSON.
"""

from __future__ import annotations

import json
import sys

import click

from xinghe.catalog import CatalogError, LlamaCppDeployment
from xinghe.cli.common import run_in
from xinghe.cli.model_list import applied
from xinghe.settings import Settings


async def _weights(settings: Settings) -> list[str]:
    catalog, _ = await applied(settings)
    used = catalog.in_use().values()
    return [each.weights for each in used if isinstance(each, LlamaCppDeployment)]


def main(data: str, model: str = "") -> None:
    try:
        found = run_in(data, _weights, {"embedded.model": model or None}, quiet=True)
    except CatalogError as error:
        print(json.dumps({"error": str(error)}))
    except click.ClickException as error:
        sys.exit(error.message)
    else:
        print(json.dumps({"weights": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
