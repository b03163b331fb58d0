"""Learning: a demand model from past claims. The past is replayed to find a price, a hold, and what can be promised."""
