"""What the study says: one tidy frame per catalogue entry, ready for disclosure control and drawing."""
