"""From a deployment of the catalog to the painter that serves it."""

from xinghe.catalog import DiffusersDeployment, ImageDeployment, PreviewDeployment
from xinghe.images.bucket import Bucket
from xinghe.images.diffusion import DiffusionPainter
from xinghe.images.preview.painter import PreviewPainter
from xinghe.images.protocol import Painter
from xinghe.images.store import Folder, ImageStore
from xinghe.images.upstream import Fetch, UpstreamPainter
from xinghe.settings import Settings


def make_painter(
    name: str, deployment: ImageDeployment, settings: Settings, fetch: Fetch
) -> Painter:
    """Nothing is started before `Painter.start`; `fetch` brings a URL that an upstream names."""
    match deployment:
        case PreviewDeployment():
            return PreviewPainter(deployment.queue)
        case DiffusersDeployment():
            return DiffusionPainter(name, deployment, settings)
        case _:
            return UpstreamPainter(name, deployment, fetch)


def make_store(settings: Settings) -> ImageStore:
    """The bucket where one is set up, else a folder of the data directory."""
    if settings.images.s3_endpoint:
        return ImageStore(Bucket(settings.images), settings.images)
    return ImageStore(Folder(settings.data_dir / "images"), settings.images)
