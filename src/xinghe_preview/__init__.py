"""Pictures composed of drawings, for machines without the weights of a diffusion model.

Xinghe runs it as a worker (`xinghe_preview.worker`) and speaks to it over its pipe alone. It is
frozen: it learns no more words.
"""
