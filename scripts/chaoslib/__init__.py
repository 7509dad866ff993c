"""What scripts/chaos is made of: a shop of real processes, load, faults, and a judge. docs/chaos.md describes it."""
