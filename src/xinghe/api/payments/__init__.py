"""`/payments`: what payment providers tell of payments, signed."""
