"""Entity resolution: checked identifiers, parsed company names, and reversible matches between them."""
