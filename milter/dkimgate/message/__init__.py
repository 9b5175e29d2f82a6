"""What arrived: the header, its author, its lines, and the domains in it. Knows neither claims nor the
configuration."""
