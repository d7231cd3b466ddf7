"""Side-by-side measurements: ratios within one run and CPU per request, never wall-clock tests."""
