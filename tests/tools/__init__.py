"""What writes, and what checks, the parts of the documentation that are made of real output."""
