"""Words as data: every text that a reader sees, in Danish and English (Swedish and Norwegian where given)."""
