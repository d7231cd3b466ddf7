"""Pictures composed of drawings, for machines without the weights of a diffusion model."""
