"""The ptqlab package: exercises are graded in a sandbox, scored outside of it."""
