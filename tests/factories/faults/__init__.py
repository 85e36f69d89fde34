"""Stages under faults: crashes, broken disks and corrupted files."""
