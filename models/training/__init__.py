"""Labels, samples, leak check and the search for a champion."""
