"""Questions to the DNS, each with an answer, none, or no answer in time."""
