"""How far a finding depends on choices, unseen causes, lost citizens and single units."""
