"""What was agreed with a tenant, and how it stands: the table of states, the term."""
