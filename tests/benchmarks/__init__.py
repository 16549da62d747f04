"""Commands that print numbers; results with date, machine and command go to docs/benchmarks.md."""
