"""Average predictions and average differences of any fit that holds its design."""
