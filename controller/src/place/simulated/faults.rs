//! The table of faults of effects.
