"""Source customs_declaration_xml: its contract and its mapping to canonical tables."""
