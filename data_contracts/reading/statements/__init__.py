"""Read bank statements: tables of Chinese banks and messages of the CAMT.053, MT940 and OFX standards."""
