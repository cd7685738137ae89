"""A shop in software: who walks where, how cameras see it, how people are drawn."""
