"""What several gateways of one database must share beside it."""

from functools import partial

from xinghe.ledger import owners, processes
from xinghe.settings import Images
from xinghe.storage import Database, StorageError


async def check(database: Database, images: Images) -> None:
    """Raise `StorageError` where gateways of other data directories would find no image of ours."""
    if not database.shared or images.shared:
        return
    own = owners.with_file(database.directory)
    if await database.read(partial(processes.any_but, own=own)):
        raise StorageError(
            "another gateway uses this database, or did so half a minute ago, and images behind a "
            "URL are kept in the data directory, where it does not find them: set `images.folder` "
            "to a folder that all gateways share, or `images.s3_endpoint` to a bucket (xinghe.toml)"
        )
