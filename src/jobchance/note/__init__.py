"""The status note: every finding that the study allows, controlled, drawn and written as one bundle."""
