"""Reports: verdicts and traces as text, JSON and pages."""
