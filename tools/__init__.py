"""What developers run beside the product: prose checks and the documentation site. Not part of the wheel."""
