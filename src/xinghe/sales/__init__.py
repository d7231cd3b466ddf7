"""What is sold and given away: packages, orders and their payment, refunds, redeem codes."""
