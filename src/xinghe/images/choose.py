"""From a deployment of the catalog to the engine that serves it."""

from xinghe.catalog import DiffusersDeployment, ImageDeployment, PreviewDeployment
from xinghe.images.bucket import Bucket
from xinghe.images.diffusion import DiffusionEngine
from xinghe.images.preview import PreviewEngine
from xinghe.images.protocol import ImageEngine
from xinghe.images.store import Folder, ImageStore
from xinghe.images.upstream import Fetch, UpstreamImageEngine
from xinghe.settings import Settings


def make_image_engine(
    name: str, deployment: ImageDeployment, settings: Settings, fetch: Fetch
) -> ImageEngine:
    """Nothing is started before its `start`; `fetch` brings a URL that an upstream names."""
    match deployment:
        case PreviewDeployment():
            return PreviewEngine(deployment.queue)
        case DiffusersDeployment():
            return DiffusionEngine(name, deployment, settings)
        case _:
            return UpstreamImageEngine(name, deployment, fetch)


def make_store(settings: Settings) -> ImageStore:
    """The bucket where one is set up, else a folder of the data directory."""
    if settings.images.s3_endpoint:
        return ImageStore(Bucket(settings.images), settings.images)
    return ImageStore(Folder(settings.data_dir / "images"), settings.images)
